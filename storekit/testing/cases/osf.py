"""OSF: what the operating system does to a store: full, unreadable, read-only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from storekit.capabilities import Capability
from storekit.errors import DataError, Forbidden, NotFound, StorageFull, StoreError, Unsupported
from storekit.location import Location
from storekit.testing.case import Level, NotRun, Violation, case
from storekit.testing.context import Context
from storekit.testing.harness import Harness
from storekit.testing.journal import Client, Reading
from storekit.testing.sources import Stops
from storekit.values import StoredImage

__all__ = ["Place"]

ADD, GET, DELETE = Capability.ADD, Capability.GET, Capability.DELETE


class Place:
    """A backend that can have a fault, and a client of it.

    Args:
        context: The context of the case.
        kind: The fault, as of ``Harness.fault``.
        **overrides: Options of the client.

    Raises:
        NotRun: The harness cannot make the fault.
    """

    def __init__(self, context: Context, kind: str, **overrides: object) -> None:
        self._context = context
        self._kind = kind
        try:
            self.harness: Harness = context.exit.enter_context(context.harness.breakable(kind))
        except NotImplementedError:
            raise NotRun(f"the harness cannot make the fault {kind!r}") from None
        self.client = self.open(**overrides)
        """Opened before the fault."""

    def open(self, **overrides: object) -> Client:
        """Open one more client."""
        return self._context.client(self.harness, **overrides)

    @contextmanager
    def fault(self) -> Iterator[None]:
        """Have the fault as long as the block lasts."""
        with ExitStack() as stack:
            try:
                stack.enter_context(self.harness.fault(self._kind))
            except NotImplementedError:
                raise NotRun(f"the harness cannot make the fault {self._kind!r}") from None
            yield

    def image(self, data: bytes) -> Location:
        """Have an image there."""
        if self._context.claims(ADD):
            return self.client.add(self._context.new_id(), data).location
        self.harness.require("plant")
        return Location(self.harness.plant(self._context.new_id(), data))

    def left(self) -> set[str]:
        """Name what belongs to no image."""
        return self.harness.left_behind(self.client.store)

    def nothing_stored(self, image_id: str, did: str) -> None:
        """Demand that an id is free, and that what is added under it now is stored."""
        fresh = self.open()
        context = self._context
        if context.claims(Capability.LIST):
            context.check(image_id not in context.listed(fresh), "no image", "it is listed", did)
        data = context.payload(997)
        try:
            location = fresh.add(image_id, data).location
        except StoreError as error:
            raise Violation(
                "the id can be added", f"{type(error).__name__}: {error}", did
            ) from error
        context.holds(location, data, fresh)
        if context.claims(DELETE):
            fresh.delete(location)


@case(
    "OSF-01",
    level=Level.ROBUST,
    needs=ADD,
    hooks=("fault:full",),
    sentence="An add that finds the disk full, at whichever byte, MUST raise StorageFull and leave"
    " nothing behind; where the disk becomes full during the add, the whole image MAY be stored"
    " instead.",
    why="Disks do fill up in the middle of an image, and must not fill up with halves of images.",
    mistakes="A short write taken for a whole one; an error of close() or fsync() swallowed;"
    " a temporary file that keeps the disk full.",
)
def full(context: Context) -> None:
    """Add while the disk is full, and let it become full at several bytes."""
    place = Place(context, "full")
    data = context.payload(997)
    kept = place.image(data)
    before = place.left()
    chunk = min(context.write_chunk, 1 << 20)
    for size in (4 * chunk + 7, 2 * min(context.part_size, 4 << 20) + 7):
        known = [True, False] if context.claims(Capability.ADD_UNKNOWN_SIZE) else [True]
        for point in (None, 0, 1, chunk, size):
            for declared in known:
                _add_to_full(context, place, context.payload(size), point, declared=declared)
                left = place.left() - before
                did = f"an add of {size} bytes to a disk that is full, {point or 0} bytes in"
                context.check(not left, "nothing left behind", f"left: {sorted(left)}", did)
    with place.fault():
        if context.claims(GET):
            context.holds(kept, data, place.client)
    context.holds(kept, data, place.client)


def _add_to_full(
    context: Context, place: Place, data: bytes, point: int | None, *, declared: bool
) -> None:
    """Add; the disk is full from a byte on, or (None) before the add begins."""
    image_id = context.new_id()
    when = "before" if point is None else f"once {point} bytes are taken"
    did = f"an add of {len(data)} bytes to a disk that is full {when}"
    try:
        stored = _add_while_it_fills(place, image_id, data, point, declared=declared)
    except StorageFull:
        place.nothing_stored(image_id, did)
        return
    except StoreError as other:
        actual = f"{type(other).__name__}: {other}"
        raise Violation("StorageFull, or the whole image", actual, did) from other
    if point is None:
        raise Violation("StorageFull", "no error", did)
    context.same(stored.size, len(data), f"the size after {did}")
    if context.claims(GET):
        there = context.read(stored.location, place.client)
        context.same(there, data, f"the image that is stored after {did}")
    if context.claims(DELETE):
        place.client.delete(stored.location)


def _add_while_it_fills(
    place: Place, image_id: str, data: bytes, point: int | None, *, declared: bool
) -> StoredImage:
    with ExitStack() as stack:
        broken = point is None

        def at(position: int) -> None:
            nonlocal broken
            if not broken and position >= (point or 0):
                broken = True
                stack.enter_context(place.fault())

        if broken:
            stack.enter_context(place.fault())
        source = Stops(data, [point or 1, len(data) - 1], at)
        return place.client.add(image_id, source, len(data) if declared else None)


@case(
    "OSF-02",
    level=Level.ROBUST,
    needs=GET,
    hooks=("fault:eio",),
    sentence="A read that the device fails MUST raise DataError; it MUST NOT end early, nor give"
    " other bytes.",
    why="A disk that dies must not turn images into shorter or emptier ones.",
    mistakes="An error of read taken for the end of the file; a bad block given as zeros; NotFound"
    " for what is there and cannot be read.",
)
def eio(context: Context) -> None:
    """Read from a device that fails; before, in the middle, and after."""
    place = Place(context, "eio")
    size = max(1 << 20, 8 * min(context.read_chunk, 1 << 20)) + 7
    images = {place.image(data): data for data in (context.payload(n) for n in (997, size))}
    large = [*images][-1]
    opened = place.client.get(large)
    first = next(opened)
    with place.fault():
        for location, data in images.items():
            for part in _parts(context, len(data)):
                did = f"a get of {part or 'all'} of {len(data)} bytes from a device that fails"
                with context.expect_error(DataError, did=did):
                    place.client.get(location, **part).read()
        _go_on(context, opened, first, images[large])
    for location, data in images.items():
        context.holds(location, data, place.client)
        context.holds(location, data, place.open())


def _parts(context: Context, size: int) -> list[dict[str, int]]:
    ranged = context.claims(Capability.GET_RANGE)
    return [{}, {"offset": size // 2, "length": 100}] if ranged else [{}]


def _go_on(context: Context, opened: Reading, first: bytes, data: bytes) -> None:
    """Read the rest, where the kernel may have some of it already."""
    try:
        got = first + context.drain(opened)
    except DataError:
        return
    except StoreError as error:
        did = "the rest of a read whose device fails"
        raise Violation("DataError", f"{type(error).__name__}: {error}", did) from error
    context.same(got, data, "a read whose device failed midway, and that raised nothing")


@case(
    "OSF-03",
    level=Level.ROBUST,
    needs=GET,
    hooks=("fault:readonly",),
    sentence="On a backend that became read-only everything that reads MUST work on, through"
    " clients opened before and since; what writes MUST raise Forbidden (or Unsupported, through"
    " clients opened since), and leave nothing.",
    why="A file system that found an error goes read-only; the images on it are still wanted.",
    mistakes="Opening for writing to read; a lock file for every read; a store that does not open"
    " because it cannot write.",
)
def readonly(context: Context) -> None:
    """Do everything on a backend that is read-only."""
    place = Place(context, "readonly")
    data = context.payload(2 * min(context.read_chunk, 1 << 20) + 7)
    location = place.image(data)
    before = place.left()
    refused = context.new_id()
    with place.fault():
        try:
            fresh = place.open()
        except StoreError as error:
            actual = f"{type(error).__name__}: {error}"
            raise Violation("a store opens on a read-only backend", actual) from error
        for client, who in ((place.client, "opened before"), (fresh, "opened since")):
            _reads(context, client, location, data, f"a client {who} the backend was read-only")
            kinds = (Forbidden,) if client is place.client else (Forbidden, Unsupported)
            if context.claims(ADD):
                with context.expect_error(*kinds, did=f"an add by a client {who}"):
                    client.add(refused, data)
            if context.claims(DELETE):
                with context.expect_error(*kinds, did=f"a delete by a client {who}"):
                    client.delete(location)
    left = place.left() - before
    context.check(not left, "nothing left behind", f"left: {sorted(left)}", "a read-only backend")
    context.holds(location, data, place.client)
    if context.claims(ADD):
        place.nothing_stored(refused, "an add to a read-only backend")
        stored = place.client.add(refused + "-2", data)
        right = {name: hashlib.new(name, data).hexdigest() for name in stored.digests}
        context.same(dict(stored.digests), right, "the digests of an add after it")


def _reads(context: Context, client: Client, location: Location, data: bytes, did: str) -> None:
    try:
        context.holds(location, data, client)
        context.same(client.get_size(location), len(data), f"get_size by {did}")
        if context.claims(Capability.GET_RANGE):
            context.same(client.get(location, 1, 100).read(), data[1:101], f"a range by {did}")
        if context.claims(Capability.LIST):
            listed = {listing.location for listing in client.list()}
            context.check(location in listed, "the image is listed", "it is not", did)
        if context.claims(Capability.CAPACITY):
            client.capacity()
        with context.expect_error(NotFound, did=f"a get of nothing by {did}"):
            client.get(str(location) + "-missing")
    except StoreError as error:
        raise Violation("what reads works on", f"{type(error).__name__}: {error}", did) from error
