"""A call that hangs is a violation at once, and what was not broken proves nothing."""

import threading

import pytest

from storekit.errors import Unavailable
from storekit.testing import Context, NotRun, Violation, cases_for
from storekit.testing.reference import MemoryHarness
from storekit.testing.trials import Call, met, patience, tried, tried_all
from tests.testing.made_up import made_up, passes


@pytest.fixture
def context():
    harness = MemoryHarness()
    harness.setup()
    made = Context(made_up("FLT-99", passes), harness, seed=1, token="t", escapes=[])
    yield made
    made.exit.close()
    harness.teardown()


def test_the_transport_faults_of_the_contract_are_there():
    ids = [item.id for item in cases_for() if item.group == "FLT"]
    wanted = [f"FLT-{n:02}" for n in range(1, 16)]
    assert ids == [*wanted[:7], "FLT-07b", *wanted[7:], "FLT-16a", "FLT-16b"]


def test_a_call_gives_what_it_returned_or_raised_and_how_long_it_took():
    ended = tried(5, lambda: threading.Event().wait(0.05), "waiting")
    assert ended.again() is False
    assert 0.05 <= ended.seconds < 5

    def act():
        raise Unavailable("not now")

    with pytest.raises(Unavailable, match="not now"):
        tried(5, act, "failing").again()


def test_a_call_that_hangs_is_a_violation():
    going_on = threading.Event()
    with pytest.raises(Violation, match=r"within 0.10 s.*hangs.*after asking") as caught:
        tried(0.1, going_on.wait, "asking")
    going_on.set()
    assert caught.value.__notes__[0].startswith("Thread asking\n")


def test_calls_run_beside_each_other(context):
    both = threading.Barrier(2, timeout=5)
    calls = {"a": Call(both.wait, 5), "b": Call(both.wait, 5)}
    assert {ended.again() for ended in tried_all(context, calls, "meeting").values()} == {0, 1}


def test_one_that_hangs_is_enough(context):
    going_on = threading.Event()
    calls = {"a": Call(going_on.wait, 0.1), "b": Call(going_on.wait, 60)}
    with pytest.raises(Violation, match="a: waiting"):
        tried_all(context, calls, "waiting")
    going_on.set()


def test_a_timeout_is_chosen_by_the_backend_and_within_what_it_declares(context):
    limits = context.limits
    assert 0.1 < patience(context) <= min(limits.connect_timeout, limits.io_timeout)


def test_a_fault_that_was_not_met_proves_nothing():
    met(1, "a flood")
    with pytest.raises(NotRun, match="a flood"):
        met(0, "a flood")
