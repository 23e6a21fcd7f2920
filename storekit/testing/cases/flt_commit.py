"""FLT: writes that break, and answers to a commit that are lost."""

from __future__ import annotations

from collections.abc import Callable

from storekit.capabilities import Capability
from storekit.errors import (
    Duplicate,
    NotFound,
    OutcomeUnknown,
    StoreError,
    Unavailable,
)
from storekit.location import Location
from storekit.testing.case import Level, NotRun, Violation, case
from storekit.testing.cases.flt import upload_sizes
from storekit.testing.context import Context
from storekit.testing.journal import Client
from storekit.testing.trials import met, tidied
from storekit.testing.wire import WRITES, Aim, Lose, Request, Reset, Wire

ADD = Capability.ADD
_MOST_WRITES = 12  # of one add or delete; more are not looked at one by one


@case(
    "FLT-14",
    level=Level.ROBUST,
    needs=ADD,
    hooks=("endpoint",),
    exclusive=True,
    sentence="An upload whose connection breaks (RST) MUST raise Unavailable, and MUST leave"
    " nothing: no image, no part of one, and an id that can be added.",
    why="Uploads are long, so they break more often than anything else.",
    mistakes="An upload that is never aborted; a part that stands under the image's own name.",
)
def upload_breaks(context: Context) -> None:
    """Break the connection in the middle of what goes to the backend."""
    before = context.orphans()
    for size in upload_sizes(context, 70_001):
        wire = context.wire()
        client = context.client_behind(wire, max_attempts=1)
        image_id = context.new_id()
        wire.asked.arm(Reset(size // 2))
        did = f"an add of {size} bytes whose connection breaks in the middle"
        with context.expect_error(Unavailable, did=did):
            client.add(image_id, context.payload(size))
        met(wire.asked.fired, did)
        context.nothing_stored(image_id, did)
        left = context.orphans() - before
        context.check(not left, "nothing left behind", f"left: {sorted(left)}", did)


@case(
    "FLT-15",
    level=Level.ROBUST,
    needs=ADD,
    hooks=("http",),
    budget=12.0,  # for a dozen lost answers and more, each of which may be asked for again
    sentence="When the backend has done what it was asked and its answer is lost, the outcome MUST"
    " be told as it is: success, or OutcomeUnknown where it cannot be found out; a retry of the"
    " driver's own MUST NOT be reported as Duplicate or NotFound.",
    why="The image service must know whether it pays for an image, and whether it has one.",
    mistakes="A commit sent again that meets itself; Unavailable for an image that is there, so"
    " that the caller adds it once more.",
)
def answer_lost(context: Context) -> None:
    """Lose the answer to each write of an add and of a delete; once, and with all that follow."""
    if context.claims(Capability.DELETE):
        for number in range(1, _deletes(context) + 1):
            for again in (True, False):
                _lost_delete(context, number, again=again)
    for size in upload_sizes(context, 997):
        data = context.payload(size)
        like = _healthy(context, data)
        for number in range(1, like.writes + 1):
            for again in (True, False):
                _lost_add(context, data, like, number, again=again)


class _Healthy:
    """An add that nothing went wrong with: what it asks, and what its location looks like."""

    def __init__(self, stored: str, image_id: str, writes: int) -> None:
        self.stored = stored
        self.image_id = image_id
        self.writes = min(writes, _MOST_WRITES)

    def location(self, context: Context, image_id: str) -> Location | None:
        """Find an image by its id: in the listing, or where one like it would be."""
        if context.claims(Capability.LIST):
            found = (item.location for item in context.client().list() if item.image_id == image_id)
            return next(found, None)
        text = self.stored
        if self.image_id not in text:
            raise NotRun("an image can be found neither by a listing nor by its id")
        return Location(text.replace(self.image_id, image_id))


def _healthy(context: Context, data: bytes) -> _Healthy:
    wire = context.wire()
    client = context.client_behind(wire)
    before, image_id = len(wire.requests), context.new_id()
    stored = client.add(image_id, data)
    return _Healthy(client.straight(stored.location), image_id, _writes(wire.requests[before:]))


def _writes(requests: list[Request]) -> int:
    return sum(1 for request in requests if request.method in WRITES)


def _lossy(context: Context, number: int, *, again: bool) -> tuple[Client, Wire, Aim]:
    """Give a client whose next write but so many is done, and its answer lost.

    Args:
        context: The context.
        number: Which write, from 1.
        again: Whether the backend can be asked after that; else every connection is cut.
    """
    wire = context.wire()
    client = context.client_behind(wire)
    aimed = wire.aim(Lose(), methods=WRITES, nth=number)
    if not again:
        wire.script = lambda _: b"" if aimed.hits else None
    return client, wire, aimed


def _lost_add(context: Context, data: bytes, like: _Healthy, number: int, *, again: bool) -> None:
    did = f"an add of {len(data)} bytes, the answer to write {number} lost"
    did += "" if again else ", and every one after it"
    client, _, aimed = _lossy(context, number, again=again)
    image_id = context.new_id()
    error = _error_of(lambda: client.add(image_id, data), Duplicate, did)
    met(aimed.hits, did)
    tidied(context, client)
    place = like.location(context, image_id)
    there = place is not None and _there(context, place)
    if place is not None and there:
        context.holds(place, data, context.other)
        if context.claims(Capability.DELETE):
            context.other.delete(place)
            context.journal.live.pop(str(place), None)
    if error is None:
        context.check(there, "the image is there", "add returned, and it is not", did)
    elif not isinstance(error, OutcomeUnknown):
        kind = type(error).__name__
        context.check(not there, "OutcomeUnknown, or no image", f"{kind}, and it is there", did)


def _deletes(context: Context) -> int:
    wire = context.wire()
    client = context.client_behind(wire)
    location = context.image(b"to be deleted")
    before = len(wire.requests)
    client.delete(wire.location(location))
    context.journal.live.pop(str(location), None)
    return min(_writes(wire.requests[before:]), _MOST_WRITES)


def _lost_delete(context: Context, number: int, *, again: bool) -> None:
    did = f"a delete, the answer to write {number} lost"
    did += "" if again else ", and every one after it"
    client, wire, aimed = _lossy(context, number, again=again)
    location = context.image(b"to be deleted")
    seen = wire.location(location)
    error = _error_of(lambda: client.delete(seen), NotFound, did)
    met(aimed.hits, did)
    there = _there(context, location)
    if error is None:
        context.check(not there, "no image", "delete returned, and it is there", did)
    elif not isinstance(error, OutcomeUnknown):
        kind = type(error).__name__
        context.check(there, "OutcomeUnknown, or the image", f"{kind}, and it is gone", did)
    if not there:
        context.journal.live.pop(str(location), None)


def _error_of(act: Callable[[], object], never: type[StoreError], did: str) -> StoreError | None:
    """Tell what an ambiguous write raised; never that it met itself."""
    try:
        act()
    except never as error:
        raise Violation("the outcome as it is", f"{type(error).__name__}: {error}", did) from error
    except Unavailable as error:
        return error
    except StoreError as error:
        kinds = "success, OutcomeUnknown or Unavailable"
        raise Violation(kinds, f"{type(error).__name__}: {error}", did) from error
    return None


def _there(context: Context, location: Location) -> bool:
    try:
        context.other.get_size(location)
    except NotFound:
        return False
    return True
