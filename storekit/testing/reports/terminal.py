"""The report for a terminal: a table, by rich where it is installed, plain elsewhere."""

from __future__ import annotations

import importlib.util
import io
import shutil

from storekit.testing.reports.markdown import shortened, verdict
from storekit.testing.reports.markup import visible
from storekit.testing.result import Outcome, Report, Result

__all__ = ["as_text"]

_STYLES = {
    Outcome.PASS: "green",
    Outcome.REFUSED: "cyan",
    Outcome.NOT_APPLICABLE: "dim",
    Outcome.NOT_RUN: "yellow",
    Outcome.WAIVED: "magenta",
    Outcome.OVER: "blue",
    Outcome.FAIL: "bold red",
    Outcome.ERROR: "bold white on red",
}
_SHOWN = 8  # calls of a failed case


def as_text(report: Report, *, colour: bool = False, width: int | None = None) -> str:
    """Write a report for a terminal: all that is not PASS, then the verdict.

    Args:
        report: The report.
        colour: Whether to use colours and boxes, if rich is installed.
        width: Columns; those of the terminal by default.
    """
    columns = width or shutil.get_terminal_size().columns
    shown = [result for result in report.results if result.outcome is not Outcome.PASS]
    table = _rich(shown, columns) if colour and importlib.util.find_spec("rich") else _plain(shown)
    rest = visible("\n".join([*_failures(report), *_summary(report), ""]))
    return "\n".join([*table, rest])


def _rich(shown: list[Result], columns: int) -> list[str]:
    from rich.console import Console  # noqa: PLC0415 - the command's extra, not the kit's
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    if not shown:
        return []
    table = Table("case", "outcome", "why")
    for result in shown:
        style = _STYLES[result.outcome]
        why = Text(visible(result.reason or result.case.sentence))
        table.add_row(result.case.id, Text(result.outcome.value, style=style), why)
    text = io.StringIO()
    Console(file=text, force_terminal=True, width=columns).print(table)
    return text.getvalue().splitlines()


def _plain(shown: list[Result]) -> list[str]:
    return [
        f"{result.case.id}  {result.outcome.value:8}"
        f"{visible(result.reason or result.case.sentence)}"
        for result in shown
    ]


def _failures(report: Report) -> list[str]:
    lines = []
    for result in report.results:
        if result.outcome in {Outcome.FAIL, Outcome.ERROR}:
            lines += [
                "",
                f"{result.case.id}  {result.case.sentence}",
                f"    expected  {result.expected or '-'}",
                f"    got       {result.actual or result.reason}",
                *(f"    call      {call}" for call in result.calls[-_SHOWN:]),
                *(f"    stack     {line}" for line in shortened(result)),
            ]
    return lines


def _summary(report: Report) -> list[str]:
    counts = "  ".join(f"{count} {o.value}" for o, count in report.counts.items() if count)
    lines = [
        "",
        f"{report.driver}: {len(report.results)} cases, {report.seconds:.1f} s, seed {report.seed}",
        counts,
        verdict(report),
    ]
    if report.left:
        lines.append(f"Left behind: {', '.join(report.left)}")
    return lines
