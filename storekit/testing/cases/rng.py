"""RNG: any part of an image, and only that."""

from __future__ import annotations

from storekit.capabilities import Capability
from storekit.errors import InvalidArgument, RangeNotSatisfiable
from storekit.location import Location
from storekit.testing.case import case
from storekit.testing.context import Context

RANGE = Capability.GET | Capability.GET_RANGE
_ROUNDS = 200


def _image(context: Context) -> tuple[Location, bytes]:
    data = context.payload(3 * min(context.read_chunk, 1 << 20) + 7)
    return context.image(data), data


def _slice(
    context: Context, location: Location, data: bytes, offset: int, length: int | None
) -> None:
    wanted = data[offset:] if length is None else data[offset : offset + length]
    with context.store.get(location, offset=offset, length=length) as reader:
        what = f"offset {offset}, length {length}"
        context.same(reader.size, len(wanted), f"the size at {what}")
        context.same(context.drain(reader), wanted, f"the bytes at {what}")


@case(
    "RNG-01",
    needs=RANGE,
    sentence="Offset 0 MUST give the whole image.",
    why="It is the same question as no offset at all.",
    mistakes="A range request where none is needed, refused for an empty image.",
)
def from_zero(context: Context) -> None:
    """Read from offset 0, of an empty image too."""
    location, data = _image(context)
    _slice(context, location, data, 0, None)
    _slice(context, location, data, 0, len(data))
    _slice(context, context.image(b""), b"", 0, None)


@case(
    "RNG-02",
    needs=RANGE,
    sentence="An offset of 1, around a chunk, and of the last byte MUST give the bytes from there.",
    why="A resumed download goes on where it stopped, to the byte.",
    mistakes="Off by one; rounded to a chunk; counted from the chunk's beginning; ignored.",
)
def offsets(context: Context) -> None:
    """Read from offsets around the declared chunk."""
    location, data = _image(context)
    chunk = min(context.read_chunk, 1 << 20)
    for offset in (1, *context.around(chunk, 2 * chunk), len(data) - 1):
        _slice(context, location, data, offset, None)


@case(
    "RNG-03",
    needs=RANGE,
    sentence="An offset equal to the size MUST give an empty reader.",
    why="That is how a resumed download finds out that it is complete.",
    mistakes="The backend's 416 passed on; the last byte again.",
)
def at_the_end(context: Context) -> None:
    """Read from the end."""
    location, data = _image(context)
    for length in (None, 1, len(data)):
        _slice(context, location, data, len(data), length)
    _slice(context, context.image(b""), b"", 0, 1)


@case(
    "RNG-04",
    needs=RANGE,
    sentence="An offset past the end MUST raise RangeNotSatisfiable, from get itself.",
    why="Whoever asks for it has another image in mind.",
    mistakes="An empty reader; a negative size; the whole image.",
)
def past_the_end(context: Context) -> None:
    """Read from behind the end."""
    location, data = _image(context)
    for target, offset in ((location, len(data) + 1), (location, 1 << 40), (context.image(b""), 1)):
        for length in (None, 1):
            did = f"a get at offset {offset}, length {length}"
            with context.expect_error(RangeNotSatisfiable, did=did):
                context.store.get(target, offset=offset, length=length)


@case(
    "RNG-05",
    needs=RANGE,
    sentence="A length MUST be kept to the byte: 1, around a chunk, and across a boundary.",
    why="What comes too much is taken for data of somebody else.",
    mistakes="The length ignored, or rounded up to a chunk.",
)
def lengths(context: Context) -> None:
    """Read parts of lengths around the declared chunk."""
    location, data = _image(context)
    chunk = min(context.read_chunk, 1 << 20)
    for length in (1, 2, *context.around(chunk)):
        for offset in (0, 1, chunk - 1, chunk, len(data) - length):
            _slice(context, location, data, offset, length)


