"""RES: what a store has taken it gives back: descriptors, threads, sockets, files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

from storekit.capabilities import Capability
from storekit.errors import Duplicate, NotFound, SizeMismatch
from storekit.testing.case import Level, Violation, case
from storekit.testing.context import Context
from storekit.testing.journal import Client
from storekit.testing.resources import Held, close_waiting, held, settled
from storekit.testing.sources import Tap, Trickle

GET, ADD, DELETE = Capability.GET, Capability.ADD, Capability.DELETE
_SPARE = 2  # of what a pool may have at rest, beside one for each part in flight

_LONGEST = 1.0  # seconds that a case waits for what is on its way out

Group = Callable[[], object]


def _patience(context: Context) -> float:
    return min(context.budget(0.25), _LONGEST)


def _groups(context: Context, client: Client) -> dict[str, Group]:
    """Give what is done again and again, by the name of its group. Each cleans up after itself."""
    part = min(context.part_size, 1 << 20)
    data = context.payload(3 * min(context.read_chunk, part) + 7)
    location = context.image(data)
    found: dict[str, Group] = {
        "get_size": lambda: client.get_size(location),
        "errors": lambda: _fail(context, client),
        "leftovers": lambda: list(client.leftovers(timedelta(0))),
    }
    if context.claims(GET):
        found["reads"] = lambda: context.holds(location, data, client)
        found["reads that end early"] = lambda: _begin(client, location)
    if context.claims(Capability.GET_RANGE):
        found["random reads"] = lambda: client.get(location, 1, 997).read()
    if context.claims(ADD | DELETE):
        large = context.payload(2 * part + 7)
        found["adds and deletes"] = lambda: _come_and_go(context, client, large)
    if context.claims(ADD):
        found["adds that fail"] = lambda: _fail_to_add(context, client, part)
    if context.claims(Capability.LIST):
        found["listings"] = lambda: (next(client.list(), None), list(client.list()))
    if context.claims(Capability.CAPACITY):
        found["capacity"] = client.capacity
    return found


def _begin(client: Client, location: object) -> None:
    client.get(location)
    next(client.get(location))
    with client.get(location) as reader:
        next(reader)


def _come_and_go(context: Context, client: Client, large: bytes) -> None:
    for data in (b"", b"small", large):
        client.delete(client.add(context.new_id(), data).location)
    if context.claims(Capability.ADD_UNKNOWN_SIZE):
        client.delete(client.add(context.new_id(), Trickle(large, large)).location)


def _fail(context: Context, client: Client) -> None:
    missing = context.missing()
    with suppress(NotFound):
        client.get_size(missing)
    if context.claims(GET):
        with suppress(NotFound):
            client.get(missing)
    if context.claims(DELETE):
        with suppress(NotFound):
            client.delete(missing)


def _fail_to_add(context: Context, client: Client, part: int) -> None:
    with suppress(SizeMismatch):
        client.add(context.new_id(), Tap(bytes(2 * part)), 2 * part + 1)
    image_id = context.new_id()
    location = client.add(image_id, b"first").location
    with suppress(Duplicate):
        client.add(image_id, b"second")
    if context.claims(DELETE):
        client.delete(location)


def _balanced(context: Context, kind: Callable[[Held], frozenset[str]], what: str) -> None:
    """Do everything often, and count after each group; then close, and count again."""
    _ = context.store, context.limits  # what it holds is no matter of the client under test
    first = held()
    client = context.client()
    spare = client.limits.window + _SPARE
    patience = _patience(context)
    for name, group in _groups(context, client).items():
        group()
        before = held()
        times = spare + 2
        for _ in range(times):
            group()
        more = kind(settled(lambda now: len(kind(now)) <= spare, before, patience))
        if len(more) > spare:
            raise Violation(
                f"no more {what} than before, or {spare} at rest",
                f"{len(more)} more: {_some(more)}",
                f"{times} times {name}",
            )
        context.notes[f"more after {name}"] = len(more)
    client.close()
    context.store.close()  # which added images meanwhile, over connections of its own
    more = kind(settled(lambda now: not kind(now), first, patience))
    if more:
        expected = f"all {what} given back"
        raise Violation(expected, f"{len(more)} are not: {_some(more)}", "close()")


def _some(names: frozenset[str]) -> str:
    shown = sorted(names)[:5]
    return ", ".join(shown) + (", ..." if len(names) > len(shown) else "")


@case(
    "RES-01",
    level=Level.ROBUST,
    exclusive=True,
    sentence="After every kind of call, and after close(), descriptors MUST be back to what they"
    " were.",
    why="A service runs for months; one descriptor a day too many ends it.",
    mistakes="A file that an error leaves open; a connection that nobody gives back; a close that"
    " forgets the idle ones.",
)
def descriptors(context: Context) -> None:
    """Do everything often, and count descriptors."""
    _balanced(context, lambda now: now.descriptors, "descriptors")


@case(
    "RES-02",
    level=Level.ROBUST,
    exclusive=True,
    sentence="After every kind of call, and after close(), threads MUST be back to what they were.",
    why="A thread is a stack, and what hangs on it; and a process waits for it at its end.",
    mistakes="A thread for every call; an executor that nobody shuts down.",
)
def threads(context: Context) -> None:
    """Do everything often, and count threads."""
    _balanced(context, lambda now: now.threads, "threads")


@case(
    "RES-03",
    level=Level.ROBUST,
    needs=GET,
    hooks=("endpoint",),
    exclusive=True,
    sentence="A connection that the backend closed MUST be closed when it is found so, and MUST NOT"
    " stay in CLOSE_WAIT; none MUST after close().",
    why="Each holds a descriptor and a port, and they add up with every restart of the backend.",
    mistakes="A dead connection taken out of the pool, and dropped or kept aside.",
)
def close_wait(context: Context) -> None:
    """Let the other end close, go on, and look at the sockets."""
    _ = context.limits
    before = held()
    wire = context.wire()
    client = context.client_behind(wire)
    data = context.payload(3 * min(context.read_chunk, 1 << 20) + 7)
    location = wire.location(context.image(data))
    for _ in range(3):
        _read_two(context, client, location, data)
        wire.cut()
    _read_two(context, client, location, data)
    with context.expect_error(NotFound, did="a get_size of nothing"):
        client.get_size(wire.location(context.missing()))
    _none_waits(context, before, "reads after the backend had closed every connection")
    wire.cut()
    client.close()
    _none_waits(context, before, "close()")


def _read_two(context: Context, client: Client, location: str, data: bytes) -> None:
    """Have two connections in use at once, and give both back."""
    with client.get(location) as one, client.get(location) as two:
        heads = [next(one), next(two)]
        for reader, head in zip((one, two), heads, strict=True):
            context.same(head + context.drain(reader), data, "the image, read again")


def _none_waits(context: Context, before: Held, did: str) -> None:
    def fine(more: Held) -> bool:
        return not close_waiting(more.descriptors)

    waiting = close_waiting(settled(fine, before, _patience(context)).descriptors)
    context.check(not waiting, "no socket in CLOSE_WAIT", f"{len(waiting)} are", did)


@contextmanager
def _own_temporary(directory: Path) -> Iterator[None]:
    """Have all temporary files in one directory."""
    directory.mkdir()
    kept, tempfile.tempdir = tempfile.tempdir, str(directory)
    variable = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(directory)
    try:
        yield
    finally:
        tempfile.tempdir = kept
        if variable is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = variable


@case(
    "RES-04",
    level=Level.ROBUST,
    exclusive=True,
    sentence="Calls MUST leave no temporary file, upload, segment or volume, whether they succeed"
    " or fail.",
    why="The disk that fills up is the one that the whole service needs.",
    mistakes="Spooling to a file that nobody removes; an upload begun and not used.",
)
def temporary(context: Context) -> None:
    """Do everything with a temporary directory of its own, then look into it and into the store."""
    before = context.orphans()
    directory = context.harness.directory / f"temporary-{context.new_id()}"
    with _own_temporary(directory):
        client = context.client()
        groups = {"the first add": lambda: None, **_groups(context, client)}
        for name, group in groups.items():
            group()
            left = sorted(path.name for path in directory.rglob("*"))
            context.check(not left, "no temporary file", f"left: {left[:5]}", name)
            more = context.orphans() - before
            context.check(not more, "nothing left behind", f"left: {sorted(more)[:5]}", name)
        client.close()
        left = sorted(path.name for path in directory.rglob("*"))
        context.check(not left, "no temporary file", f"left: {left[:5]}", "close()")
