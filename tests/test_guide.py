"""The author's guide does what it says: its drivers are built from the pages, and pass robust.

A block after ``<!-- not run: goes into FILE -->`` goes below the blocks that the file has from the
page so far; the first one replaces what ``storekit new-driver`` put there. A block that ``goes
into the shell`` is run, where the one before it left off.
"""

import json
import re
import shutil
from pathlib import Path

import pytest
from servers.required import require
from workbench import Workbench

PAGES = Path(__file__).parent.parent / "docs" / "drivers"
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


def followed(page, path):
    """Do what a page says, in a directory; give the author who did."""
    author = Author(path)
    for target, text in BLOCK.findall((PAGES / page).read_text(encoding="utf-8")):
        author.follow(target, text)
    report = json.loads((author.place / "report.json").read_text(encoding="utf-8"))
    assert report["reached"] == "robust"
    outcomes = {result["outcome"] for result in report["results"]}
    assert outcomes == {"PASS", "REFUSED", "N/A"}
    return author


@pytest.mark.slow
def test_the_driver_of_the_guide_is_built_as_the_page_says_and_reaches_robust(tmp_path):
    author = followed("writing.md", tmp_path)
    assert set(author.written) == {
        "src/storekit_sqlite/database.py",
        "src/storekit_sqlite/driver.py",
        "tests/harness.py",
        "tests/test_conformance.py",
    }
    # The page as a whole is clean, and pytest finds the same cases.
    author.bench.run("ruff check --no-cache && ruff format --no-cache --check", author.place)
    text = author.bench.run("pytest -q -k 'driver or GET-01 or LFT-03'", author.place)
    assert "4 passed" in text


@pytest.mark.slow
def test_the_driver_for_a_server_is_built_as_its_page_says_and_reaches_robust(tmp_path):
    require(None if shutil.which("redis-server") else "there is no redis-server")
    author = followed("server.md", tmp_path)
    assert set(author.written) == {
        "src/storekit_redis/server.py",
        "src/storekit_redis/driver.py",
        "tests/harness.py",
    }
    author.bench.run("ruff check --no-cache && ruff format --no-cache --check", author.place)
    author.bench.run("mypy", author.place)
