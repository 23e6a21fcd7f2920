"""The documentation does what it says: every block of code in it is run.

The ``python``, ``toml`` and ``sh`` blocks of a page run in order, in a directory of the page's
own that holds a disk image ``cirros.img``. The Python blocks of a page share their names. A TOML
block is a configuration: it becomes the page's ``storekit.toml``, and each of its stores must
open. Directories below ``/srv`` and files below ``/run/secrets``, which only root may make, are
stood in for by some in the page's directory.

``text`` blocks are drawings and output. A block that cannot run has a line before it that says
why: ``<!-- not run: why -->``.
"""

import ast
import dataclasses
import itertools
import os
import random
import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

import storekit

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "CHANGELOG.md",
        *(ROOT / "docs").rglob("*.md"),
    ]
)
RUN = {"python", "toml", "sh"}
SHOWN = {"text"}

MARKER = re.compile(r"<!-- not run: (\S.*) -->")
STAND_IN = re.compile(r"(?<![\w/.])(?:file://)?(/srv|/run/secrets)(?=/)")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    line: int
    """Where its first line of code is, counted from 1."""
    text: str
    reason: str | None
    """Why it is not run, where the page says so."""


def blocks_of(page):
    """The fenced blocks of a page, in order."""
    found, before, opened = [], "", None
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = line.strip()
        if opened is None and fence.startswith("```"):
            opened, body = (fence[3:].strip(), number + 1), []
        elif opened is not None and fence == "```":
            reason = MARKER.fullmatch(before)
            text = textwrap.dedent("\n".join(body)) + "\n"
            found.append(Block(*opened, text, reason[1] if reason else None))
            opened, before = None, ""
        elif opened is not None:
            body.append(line)
        elif fence:
            before = fence
    assert opened is None, f"{page.name}: the block at line {opened[1] - 1} has no end"
    return found


def code_pages():
    return [page for page in PAGES if any(block.language in RUN for block in blocks_of(page))]


def name_of(page):
    return str(page.relative_to(ROOT))


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A directory to run a page in: an empty home, and one disk image."""
    content = random.Random(0).randbytes(1 << 20) + bytes(1 << 20)
    (tmp_path / "cirros.img").write_bytes(content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STOREKIT_CONFIG", raising=False)
    for variable, where in {
        "HOME": "home",
        "XDG_DATA_HOME": "home/data",
        "XDG_CONFIG_HOME": "home/config",
    }.items():
        monkeypatch.setenv(variable, str(tmp_path / where))
        (tmp_path / where).mkdir()
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


@pytest.mark.parametrize("page", code_pages(), ids=name_of)
def test_the_code_of_a_page_runs(page, place, monkeypatch):
    names = {"__name__": "__main__"}
    for block in blocks_of(page):
        if block.language not in RUN or block.reason:
            continue
        text = stood_in(block.text, place)
        where = f"{name_of(page)}, line {block.line}"
        if block.language == "python":
            source = "\n" * (block.line - 1) + text
            exec(compile(source, name_of(page), "exec"), names)
        elif block.language == "toml":
            check_configuration(text, place, where, monkeypatch)
        else:
            run_shell(text, where)


def stood_in(text, place):
    """Put the page's own directories in the place of those that only root may make."""
    return STAND_IN.sub(lambda found: found[0].replace(found[1], f"{place}{found[1]}"), text)


def check_configuration(text, place, where, monkeypatch):
    file = place / "storekit.toml"
    file.write_text(text, encoding="utf-8")
    document = tomllib.loads(text)
    for options in document["stores"].values():
        make_paths(options, place, monkeypatch)
    with storekit.Stores.from_config(file) as stores:
        for name in stores:
            assert stores[name].state == "ready", where


def make_paths(options, place, monkeypatch):
    """Make what a configuration names: directories of images, variables, files of secrets."""
    paths = [options["path"]] if "path" in options else [*options.get("paths", ())]
    for path in paths:
        if Path(path).is_relative_to(place):
            Path(path).mkdir(parents=True, exist_ok=True)
    for value in options.values():
        if not isinstance(value, dict):
            continue
        if "env" in value:
            monkeypatch.setenv(value["env"], "a-secret")
        elif "file" in value:
            secret = Path(value["file"])
            secret.parent.mkdir(parents=True, exist_ok=True)
            secret.write_text("a-secret\n", encoding="utf-8")


def run_shell(text, where):
    done = subprocess.run(
        ["sh", "-eu", "-c", text],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{where}: {done.stdout}{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_of_a_page_is_run_or_says_why_not(page):
    unexplained = [
        f"line {block.line}: {block.language or 'no language'}"
        for block in blocks_of(page)
        if block.language not in RUN | SHOWN and block.reason is None
    ]
    assert unexplained == []


def test_there_is_code_to_run():
    assert {"README.md", "docs/configuration.md", "docs/embedding.md"} <= set(
        map(name_of, code_pages())
    )


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_links_of_a_page_lead_somewhere(page):
    broken = []
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or (anchor and anchor not in anchors_of(there)):
            broken.append(target)
    assert broken == []


def anchors_of(page):
    """The names by which a page's headings can be linked to."""
    titles = re.findall(r"^#+ +(.+?) *$", page.read_text(encoding="utf-8"), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", title.lower()) for title in titles)
    return {title.replace(" ", "-") for title in plain}


def test_the_design_says_of_each_capability_what_the_code_says():
    tree = ast.parse((ROOT / "storekit" / "capabilities.py").read_text(encoding="utf-8"))
    (flags,) = (node for node in tree.body if getattr(node, "name", "") == "Capability")
    said = [
        (member.targets[0].id, below.value.value)
        for member, below in itertools.pairwise(flags.body)
        if isinstance(member, ast.Assign)
    ]
    assert [name for name, _ in said] == [flag.name for flag in storekit.Capability]
    design = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    section = design.partition("\n## Capabilities\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \| (.+) \|$", section, re.MULTILINE) == said
