"""CRS: what is there after a process was killed in the middle of a call."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from storekit.capabilities import Capability
from storekit.errors import Duplicate, NotFound, StoreError
from storekit.location import Location
from storekit.testing.case import Level, NotRun, Violation, case
from storekit.testing.children import in_child
from storekit.testing.context import Context
from storekit.testing.crash import Doomed, Shot, fire, volley
from storekit.testing.harness import Harness
from storekit.testing.journal import Client
from storekit.testing.looks import looks

__all__ = ["swept"]

ADD, GET, DELETE = Capability.ADD, Capability.GET, Capability.DELETE
CRASH_SAFE = Capability.CRASH_SAFE
_MIB = 1 << 20
_AFFORDED = 6 * _MIB  # bytes of an image that is added again and again
_HALF = 25  # shots at a time, and as many at a byte: 50
_FEW = 8  # of each kind, where a case has more to do after a shot
_MEASURED = 3


class _Range:
    """Where the shots of one case go to.

    Args:
        context: The context of the case.
        size: The size of the images, in bytes.
    """

    def __init__(self, context: Context, size: int) -> None:
        self.context = context
        self.data = context.payload(size)
        self.budget = context.budget(2)
        self._ids: list[str] = []
        self._listed = context.claims(Capability.LIST)
        self._like = "" if self._listed else self._sample()
        self.seconds = self._measure()

    def at(self, image_id: str, client: Client) -> Location | None:
        """Tell where an image is, if it is anywhere."""
        location = self._listing(image_id, client) if self._listed else self._like + image_id
        try:
            if location is None:
                return None
            client.get_size(location)
        except NotFound:
            if self._listed and self.context.claims(Capability.STRONG_CONSISTENCY):
                raise
            return None  # a listing that is late
        self.context.journal.live[location] = self.context.store  # should nobody get to delete it
        return Location(location)

    def _listing(self, image_id: str, client: Client) -> str | None:
        found = (item for item in client.list() if item.image_id == image_id)
        return next((str(item.location) for item in found), None)

    def shoot(self, shot: Shot | None, image_id: str) -> tuple[bool, float]:
        """Add in a child that is killed; tell whether add returned, and how long it took."""
        self._ids.append(image_id)
        size = len(self.data) if shot is None or shot.number % 2 else None
        if not self.context.claims(Capability.ADD_UNKNOWN_SIZE):
            size = len(self.data)
        act = partial(_add, self.context.harness, image_id, self.data, size, shot, self.seconds)
        ended, took = fire(act, self.budget)
        self.context.journal.calls.append(f"{shot}: {'add returned' if ended else 'killed'}")
        return ended, took or 0.0

    def clear(self, client: Client) -> None:
        """Delete the images that are there: a server may still have been at one that was not."""
        for image_id in self._ids:
            self.delete(image_id, client)

    def swept(self, before: set[str], *, others: bool = False) -> None:
        """Delete what a server was still at when it was deleted; and remove what is left.

        Args:
            before: What was left before.
            others: Whether an image may have other bytes.
        """
        with _client(self.context) as client:
            for image_id in self._ids:
                did = f"SIGKILL in the add of {image_id}, looked at later"
                if others or _whole(self, image_id, client, did, returned=False):
                    self.delete(image_id, client)
        swept(self.context, before)

    def _sample(self) -> str:
        """Give what locations begin with, where images cannot be listed."""
        context = self.context
        image_id = context.new_id()
        text = str(context.image(b"a sample", image_id))
        if not text.endswith(image_id):
            raise NotRun("nobody can tell where an image would be that is not listed")
        return text.removesuffix(image_id)

    def _measure(self) -> float:
        self.seconds = 0.0
        took = []
        for _ in range(_MEASURED):
            image_id = self.context.new_id()
            took.append(self.shoot(None, image_id)[1])
            with _client(self.context) as client:
                self.delete(image_id, client)
        return sorted(took)[_MEASURED // 2]

    def delete(self, image_id: str, client: Client) -> None:
        """Delete an image that is there."""
        location = self.at(image_id, client)
        if location is not None and self.context.claims(DELETE):
            client.delete(location)


def _add(
    harness: Harness, image_id: str, data: bytes, size: int | None, shot: Shot | None, usual: float
) -> float:
    doomed = Doomed(shot, usual)
    store = harness.make_store()
    begin = time.perf_counter()
    doomed.begins()
    store.add(image_id, doomed.source(data), size)
    return time.perf_counter() - begin


@contextmanager
def _client(context: Context, **overrides: object) -> Iterator[Client]:
    """Open a fresh client, and close it: there will be many."""
    with context.harness.make_store(**overrides) as store:
        yield Client(store, context.journal)


def _size(context: Context) -> int:
    """Give a size of two parts, if a case may afford that many times.

    And of two blocks: the frame is one ahead of the driver, which is to be in the middle as well.
    """
    return max(2 * _MIB, context.part_size if context.part_size <= _AFFORDED else 0) + 997


def _whole(target: _Range, image_id: str, client: Client, did: str, *, returned: bool) -> bool:
    """Demand an image whole, or no trace of it; tell which."""
    context = target.context
    location = target.at(image_id, client)
    if location is None and returned:
        context.eventually(
            lambda: target.at(image_id, client) is not None, "the image: add had returned", did
        )
        location = target.at(image_id, client)
    if location is None:
        return False
    expected = f"no image, or all of its {len(target.data)} bytes"
    size = client.get_size(location)
    if size != len(target.data):
        raise Violation(expected, f"an image of {size} bytes", did)
    if context.claims(GET) and context.read(location, client) != target.data:
        raise Violation(expected, "an image of that size, with other bytes", did)
    return True


def _until(context: Context, holds: Callable[[], bool]) -> bool:
    """Look until it holds: a backend may need a moment to see that a process is dead."""
    begin = time.perf_counter()
    fine = any(holds() for _ in looks(context.budget()))
    context.notes["settled"] = time.perf_counter() - begin
    return fine


def swept(context: Context, before: set[str]) -> None:
    """Remove what crashes left. Whether that works is the matter of another case.

    Args:
        context: The context of the case.
        before: What was there before it.
    """

    def clean() -> bool:
        context.harness.clean(client.store)
        return not context.harness.left_behind(client.store) - before

    with _client(context, upload_idle=0) as client:
        _until(context, clean)


@case(
    "CRS-01",
    level=Level.HARD,
    needs=ADD | CRASH_SAFE,
    exclusive=True,
    budget=20.0,
    sentence="When a process is killed at whatever instant of an add, the image MUST be absent or"
    " whole for every client, and whole if add had returned.",
    why="Machines crash and workers are killed; half an image under its right name boots nothing,"
    " and nobody knows why.",
    mistakes="Writing under the final name; a commit in two steps, with a clean-up in case that"
    " the second one fails: nobody is there to run it.",
)
def killed_in_add(context: Context) -> None:
    """Kill 50 children at random times and bytes of an add, and look with a fresh client."""
    before = context.orphans()
    target = _Range(context, _size(context))
    shots = volley(context.random, _HALF, _HALF, len(target.data))
    there = 0
    for shot in shots:
        image_id = context.new_id()
        returned, _ = target.shoot(shot, image_id)
        with _client(context) as client:
            there += _whole(target, image_id, client, f"SIGKILL: {shot}", returned=returned)
            target.delete(image_id, client)
    context.notes |= {"an add takes": target.seconds, "whole": there, "shots": len(shots)}
    target.swept(before)


@case(
    "CRS-02",
    level=Level.HARD,
    needs=ADD | CRASH_SAFE,
    exclusive=True,
    budget=12.0,
    sentence="After a process was killed in an add, the id MUST be addable if no image is there,"
    " and the image that is added MUST be whole.",
    why="The service tries again under the same id; it has no other.",
    mistakes="A name reserved, or a lock taken, that only the dead process would have given back.",
)
def addable(context: Context) -> None:
    """Kill children in the middle of an add, and add the same id."""
    before = context.orphans()
    target = _Range(context, _size(context))
    other = context.payload(len(target.data) + 1)
    for shot in volley(context.random, _FEW, _FEW, len(target.data)):
        image_id, did = context.new_id(), f"an add of the same id, after SIGKILL: {shot}"
        target.shoot(shot, image_id)
        with _client(context) as client:
            target.delete(image_id, client)
            try:
                location = client.add(image_id, other).location
            except Duplicate as error:
                # A commit may have been on its way; then the image is there, and not the id alone.
                if not _whole(target, image_id, client, did, returned=False):
                    raise Violation("the id can be added", f"Duplicate: {error}", did) from error
                if not context.claims(DELETE):
                    continue
                target.delete(image_id, client)
                location = client.add(image_id, other).location
            if context.claims(GET):
                context.holds(location, other, client)
            target.delete(image_id, client)
    target.swept(before, others=True)


@case(
    "CRS-03",
    level=Level.HARD,
    needs=ADD | CRASH_SAFE,
    exclusive=True,
    budget=12.0,
    sentence="What a killed add leaves MUST be one thing at most, MUST be listed by leftovers()"
    " and removed by reclaim(), and nothing else MUST be.",
    why="A service is killed many times in its life, and storage that nobody finds is paid for.",
    mistakes="A part file, a lock and a journal for each upload, of which leftovers() knows one;"
    " names that tell nothing.",
)
def leftovers(context: Context) -> None:
    """Kill children in the middle of an add; count, list and reclaim what is left."""
    kept = context.payload(997)
    location = context.image(kept)
    client = context.client(upload_idle=0)  # nobody else is here: what has no owner is dead
    known = {found.name for found in context.leftovers(client)}

    def orphans() -> set[str]:
        return context.harness.left_behind(client.store)

    before = orphans()
    target = _Range(context, _size(context))
    for shot in volley(context.random, _FEW, _FEW, len(target.data)):
        image_id, did = context.new_id(), f"SIGKILL: {shot}"
        earlier = orphans()
        target.shoot(shot, image_id)
        target.delete(image_id, client)
        more = sorted(orphans() - earlier)
        context.check(len(more) <= 1, "one thing left at most", f"{len(more)}: {more[:5]}", did)

    def left() -> set[str]:
        target.clear(client)
        return orphans() - before

    def listed() -> list[str]:
        return sorted({found.name for found in context.leftovers(client)} - known)

    did = f"{2 * _FEW} adds that were killed"
    if not _until(context, lambda: len(listed()) == len(left())):
        raise Violation(
            f"leftovers, what is left and no more: {sorted(left())}", f"{listed()}", did
        )
    context.notes["left"] = len(left())
    context.harness.clean(client.store)
    rest = sorted(orphans() - before) or listed()
    context.check(not rest, "nothing left after reclaim", rest[:5], did)
    target.swept(before)
    if context.claims(GET):
        context.holds(location, kept, context.client())


@case(
    "CRS-04",
    level=Level.HARD,
    needs=ADD | GET | DELETE | CRASH_SAFE,
    exclusive=True,
    budget=12.0,
    sentence="When a process is killed at whatever instant of a delete, the image MUST be whole or"
    " gone for every client, and a delete that is tried again MUST work.",
    why="An image that is half deleted can neither be used nor got rid of.",
    mistakes="Wiping before unlinking; a mark that says 'being deleted', and is obeyed for ever;"
    " parts deleted before what names them.",
)
def killed_in_delete(context: Context) -> None:
    """Kill children at random times of a delete, look with a fresh client, delete again."""
    before = context.orphans()
    data = context.payload(_size(context))
    budget = context.budget(2)
    took = []
    for _ in range(_MEASURED):
        doomed = context.image(data)
        took.append(in_child(partial(_delete, context.harness, doomed, None, 0.0), budget))
    usual = sorted(took)[_MEASURED // 2]
    whole = 0
    for shot in volley(context.random, _HALF):
        location, did = context.image(data), f"SIGKILL in a delete: {shot}"
        ended, _ = fire(partial(_delete, context.harness, location, shot, usual), budget)
        with _client(context) as client:
            whole += _gone_or_whole(context, client, location, data, did, ended=ended)
    context.notes |= {"a delete takes": usual, "whole": whole}
    swept(context, before)


def _delete(harness: Harness, location: Location, shot: Shot | None, usual: float) -> float:
    store = harness.make_store()
    begin = time.perf_counter()
    Doomed(shot, usual).begins()
    store.delete(location)
    return time.perf_counter() - begin


def _gone_or_whole(
    context: Context, client: Client, location: Location, data: bytes, did: str, *, ended: bool
) -> bool:
    """Demand an image whole or gone, and that it can be deleted; tell which it was."""
    expected = "the whole image, or none"
    try:
        got = context.read(location, client)
    except NotFound:
        got = None
    context.check(got in {None, data}, expected, f"{len(got or b'')} bytes, others", did)
    if ended and got is not None:
        did = f"{did}; delete had returned"
        context.eventually(lambda: not _is_there(client, location), "no image", did)
    try:
        client.delete(location)
    except NotFound as error:
        # What a server was still at when we read may be done by now; then it is gone for all.
        context.check(not _is_there(client, location), "none", f"get_size works; {error}", did)
    except StoreError as error:
        actual = f"{type(error).__name__}: {error}"
        raise Violation("a delete that works, or NotFound", actual, f"{did}; again") from error
    context.journal.live.pop(str(location), None)
    with context.expect_error(NotFound, did=f"get_size; {did}, deleted again"):
        client.get_size(location)
    return got is not None


def _is_there(client: Client, location: Location) -> bool:
    try:
        client.get_size(location)
    except NotFound:
        return False
    return True
