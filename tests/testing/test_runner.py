"""The runner gives each case the outcome that it has earned, and no better one."""

import threading
from contextlib import suppress
from types import MappingProxyType

import pytest

from storekit.capabilities import Capability
from storekit.errors import BackendError, ConfigurationError, NotFound
from storekit.testing import Harness, Level, NotApplicable, Outcome, Over, Registry, Violation, run
from storekit.testing.reference import DirectoryHarness, MemoryDriver, MemoryHarness
from tests.testing.made_up import made_up, passes


def outcome_of(function, harness=MemoryHarness, **more):
    report = run(harness, cases=Registry([made_up("ADD-01", function, **more)]), level="hard")
    return report["ADD-01"]


def test_a_case_that_finds_nothing_wrong_passes_and_keeps_no_calls():
    def case(context):
        context.holds(context.image(b"x"), b"x")

    result = outcome_of(case)
    assert (result.outcome, result.calls, result.reason) == (Outcome.PASS, (), "")


def test_a_violation_is_a_fail_with_what_was_expected_and_the_calls_before_it():
    def case(context):
        location = context.store.add(context.new_id(), b"evidence").location
        context.same(context.store.get_size(location), 9, "get_size")

    result = outcome_of(case)
    assert result.outcome is Outcome.FAIL
    assert (result.expected, result.actual) == ("get_size: 9", "8")
    assert [call.partition("(")[0] for call in result.calls] == ["add", "get_size"]
    assert "in case" in result.trace


def test_an_error_of_the_store_that_the_case_does_not_expect_is_a_fail():
    result = outcome_of(lambda context: context.store.get_size(context.missing()))
    assert result.outcome is Outcome.FAIL
    assert "NotFound" in result.actual


def test_an_error_of_the_kit_is_an_error():
    result = outcome_of(lambda context: context.no_such_thing)
    assert result.outcome is Outcome.ERROR
    assert "no_such_thing" in result.reason


def test_a_store_that_does_not_open_is_an_error_of_the_environment():
    def case(context):
        context.client(token="nobody")

    assert outcome_of(case).outcome is Outcome.ERROR


def test_the_wrong_error_is_a_fail_that_names_both():
    def case(context):
        with context.expect_error(BackendError, did="a get_size"):
            context.store.get_size(context.missing())

    result = outcome_of(case)
    assert (result.outcome, result.expected) == (Outcome.FAIL, "BackendError")
    assert result.actual.startswith("NotFound: ")


def test_no_error_where_one_is_expected_is_a_fail():
    def case(context):
        with context.expect_error(NotFound):
            context.store.get_size(context.image(b"there"))

    assert outcome_of(case).actual == "no error"


def test_a_missing_promise_is_not_applicable():
    result = outcome_of(passes, needs=Capability.THIN)
    assert result.outcome is Outcome.NOT_APPLICABLE
    assert "THIN" in result.reason


class NoAclDriver(MemoryDriver):
    capabilities = MemoryDriver.capabilities & ~Capability.ACL


class NoAcl(MemoryHarness):
    driver = NoAclDriver


def test_an_unclaimed_gate_that_is_refused_is_refused():
    result = outcome_of(passes, NoAcl, needs=Capability.ACL)
    assert result.outcome is Outcome.REFUSED
    assert "ACL" in result.reason


def test_an_unclaimed_gate_runs_the_refused_variant_of_the_case():
    def wrong(context):
        raise Violation("a refusal", "none")

    result = outcome_of(passes, NoAcl, needs=Capability.ACL, refused=wrong)
    assert (result.outcome, result.expected) == (Outcome.FAIL, "a refusal")


def test_a_missing_hook_is_not_run_and_one_that_cannot_be_is_not_applicable():
    class Bare(MemoryHarness):
        denied_backend = Harness.denied_backend

    class Told(Bare):
        absent = MappingProxyType({"denied_backend": "everybody may do everything"})

    assert outcome_of(passes, Bare, hooks=("denied_backend",)).outcome is Outcome.NOT_RUN
    result = outcome_of(passes, Told, hooks=("denied_backend",))
    assert result.outcome is Outcome.NOT_APPLICABLE
    assert "everybody may do everything" in result.reason


def test_one_of_several_hooks_is_enough():
    result = outcome_of(passes, DirectoryHarness, hooks=("http|fault:gone",))
    assert result.outcome is Outcome.PASS


def test_a_fault_that_cannot_be_made_is_not_run():
    def case(context):
        with context.fault("hung"):
            pass

    result = outcome_of(case, DirectoryHarness, hooks=("fault:hung",))
    assert result.outcome is Outcome.NOT_RUN


def test_what_works_and_is_not_claimed_is_over():
    def case(context):
        raise Over("set_acls works")

    assert outcome_of(case).outcome is Outcome.OVER


def test_a_case_may_find_out_late_that_it_does_not_apply():
    def case(context):
        raise NotApplicable("no such thing here")

    assert outcome_of(case).outcome is Outcome.NOT_APPLICABLE


