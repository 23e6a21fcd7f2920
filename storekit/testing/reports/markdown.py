"""The report for readers, and the kill matrix: Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storekit.testing.reports.markup import visible
from storekit.testing.result import Outcome, Report, Result

if TYPE_CHECKING:
    from storekit.testing.zoo.selftest import SelfTest

__all__ = ["as_markdown", "kill_matrix", "shortened", "verdict"]

_SHOWN = 12  # calls of a failed case
_STACK = 16  # lines of the stack of a thread that hangs


def as_markdown(report: Report) -> str:
    """Write a report as Markdown: the verdict, the counts, and what is not green.

    Args:
        report: The report.
    """
    counts = ", ".join(f"{count} {o.value}" for o, count in report.counts.items() if count)
    lines = [
        f"# Conformance of {report.driver}",
        "",
        verdict(report),
        "",
        f"{len(report.results)} cases in {report.seconds:.1f} s: {counts}.",
        f"Harness `{report.harness}`, seed {report.seed}, {report.started:%Y-%m-%d %H:%M} UTC.",
        "",
        f"Declared: {', '.join(report.declared)}.",
        "",
        "| case | outcome | what |",
        "| --- | --- | --- |",
        *(_row(result) for result in report.results),
        "",
    ]
    for result in report.results:
        if result.outcome in {Outcome.FAIL, Outcome.ERROR}:
            lines += _evidence(result)
    if report.left:
        lines += [f"Left behind: {', '.join(report.left)}.", ""]
    return visible("\n".join(lines))


def shortened(result: Result) -> list[str]:
    """Give the inner end of the stack of what hangs, or the last lines of an error's traceback.

    Args:
        result: Its result. All of it is in the JSON and the JUnit report.

    Returns:
        Lines; none for a case that failed by what the store answered: its calls say more.
    """
    if not result.trace or not (result.hung or result.outcome is Outcome.ERROR):
        return []
    first, *others = result.trace.split("\n\n") if result.hung else [result.trace]
    head, *lines = first.rstrip().splitlines()
    more = [f"and {len(others)} more threads: see the JSON report"] if others else []
    if len(lines) > _STACK:
        lines = [f"  ... {len(lines) - _STACK} lines ...", *lines[-_STACK:]]
    return [head, *lines, *more]


def verdict(report: Report) -> str:
    """Say in one sentence what a run amounts to.

    Args:
        report: The report.
    """
    if report.selection is not None:
        return f"Only {report.selection} was run: that reaches no level."
    if report.reached is None:
        return "No level is reached."
    return f"Level reached: {report.reached}."


def kill_matrix(found: SelfTest) -> str:
    """Write which mutant dies by which case.

    Args:
        found: The self-test.
    """
    lines = [
        "# The kill matrix",
        "",
        "Every case has to fail on at least one driver, frame or harness that is wrong in one way.",
        "`storekit conform --self-test` tries them all, and makes this page.",
        "",
        f"{len(found.kills)} kills of {len({kill.mutant.name for kill in found.kills})} mutants.",
        "",
        "| case | mutant | over | what is wrong | dies |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {kill.case_id} | {kill.mutant.name} | {kill.mutant.over} |"
        f" {_cell(kill.mutant.summary)} | {'yes' if kill.dead else kill.outcome.value} |"
        for kill in found.kills
    ]
    if found.unproven:
        lines += ["", f"Cases that kill no mutant: {', '.join(found.unproven)}."]
    return "\n".join([*lines, ""])


def _row(result: Result) -> str:
    what = result.reason or result.case.sentence
    return f"| {result.case.id} | {result.outcome.value} | {_cell(what)} |"


def _evidence(result: Result) -> list[str]:
    return [
        f"## {result.case.id}",
        "",
        result.case.sentence,
        "",
        f"- expected: {result.expected or '(see the reason)'}",
        f"- got: {result.actual or result.reason}",
        "",
        "```text",
        *(line.replace("```", "'''") for line in result.calls[-_SHOWN:]),
        *shortened(result),
        "```",
        "",
    ]


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
