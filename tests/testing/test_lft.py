"""LFT-04: an upload that is reclaimed while its add still goes on."""

from storekit.testing import Outcome, run
from storekit.testing.reference import DirectoryHarness, MemoryHarness
from storekit.testing.zoo.mutants_lft import DeadByIdleness


class ByIdleness(MemoryHarness):
    driver = DeadByIdleness


def test_an_add_that_is_told_of_the_reclaim_passes_and_the_reclaim_was_for_real():
    result = run(ByIdleness, level="hard", select="LFT-04", seed=1)["LFT-04"]
    assert result.outcome is Outcome.PASS, result.reason
    assert result.notes == {"reclaimed, known size": 1, "reclaimed, unknown size": 1}


def test_a_backend_that_shows_a_live_upload_passes_without_a_reclaim():
    for harness in (MemoryHarness, DirectoryHarness):
        result = run(harness, level="hard", select="LFT-04", seed=1)["LFT-04"]
        assert result.outcome is Outcome.PASS, result.reason
        assert set(result.notes.values()) == {0}
