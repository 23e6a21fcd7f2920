"""Cases go by what they found there: they pass on a store that others use, and leave it to them."""

import fcntl
import os

from storekit.testing import Outcome, run
from storekit.testing.reference import DirectoryHarness
from storekit.testing.reference.directory import UPLOADS

ASKS_WHAT_IS_LEFT = "ADD-18,ADD-19,CPY-03,DEL-06,ERR-05,LFT,LST,OSF-01,OSF-03,RES-04"
THEIRS = {f"theirs-{number}": b"x" * number for number in range(3)}


class SharedHarness(DirectoryHarness):
    """A directory with images of others, and an upload of theirs that is alive."""

    def setup(self):
        super().setup()
        for name, data in THEIRS.items():
            (self._root / name).write_bytes(data)
        (self._root / UPLOADS).mkdir()
        self._upload = os.open(self._root / UPLOADS / "alive", os.O_CREAT | os.O_WRONLY)
        fcntl.flock(self._upload, fcntl.LOCK_EX)

    def teardown(self):
        self.there = {name: self.peek(f"directory:///{name}") for name in THEIRS}
        self.left = self.orphans()
        os.close(self._upload)
        super().teardown()


def test_what_others_have_in_the_store_is_no_fault_of_the_driver_and_stays():
    harness = SharedHarness()
    report = run(harness, level="hard", select=ASKS_WHAT_IS_LEFT, seed=1)
    wrong = [
        f"{result.case.id} {result.outcome.value} {result.reason}"
        for result in report.results
        if result.outcome in {Outcome.FAIL, Outcome.ERROR}
    ]
    assert wrong == []
    assert harness.there == THEIRS
    assert harness.left == {"alive"}