def test_a_hang_is_a_fail_with_the_stacks_of_all_threads():
    def hangs_here(context):
        threading.Event().wait(60)

    result = outcome_of(hangs_here, budget=0.1)
    assert result.outcome is Outcome.FAIL
    assert "limits.op_budget" in result.expected
    assert "hangs_here" in result.trace
    assert "MainThread" in result.trace


def test_an_untranslated_error_fails_whatever_case_meets_it():
    class UntranslatedDriver(MemoryDriver):
        def get_size(self, location, context=None):
            raise KeyError("a field")

    class Untranslated(MemoryHarness):
        driver = UntranslatedDriver

    def case(context):
        with suppress(BackendError):
            context.store.get_size(context.image(b"x"))

    result = outcome_of(case, Untranslated)
    assert result.outcome is Outcome.FAIL
    assert "ERR-01" in result.expected

    def named(context):
        with context.expect_error(BackendError):
            context.store.get_size(context.image(b"x"))

    assert outcome_of(named, Untranslated).outcome is Outcome.PASS


def test_the_caller_s_own_exception_is_no_escape_and_another_s_is():
    error = ValueError("mine")

    def source(raised):
        yield b"x"
        raise raised

    def own(context):
        context.own(error)
        with context.expect_error(ValueError):
            context.store.add(context.new_id(), source(error), 2)

    def other(context):
        with context.expect_error(ValueError):
            context.store.add(context.new_id(), source(ValueError("not declared")), 2)

    assert outcome_of(own).outcome is Outcome.PASS
    assert outcome_of(other).outcome is Outcome.FAIL


def test_images_are_deleted_after_the_case_and_one_that_stays_is_a_fail():
    class StickyDriver(MemoryDriver):
        def delete(self, location, context=None):
            raise BackendError("it sticks")

    class Sticky(MemoryHarness):
        driver = StickyDriver

    def case(context):
        context.image(b"x")

    assert run(MemoryHarness, cases=Registry([made_up("ADD-01", case)])).left == ()
    result = outcome_of(case, Sticky)
    assert result.outcome is Outcome.FAIL
    assert "it sticks" in result.actual


def test_an_image_left_behind_fails_the_case_that_left_it():
    def case(context):
        context.store.store.add(context.new_id(), b"past the journal")

    report = run(MemoryHarness, cases=Registry([made_up("ADD-01", case)]))
    assert report["ADD-01"].outcome is Outcome.FAIL
    assert report.left == (report["ADD-01"].actual,)


def test_the_same_seed_makes_the_same_choices():
    seen = []

    def case(context):
        seen.append(context.payload(8))

    for seed in (1, 1, 2):
        run(MemoryHarness, cases=Registry([made_up("ADD-01", case)]), seed=seed)
    assert seen[0] == seen[1] != seen[2]


def test_cases_run_beside_each_other_but_for_those_that_must_be_alone():
    together = threading.Barrier(2)
    busy = threading.Lock()

    def meets(context):
        together.wait(5)

    def alone(context):
        assert busy.acquire(blocking=False)
        threading.Event().wait(0.05)
        busy.release()

    cases = [made_up("ADD-01", meets), made_up("ADD-02", meets)]
    cases += [made_up(f"ADD-1{n}", alone, exclusive=True) for n in range(3)]
    report = run(MemoryHarness, cases=Registry(cases), jobs=2)
    assert report.counts[Outcome.PASS] == 5


def test_a_last_case_runs_after_all_others_and_knows_what_came_out_of_them():
    order = []

    def last(context):
        order.append("last")

    cases = [made_up("ADD-01", last, last=True)]
    cases += [made_up(f"ADD-1{n}", lambda _: order.append("before")) for n in range(3)]
    run(MemoryHarness, cases=Registry(cases))
    assert order == ["before"] * 3 + ["last"]


def test_a_selection_is_by_the_beginning_of_ids_and_must_find_something():
    cases = Registry([made_up("ADD-01", passes), made_up("GET-01", passes, level=Level.HARD)])
    report = run(MemoryHarness, cases=cases, select="get")
    assert [result.case.id for result in report.results] == ["GET-01"]
    with pytest.raises(ConfigurationError, match="NOSUCH"):
        run(MemoryHarness, cases=cases, select="NOSUCH")
    with pytest.raises(ConfigurationError, match="extreme"):
        run(MemoryHarness, cases=cases, level="extreme")


def test_a_harness_adds_cases_of_its_own():
    class Own(MemoryHarness):
        cases = Registry([made_up("PRF-99", passes)])

    report = run(Own, select="PRF-99")
    assert report["PRF-99"].outcome is Outcome.PASS


def test_what_eventually_holds_tells_how_long_it_took():
    class EventualDriver(MemoryDriver):
        capabilities = MemoryDriver.capabilities & ~Capability.STRONG_CONSISTENCY

    class Eventual(MemoryHarness):
        driver = EventualDriver

    looks = iter([False, False, True])

    def case(context):
        context.eventually(lambda: next(looks), "the third look")

    assert outcome_of(case, Eventual).notes["settled"] > 0
    strong = outcome_of(lambda c: c.eventually(lambda: False, "at once"))
    assert strong.outcome is Outcome.FAIL