@case(
    "RNG-06",
    needs=RANGE,
    sentence="A length of 0 MUST give an empty reader, within the image; of a missing image it MUST"
    " raise as any other get.",
    why="0 is a length, not the absence of one.",
    mistakes="`if length:`; a range of -1 bytes.",
)
def zero_length(context: Context) -> None:
    """Read no bytes."""
    location, data = _image(context)
    for offset in (0, 1, len(data)):
        _slice(context, location, data, offset, 0)
    with context.expect_error(RangeNotSatisfiable, did="length 0 past the end"):
        context.store.get(location, offset=len(data) + 1, length=0)
    with context.expect_error(FileNotFoundError, did="length 0 of a missing image"):
        context.store.get(context.missing(), offset=0, length=0)


@case(
    "RNG-07",
    needs=RANGE,
    sentence="A length past the end MUST be clamped to it.",
    why="A reader of blocks asks for a whole one at the end too.",
    mistakes="An error; padding; the backend's refusal passed on.",
)
def clamped(context: Context) -> None:
    """Read beyond the end."""
    location, data = _image(context)
    for offset in (0, 1, len(data) - 1):
        for length in (len(data) - offset + 1, len(data) + 1, 1 << 40):
            _slice(context, location, data, offset, length)


@case(
    "RNG-08",
    needs=RANGE,
    sentence="The size reported MUST be that of the bytes that will come, not of the image.",
    why="It becomes the Content-Length of a partial answer.",
    mistakes="The size of the whole image; the length asked for, past the end too.",
)
def size_of_part(context: Context) -> None:
    """Compare the size with the bytes, for several parts."""
    location, data = _image(context)
    for offset, length in ((0, 7), (7, None), (len(data) - 7, 100), (len(data), None)):
        with context.store.get(location, offset=offset, length=length) as reader:
            size = reader.size
            context.same(size, len(data[offset:][:length]), f"the size of {offset}, {length}")
            context.same(len(context.drain(reader)), size, "the bytes that came")


@case(
    "RNG-09",
    needs=RANGE,
    sentence="Negative and non-integer offsets and lengths MUST raise InvalidArgument before any"
    " I/O.",
    why="Python's slices count from the end; an image store does not.",
    mistakes="Clamping to 0; a suffix range; True taken for 1.",
)
def bad_ranges(context: Context) -> None:
    """Read at offsets and lengths that are none."""
    location, _ = _image(context)
    client = context.store
    for bad in (-1, 1.0, "1", True, float("nan")):
        for options in ({"offset": bad}, {"length": bad}, {"offset": 1, "length": bad}):
            did = f"a get with {options}"
            with context.untouched(client, did), context.expect_error(InvalidArgument, did=did):
                client.get(location, **options)
    with context.expect_error(InvalidArgument, did="a get with offset None"):
        client.get(location, offset=None)


@case(
    "RNG-10",
    needs=RANGE,
    sentence="Offset and length MUST mean the same by position and by keyword.",
    why="Both are in the interface, so both are used.",
    mistakes="A wrapper that passes on only keywords.",
)
def positional(context: Context) -> None:
    """Read the same part in both ways."""
    location, data = _image(context)
    for offset, length in ((1, 997), (7, None), (0, 13)):
        wanted = data[offset:][:length]
        for args, options in (
            ((offset, length), {}),
            ((offset,), {"length": length}),
            ((), {"offset": offset, "length": length}),
        ):
            with context.store.get(location, *args, **options) as reader:
                context.same(context.drain(reader), wanted, f"get(.., {args}, {options})")


@case(
    "RNG-11",
    needs=RANGE,
    sentence="For any offset and length, the bytes MUST be those of the image there.",
    why="Examples miss what random numbers find.",
    mistakes="Any of the above, at a size that nobody thought of.",
)
def anywhere(context: Context) -> None:
    """Read 200 random parts."""
    location, data = _image(context)
    for _ in range(_ROUNDS):
        offset = context.random.randint(0, len(data))
        length = context.random.choice([None, context.random.randint(0, len(data) + 7)])
        _slice(context, location, data, offset, length)
