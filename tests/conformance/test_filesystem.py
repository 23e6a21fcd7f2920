"""The filesystem driver keeps the contract."""

import os

import pytest
from servers import slow_fuse

from conformance.filesystem import FilesystemHarness
from storekit.testing import ConformanceTests, Level, Outcome, run

pytestmark = pytest.mark.slow


class TestFilesystem(ConformanceTests):
    harness = FilesystemHarness


def test_robust_is_reached_with_every_fault_of_the_operating_system_for_real():
    lacking = "mounting needs root" if os.geteuid() else slow_fuse.missing()
    if lacking and not os.environ.get("STOREKIT_REQUIRE_SERVERS"):
        pytest.skip(lacking)
    report = run(FilesystemHarness, level="robust")
    assert report.reached >= Level.ROBUST
    faults = {result.case.id: result.outcome for result in report.results}
    assert {faults[f"OSF-0{n}"] for n in range(1, 6)} == {Outcome.PASS}
    assert report.left == ()
