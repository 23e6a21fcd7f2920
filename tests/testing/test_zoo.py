"""The kit bites: every mutant dies by its case, and every case kills one."""

import subprocess
import sys

import pytest

from storekit.testing import cases_for
from storekit.testing.reference import MemoryDriver
from storekit.testing.zoo import all_mutants, mutant, self_test


@pytest.mark.slow
def test_every_mutant_dies_and_every_case_kills():
    # In a process of its own: some mutants leak connections and files, for that is their fault.
    command = [sys.executable, "-m", "storekit", "conform", "--self-test"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 problems" in done.stdout


def test_every_mutant_says_what_is_wrong_and_names_cases_that_exist():
    whole = cases_for()
    for one in all_mutants():
        assert one.summary.endswith("."), one.name
        assert "\n" not in one.summary, one.name
        assert all(case_id in whole for case_id in one.kills), one.name


def test_a_mutant_that_survives_is_a_problem():
    found = self_test(select="SIZ-01")
    survivor = found.kills[0].__class__(
        found.kills[0].mutant, "SIZ-01", found.references[0]["SIZ-01"].outcome, "", 0.0
    )
    other = type(found)(found.references, (survivor,), ("SIZ-01",), 0.0)
    assert other.problems == ["SizeIsStr survives SIZ-01: PASS ", "SIZ-01 kills no mutant"]
    assert other.exit_code == 1


def test_two_mutants_cannot_have_one_name_and_must_be_of_something_known():
    with pytest.raises(ValueError, match="SizeIsStr"):
        mutant(kills="SIZ-01")(type("SizeIsStr", (MemoryDriver,), {}))
    with pytest.raises(TypeError, match="Nothing"):
        mutant(kills="SIZ-01")(type("Nothing", (), {}))
