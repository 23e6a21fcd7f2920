"""GET: the bytes that come back."""

from __future__ import annotations

from storekit.capabilities import Capability
from storekit.errors import NotFound, StoreClosed
from storekit.testing.case import Violation, case
from storekit.testing.context import Context

GET = Capability.GET


def _sizes(context: Context) -> list[int]:
    chunk = context.read_chunk
    return [1, 997, *context.around(chunk, 2 * chunk), 70_001]


@case(
    "GET-01",
    needs=GET,
    sentence="A read MUST give the whole image; every chunk MUST be bytes, not empty, and no longer"
    " than limits.read_chunk.",
    why="An image that lost its last byte boots, and fails much later.",
    mistakes="The last byte or chunk lost; a bytearray or a memoryview of a buffer used again.",
)
def whole(context: Context) -> None:
    """Read images of sizes around the read chunk."""
    for size in dict.fromkeys(_sizes(context)):
        data = context.payload(size)
        location = context.image(data)
        chunks = []
        with context.store.get(location) as reader:
            for chunk in reader:
                context.check(type(chunk) is bytes, "chunks of bytes", type(chunk).__name__)
                longest = context.limits.read_chunk
                context.check(0 < len(chunk) <= longest, f"1 to {longest} bytes", len(chunk))
                chunks.append(chunk)
        context.same(b"".join(chunks), data, f"an image of {size} bytes")


@case(
    "GET-02",
    needs=GET,
    sentence="The size that the reader reports MUST be what get_size says and the bytes delivered.",
    why="It becomes a Content-Length before the first byte is read.",
    mistakes="The size on disk; the size of a compressed or padded form.",
)
def size_of_reader(context: Context) -> None:
    """Compare the three sizes."""
    for size in (1, 70_001, context.read_chunk + 1):
        location = context.image(context.payload(size))
        with context.store.get(location) as reader:
            context.same(reader.size, size, "the reader's size")
            context.same(len(context.drain(reader)), size, "the bytes delivered")
        context.same(context.store.get_size(location), size, "get_size")


@case(
    "GET-03",
    needs=GET,
    sentence="A get of what is not there MUST raise NotFound itself, and say which image and which"
    " driver.",
    why="At the first chunk the answer's status line has long been sent.",
    mistakes="A lazy generator that opens at the first chunk; an empty image in place of an error.",
)
def missing(context: Context) -> None:
    """Get an image that is not there."""
    location = context.missing()
    with context.expect_error(NotFound, did="a get of nothing") as caught:
        context.store.get(location)
    for what in (str(location), context.store.store.driver):
        context.check(what in caught.text, f"an error that names {what}", caught.text, "get")


@case(
    "GET-04",
    needs=GET,
    sentence="An empty image MUST give a reader of size 0 and no chunk.",
    why="It is an image like any other.",
    mistakes="An empty chunk; a range request for bytes 0 to -1.",
)
def empty(context: Context) -> None:
    """Read an empty image."""
    location = context.image(b"")
    with context.store.get(location) as reader:
        context.same(reader.size, 0, "the reader's size")
        context.same(list(reader), [], "the chunks")
    with context.store.get(location) as reader:
        context.same(reader.read(), b"", "what read() gives")


@case(
    "GET-05",
    needs=GET,
    sentence="An exhausted reader MUST stay exhausted: read MUST give bytes, empty ones, and next"
    " MUST raise StopIteration.",
    why="Loops that test for the empty end value never end on a wrong one.",
    mistakes="A text as the end value; the first chunk again.",
)
def exhausted(context: Context) -> None:
    """Go on after the end."""
    location = context.image(context.payload(997))
    with context.store.get(location) as reader:
        context.drain(reader)
        for _ in range(2):
            end = reader.read(7)
            context.check(type(end) is bytes and not end, "b''", repr(end), "read after the end")
            try:
                extra = next(reader)
            except StopIteration:
                continue
            raise Violation("StopIteration", repr(extra), "next after the end")


@case(
    "GET-06",
    needs=GET,
    sentence="A second pass over one reader MUST raise StoreClosed, never give nothing silently.",
    why="A silent second pass is an empty image that nobody asked for.",
    mistakes="A generator: iterating it again gives nothing.",
)
def second_pass(context: Context) -> None:
    """Iterate twice."""
    location = context.image(context.payload(70_001))
    reader = context.store.get(location)
    iter(reader)
    context.drain(reader)
    with context.expect_error(StoreClosed, did="iterating a second time"):
        iter(reader)
    reader.close()


