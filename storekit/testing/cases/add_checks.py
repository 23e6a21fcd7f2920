"""ADD: what is checked before and while it is stored."""

from __future__ import annotations

import hashlib

from storekit.capabilities import Capability
from storekit.errors import InvalidArgument, SizeMismatch, Unsupported
from storekit.testing.case import case
from storekit.testing.context import Context
from storekit.testing.sources import Tap, Trickle

ADD = Capability.ADD


def _refused_unknown(context: Context) -> None:
    if not context.claims(ADD):
        image_id = context.new_id()
        with context.expect_error(Unsupported, did="an add"):
            context.store.add(image_id, Trickle(b"x"))
        return
    image_id = context.new_id()
    source = Trickle(b"one", b"two")
    did = "an add of unknown size"
    with (
        context.untouched(context.store, did),
        context.expect_error(Unsupported, did=did) as caught,
    ):
        context.store.add(image_id, source)
    context.check("ADD_UNKNOWN_SIZE" in caught.text, "the capability's name", caught.text, did)
    context.same(source.taken, 0, "chunks taken")
    context.nothing_stored(image_id, did)


@case(
    "ADD-11",
    needs=ADD | Capability.ADD_UNKNOWN_SIZE,
    refused=_refused_unknown,
    sentence="An image of unknown size MUST be stored whole, several times in a row on one store.",
    why="A stream has no size until it ends.",
    mistakes="State of the first add left on the driver: counters, part lists, file positions.",
)
def unknown_size(context: Context) -> None:
    """Add streams one after the other on one instance."""
    part = context.part_size
    for size in (2 * part + 997, 997, part, part + 1, 3 * part):
        data = context.payload(size)
        pieces = [data[i : i + 10_007] for i in range(0, size, 10_007)]
        stored = context.store.add(context.new_id(), iter(pieces), hashes=("sha256",))
        context.same(stored.size, size, "the size found out")
        context.same(stored.digests, {"sha256": hashlib.sha256(data).hexdigest()}, "the digest")
        context.holds(stored.location, data)


@case(
    "ADD-12",
    needs=ADD,
    sentence="When there is less data than declared, add MUST raise SizeMismatch and store"
    " nothing.",
    why="A connection that broke looks like an end. Half an image is no image.",
    mistakes="Taking the end of the data for the end of the image; padding.",
)
def too_short(context: Context) -> None:
    """Add less than declared."""
    data = context.payload(min(context.part_size, 1 << 20) + 997)
    for given in (data, data[:997], b""):
        for declared in (len(given) + 1, len(given) + 3 * context.write_chunk):
            image_id = context.new_id()
            did = f"an add of {len(given)} bytes declared as {declared}"
            with context.expect_error(SizeMismatch, did=did):
                context.store.add(image_id, Tap(given), declared)
            context.nothing_stored(image_id, did)
    with context.expect_error(SizeMismatch, did="an add of bytes declared too large"):
        context.store.add(context.new_id(), data, len(data) + 1)


@case(
    "ADD-14",
    needs=ADD,
    sentence="A size that is negative, a float, a bool or text MUST raise InvalidArgument before"
    " any I/O.",
    why="True is 1 in Python, and -1 means unknown in half the world: neither is a size.",
    mistakes="int(size); `if size:`; -1 for unknown.",
)
def bad_sizes(context: Context) -> None:
    """Add with sizes that are none."""
    for size in (-1, 1.0, True, False, "3", float("nan")):
        source = Tap(b"abc")
        did = f"an add with size={size!r}"
        client = context.store
        with context.untouched(client, did), context.expect_error(InvalidArgument, did=did):
            client.add(context.new_id(), source, size)
        context.same(source.reads, 0, f"reads in {did}")


@case(
    "ADD-16",
    needs=ADD,
    sentence="Every digest of fixed length in hashlib's guaranteed set MUST be computed, and an"
    " unknown name MUST raise InvalidArgument before any I/O.",
    why="An operator chooses the algorithm; finding out at the end that there is none costs an"
    " upload.",
    mistakes="Names checked after the data was sent; shake_128, whose digest has no length.",
)
def algorithms(context: Context) -> None:
    """Add with every algorithm, and with names that are none."""
    data = context.payload(10_007)
    names = sorted(name for name in hashlib.algorithms_guaranteed if not name.startswith("shake"))
    stored = context.store.add(context.new_id(), data, hashes=names)
    wanted = {name: hashlib.new(name, data, usedforsecurity=False).hexdigest() for name in names}
    context.same(stored.digests, wanted, "the digests")
    none = context.store.add(context.new_id(), data, hashes=())
    context.same(none.digests, {}, "the digests when none is asked for")
    client = context.store
    for hashes in (("md6",), ("shake_128",), ("",), "md5", (None,), 7):
        source = Tap(data)
        did = f"an add with hashes={hashes!r}"
        with context.untouched(client, did), context.expect_error(InvalidArgument, did=did):
            client.add(context.new_id(), source, len(data), hashes=hashes)
        context.same(source.reads, 0, f"reads in {did}")
