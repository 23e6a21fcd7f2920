"""The script that kills and records many times: it counts right, and its table is what it found."""

import importlib.util
import re
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

import storekit

ROOT = Path(__file__).parent.parent.parent
SCRIPT = ROOT / "scripts" / "conformance_results.py"
PAGE = ROOT / "docs" / "conformance" / "results.md"
DATA = b"an image" * 1000


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("conformance_results", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def opened(tmp_path):
    return partial(storekit.open_store, "filesystem", path=tmp_path, upload_idle=0)


def table(page):
    """The rows of all tables of a page: the words, and the numbers beside them."""
    rows = re.findall(r"^\| (.+?) \|(.+)\|$", page, re.MULTILINE)
    return {
        words: [int(cell.replace(",", "")) for cell in cells.split("|")]
        for words, cells in rows
        if re.fullmatch(r"[\d, |]+", cells)
    }


def test_a_few_kills_and_histories_make_a_table_that_adds_up(tmp_path):
    page = tmp_path / "results.md"
    command = ["--kills", "8", "--histories", "4", "--seed", "7", "--dir", tmp_path, page]
    done = subprocess.run([sys.executable, SCRIPT, *command], check=False)
    text = page.read_text()
    assert done.returncode == 0, text
    assert "--kills 8 --histories 4 --seed 7" in text
    found = table(text)
    must = [numbers for words, numbers in found.items() if "must be 0" in words]
    assert len(must) == 5
    assert not any(map(sum, must))
    for column in range(len(found["afterwards no image"])):
        at = {words: numbers[column] for words, numbers in found.items() if len(numbers) > column}
        kills = at["SIGKILL at a random time of the add"]
        kills += at["SIGKILL at a random byte of its source"]
        assert kills == 8
        adds = kills + at["more adds, which returned before their time came"]
        assert at["afterwards no image"] + at["afterwards the whole image"] == adds
        assert at["SIGKILL at a random byte of its source"] == 4
        left = at["files left behind, as the directory shows"]
        assert left == at["of them listed by `leftovers`"] == at["of them removed by `reclaim`"]
    told = re.findall(r"^\| `\w+` \| .+? \| ([\d,]+) \|$", text, re.MULTILINE)
    assert sum(int(count.replace(",", "")) for count in told) == found["calls"][0]
    assert found["histories, of two images each"] == [4]
    assert list(tmp_path.iterdir()) == [page]


def test_what_is_there_after_a_kill_is_counted_as_what_it_is(script, tmp_path, opened):
    counts = Counter()
    look = partial(script._look, opened, "image", DATA, counts)
    look(ended=False)
    assert +counts == {"no image": 1}
    look(ended=True)
    assert counts["lost after add returned"] == 1
    for name, data in {"image": DATA[:-1], "other": DATA}.items():
        (tmp_path / name).write_bytes(data)
        look(ended=False)
    assert counts["partial images"] == 2
    (tmp_path / "image").write_bytes(DATA)
    look(ended=True)
    assert counts["whole images"] == 1
    assert counts["ids taken"] == 0
    assert counts["no image"] == 4


def test_an_id_that_is_taken_is_counted(script, tmp_path, opened):
    counts = Counter()
    (tmp_path / "image").mkdir()
    script._look(opened, "image", DATA, counts, ended=False)
    assert counts["ids taken"] == 1


def test_what_a_kill_leaves_is_counted_past_the_driver(script, tmp_path, opened):
    counts = Counter()
    (tmp_path / f".storekit-upload-{'0' * 32}").write_bytes(b"of a killed add")
    (tmp_path / "not-ours.part").mkdir()
    script._reclaim(opened, tmp_path, counts)
    assert counts == {"files left": 2, "leftovers listed": 1, "reclaimed": 1, "still there": 1}
    assert script.Kills("here", counts=counts).wrong == 1


def test_the_page_in_the_documentation_is_of_this_script_and_shows_nothing_wrong(script):
    text = PAGE.read_text()
    head = script.PAGE.partition("{how}")[0]
    assert text.startswith(head)
    found = table(text)
    assert found["histories, of two images each"][0] >= 1000
    for words, numbers in found.items():
        if "must be 0" in words:
            assert not any(numbers), words
