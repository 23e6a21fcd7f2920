"""ADD: what is stored is what was given, and where."""

from __future__ import annotations

import hashlib
import json

from storekit.capabilities import Capability
from storekit.errors import Duplicate, InvalidArgument, NotFound, StoreError
from storekit.testing.case import NotApplicable, Violation, case
from storekit.testing.context import Context
from storekit.testing.sources import Tap

ADD = Capability.ADD


def _stored_whole(context: Context, size: int) -> None:
    data = context.payload(size)
    stored = context.store.add(context.new_id(), data)
    context.same(stored.size, size, f"the size reported of {size} bytes")
    context.holds(stored.location, data)


@case(
    "ADD-01",
    needs=ADD,
    sentence="An add of 70 001 bytes MUST report the size and the digests of exactly these bytes,"
    " and metadata that JSON can hold.",
    why="The embedder keeps size and digests in its database and trusts them for ever.",
    mistakes="Digests of what was read rather than stored; one hash object shared by two adds.",
)
def reported(context: Context) -> None:
    """Add, and compare what is reported with hashlib's word."""
    pairs = [(context.new_id(), context.payload(70_001)) for _ in range(2)]
    for image_id, data in pairs:
        stored = context.store.add(image_id, data, hashes=("md5", "sha256", "sha512"))
        context.same(stored.size, len(data), "the size")
        wanted = {
            name: hashlib.new(name, data, usedforsecurity=False).hexdigest()
            for name in ("md5", "sha256", "sha512")
        }
        context.same(stored.digests, wanted, "the digests")
        context.same(stored.store, context.store.name, "the store's name")
        try:
            json.dumps(stored.metadata)
        except (TypeError, ValueError) as error:
            raise Violation("metadata that JSON can hold", error, "add") from error
        context.holds(stored.location, data)


@case(
    "ADD-02",
    needs=ADD,
    sentence="An empty image MUST be stored, or refused with a storekit error and nothing stored.",
    why="A size of 0 is a size. Taking it for unknown stores something else than was asked.",
    mistakes="0 taken for unknown; a multipart upload without parts; a zero-length map.",
)
def empty(context: Context) -> None:
    """Add no bytes, of known and of unknown size."""
    image_id = context.new_id()
    try:
        stored = context.store.add(image_id, b"", 0)
    except StoreError as error:
        context.nothing_stored(image_id, "the refusal of an empty image")
        raise NotApplicable(f"the backend refuses empty images: {error}") from error
    context.same(stored.size, 0, "the size")
    context.holds(stored.location, b"")
    if context.claims(Capability.ADD_UNKNOWN_SIZE):
        unknown = context.store.add(context.new_id(), iter([b"", b""]))
        context.same(unknown.size, 0, "the size, not known beforehand")
        context.holds(unknown.location, b"")


@case(
    "ADD-03",
    needs=ADD,
    sentence="An image of one byte MUST be stored and read back.",
    why="It is the smallest image that has content, and the last byte is its first.",
    mistakes="Padding to a block; ends counted from 1.",
)
def one_byte(context: Context) -> None:
    """Add a single byte."""
    _stored_whole(context, 1)


@case(
    "ADD-04",
    needs=ADD,
    sentence="Every value of a byte MUST come back as it was given.",
    why="An image is bytes, not text: line ends and encodings have no place in it.",
    mistakes="Text mode; a header value or a form field that carries the data; NUL as an end.",
)
def all_values(context: Context) -> None:
    """Add all byte values, in both orders."""
    values = bytes(range(256))
    data = values + values[::-1] + b"\r\n\x00\x1a" + values
    context.holds(context.image(data), data)


@case(
    "ADD-05",
    needs=ADD,
    sentence="Sizes around one and two write chunks, and prime sizes, MUST be stored whole.",
    why="The ends of chunks are where bytes get lost.",
    mistakes="A last chunk that is dropped when it is full, or when it is not.",
)
def around_chunks(context: Context) -> None:
    """Add images of sizes around the declared write chunk."""
    chunk = context.write_chunk
    sizes = [*context.around(chunk, 2 * chunk), *context.primes()]
    for size in dict.fromkeys(sizes):
        _stored_whole(context, size)


