"""DEL-09: what a delete that was cut off may leave."""

from storekit.testing import Outcome, run
from storekit.testing.reference import MemoryHarness
from storekit.testing.zoo.mutants_del import CutCleanUpIsHidden, RecordThenSegment


class Listed(MemoryHarness):
    driver = RecordThenSegment


class Hidden(MemoryHarness):
    driver = CutCleanUpIsHidden


def test_what_leftovers_lists_may_be_left():
    result = run(Listed, level="robust", select="DEL-09", seed=1)["DEL-09"]
    assert result.outcome is Outcome.PASS, result.reason


def test_what_is_hidden_is_named_with_how_the_delete_ended():
    result = run(Hidden, level="robust", select="DEL-09", seed=1)["DEL-09"]
    assert result.outcome is Outcome.FAIL
    assert result.actual.startswith("the delete succeeded, and left segment-")
    assert result.actual.endswith(", which leftovers does not list")
