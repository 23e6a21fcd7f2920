"""Levels and exit codes are those of the rules."""

import pytest

from storekit.testing import Level, Outcome, Report, Result
from storekit.testing.result import totals
from tests.testing.made_up import made_up, passes

CASES = [
    made_up("ADD-01", passes),
    made_up("ADD-02", passes, hooks=("peek",)),
    made_up("CON-01", passes, level=Level.ROBUST),
    made_up("CRS-01", passes, level=Level.HARD),
]


def report_of(level, *outcomes, selection=None):
    results = tuple(
        Result(case=case, outcome=outcome) for case, outcome in zip(CASES, outcomes, strict=False)
    )
    return Report(
        harness="H",
        store="s",
        driver="d",
        declared=(),
        limits={},
        level=level,
        seed=1,
        selection=selection,
        results=results,
        total=totals(CASES),
    )


P, F, N, E = Outcome.PASS, Outcome.FAIL, Outcome.NOT_RUN, Outcome.ERROR


@pytest.mark.parametrize(
    ("level", "outcomes", "reached", "exit_code"),
    [
        (Level.CORE, [P], Level.CORE, 0),
        (Level.CORE, [F], None, 1),
        (Level.CORE, [N], None, 1),
        (Level.CORE, [E], None, 3),
        (Level.HARD, [P, P, P, P], Level.HARD, 0),
        (Level.HARD, [P, P, P, F], Level.ROBUST, 1),
        (Level.HARD, [P, N, P, P], Level.CORE, 1),
        (Level.ROBUST, [P, N, P], Level.CORE, 1),
        (Level.ROBUST, [P, P, F], Level.CORE, 1),
        (Level.HARD, [F, P, P, E], None, 3),
        (Level.ROBUST, [P, P], Level.CORE, 1),
    ],
)
def test_a_level_is_reached_without_fail_not_run_and_error_in_it(
    level, outcomes, reached, exit_code
):
    report = report_of(level, *outcomes)
    assert (report.reached, report.exit_code) == (reached, exit_code)


@pytest.mark.parametrize(
    "outcome", [Outcome.REFUSED, Outcome.NOT_APPLICABLE, Outcome.WAIVED, Outcome.OVER]
)
def test_what_is_not_green_and_not_wrong_lowers_nothing(outcome):
    report = report_of(Level.CORE, outcome)
    assert (report.reached, report.exit_code) == (Level.CORE, 0)


def test_a_core_case_that_needs_a_hook_is_counted_at_robust():
    assert [case.counted_at for case in CASES] == [
        Level.CORE,
        Level.ROBUST,
        Level.ROBUST,
        Level.HARD,
    ]


def test_a_selection_exits_with_what_it_found():
    assert report_of(Level.CORE, P, selection="ADD").exit_code == 0
    assert report_of(Level.CORE, P, N, selection="ADD").exit_code == 1
    assert report_of(Level.CORE, E, selection="ADD").exit_code == 3


def test_every_outcome_is_counted():
    counts = report_of(Level.HARD, P, P, N, F).counts
    assert (counts[P], counts[N], counts[F], counts[E]) == (2, 1, 1, 0)
