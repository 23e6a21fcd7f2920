"""Timeline: a history as a drawing in text, a line for each who called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from storekit.testing.history import Move, in_order

__all__ = ["HEAD", "drawn"]

HEAD = "time runs to the right, |- - -| is a call; calls above each other overlap"
"""The first line of every drawing."""


def drawn(moves: Iterable[Move], sizes: Mapping[str, int] | None = None) -> list[str]:
    """Draw calls.

    Args:
        moves: The calls.
        sizes: How many bytes each value has, by its name.

    Returns:
        Lines: what is what, one for each lane, and the values.
    """
    ordered = in_order(moves)
    columns, width = _columns(ordered)
    lanes: dict[str, list[str]] = {}
    for move in ordered:
        line = lanes.setdefault(move.lane, [" "] * width)
        begin = columns[move.begin]
        if move.end is None:
            end = width
            body = f"|- {move.text} ".ljust(end - begin - 1, ".") + ">"
        else:
            end = columns[move.end] + 1
            body = f"|- {move.text} ".ljust(end - begin - 1, "-") + "|"
        line[begin:end] = body
    margin = max((len(lane) for lane in lanes), default=0)
    lines = [HEAD]
    lines += [f"{lane:{margin}}  {''.join(lanes[lane]).rstrip()}" for lane in sorted(lanes)]
    known = sizes or {}
    used = {move.value: known[move.value] for move in ordered if move.value in known}
    if used:
        lines.append(", ".join(f"{name}: {size} bytes" for name, size in sorted(used.items())))
    return lines


def _columns(moves: list[Move]) -> tuple[dict[int, int], int]:
    """Give each time a column, so that all stand in their order and every text has room."""
    begins = {move.begin: move for move in moves}
    ends = {move.end: move for move in moves if move.end is not None}
    columns: dict[int, int] = {}
    column = 0
    for time in sorted({*begins, *ends}):
        if time in ends:
            move = ends[time]
            column = max(column, columns[move.begin] + len(f"|- {move.text} -"))
        columns[time] = column
        column += 2
    open_ended = [columns[move.begin] + len(f"|- {move.text} .>") for move in moves if not move.end]
    return columns, max([column, *open_ended])
