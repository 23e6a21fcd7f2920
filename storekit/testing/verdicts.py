"""Verdicts: the results made of what a case raised, of a hang, and of the end of a run."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import replace

from storekit.capabilities import Capability
from storekit.testing.case import Case, Level, NotApplicable, NotRun, Over, Violation
from storekit.testing.context import Context
from storekit.testing.result import Outcome, Result
from storekit.testing.watchdog import Hung

__all__ = ["ENDING", "broken", "failed", "hanging", "names", "said", "together", "verdict_on"]


def _by_the_session(_: Context) -> None:
    """Stand for what ``Session.end`` does: it is no case that runs on a store."""


ENDING = Case(
    id="RUN-01",
    level=Level.CORE,
    sentence="At its end a run MUST leave nothing: no image of its own, no waiver that is over, and"
    " a harness that is torn down.",
    why="What is left shows when nobody looks any more: the next run meets it.",
    mistakes="An image appears after its add has failed; teardown raises or hangs; nobody looks"
    " after a waiver whose case is not selected.",
    function=_by_the_session,
)
"""What is judged at the end of every run. In a report only if it is not PASS."""


def verdict_on(case: Case, context: Context, error: BaseException) -> Result:
    """Judge a case by what its function raised.

    Args:
        case: The case.
        context: Of the case: it knows what came out of a store.
        error: What was raised.
    """
    match error:
        case Violation():
            result = failed(case, error.expected, error.actual, error.did)
            result = replace(result, calls=error.evidence)
        case NotRun():
            return Result(case=case, outcome=Outcome.NOT_RUN, reason=str(error))
        case NotApplicable():
            return Result(case=case, outcome=Outcome.NOT_APPLICABLE, reason=str(error))
        case Over():
            return Result(case=case, outcome=Outcome.OVER, reason=str(error))
        case _ if context.journal.came_from_a_store(error):
            result = failed(case, "no error", said(error))
        case _:
            return broken(case, error)
    return replace(result, trace="".join(traceback.format_exception(error)))


def failed(case: Case, expected: str, actual: str, did: str = "") -> Result:
    """Make a FAIL.

    Args:
        case: The case.
        expected: What the contract says.
        actual: What happened.
        did: What was done.
    """
    return Result(
        case=case,
        outcome=Outcome.FAIL,
        reason=str(Violation(expected, actual, did)),
        expected=expected,
        actual=actual,
    )


def broken(case: Case, error: BaseException, what: str = "") -> Result:
    """Make an ERROR.

    Args:
        case: The case.
        error: What the kit or its environment raised.
        what: What raised it, if that has to be told.
    """
    trace = "".join(traceback.format_exception(error))
    return Result(case=case, outcome=Outcome.ERROR, reason=what + said(error), trace=trace)


def hanging(case: Case, hung: Hung, context: Context | None = None) -> Result:
    """Make a FAIL of what did not end, with the stacks, and the calls that have not ended.

    Args:
        case: The case.
        hung: What did not end.
        context: Of the case, where it is the store that hangs.
    """
    expected = f"an end within {hung.seconds:.1f} s"
    if context is not None:
        expected += f", {case.budget:g} times limits.op_budget"
    result = failed(case, expected, f"{hung.name} hangs")
    calls = () if context is None else context.journal.shown()
    return replace(result, trace=hung.stacks, hung=True, calls=calls)


def together(found: Sequence[Result]) -> Result:
    """Make one result of what was found at the end of a run: an ERROR outranks a FAIL.

    Args:
        found: The results of ``ENDING``.
    """
    if not found:
        return Result(case=ENDING, outcome=Outcome.PASS)
    worst = next((one for one in found if one.outcome is Outcome.ERROR), found[0])
    return replace(worst, reason="; ".join(one.reason for one in found))


def said(error: BaseException) -> str:
    """Write an exception on one line.

    Args:
        error: The exception.
    """
    return f"{type(error).__name__}: {error}"


def names(flags: Capability) -> str:
    """Name capabilities.

    Args:
        flags: The capabilities.
    """
    return ", ".join(flag.name or "" for flag in flags)