@case(
    "GET-07",
    needs=GET,
    sentence="close MUST be harmless twice and in the middle; after it, next and read MUST raise"
    " StoreClosed; a reader MUST work in a with block.",
    why="Clean-up code closes what may be closed already.",
    mistakes="An error at the second close; bytes that still come from a buffer after it.",
)
def closing(context: Context) -> None:
    """Close in the middle, twice, and read on."""
    location = context.image(context.payload(3 * min(context.read_chunk, 1 << 20)))
    for first in (0, 1):
        reader = context.store.get(location)
        for _ in range(first):
            next(reader)
        reader.close()
        reader.close()
        with context.expect_error(StoreClosed, did="next after close"):
            next(reader)
        with context.expect_error(StoreClosed, did="read after close"):
            reader.read(1)
    with context.store.get(location) as reader:
        next(reader)
    with context.expect_error(StoreClosed, did="next after the with block"):
        next(reader)


@case(
    "GET-10",
    needs=GET,
    sentence="Two readers at once, of one image and of two, MUST NOT mix up their bytes.",
    why="One store serves all requests of a service.",
    mistakes="A position, a buffer or a connection kept on the driver.",
)
def interleaved(context: Context) -> None:
    """Read three readers chunk by chunk in turn."""
    one, two = (context.payload(3 * min(context.read_chunk, 1 << 20) + 7) for _ in range(2))
    first, second = context.image(one), context.image(two)
    readers = [context.store.get(location) for location in (first, second, first)]
    parts: list[list[bytes]] = [[], [], []]
    live = list(range(3))
    while live:
        for number in tuple(live):
            try:
                parts[number].append(next(readers[number]))
            except StopIteration:
                live.remove(number)
    for reader in readers:
        reader.close()
    for number, data in enumerate((one, two, one)):
        context.same(b"".join(parts[number]), data, f"reader {number} of three at once")


@case(
    "GET-13",
    needs=GET,
    hooks=("peek",),
    sentence="Reading MUST change nothing: neither the bytes, nor the time, nor the version.",
    why="Caches and backups go by the time and the version.",
    mistakes="A touch; a lock or a counter written into the image's record.",
)
def changes_nothing(context: Context) -> None:
    """Read, whole and in part, and look at the image at rest before and after."""
    data = context.payload(70_001)
    location = context.image(data)
    before = _state(context, str(location))
    context.holds(location, data)
    if context.claims(Capability.GET_RANGE):
        with context.store.get(location, 7, 997) as reader:
            reader.read()
    context.store.get_size(location)
    context.same(_state(context, str(location)), before, "the image at rest, listed")
    context.same(context.harness.peek(str(location)), data, "the bytes at rest")


def _state(context: Context, location: str) -> list[str]:
    if not context.claims(Capability.LIST):
        return []
    return [repr(entry) for entry in context.store.list() if str(entry.location) == location]


@case(
    "GET-14",
    needs=GET,
    sentence="read(n), readinto and iteration MUST give the same bytes, also mixed.",
    why="Callers mix them: a header by read, the rest by a loop.",
    mistakes="A buffer that one of them does not know of.",
)
def mixed(context: Context) -> None:
    """Read one image in every way, and in a mix of them."""
    data = context.payload(3 * min(context.read_chunk, 1 << 20) + 997)
    location = context.image(data)
    with context.store.get(location) as reader:
        context.same(reader.read(), data, "read()")
    with context.store.get(location) as reader:
        pieces = []
        while piece := reader.read(997):
            pieces.append(piece)
        context.check(all(len(p) == 997 for p in pieces[:-1]), "997 bytes each", "fewer", "read")  # noqa: PLR2004
        context.same(b"".join(pieces), data, "read(997)")
    with context.store.get(location) as reader:
        buffer = bytearray(len(data) + 7)
        count = reader.readinto(buffer)
        context.same(bytes(buffer[:count]), data, "readinto")
    with context.store.get(location) as reader:
        pieces = [reader.read(7), next(reader), reader.read(1)]
        small = bytearray(13)
        pieces.append(bytes(small[: reader.readinto(small)]))
        pieces += list(reader)
        context.same(b"".join(pieces), data, "a mix of all")
