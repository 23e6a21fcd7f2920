"""What surrounds the cases is judged too: set-up, clean-up, the end of the run, and the process."""

import os
import threading
from dataclasses import replace
from datetime import date
from types import MappingProxyType

import pytest

from storekit.capabilities import Limits
from storekit.errors import ConfigurationError
from storekit.testing import Level, Outcome, Registry, Waiver, run
from storekit.testing.reference import DirectoryHarness, MemoryDriver, MemoryHarness
from storekit.testing.reports import as_markdown, as_text
from storekit.testing.session import HarnessFailed
from storekit.testing.watchdog import Hung
from tests.testing.made_up import made_up, passes

SOON = Limits(connect_timeout=0.5, io_timeout=1.0, max_attempts=1)
PATIENCE = {"budget": 1}


def stores(context):
    context.image(b"x")


def hanging_in(verb, after=0):
    """A harness whose driver hangs in a verb, once it has worked so often, until it is let go."""
    lock = threading.Event()
    seen = []

    def hangs(self, *args):
        seen.append(verb)
        if len(seen) > after:
            lock.wait(60)
        return getattr(super(driver, self), verb)(*args)

    driver = type("HangingDriver", (MemoryDriver,), {verb: hangs, "limits": SOON})
    more = {"driver": driver, "checked": False, "let_go": staticmethod(lock.set)}
    return type("Hanging", (MemoryHarness,), more)


@pytest.mark.parametrize(
    ("verb", "after", "call"),
    [("delete", 0, "delete(memory:"), ("close", 1, "close()"), ("open", 2, "list()")],
)
def test_a_hang_after_a_case_is_a_fail_with_the_call_and_the_stack(verb, after, call):
    harness = hanging_in(verb, after)
    report = run(harness, cases=Registry([made_up("ADD-01", stores, **PATIENCE)]))
    harness.let_go()
    result = report["ADD-01"]
    assert (result.outcome, result.hung) == (Outcome.FAIL, True)
    assert result.trace.startswith("Thread cleaning up after ADD-01\n")
    assert call in result.calls[-1]
    assert "has not ended" in result.calls[-1]


def test_a_hang_is_shown_where_people_look_with_the_call_that_hangs():
    harness = hanging_in("get_size")

    def case(context):
        context.store.get_size(context.image(b"x"))

    report = run(harness, cases=Registry([made_up("ADD-01", case, **PATIENCE)]))
    harness.let_go()
    assert report["ADD-01"].trace.startswith("Thread case ADD-01\n")
    for text in (as_text(report), as_markdown(report)):
        assert "get_size(memory:" in text
        assert "has not ended" in text
        assert "lock.wait(60)" in text
        assert len(text.splitlines()) < 60


def test_a_read_and_a_listing_that_hang_are_in_the_journal():
    lock = threading.Event()

    class Driver(MemoryDriver):
        limits = SOON

        def list(self, context=None):
            yield from super().list(context)
            lock.wait(60)

    class Slow(MemoryHarness):
        driver = Driver

    report = run(Slow, cases=Registry([made_up("ADD-01", lambda c: c.listed(), **PATIENCE)]))
    lock.set()
    assert "list: item 0 .. has not ended" in report["ADD-01"].calls[-1]


def test_a_setup_that_hangs_ends_with_the_stacks_and_is_not_torn_down():
    lock = threading.Event()

    class Slow(MemoryHarness):
        patience = 0.2

        def setup(self):
            lock.wait(60)

        def teardown(self):
            raise AssertionError("nothing was set up")

    with pytest.raises(Hung, match=r"setup of Slow does not end within 0.2 s") as caught:
        run(Slow, select="SIZ-01")
    lock.set()
    assert "lock.wait(60)" in caught.value.stacks


def test_a_store_that_hangs_at_its_first_opening_is_torn_down():
    ended = []

    class Slow(hanging_in("open")):
        patience = 5.0

        def teardown(self):
            ended.append("torn down")
            super().teardown()

    with pytest.raises(Hung, match="make_store of Slow"):
        run(Slow, select="SIZ-01")
    Slow.let_go()
    assert ended == ["torn down"]


def test_a_setup_that_leaves_the_interpreter_is_an_error():
    class Leaving(MemoryHarness):
        def setup(self):
            raise SystemExit(0)

    with pytest.raises(HarnessFailed, match=r"setup of Leaving raised SystemExit\(0\)"):
        run(Leaving, select="SIZ-01")


def test_setup_and_teardown_are_in_one_thread():
    seen = []

    class Threads(MemoryHarness):
        def setup(self):
            super().setup()
            seen.append(threading.current_thread())

        def teardown(self):
            super().teardown()
            seen.append(threading.current_thread())

    run(Threads, cases=Registry([made_up("ADD-01", passes)]))
    assert seen[0] is seen[1]
    assert not seen[0].is_alive()


def test_a_teardown_that_fails_leaves_the_report_with_an_error_beside_it():
    class Failing(MemoryHarness):
        def teardown(self):
            super().teardown()
            raise RuntimeError("it does not stop")

    report = run(Failing, cases=Registry([made_up("ADD-01", passes)]))
    assert report["ADD-01"].outcome is Outcome.PASS
    assert report["RUN-01"].outcome is Outcome.ERROR
    assert "it does not stop" in report["RUN-01"].reason
    assert (report.reached, report.exit_code) == (None, 3)


