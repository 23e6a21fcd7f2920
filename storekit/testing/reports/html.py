"""The report as a page: one file that needs no network, for whoever is to be shown a result."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import resources
from string import Template

from storekit.testing.case import Case, Level
from storekit.testing.reports.contract import TITLES
from storekit.testing.reports.document import document
from storekit.testing.reports.evidence import evidence, facts
from storekit.testing.reports.markdown import verdict
from storekit.testing.reports.markup import icon, pill, plural, safe, slug
from storekit.testing.result import Outcome, Report, Result

__all__ = ["as_html"]

_TITLES = {**TITLES, "RUN": "the end of the run"}
_NAMED = 6  # cases that a level names as what it lacks
_LINE = 600  # characters of a reason beside its case


def as_html(report: Report) -> str:
    """Write a report as a page of HTML: self-contained, and the same for the same report.

    Args:
        report: The report.
    """
    style, script = _file("page.css"), _file("page.js")
    # What a driver says is escaped; should that ever fail, nothing of it is run or loaded.
    policy = (
        f"default-src 'none'; img-src data:; style-src {_digest(style)};"
        f" script-src {_digest(script)}; base-uri 'none'; form-action 'none'"
    )
    return Template(_file("page.html")).substitute(
        policy=policy,
        style=style,
        script=script,
        title=safe(f"{report.store}: {verdict(report)} storekit conformance"),
        head=_head(report),
        matrix=_matrix(report),
        choices="\n".join(_choices(report)),
        groups="\n".join(_groups(report)),
        foot=_foot(report),
    )


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def _digest(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


# The head


def _head(report: Report) -> str:
    about = document(report)
    known = {
        "Harness": report.harness,
        "Asked for": f"{report.level}, {plural(len(report.results), 'case')}",
        "Seed": report.seed,
        "storekit": about["storekit"],
        "Python": about["python"],
        "Began": f"{report.started:%Y-%m-%d %H:%M} UTC",
        "Took": f"{report.seconds:.1f} s",
    }
    lines = [
        '<p class="kind">storekit conformance report</p>',
        f"<h1>Store <bdi>{safe(report.store)}</bdi>, driver <bdi>{safe(report.driver)}</bdi></h1>",
        f'<p class="verdict">{safe(verdict(report))}</p>',
        f'<ol class="ladder" aria-label="Levels">{"".join(map(_rung, _ladder(report)))}</ol>',
        _bar(report),
        f'<ul class="counts" aria-label="Outcomes">{"".join(_counts(report))}</ul>',
        f'<dl class="facts">{facts(known)}</dl>',
    ]
    if report.left:
        left = ", ".join(report.left)
        lines.append(f'<p class="more">Images of this run that are still there: {safe(left)}</p>')
    lines.append(_declared(report))
    return "\n".join(lines)


@dataclass(frozen=True)
class _Rung:
    """What became of a level."""

    level: Level
    state: str
    """``reached``, ``missed``, ``below`` or ``unasked``."""
    what: str
    lacks: Sequence[tuple[str, Result | None]] = field(default=())
    """The cases for which it is not reached."""


def _ladder(report: Report) -> Iterator[_Rung]:
    results = {result.case.id: result for result in report.results}
    counted = {name for ids in report.total.values() for name in ids}
    # The end of the run is no case of the contract; with that wrong no level is reached.
    ends = [(name, result) for name, result in results.items() if name not in counted]
    whole = True
    for level in Level:
        ids = report.total.get(level, ())
        found = [*((name, results.get(name)) for name in ids), *(ends if whole else ())]
        ends = []
        lacks = [(name, result) for name, result in found if not result or result.outcome.blocks]
        if report.selection is not None:
            yield _Rung(level, "unasked", "Not judged: only a selection was run.")
        elif level > report.level or not ids:
            count = len(lacks)
            yield _Rung(level, "unasked", f"Not asked for: {plural(count, 'case')} did not run.")
        elif lacks:
            yield _Rung(level, "missed", f"Not reached, for {plural(len(lacks), 'case')}:", lacks)
        elif not whole:
            yield _Rung(level, "below", "Not reached: a lower level is not.")
        else:
            yield _Rung(level, "reached", f"Reached: {plural(len(ids), 'case')}.")
        whole = whole and bool(ids) and not lacks


def _rung(rung: _Rung) -> str:
    mark = {"reached": "pass", "missed": "fail", "below": "notrun", "unasked": "unasked"}
    named = [
        f'<span class="kept"><a href="#{safe(name)}">{safe(name)}</a> {result.outcome.value}</span>'
        if result
        else safe(name)
        for name, result in rung.lacks[:_NAMED]
    ]
    if more := len(rung.lacks) - len(named):
        named.append(f"{more} more")
    return (
        f'<li class="{rung.state}"><strong>{icon(mark[rung.state])} {rung.level}</strong> '
        f'<span class="what">{rung.what} {", ".join(named)}</span></li>'
    )


def _bar(report: Report) -> str:
    """Draw how much of the whole each outcome is; the counts say the same in words."""
    parts, left = [], 0
    for outcome, count in report.counts.items():
        if count:
            parts.append(
                f'<rect class="{slug(outcome)}" x="{left}" y="0" width="{count}" height="1"/>'
            )
        left += count
    return (
        f'<svg class="bar" viewBox="0 0 {max(1, left)} 1" preserveAspectRatio="none"'
        f' aria-hidden="true" focusable="false">{"".join(parts)}</svg>'
    )


def _counts(report: Report) -> Iterator[str]:
    for outcome, count in report.counts.items():
        if count:
            yield f"<li>{pill(slug(outcome), f'{count} {outcome.value}')}</li>"


def _declared(report: Report) -> str:
    flags = "".join(f"<li><code>{safe(name)}</code></li>" for name in report.declared)
    rows = "".join(
        f'<tr><th scope="row"><code>{safe(name)}</code></th><td>{value:,g}</td></tr>'
        if abs(value) < 1e6  # noqa: PLR2004 - from there on %g would round
        else f'<tr><th scope="row"><code>{safe(name)}</code></th><td>{value:,.0f}</td></tr>'
        for name, value in report.limits.items()
    )
    return (
        '<details class="more"><summary>What the store declares</summary>'
        f'<ul class="flags" aria-label="Capabilities">{flags}</ul>'
        '<table class="numbers"><caption>Limits, in bytes and seconds</caption><thead><tr>'
        f'<th scope="col">limit</th><th scope="col">value</th></tr></thead><tbody>{rows}</tbody>'
        "</table></details>"
    )


# The matrix


def _matrix(report: Report) -> str:
    heads = "".join(f'<th scope="col">{level}</th>' for level in Level)
    rows = "".join(_row(report, group) for group in _grouped(report))
    dashed = " Dashed: cases that were not asked for, and did not run." if "unasked" in rows else ""
    return (
        '<table class="matrix"><caption>How many cases of each group have which outcome, by the'
        f" level that they count for.{dashed}</caption>"
        f'<thead><tr><th scope="col">group</th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _row(report: Report, group: str) -> str:
    ran = {result.case.id for result in report.results}
    cells = []
    for level in Level:
        here = [r for r in report.results if r.case.group == group and r.case.counted_at == level]
        ids = [name for name in report.total.get(level, ()) if name.startswith(f"{group}-")]
        pills = [
            pill(slug(outcome), str(count), outcome.value)
            for outcome in Outcome
            if (count := sum(result.outcome is outcome for result in here))
        ]
        if absent := len(set(ids) - ran):
            pills.append(pill("unasked", str(absent), "not asked for"))
        cells.append(f"<td><div>{''.join(pills) or '<span class=sr>no case</span>'}</div></td>")
    title = safe(_TITLES.get(group, ""))
    # Only what ran has a section to go to.
    name = safe(group) if not any(r.case.group == group for r in report.results) else None
    link = name or f'<a href="#{safe(group)}">{safe(group)}</a>'
    return f'<tr><th scope="row">{link} <span>{title}</span></th>{"".join(cells)}</tr>'


def _grouped(report: Report) -> list[str]:
    """Name the groups: those that ran in the order of the contract, then the others."""
    ran = [result.case.group for result in report.results]
    known = sorted({name[:3] for ids in report.total.values() for name in ids})
    order = [*_TITLES, *ran, *known]
    return [name for name in dict.fromkeys(order) if name in {*ran, *known}]


# The cases


def _choices(report: Report) -> Iterator[str]:
    for outcome, count in report.counts.items():
        if count:
            box = f'<input type="checkbox" name="outcome" value="{outcome.value}">'
            yield (
                f'<label class="choice">{box} '
                f"{pill(slug(outcome), f'{outcome.value} {count}')}</label>"
            )


def _groups(report: Report) -> Iterator[str]:
    by_group: dict[str, list[Result]] = {}
    for result in report.results:
        by_group.setdefault(result.case.group, []).append(result)
    for group, results in by_group.items():
        title = safe(_TITLES.get(group, ""))
        yield (
            f'<section class="group" id="{safe(group)}" aria-labelledby="title-{safe(group)}">'
            f'<h3 id="title-{safe(group)}">{safe(group)} <span>{title}</span></h3>'
        )
        yield from (_case(result, report.seed) for result in results)
        yield "</section>"


def _case(result: Result, seed: int) -> str:
    kind = slug(result.outcome)
    case = result.case
    because = f'<span class="because">{safe(result.reason, _LINE)}</span>' if result.reason else ""
    return (
        f'<details class="case {kind}" id="{safe(case.id)}" data-outcome="{result.outcome.value}">'
        f"<summary>{pill(kind, result.outcome.value)} "
        f'<span class="id">{safe(case.id)}</span> '
        f'<span class="sentence">{safe(case.sentence)}</span> {because}</summary>'
        f'<div class="body">{evidence(result, shown=_LINE)}'
        f"<dl>{facts(_about(case, result))}<div><dt>The same choices again</dt>"
        f'<dd><code class="kept">-k {safe(case.id)} --seed {seed}</code></dd></div></dl></div>'
        "</details>"
    )


def _about(case: Case, result: Result) -> dict[str, object]:
    needs = ", ".join(_names(case))
    return {
        "Why it matters": case.why,
        "How drivers get it wrong": case.mistakes,
        "Counts for": f"{case.counted_at}{f'; needs {needs}' if needs else ''}; took"
        f" {result.seconds:.3f} s",
    }


def _names(case: Case) -> Iterable[str]:
    yield from (flag.name or "" for flag in case.needs)
    yield from (f"the hook {hook.replace('|', ' or ')}" for hook in case.hooks)


def _foot(report: Report) -> str:
    return (
        "A level is reached with no FAIL, NOT-RUN or ERROR among its cases and those of the levels"
        f" below. Made by storekit {safe(document(report)['storekit'])}; the same run as JSON"
        " has the evidence in full."
    )
