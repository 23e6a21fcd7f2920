"""A harness whose stores take no notice of the relay is told so, once and for all its cases."""

from storekit.testing import Outcome, run
from storekit.testing.reference import MemoryHarness


class Straight(MemoryHarness):
    def setup(self):
        super().setup()
        self.opened = 0
        self._address = self.endpoint

    def options(self):
        return {**super().options(), "endpoint": self._address}

    def behind(self, endpoint):
        self.opened += 1
        return super().behind(endpoint)


def test_every_case_that_needs_a_relay_says_that_make_store_passes_it_by():
    harness = Straight()
    report = run(harness, level="robust", select="FLT-06,FLT-11,SIZ-05,SIZ-01", seed=1)
    for case_id in ("FLT-06", "FLT-11", "SIZ-05"):
        assert report[case_id].outcome is Outcome.ERROR
        assert "make_store of Straight did not use self.endpoint" in report[case_id].reason
    assert report["SIZ-01"].outcome is Outcome.PASS
    assert report.exit_code == 3
    assert harness.opened == 1


def test_a_store_that_goes_by_the_relay_is_looked_at_once():
    harness = MemoryHarness()
    report = run(harness, level="robust", select="FLT-06,SIZ-05", seed=1)
    assert {result.outcome for result in report.results} == {Outcome.PASS}
    assert harness.takes_detours is True
