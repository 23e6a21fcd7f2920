"""Evidence: what a case found, as the page shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from storekit.testing.reports.markup import plural, safe
from storekit.testing.result import Result
from storekit.testing.timeline import HEAD

__all__ = ["evidence", "facts"]

_CALLS = 400
_CALL = 2_000  # characters
_DRAWN = re.compile(r"(\|- .*?(?:-\||\.>))")


def facts(known: Mapping[str, object]) -> str:
    """Write terms and what each is.

    Args:
        known: Both; what is empty is left out.
    """
    return "".join(
        f"<div><dt>{term}</dt><dd>{safe(value)}</dd></div>"
        for term, value in known.items()
        if str(value)
    )


def evidence(result: Result, *, shown: int) -> str:
    """Write what a case found: what was expected and what came, the calls, what was measured.

    Args:
        result: Its result.
        shown: How many characters of the reason are shown elsewhere.
    """
    verdict = _verdict(result, whole=len(result.reason) <= shown)
    return "".join([*verdict, *_calls(result.calls), *_notes(result), *_trace(result)])


def _verdict(result: Result, *, whole: bool) -> Iterator[str]:
    if not whole:
        yield f"<h4>Reason</h4>{_text(result.reason)}"
    if result.expected or result.actual:
        yield (
            f'<div class="evidence"><div><h4>Expected</h4>{_text(result.expected)}</div>'
            f"<div><h4>Got</h4>{_text(result.actual)}</div></div>"
        )


def _calls(calls: Sequence[str]) -> Iterator[str]:
    if not calls:
        return
    if calls[0] == HEAD:
        # A drawing stays one in text: who hears the page, or copies it, has it as well.
        lines = "\n".join(_lane(line) for line in calls[1:])
        yield (
            f'<figure class="timeline"><h4>Timeline</h4><figcaption class="soft">{safe(HEAD)}'
            f'</figcaption><pre tabindex="0" role="region" aria-label="Timeline">{lines}</pre>'
            "</figure>"
        )
        return
    earlier = len(calls) - _CALLS
    note = f'<p class="soft">{plural(earlier, "earlier call")}: see the JSON.</p>'
    start = f' start="{earlier + 1}"' if earlier > 0 else ""
    items = "".join(f"<li><code>{safe(call, _CALL)}</code></li>" for call in calls[-_CALLS:])
    yield (
        f"<h4>Calls, the oldest first</h4>{note if earlier > 0 else ''}"
        f'<ol class="calls" tabindex="0" aria-label="Calls"{start}>{items}</ol>'
    )


def _lane(line: str) -> str:
    pieces = _DRAWN.split(line)
    return "".join(
        f"<mark>{safe(piece)}</mark>" if n % 2 else safe(piece) for n, piece in enumerate(pieces)
    )


def _notes(result: Result) -> Iterator[str]:
    if not result.notes:
        return
    rows = "".join(
        f'<tr><th scope="row">{safe(name)}</th><td>{_number(value)}</td></tr>'
        for name, value in result.notes.items()
    )
    yield (
        '<table class="numbers"><caption>Measured</caption><thead><tr><th scope="col">what</th>'
        f'<th scope="col">value</th></tr></thead><tbody>{rows}</tbody></table>'
    )


def _number(value: float | str) -> str:
    return safe(value) if isinstance(value, str) else f"{value:.6g}"


def _trace(result: Result) -> Iterator[str]:
    if result.trace:
        name = "Stacks of all threads" if result.hung else "Traceback"
        yield (
            f'<details class="more"><summary>{name}</summary>{_text(result.trace, name)}</details>'
        )


def _text(text: str, label: str = "") -> str:
    where = f' role="region" aria-label="{label}"' if label else ""
    return f'<pre tabindex="0"{where}>{safe(text) or "-"}</pre>'
