"""What a call that hung raises in the end is not held against the driver: the kit made it do so."""

import threading

from storekit.errors import BackendError
from storekit.testing import Outcome, run
from storekit.testing.reference import MemoryDriver, MemoryHarness


class HangingDriver(MemoryDriver):
    """Waits for an answer until it is closed, and then finds a word for that."""

    def open(self):
        super().open()
        self.closing = threading.Event()

    def get_size(self, location, context=None):
        if self.limits.max_attempts > 1:
            return super().get_size(location, context)
        self.closing.wait(60)
        raise BackendError("the connection is gone")

    def close(self):
        self.closing.set()
        super().close()


class Hanging(MemoryHarness):
    driver = HangingDriver


def test_what_a_call_raises_when_the_kit_closes_it_is_not_counted():
    report = run(Hanging, level="robust", select="FLT-03,ERR-01", seed=1)
    assert report["FLT-03"].outcome is Outcome.FAIL
    assert "it hangs" in report["FLT-03"].reason
    assert report["ERR-01"].outcome is Outcome.PASS, report["ERR-01"].reason