@case(
    "ADD-06",
    needs=ADD,
    sentence="Sizes around one and two parts MUST be stored whole, of known and unknown size.",
    why="At one part a driver changes from one request to a multipart upload.",
    mistakes="An empty last part; parts out of order; the threshold tested with the wrong sign.",
)
def around_parts(context: Context) -> None:
    """Add images of sizes around the declared part size."""
    client, part = context.small_parts()
    for size in context.around(part, 2 * part):
        data = context.payload(size)
        unknown = context.claims(Capability.ADD_UNKNOWN_SIZE) and size % 2 == 0
        source = Tap(data) if unknown else data
        stored = client.add(context.new_id(), source)
        context.same(stored.size, size, f"the size of {size} bytes")
        context.holds(stored.location, data)


@case(
    "ADD-07",
    needs=ADD,
    sentence="Runs of zeros MUST come back as such, wherever they are, whatever the backend saves.",
    why="Thin stores leave zeros out; an image that ends with zeros must keep its end.",
    mistakes="A hole at the end that shortens the image; a hole that shifts what follows.",
)
def zero_runs(context: Context) -> None:
    """Add zeros at the beginning, in the middle and at the end."""
    chunk = min(context.write_chunk, 1 << 20)
    zeros = bytes(2 * chunk + 1)
    noise = context.payload(997)
    for data in (zeros, zeros + noise, noise + zeros, noise + zeros + noise, bytes(1) + noise):
        stored = context.store.add(context.new_id(), data, hashes=("sha256",))
        context.same(stored.size, len(data), "the size")
        digest = hashlib.sha256(data).hexdigest()
        context.same(stored.digests["sha256"], digest, "the digest")
        context.same(context.store.get_size(stored.location), len(data), "get_size")
        context.holds(stored.location, data)


@case(
    "ADD-15",
    needs=ADD,
    sentence="An add under an id that is taken MUST raise Duplicate, read nothing of its data, and"
    " leave the image as it is.",
    why="An id names one image. What is overwritten cannot be brought back.",
    mistakes="Overwriting; deleting the first image while cleaning up after the second.",
)
def duplicate(context: Context) -> None:
    """Add twice under one id."""
    image_id, data = context.new_id(), context.payload(10_007)
    location = context.store.add(image_id, data).location
    again = Tap(context.payload(997))
    for client in (context.store, context.other):
        with context.expect_error(Duplicate, did="a second add of the id"):
            client.add(image_id, again, 997)
        context.same(again.reads, 0, "how often the second data was read")
        context.holds(location, data, context.other)


