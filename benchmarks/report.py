"""Results as tables, as JSON, and in the documentation."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from facts import Facts
from measure import MIB, SUBJECT, Result, Spread

__all__ = ["Report", "Verdict", "load", "markdown", "save", "verdicts", "write_docs"]

BEGIN = "<!-- results: begin -->"
END = "<!-- results: end -->"


@dataclass(frozen=True)
class Report:
    """All that one run gave."""

    facts: Facts
    """The machine and the versions."""
    rounds: int
    """How often each contender did each thing."""
    results: list[Result]
    """The cases in their order."""


@dataclass(frozen=True)
class Verdict:
    """A target, and what was reached."""

    case: str
    """Name of the case."""
    target: str
    """What was wanted."""
    reached: str
    """What there is."""
    passed: bool
    """Whether that is enough."""

    @property
    def word(self) -> str:
        """``PASS`` or ``short``."""
        return "PASS" if self.passed else "short"


def verdicts(results: Sequence[Result]) -> Iterator[Verdict]:
    """Hold the medians against the targets.

    Args:
        results: Cases.

    Yields:
        A verdict for every target of every case.
    """
    for result in results:
        for name, least in result.targets.items():
            ratio = result.ratios[name]
            yield Verdict(
                result.name, f">= {least} x {name}", _spread(ratio), ratio.median >= least
            )
        if result.limit is not None:
            yield Verdict(
                result.name,
                f"<= {result.limit:g} {_UNITS[result.unit]}",
                f"{_spread(result.value)} {_UNITS[result.unit]}",
                result.value.median <= result.limit,
            )


def save(report: Report, path: Path) -> None:
    """Write a report as JSON.

    Args:
        report: What to write.
        path: The file.
    """
    document = asdict(report)
    for entry, result in zip(document["results"], report.results, strict=True):
        entry["ratios"] = {name: asdict(ratio) for name, ratio in result.ratios.items()}
    document["verdicts"] = [asdict(verdict) for verdict in verdicts(report.results)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n")


def load(path: Path) -> Report:
    """Read what ``save`` wrote.

    Args:
        path: The file.

    Returns:
        The report.
    """
    document: dict[str, Any] = json.loads(path.read_text())
    results = []
    for entry in document["results"]:
        del entry["ratios"]
        results.append(Result(**entry))
    return Report(document["facts"], document["rounds"], results)


def markdown(report: Report) -> str:
    """Lay a report out in tables.

    Args:
        report: What was measured.

    Returns:
        Markdown: targets, then a table for each group, then the machine.
    """
    parts = ["### Targets\n\n" + _targets(report.results)]
    for group in dict.fromkeys(result.group for result in report.results):
        results = [result for result in report.results if result.group == group]
        parts.append(f"### {group.capitalize()}\n\n" + _group(results))
    facts = "\n".join(f"| {name} | {value} |" for name, value in report.facts.items())
    parts.append(
        f"### Machine\n\n| fact | value |\n| --- | --- |\n{facts}\n| rounds | {report.rounds} |"
    )
    return "\n\n".join(parts) + "\n"


def write_docs(report: Report, page: Path, plot: Path) -> None:
    """Put the plot and the tables into a page, between its two marks.

    Args:
        report: What was measured.
        page: A file with both marks in it.
        plot: The picture, beside the page.
    """
    head, _, rest = page.read_text().partition(BEGIN)
    _, mark, tail = rest.partition(END)
    if not mark:
        raise ValueError(f"{page} has no {BEGIN} and {END}")
    picture = f"![How many times as fast storekit is]({plot.name})"
    page.write_text(f"{head}{BEGIN}\n\n{picture}\n\n{markdown(report)}\n{END}{tail}")


_UNITS = {"s": "s", "us": "µs", "MiB": "MiB"}


def _targets(results: Sequence[Result]) -> str:
    rows = [
        f"| {each.case} | {each.target} | {each.reached} | {each.word} |"
        for each in verdicts(results)
    ]
    return "\n".join(["| case | target | reached | |", "| --- | --- | --- | --- |", *rows])


def _group(results: Sequence[Result]) -> str:
    others = list(
        dict.fromkeys(name for result in results for name in result.values if name != SUBJECT)
    )
    head = " | ".join(["case", SUBJECT, *others])
    lines = [f"| {head} |", "| --- " * (len(others) + 2) + "|"]
    for result in results:
        cells = [result.name, _own(result), *(_other(result, name) for name in others)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _own(result: Result) -> str:
    seconds = result.value.median
    if result.unit != "s":
        return f"{_spread(result.value)} {_UNITS[result.unit]}"
    if not result.amount:
        return f"{seconds:.3g} s"
    return f"{result.amount / MIB / seconds:,.0f} MiB/s"


def _other(result: Result, name: str) -> str:
    if name not in result.values:
        return ""
    if name in result.ratios:
        return f"x {_spread(result.ratios[name])}"
    return f"{_spread(Spread.of(result.values[name]))} {_UNITS[result.unit]}"


def _spread(spread: Spread) -> str:
    return f"{spread.median:.2f} ({spread.least:.2f} to {spread.most:.2f})"
