"""The badge: the level that was reached, as a small picture in SVG."""

from __future__ import annotations

from storekit.testing.reports.markdown import verdict
from storekit.testing.reports.markup import safe
from storekit.testing.result import Outcome, Report

__all__ = ["as_badge"]

_LABEL = "storekit conformance"
_HEIGHT = 20
_FONTS = "Verdana,DejaVu Sans,sans-serif"
_ROOM = 8  # on both sides of a text
# White has a contrast of at least 4.5 on each (WCAG 2.2, 1.4.3).
_COLOURS = {"core": "#1a56b0", "robust": "#0a6b3d", "hard": "#12632d"}
_MIXED, _NONE, _UNJUDGED = "#8a4b00", "#a0121d", "#4a5364"
_WIDTHS = {5.0: "fijlrt ,.:()", 10.0: "mw"}  # units of a letter at 11 px; all others have 7


def as_badge(report: Report) -> str:
    """Write a report as a badge: the level, and whatever takes away from it.

    Args:
        report: The report.
    """
    said, colour = _said(report)
    left, right = _width(_LABEL), _width(said)
    name = safe(f"{_LABEL}: {said}")
    whole = f'width="{left + right:g}" height="{_HEIGHT}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {whole} role="img" aria-label="{name}">',
        f"<title>{name}. {safe(verdict(report))}</title>",
        f'<clipPath id="edge"><rect {whole} rx="4"/></clipPath>',
        '<g clip-path="url(#edge)">',
        f'<rect width="{left:g}" height="{_HEIGHT}" fill="#2b3442"/>',
        f'<rect x="{left:g}" width="{right:g}" height="{_HEIGHT}" fill="{colour}"/>',
        "</g>",
        f'<g fill="#fff" font-family="{_FONTS}" font-size="11" aria-hidden="true">',
        _text(_LABEL, 0, left),
        _text(said, left, right),
        "</g>",
        "</svg>",
        "",
    ]
    return "\n".join(lines)


def _said(report: Report) -> tuple[str, str]:
    """Say what was reached in a few words, and choose the colour."""
    counts = report.counts
    if report.selection is not None:
        return "not judged", _UNJUDGED
    if report.reached is None:
        return "no level" if not counts[Outcome.ERROR] else "no level, kit error", _NONE
    parts, colour = [str(report.reached)], _COLOURS[str(report.reached)]
    if report.reached < report.level:
        parts.append(f"not {report.level}")
        colour = _MIXED
    if counts[Outcome.ERROR]:
        parts.append("kit error")
    if counts[Outcome.WAIVED]:
        parts.append(f"{counts[Outcome.WAIVED]} waived")
        colour = _MIXED
    return ", ".join(parts), colour


def _width(text: str) -> float:
    units = {letter: width for width, letters in _WIDTHS.items() for letter in letters}
    return 2 * _ROOM + sum(units.get(letter, 7.0) for letter in text)


def _text(text: str, begin: float, width: float) -> str:
    # With its length given it fits, whatever font the reader has.
    return (
        f'<text x="{begin + _ROOM:g}" y="14" textLength="{width - 2 * _ROOM:g}"'
        f' lengthAdjust="spacingAndGlyphs">{safe(text)}</text>'
    )
