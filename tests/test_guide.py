"""The author's guide does what it says: its driver is built from the page, and passes robust.

A block after ``<!-- not run: goes into FILE -->`` goes below the blocks that the file has from the
page so far; the first one replaces what ``storekit new-driver`` put there. A block that ``goes
into the shell`` is run, where the one before it left off.
"""

import json
import re
from pathlib import Path

import pytest
from workbench import Workbench

GUIDE = Path(__file__).parent.parent / "docs" / "drivers" / "writing.md"
BLOCK = re.compile(
    r"^<!-- not run: goes into (the shell|\S+) -->\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
SHELL = "the shell"


class Author:
    """Follows the page in a directory, with a virtual environment."""

    def __init__(self, path):
        self.bench = Workbench(path / "venv")
        self.place = path / "work"
        self.place.mkdir()
        self.written = {}

    def follow(self, target, text):
        if target == SHELL:
            self.bench.run(text, self.place)
            for line in text.splitlines():
                if line.startswith("cd "):
                    self.place /= line[3:]
            return
        before = self.written.get(target, "")
        # As an author leaves space: two lines above what stands at the margin.
        space = "" if not before else "\n" if text.startswith(" ") else "\n\n"
        self.written[target] = before + space + text
        file = self.place / target
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self.written[target], encoding="utf-8")


@pytest.mark.slow
def test_the_driver_of_the_guide_is_built_as_the_page_says_and_reaches_robust(tmp_path):
    blocks = BLOCK.findall(GUIDE.read_text(encoding="utf-8"))
    author = Author(tmp_path)
    for target, text in blocks:
        author.follow(target, text)
    assert set(author.written) == {
        "src/storekit_sqlite/database.py",
        "src/storekit_sqlite/driver.py",
        "tests/harness.py",
        "tests/test_conformance.py",
    }
    report = json.loads((author.place / "report.json").read_text(encoding="utf-8"))
    assert report["reached"] == "robust"
    outcomes = {result["outcome"] for result in report["results"]}
    assert outcomes == {"PASS", "REFUSED", "N/A"}
    # The page as a whole is clean, and pytest finds the same cases.
    author.bench.run("ruff check --no-cache && ruff format --no-cache --check", author.place)
    text = author.bench.run("pytest -q -k 'driver or GET-01 or LFT-03'", author.place)
    assert "4 passed" in text