def _rejected_ids(context: Context) -> list[object]:
    longest = context.limits.max_id_length
    return [
        *("", ".", "..", "../x", "a/b", "/abs", "a/../b"),
        *("a\x00b", "a\nb", "a\x7fb", "x" * 4096, "é" * (longest // 2 + 1), "lone\ud800"),
        *(".storekit-x", b"bytes", None, 7),
    ]


@case(
    "ADD-20",
    needs=ADD,
    sentence="An id that could mean something to a backend (empty, a path, a control character, too"
    " long, no Unicode) MUST be refused as InvalidArgument before any I/O.",
    why="An id comes from users. It must never reach outside the place of the images.",
    mistakes="Joining it to a path; cutting it to length; a check in some verbs only.",
)
def hostile_ids(context: Context) -> None:
    """Add under ids that must be refused."""
    client = context.store
    for image_id in _rejected_ids(context):
        source = Tap(b"hostile")
        did = f"an add under {ascii(image_id)[:40]}"
        with context.untouched(client, did), context.expect_error(InvalidArgument, did=did):
            client.add(image_id, source, 7)
        context.same(source.reads, 0, f"reads in {did}")


@case(
    "ADD-21",
    needs=ADD | Capability.ATOMIC_ADD,
    sentence="An image MUST NOT be visible to another client until add returns, and MUST be then.",
    why="Who sees half an image boots half a system.",
    mistakes="Writing under the final name; listing uploads as images.",
)
def invisible_until_done(context: Context) -> None:
    """Look from a second client while an add is under way."""
    image_id = context.new_id()
    data = context.payload(3 * min(context.part_size, 1 << 20) + 7)
    location = None
    if context.claims(Capability.DELETE):
        location = context.store.add(image_id, b"to learn the location").location
        context.store.delete(location)
    other = context.other
    readable = context.claims(Capability.GET)

    def look(position: int) -> None:
        if location is not None:
            with context.expect_error(NotFound, did=f"get_size, {position} bytes into an add"):
                other.get_size(location)
            if readable:
                with context.expect_error(NotFound, did=f"get, {position} bytes into an add"):
                    other.get(location).close()
        if context.claims(Capability.LIST):
            listed = context.listed(other)
            context.check(image_id not in listed, "not listed during add", "it is listed")

    stored = context.store.add(image_id, Tap(data, at=look), len(data))

    def visible() -> bool:
        try:
            return other.get_size(stored.location) == len(data)
        except NotFound:
            return False

    context.eventually(visible, "the image, seen by another client", "add")
    context.holds(stored.location, data, other)


@case(
    "ADD-22",
    needs=ADD,
    sentence="The bytes at rest MUST be those given, the metadata of two answers MUST NOT be the"
    " same object, and the caller's file MUST be neither closed nor rewound.",
    why="The embedder owns its file and its dicts; the backend owns nothing but the bytes.",
    mistakes="Closing the source; seeking to find its size; handing out a cached dict.",
)
def at_rest(context: Context) -> None:
    """Add a file object, and look at it, at the metadata and, where possible, at rest."""
    data = context.payload(10_007)
    source = Tap(data)
    size = None if context.claims(Capability.ADD_UNKNOWN_SIZE) else len(data)
    first = context.store.add(context.new_id(), source, size)
    context.check(not source.closed, "the caller's file stays open", "it was closed", "add")
    context.check(not source.rewound, "the file is read once, in order", "it was moved", "add")
    second = context.store.add(context.new_id(), data)
    kept = json.dumps(second.metadata)
    first.metadata.clear()
    first.metadata["storekit"] = "changed by the caller"
    context.same(json.dumps(second.metadata), kept, "the metadata of another answer")
    third = context.store.add(context.new_id(), data)
    context.check("storekit" not in third.metadata, "fresh metadata", "the caller's change", "add")
    if context.harness.offers("peek"):
        context.same(context.harness.peek(str(first.location)), data, "the bytes at rest")
    context.holds(first.location, data)


@case(
    "ADD-23",
    needs=ADD,
    sentence="Ids that differ only in case, in Unicode form or in the last byte of the longest id"
    " MUST name different images, and listing MUST give every id back as it was.",
    why="The embedder tells images apart by their ids, byte by byte.",
    mistakes="A case-blind file system; normalising names; cutting long ones; unescaped listings.",
)
def ids_apart(context: Context) -> None:
    """Add under ids that a backend might take for the same."""
    base = context.new_id()
    longest = context.limits.max_id_length
    full = base + "x" * (longest - len(base.encode()) - 1)
    words = [" two words", "%41", "+", "#?&=;", "'\"<>\\|", "~.-_", "*[]{}", "é中\U0001f600"]
    ids = [
        *(base + "-case", base + "-CASE", base + "-é", base + "-e\u0301"),
        *(full + "y", full + "z"),
        *(f"{base}{word}" for word in words),
    ]
    ids = [image_id for image_id in dict.fromkeys(ids) if len(image_id.encode()) <= longest]
    images = {}
    for image_id in ids:
        data = context.payload(97)
        images[image_id] = context.store.add(image_id, data).location, data
    for image_id, (location, data) in images.items():
        context.same(context.read(location), data, f"the image {image_id!r}")
    if context.claims(Capability.LIST):
        missing = set(ids) - context.listed()
        context.check(not missing, "every id in the listing", f"missing {sorted(missing)}")
