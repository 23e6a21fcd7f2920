"""LFT: an upload that is reclaimed while its add still goes on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

from storekit.capabilities import Capability
from storekit.data import BLOCK
from storekit.errors import StoreError
from storekit.testing.case import Level, Violation, case
from storekit.testing.children import Child, Line
from storekit.testing.context import Context
from storekit.testing.looks import looks
from storekit.testing.sources import Stops
from storekit.testing.trials import met, unlisted
from storekit.testing.verdicts import said

ADD = Capability.ADD
_ANY_AGE = timedelta(0)
_SETTLING = 0.02  # of limits.op_budget: parts that are on their way may arrive
_PAUSED = "paused"


class _Outcome(NamedTuple):
    """What became of the add in the child."""

    location: str
    """Where the image is; empty where it raised."""
    error: str = ""
    ours: bool = True
    """Whether the error is one of storekit's."""


@case(
    "LFT-04",
    level=Level.ROBUST,
    needs=ADD,
    exclusive=True,
    budget=6.0,  # for two long images
    sentence="An add whose upload was taken for dead and reclaimed MUST raise one of storekit's"
    " errors and leave nothing, or MUST store the image whole: what was reclaimed MUST NOT be"
    " missing in an image.",
    why="Whoever reclaims may be wrong, by a clock or by a short upload_idle; then an add has to be"
    " made again, and no image may lack what was sent first.",
    mistakes="A part that begins a missing upload anew; a commit that does not look whether the"
    " upload is still there, or counts no parts; what arrives after the reclaim stays for ever.",
)
def reclaimed(context: Context) -> None:
    """Reclaim the upload of another process in the middle of it."""
    client, part = context.small_parts()
    overrides = {} if client is context.store else {"part_size": part}
    part = min(part, context.part_size)
    # The frame reads ahead by two blocks at most, and memory holds a part less than the rest: so
    # one has gone out.
    stop = 2 * BLOCK + (context.limits.window + 3) * part
    data = context.payload(stop + part + 7)
    sizes: list[int | None] = [len(data)]
    if context.claims(Capability.ADD_UNKNOWN_SIZE):
        sizes.append(None)
    for size in sizes:
        _reclaimed_under(context, data, size, stop, overrides)


def _reclaimed_under(
    context: Context, data: bytes, size: int | None, stop: int, overrides: dict[str, int]
) -> None:
    known = "known" if size is not None else "unknown"
    did = f"an add of {known} size whose upload is reclaimed after {stop} of {len(data)} bytes"
    before = {leftover.name for leftover in context.leftovers(context.other)}
    at_rest = context.orphans()
    image_id = context.new_id()
    # Here nobody knows of the uploads of the child: it is a process of its own.
    with Child(_adding(context, image_id, data, size, stop, overrides)) as child:
        paused = child.hear(context.budget(2)) == _PAUSED
        met(paused, did)
        taken = _take_away(context, before)
        child.say(taken)
        outcome = _Outcome(*child.answer(context.budget(2)))
    context.notes[f"reclaimed, {known} size"] = len(taken)
    if outcome.location:
        context.journal.live[outcome.location] = context.store
        if context.claims(Capability.GET):
            _is_whole(context, outcome.location, data, did)
        return
    if not taken:
        raise Violation("success, for nothing of it was reclaimed", outcome.error, did)
    context.check(outcome.ours, "one of storekit's errors", outcome.error, did)
    context.nothing_stored(image_id, did)
    left = unlisted(context, at_rest)
    context.check(not left, "nothing that leftovers does not list", f"left: {sorted(left)}", did)


def _is_whole(context: Context, location: str, data: bytes, did: str) -> None:
    expected = "an error of the add, or the image whole"
    try:
        found = context.read(location, context.other)
    except StoreError as error:
        raise Violation(expected, f"add returned, and now {said(error)}", did) from error
    got = f"add returned, and there are {len(found)} bytes, {len(data)} were added"
    context.check(found == data, expected, got, did)


def _adding(
    context: Context,
    image_id: str,
    data: bytes,
    size: int | None,
    stop: int,
    overrides: dict[str, int],
) -> Callable[[Line], tuple[str, str, bool]]:
    """Give what the child does: an add that pauses once so many bytes were taken from it."""
    seconds = context.budget(2)

    def add(line: Line) -> tuple[str, str, bool]:
        paused = False

        def pause(position: int) -> None:
            nonlocal paused
            if position >= stop and not paused:
                paused = True
                line.say(_PAUSED)
                line.hear(seconds)

        source = Stops(data, range(BLOCK, len(data), BLOCK), at=pause)
        with context.harness.make_store(**overrides) as store:
            try:
                stored = store.add(image_id, source, size)
            except Exception as error:  # noqa: BLE001 - judged by the parent
                return _Outcome("", said(error), isinstance(error, StoreError))
        return _Outcome(str(stored.location))

    return add


def _take_away(context: Context, before: set[str]) -> list[str]:
    """Reclaim what is taken for dead, once all that is on its way has arrived.

    Args:
        context: The context.
        before: Names of leftovers that were there.

    Returns:
        The names of what was reclaimed; none where the backend shows that the upload is alive.
    """
    client = context.client(upload_idle=0)
    size = -1
    for _ in looks(context.budget(_SETTLING)):
        found = [item for item in client.leftovers(_ANY_AGE) if item.name not in before]
        size, last = sum(item.size or 0 for item in found), size
        if not found or size == last > 0:
            break
    names = {item.name for item in client.reclaim(_ANY_AGE)}
    return sorted(names - before)
