"""Linear: is there an order of the calls, one after the other, that explains what they told?

An image id is a register: nothing is there, or the bytes of one add. Calls that overlap may have
come to pass in either order; one that ended before another began stands before it. The search is
that of Wing and Gong, "Testing and Verifying Concurrent Objects" (1993), which never tries the same
calls in the same state twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Self

from storekit.capabilities import Capability
from storekit.testing.history import NOBODY, Ending, Move, in_order

__all__ = ["Rules", "contradiction"]

State = str | None  # the value that is there, or nothing


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a store promises of calls that overlap."""

    exclusive_add: bool = True
    """Of adds that overlap one succeeds. Else each may replace what the other wrote."""
    exclusive_delete: bool = True
    """Of deletes that overlap one succeeds. Else each may say that it was the one."""
    atomic_add: bool = True
    """A read beside an add sees all of it or nothing. Else it may see a part."""
    strong: bool = True
    """What is told is so now. Else a read may tell of what was there at any time before."""

    @classmethod
    def of(cls, capabilities: Capability) -> Self:
        """Read them from what a store promises.

        Args:
            capabilities: Its capabilities.
        """
        return cls(
            exclusive_add=Capability.EXCLUSIVE_ADD in capabilities,
            exclusive_delete=Capability.EXCLUSIVE_DELETE in capabilities,
            atomic_add=Capability.ATOMIC_ADD in capabilities,
            strong=Capability.STRONG_CONSISTENCY in capabilities,
        )


def contradiction(moves: Iterable[Move], rules: Rules | None = None) -> list[Move]:
    """Look for calls that no order explains.

    Args:
        moves: The calls about one image, which was not there before them.
        rules: What the store promises; everything by default.

    Returns:
        As few of the calls as still contradict each other, in the order in which they began.
        Nothing, if there is an order that explains all of them.
    """
    chosen = rules or Rules()
    ordered = in_order(moves)
    if not chosen.strong and (stray := _stray(ordered, chosen)):
        return stray
    steps = _judged(ordered, chosen)
    if _explained(steps):
        return []
    return [step.move for step in _shrunk(steps) if not step.free]


@dataclass(frozen=True)
class _Step:
    """A call as the search sees it."""

    move: Move
    lenient: bool = False
    """It may be that it did its work on something else than what it tells."""
    free: bool = False
    """It may have come to pass at any time, or never: it is left out of what is shown."""

    @property
    def begin(self) -> int:
        return -1 if self.free else self.move.begin

    @property
    def end(self) -> int | None:
        return None if self.free else self.move.end

    def fits(self, state: State) -> bool:
        """Tell whether it can have come to pass when this was there."""
        match self.move.verb, self.move.ending:
            case "add", Ending.DONE | Ending.UNKNOWN:
                return state is None or self.lenient
            case "delete", Ending.DONE | Ending.UNKNOWN:
                return state is not None or self.lenient
            case "add", _:
                return state is not None
            case _, Ending.DONE:
                return state == self.move.value
        return state is None

    def after(self, state: State) -> State:
        """Tell what is there after it."""
        if not self.move.writes:
            return state
        return self.move.value if self.move.verb == "add" else None


def _judged(moves: Sequence[Move], rules: Rules) -> list[_Step]:
    """Choose the calls that tell something, and say how strictly each is taken."""
    steps = []
    for move in moves:
        if move.ending is Ending.NOTHING or (move.reads and move.ending is Ending.UNKNOWN):
            continue
        if not rules.strong and not move.writes:
            continue
        if not move.writes and _excused(move, moves, rules):
            continue
        exclusive = rules.exclusive_add if move.verb == "add" else rules.exclusive_delete
        rivals = (other for other in moves if other.verb == move.verb and other.writes)
        beside = any(other is not move and move.overlaps(other) for other in rivals)
        lenient = move.writes and not exclusive and (beside or not rules.strong)
        steps.append(_Step(move, lenient))
    return steps


def _excused(move: Move, moves: Iterable[Move], rules: Rules) -> bool:
    """Tell whether what a call told may be due to an add that had not ended."""
    adds = [other for other in moves if other.verb == "add" and other is not move]
    if move.ending is Ending.DUPLICATE:
        # The other one may hold the id before anybody can see the image.
        return any(other.writes and move.overlaps(other) for other in adds)
    partial = move.reads and move.value.startswith(NOBODY) and not rules.atomic_add
    return partial and any(move.overlaps(other) for other in adds)


def _stray(moves: Sequence[Move], rules: Rules) -> list[Move]:
    """Find a read of what no add had begun to write, where reads may be late."""
    for move in moves:
        if not move.reads or move.ending is not Ending.DONE or _excused(move, moves, rules):
            continue
        origin = [other for other in moves if other.verb == "add" and other.value == move.value]
        if not any(move.end is None or add.begin < move.end for add in origin if add.writes):
            return in_order([*origin, move])
    return []


def _explained(steps: Sequence[_Step]) -> bool:
    needed = sum(1 << n for n, step in enumerate(steps) if step.end is not None)
    tried: set[tuple[int, State]] = set()
    waiting: list[tuple[int, State]] = [(0, None)]
    while waiting:
        done, state = waiting.pop()
        if done & needed == needed:
            return True
        if (done, state) in tried:
            continue
        tried.add((done, state))
        left = [(n, step) for n, step in enumerate(steps) if not done >> n & 1]
        first_end = min(step.end for _, step in left if step.end is not None)
        for n, step in left:
            if step.begin < first_end and step.fits(state):
                waiting.append((done | 1 << n, step.after(state)))
    return False


def _shrunk(steps: Sequence[_Step]) -> list[_Step]:
    """Leave out what the contradiction does not need.

    A call that changes nothing can be left out. One that changes something cannot, for others may
    have seen that; but what contradicts wherever it stands, and without it, does not need it.
    """
    kept = list(steps)
    for step in steps:
        without = [other for other in kept if other is not step]
        if not step.move.writes and not _explained(without):
            kept = without
    seen = {step.move.value for step in kept if step.move.reads}
    for step in steps:
        move = step.move
        if not move.writes or (move.verb == "add" and (move.value in seen or _only(step, kept))):
            continue
        freed = [replace(other, free=True) if other is step else other for other in kept]
        if not _explained(freed):
            kept = freed
    return kept


def _only(step: _Step, kept: Sequence[_Step]) -> bool:
    """Tell whether it is the only add shown beside several deletes: nobody would follow them."""
    verbs = [other.move.verb for other in kept if other is not step and not other.free]
    return verbs.count("delete") > 1 and "add" not in verbs
