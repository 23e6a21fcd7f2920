"""The cases are the contract: complete, well formed, and blind to who is under test."""

import ast
import inspect
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import storekit.testing.cases
from storekit.testing import Level, Registry, case, cases_for
from storekit.testing.cases import GROUPS

CORE = {
    "PLG": 9,
    "LOC": 9,
    "ADD": 23,
    "GET": 14,
    "RNG": 12,
    "SIZ": 5,
    "DEL": 9,
    "NEG": 9,
    "ERR": 8,
    "LST": 5,
    "ACL": 2,
    "CAP": 1,
    "CPY": 3,
    "FRM": 5,
}
ROBUST = {"OSF": 5, "CON": 10, "RES": 8, "LFT": 4}
HARD = {"CON-08", "RES-08"}
NAMES = re.compile(
    r"\b(filesystem|s3|swift|cinder|vmware|vsphere|rbd|ceph|sheepdog|gridfs)\b", re.IGNORECASE
)


def test_every_case_of_the_core_groups_is_there():
    counts = Counter(item.group for item in cases_for())
    assert {group: counts[group] for group in CORE} == CORE
    for group, number in CORE.items():
        wanted = {f"{group}-{n:02}" for n in range(1, number + 1)}
        assert {item.id for item in cases_for() if item.group == group} == wanted


def test_every_case_of_the_groups_about_what_goes_wrong_around_a_store_is_there():
    there = {item.id: item.level for item in cases_for() if item.group in ROBUST}
    wanted = {f"{group}-{n:02}" for group, last in ROBUST.items() for n in range(1, last + 1)}
    assert set(there) - HARD == wanted - HARD
    assert {there[case_id] for case_id in wanted - HARD} == {Level.ROBUST}


def test_cases_come_in_the_order_of_the_contract():
    ids = [(GROUPS.index(item.group), item.id) for item in cases_for()]
    assert ids == sorted(ids)


def test_every_case_says_what_why_and_how_it_goes_wrong():
    for item in cases_for():
        assert item.sentence.endswith("."), item.id
        assert item.why.endswith("."), item.id
        assert item.mistakes.endswith("."), item.id
        assert inspect.getdoc(item.function), item.id


def test_no_case_knows_the_name_of_a_driver():
    for path in Path(storekit.testing.cases.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                # Schemes of other drivers, for what a store must not read.
                allowed = node.value in {"swift", "file", "http"} and path.name == "loc.py"
                assert allowed or not NAMES.search(node.value), f"{path.name}: {node.value}"


def test_no_case_sleeps():
    for path in Path(storekit.testing.cases.__file__).parent.glob("*.py"):
        assert "sleep(" not in path.read_text(), path.name


def test_the_core_of_the_kit_imports_no_pytest():
    code = "import sys, storekit.testing as t; t.cases_for(); assert 'pytest' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"case_id": "ADD1"},
        {"sentence": "It is nice."},
        {"why": ""},
        {"mistakes": ""},
        {"hooks": ("nosuch",)},
    ],
)
def test_a_malformed_case_cannot_be_declared(wrong):
    options = {"case_id": "ADD-01", "sentence": "It MUST.", "why": "So.", "mistakes": "No."}
    with pytest.raises(ValueError, match=r"."):
        case(**{**options, **wrong}, into=Registry())(print)


def test_two_cases_cannot_have_one_id():
    into = Registry()
    declare = case("ADD-01", sentence="It MUST.", why="So.", mistakes="No.", into=into)
    declare(print)
    with pytest.raises(ValueError, match="ADD-01"):
        declare(print)


def test_a_case_is_found_by_its_id_in_either_case():
    whole = cases_for()
    for item in whole:
        assert whole[item.id] is whole[item.id.lower()] is whole[item.id.upper()] is item
    assert "zzz-01" not in whole


def test_a_case_with_a_fault_runs_alone():
    alone = {item.id for item in cases_for() if item.alone}
    assert {"ADD-18", "ERR-01", "ERR-07", "PLG-08"} <= alone
    assert "ADD-01" not in alone


def test_core_needs_no_hook():
    for item in cases_for():
        if item.counted_at is Level.CORE:
            assert not item.hooks
