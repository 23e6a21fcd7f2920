"""ADD: what may be given, and what becomes of a source that fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from storekit.capabilities import Capability
from storekit.errors import InvalidArgument, SizeMismatch
from storekit.testing.case import case
from storekit.testing.context import Context
from storekit.testing.sources import Failing, OverLong, ShortReads, Tap, Trickle

ADD = Capability.ADD


@case(
    "ADD-08",
    needs=ADD,
    sentence="Readers, short reads, over-long reads, iterators, generators, bytes and paths MUST"
    " all be stored the same, and an empty chunk MUST NOT end the image.",
    why="The data comes from sockets, pipes and wrappers, and these do as they like.",
    mistakes="Stopping at an empty chunk; trusting read(n) to give n bytes, or at most n.",
)
def kinds_of_sources(context: Context) -> None:
    """Add the same bytes in every form."""
    data = context.payload(3 * 10_007)
    path = context.harness.directory / f"{context.new_id()}.img"
    path.write_bytes(data)
    thirds = [data[:10_007], data[10_007:20_014], data[20_014:]]

    def generator() -> Iterator[bytes]:
        yield b""
        for third in thirds:
            yield third
            yield b""

    sources: dict[str, object] = {
        "a reader": Tap(data),
        "short reads": ShortReads(data),
        "over-long reads": OverLong(data),
        "an iterator": iter(thirds),
        "a list": thirds,
        "empty chunks": generator(),
        "bytes": data,
        "a path": path,
    }
    try:
        with path.open("rb") as file, path.open("rb") as moved:
            moved.seek(5)
            for name, source in {**sources, "a file": file}.items():
                stored = context.store.add(context.new_id(), source, len(data))
                context.same(stored.size, len(data), f"the size of {name}")
                context.same(context.read(stored.location), data, f"the bytes of {name}")
            stored = context.store.add(context.new_id(), moved, len(data) - 5)
            context.same(
                context.read(stored.location), data[5:], "the bytes from a file's position"
            )
    finally:
        path.unlink()


@case(
    "ADD-09",
    needs=ADD,
    sentence="bytearray and memoryview MUST be taken, and changing the buffer after it was handed"
    " over MUST change nothing.",
    why="Callers that care for speed use one buffer again and again.",
    mistakes="Keeping a reference and sending it later, from another thread or a retry.",
)
def buffers(context: Context) -> None:
    """Add from one buffer that is filled again for each chunk."""
    chunk = 10_007
    data = context.payload(7 * chunk)
    buffer = bytearray(chunk)

    def refilled() -> Iterator[memoryview | bytearray]:
        for begin in range(0, len(data), chunk):
            buffer[:] = data[begin : begin + chunk]
            yield memoryview(buffer) if begin % 2 else buffer
        buffer[:] = b"!" * chunk

    stored = context.store.add(context.new_id(), refilled(), len(data))
    context.same(context.read(stored.location), data, "the bytes from a buffer used again")
    for whole in (bytearray(data), memoryview(bytearray(data))):
        stored = context.store.add(context.new_id(), whole)
        whole[:] = b"?" * len(data)
        context.same(context.read(stored.location), data, "the bytes of a buffer changed after add")


@case(
    "ADD-10",
    needs=ADD,
    sentence="Data that is text, or yields text, None or numbers, MUST raise InvalidArgument, and"
    " store nothing.",
    why="A silent conversion stores something that nobody gave.",
    mistakes="Encoding text as UTF-8; taking None for the end.",
)
def no_bytes(context: Context) -> None:
    """Add what is no bytes."""
    good = context.payload(997)
    wrong: list[tuple[str, object]] = [
        ("text", "text"),
        ("None", None),
        ("a number", 7),
        ("a chunk of text", [good, "text", good]),
        ("a chunk None", [good, None, good]),
        ("a chunk that is a number", [good, 3, good]),
    ]
    for what, data in wrong:
        image_id = context.new_id()
        with context.expect_error(InvalidArgument, did=f"an add of {what}"):
            context.store.add(image_id, data, 3 * len(good))
        context.nothing_stored(image_id, f"an add of {what}")


class _Seen:
    """A verifier that remembers, or raises after some bytes."""

    def __init__(self, error: BaseException | None = None, after: int = 0) -> None:
        self.data = bytearray()
        self._error = error
        self._after = after

    def update(self, data: bytes, /) -> None:
        self.data += data
        if self._error is not None and len(self.data) > self._after:
            raise self._error


@case(
    "ADD-17",
    needs=ADD,
    sentence="A verifier MUST see exactly the stored bytes, in order; if it raises, the add MUST"
    " raise that very exception and store nothing.",
    why="A signature is checked on what is stored, or it is not checked.",
    mistakes="The last chunk not shown; a failure noticed after the commit, or swallowed.",
)
def verifier(context: Context) -> None:
    """Add with verifiers that watch and that refuse."""
    data = context.payload(2 * min(context.part_size, 1 << 20) + 997)
    seen, counts = _Seen(), list[int]()
    stored = context.store.add(
        context.new_id(), Tap(data), len(data), verifier=seen, progress=counts.append
    )
    context.same(bytes(seen.data), data, "what the verifier saw")
    context.same(counts[-1:], [len(data)], "what progress was told at the end")
    context.check(counts == sorted(counts), "progress that grows", counts)
    context.holds(stored.location, data)
    for after in (0, len(data) - 1):
        error = context.own(ValueError("the signature is wrong"))
        image_id = context.new_id()
        did = f"an add whose verifier raises after {after} bytes"
        refusing = _Seen(error, after)
        act = partial(context.store.add, image_id, Tap(data), len(data), verifier=refusing)
        _same_object(context, error, act, did)
        context.nothing_stored(image_id, did)


def _same_object(
    context: Context, error: BaseException, act: Callable[[], object], did: str
) -> None:
    with context.expect_error(type(error), did=did) as caught:
        act()
    context.check(
        caught.error is error, "the very exception that was raised", repr(caught.error), did
    )


def _fails_midway(context: Context, errors: list[BaseException]) -> None:
    size = 2 * min(context.part_size, 1 << 20) + 997
    before = context.orphans()
    for number, error in enumerate(errors):
        context.own(error)
        given = context.payload((0, 997, size)[number % 3])
        image_id = context.new_id()
        did = f"an add whose source raises {type(error).__name__} after {len(given)} bytes"
        act = partial(context.store.add, image_id, Failing(given, error), size + 1)
        _same_object(context, error, act, did)
        left = context.orphans() - before
        context.check(not left, "nothing left behind", f"left: {sorted(left)}", did)
        context.nothing_stored(image_id, did)


@case(
    "ADD-18",
    needs=ADD,
    exclusive=True,
    sentence="When the source raises an Exception, add MUST raise that very object, leave nothing"
    " behind, and the id MUST be free.",
    why="Clients of the image service go away in the middle of uploads every day.",
    mistakes="A temporary file, upload or volume left; the error wrapped, so nobody knows it.",
)
def source_raises(context: Context) -> None:
    """Add from sources that raise at the beginning, soon, and late."""
    _fails_midway(context, [OSError(5, "boom"), ValueError("boom"), RuntimeError("boom")])


@case(
    "ADD-19",
    needs=ADD,
    exclusive=True,
    sentence="When the source raises KeyboardInterrupt, GeneratorExit or SystemExit, add MUST do as"
    " for any other exception.",
    why="These are how a service is stopped, and they pass every `except Exception`.",
    mistakes="Cleaning up in `except Exception` only.",
)
def source_is_stopped(context: Context) -> None:
    """Add from sources that raise what is no Exception."""
    _fails_midway(context, [GeneratorExit(), SystemExit(3), KeyboardInterrupt()])


@case(
    "ADD-13",
    needs=ADD,
    sentence="When there is more data than declared, add MUST raise SizeMismatch at the first"
    " excess, MUST NOT drain the source, and MUST store nothing.",
    why="The declared size is what quotas were checked against; the rest may never end.",
    mistakes="Cutting at the declared size; storing all of it; reading to the end first.",
)
def too_long(context: Context) -> None:
    """Add more than declared."""
    block = 1 << 20  # the frame's own block: it may be ahead by one or two
    chunk = context.payload(10_007)
    many = 5 * block // len(chunk)
    for declared in (1, len(chunk), len(chunk) + 1):
        image_id = context.new_id()
        did = f"an add of endless data declared as {declared} bytes"
        source = Trickle(*[chunk] * many)
        with context.expect_error(SizeMismatch, did=did):
            context.store.add(image_id, source, declared)
        most = 2 * block // len(chunk) + 2
        context.check(source.taken <= most, f"at most {most} chunks taken", source.taken, did)
        context.nothing_stored(image_id, did)
    with context.expect_error(SizeMismatch, did="an add of bytes declared too small"):
        context.store.add(context.new_id(), chunk, len(chunk) - 1)