def test_a_teardown_that_hangs_is_an_error_with_the_stacks():
    lock = threading.Event()

    class Slow(DirectoryHarness):
        patience = 5.0

        def teardown(self):
            super().teardown()
            lock.wait(60)

    report = run(Slow, cases=Registry([made_up("ADD-01", passes)]))
    lock.set()
    result = report["RUN-01"]
    assert (result.outcome, result.hung) == (Outcome.ERROR, True)
    assert result.trace.startswith("Thread harness\n")
    assert "lock.wait(60)" in result.trace


def test_a_driver_that_ends_the_process_fails_the_case_and_the_run_goes_on():
    class Leaving(MemoryDriver):
        def get_size(self, location, context=None):
            os._exit(0)

    class LeavingHarness(MemoryHarness):
        driver = Leaving

    report = run(LeavingHarness, select="SIZ-01,ADD-03")
    assert report["SIZ-01"].outcome is Outcome.FAIL
    assert "os._exit(0) was called" in report["SIZ-01"].actual
    assert report["ADD-03"].outcome is Outcome.PASS


def test_a_forked_child_may_end_while_cases_run():
    def case(context):
        child = os.fork()
        if child == 0:
            os._exit(7)
        context.same(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 7, "its exit code")

    report = run(MemoryHarness, cases=Registry([made_up("ADD-01", case)]), jobs=1)
    assert report["ADD-01"].outcome is Outcome.PASS


def past_the_journal(context):
    context.store.store.add(context.new_id(), b"x")


def waiver(expires):
    return Waiver(id="ADD-01", reason="known", link="there", expires=expires)


def test_an_image_left_behind_can_be_waived():
    case = made_up("ADD-01", past_the_journal)
    signed = {"ADD-01": waiver(date(2999, 1, 1))}
    report = run(MemoryHarness, cases=Registry([case]), waivers=signed)
    assert [result.outcome for result in report.results] == [Outcome.WAIVED]
    assert report.exit_code == 0
    assert len(report.left) == 1


def test_an_image_that_appears_after_its_case_fails_the_run():
    ids = []

    def first(context):
        ids.append(context.new_id())

    def later(context):
        context.store.store.add(ids[0], b"x")

    cases = [made_up("ADD-01", first), made_up("ADD-02", later, last=True)]
    report = run(MemoryHarness, cases=Registry(cases))
    assert [result.outcome for result in report.results[:2]] == [Outcome.PASS] * 2
    assert report["RUN-01"].outcome is Outcome.FAIL
    assert (report["RUN-01"].actual, report.left) == (ids[0], (ids[0],))
    assert (report.reached, report.exit_code) == (None, 1)


def test_what_a_case_that_could_not_run_has_stored_is_deleted_too():
    def case(context):
        stores(context)
        context.harness.require("restart")

    class Bare(MemoryHarness):
        restart = DirectoryHarness.__mro__[2].restart

    report = run(Bare, cases=Registry([made_up("ADD-01", case)]))
    assert report["ADD-01"].outcome is Outcome.NOT_RUN
    assert report.left == ()


def test_an_expired_waiver_of_a_case_that_does_not_run_is_told():
    cases = [made_up("ADD-01", passes, level=Level.HARD), made_up("GET-01", passes)]
    signed = {"ADD-01": waiver(date(2020, 1, 1))}
    report = run(MemoryHarness, cases=Registry(cases), waivers=signed)
    assert report["RUN-01"].actual == "the waiver of ADD-01 is over since 2020-01-01"
    assert report.exit_code == 1
    signed = {"ADD-01": replace(signed["ADD-01"], expires=date(2999, 1, 1))}
    assert run(MemoryHarness, cases=Registry(cases), waivers=signed).exit_code == 0


@pytest.mark.parametrize(
    ("absent", "what"),
    [
        ({"endpont": "typo"}, "names 'endpont', and there is no such hook"),
        ({"fault:noise": "quiet"}, "fault:noise"),
        ({"in_use": " "}, "gives no reason for 'in_use'"),
        ({"in_use": True}, "gives no reason for 'in_use'"),
        ({"in_use"}, "absent is {'in_use'}"),
        ({"peek": "nobody can look"}, "it offers peek"),
    ],
)
def test_what_the_harness_says_is_absent_is_checked(absent, what):
    peek = MemoryHarness.peek
    harness = type("Acme", (MemoryHarness,), {"absent": absent, "peek": peek})
    with pytest.raises(ConfigurationError, match="harness Acme") as caught:
        run(harness, select="SIZ-01")
    assert what in str(caught.value)


def test_what_setup_adds_to_absent_is_checked_too():
    class Late(MemoryHarness):
        def setup(self):
            super().setup()
            self.absent = {**self.absent, "fault:oops": "it cannot be"}

    with pytest.raises(ConfigurationError, match="fault:oops"):
        run(Late, select="SIZ-01")


def test_a_harness_may_take_away_what_its_base_offers_and_setup_what_the_machine_lacks():
    class Less(MemoryHarness):
        absent = MappingProxyType({"in_use": "nobody uses it", "tls": "plain only"})

        def setup(self):
            super().setup()
            self.absent = {**self.absent, "peek": "it takes root"}

    assert run(Less, cases=Registry([made_up("ADD-01", passes)])).exit_code == 0
