"""The two reference drivers keep every promise that they make."""

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from storekit.errors import InUse
from storekit.testing import Outcome, run
from storekit.testing.reference import DirectoryHarness, MemoryHarness, fuse


@pytest.mark.slow
@pytest.mark.parametrize("harness", [MemoryHarness, DirectoryHarness])
def test_a_reference_driver_passes_whatever_it_claims(harness):
    report = run(harness, level="hard", seed=1)
    wrong = [
        f"{result.case.id} {result.outcome.value} {result.reason}"
        for result in report.results
        if result.outcome in {Outcome.FAIL, Outcome.ERROR, Outcome.OVER}
    ]
    assert wrong == []
    assert report.left == ()


def test_every_fault_of_the_operating_system_is_for_real():
    lacking = fuse.lacks()
    if lacking and not os.environ.get("STOREKIT_REQUIRE_SERVERS"):
        pytest.skip(f"it takes {lacking}")
    report = run(DirectoryHarness, level="robust", select="OSF", seed=1)
    assert {result.outcome for result in report.results} == {Outcome.PASS}
    assert len(report.results) == 5


@pytest.fixture(params=[MemoryHarness, DirectoryHarness])
def harness(request):
    made = request.param()
    made.setup()
    yield made
    made.teardown()


def test_a_leftover_is_listed_and_reclaimed_and_a_live_upload_is_not(harness):
    with harness.make_store() as store, harness.make_store() as other:
        planted = harness.plant_leftover() if store.list() is not None else ""
        seen = []

        def data():
            yield b"x" * (1 << 20)
            yield b"y" * (1 << 20)
            seen.append({leftover.name for leftover in other.leftovers(timedelta(0))})
            seen.append([leftover.name for leftover in other.reclaim(timedelta(0))])
            yield b"z" * (1 << 20)

        stored = store.add("live", data())
        assert seen == [{planted}, [planted]]
        assert stored.size == 3 << 20
        assert harness.orphans() == set()


def test_a_leftover_that_is_alive_after_all_is_not_removed(harness):
    with harness.make_store() as store:
        driver = store.opening.instance()

        def data():
            yield b"x" * (1 << 20)
            yield b"y" * (1 << 20)  # the frame is a block ahead of the driver
            (name,) = harness.orphans()
            leftover = type("Fake", (), {"name": name})
            with pytest.raises(Exception, match=r".") as caught:
                driver.reclaim(leftover)
            error = driver.translate(caught.value, "reclaim") or caught.value
            assert isinstance(error, InUse)
            yield b"z" * (1 << 20)

        assert store.add("live", data()).size == 3 << 20


def test_the_server_ends_with_the_process_that_started_it():
    code = (
        "from storekit.testing.reference.process import shared_port, _process\n"
        "shared_port()\n"
        "from storekit.testing.reference import process\n"
        "print(process._process.pid, flush=True)\n"
        "import time; time.sleep(60)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    server = int(child.stdout.readline())
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    deadline = time.monotonic() + 10
    status = Path(f"/proc/{server}/stat")

    def ended():
        # Nobody may be there to bury it.
        return not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"

    while not ended() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert ended()
