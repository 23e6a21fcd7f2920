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
from storekit.testing.trials import layers, met, tidied
from storekit.testing.wire import WRITES, Aim, Lose, Reset, Wire

ADD = Capability.ADD
_MOST = 12  # answers to one add or delete; more are not lost one by one
_FIRST = 2  # of these, where there are more


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
        # Parts go side by side, and their upload is removed when it broke.
        most = context.limits.window + 1 if size > context.part_size else 1
        with layers(wire, most), context.expect_error(Unavailable, did=did):
            client.add(image_id, context.payload(size))
        met(wire.asked.fired, did)
        context.nothing_stored(image_id, did)
        left = context.orphans() - before
        context.check(not left, "nothing left behind", f"left: {sorted(left)}", did)


@case(
    "FLT-15",
    level=Level.ROBUST,
    needs=ADD,
    hooks=("endpoint",),
    budget=12.0,  # for a dozen lost answers and more, each of which may be asked for again
    sentence="When the backend has done what it was asked and its answer is lost, the outcome MUST"
    " be told as it is: success, or OutcomeUnknown where it cannot be found out; a retry of the"
    " driver's own MUST NOT be reported as Duplicate or NotFound.",
    why="The image service must know whether it pays for an image, and whether it has one.",
    mistakes="A commit sent again that meets itself; Unavailable for an image that is there, so"
    " that the caller adds it once more.",
)
def answer_lost(context: Context) -> None:
    """Lose each answer that an add and a delete get; once, and with all that follow."""
    if context.claims(Capability.DELETE):
        for number in _numbers(_deletes(context)):
            for again in (True, False):
                _lost_delete(context, number, again=again)
    for size in upload_sizes(context, 997):
        data = context.payload(size)
        like = _healthy(context, data)
        for number in _numbers(like.answers):
            for again in (True, False):
                _lost_add(context, data, like, number, again=again)
    met(context.notes.get("lost"), "an answer that is lost")


def _numbers(count: int) -> list[int]:
    """Choose the answers that are lost, from 1: the last ones too, for the commit is late."""
    if count <= _MOST:
        return list(range(1, count + 1))
    return [*range(1, _FIRST + 1), *range(count - _MOST + _FIRST + 1, count + 1)]


class _Healthy:
    """An add that nothing went wrong with: what it asks, and what its location looks like."""

    def __init__(self, stored: str, image_id: str, answers: int) -> None:
        self.stored = stored
        self.image_id = image_id
        self.answers = answers

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
    before, image_id = _answers(wire), context.new_id()
    stored = client.add(image_id, data)
    return _Healthy(client.straight(stored.location), image_id, _answers(wire) - before)


def _answers(wire: Wire) -> int:
    """Count the answers that can be lost so far: to writes, where requests are told apart."""
    if not wire.speaks_http:
        return wire.exchanges
    return sum(1 for request in wire.requests if request.method in WRITES)


class _Lossy:
    """A client one of whose answers is lost, though what it asked has been done.

    Args:
        context: The context.
        number: Which answer, from 1.
        again: Whether the backend can be asked after that; else no answer comes any more.
    """

    def __init__(self, context: Context, number: int, *, again: bool) -> None:
        self._context = context
        self.wire = context.wire()
        self.client = context.client_behind(self.wire)
        self._aim: Aim | None = None
        if not self.wire.speaks_http:
            self.wire.lose(number, times=1 if again else None)
            return
        aim = self._aim = self.wire.aim(Lose(), methods=WRITES, nth=number)
        if not again:
            self.wire.script = lambda _: b"" if aim.hits else None

    def met(self, did: str) -> None:
        """See that it happened.

        Where requests are not told apart it need not: connections that are made at the same time,
        one or two of them, greet the backend too.
        """
        lost = self.wire.lost if self._aim is None else len(self._aim.hits)
        if self._aim is not None:
            met(lost, did)
        self._context.notes["lost"] = int(self._context.notes.get("lost", 0)) + bool(lost)


def _lost_add(context: Context, data: bytes, like: _Healthy, number: int, *, again: bool) -> None:
    did = f"an add of {len(data)} bytes, {_which(number, again=again)}"
    lossy = _Lossy(context, number, again=again)
    image_id = context.new_id()
    error = _error_of(lambda: lossy.client.add(image_id, data), Duplicate, did)
    lossy.met(did)
    tidied(context, lossy.client)
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


def _which(number: int, *, again: bool) -> str:
    return f"answer {number} lost" + ("" if again else ", and every one after it")


def _deletes(context: Context) -> int:
    wire = context.wire()
    client = context.client_behind(wire)
    location = context.image(b"to be deleted")
    before = _answers(wire)
    client.delete(wire.location(location))
    context.journal.live.pop(str(location), None)
    return _answers(wire) - before


def _lost_delete(context: Context, number: int, *, again: bool) -> None:
    did = f"a delete, {_which(number, again=again)}"
    lossy = _Lossy(context, number, again=again)
    location = context.image(b"to be deleted")
    seen = lossy.wire.location(location)
    error = _error_of(lambda: lossy.client.delete(seen), NotFound, did)
    lossy.met(did)
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
