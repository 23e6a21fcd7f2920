"""CON: what processes and threads share: connections."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from storekit.capabilities import Capability
from storekit.errors import ConfigurationError
from storekit.location import Location
from storekit.testing.case import Level, Violation, case
from storekit.testing.children import Child, Line
from storekit.testing.context import Context
from storekit.testing.crowd import Meeting, together
from storekit.testing.journal import Client
from storekit.testing.sources import Tap
from storekit.testing.wire import Wire

GET = Capability.GET
_LONGEST = 3.0  # seconds that a case waits for calls which may rightly have to wait
_MANY = 24  # connections; a case does not open more than so many and a few
_MORE = 4


@case(
    "CON-09",
    level=Level.ROBUST,
    needs=GET | Capability.FORK_SAFE,
    exclusive=True,
    sentence="A store that is open and quiet when the process forks MUST work on in parent and"
    " child, also when both use it at once.",
    why="Services open their stores, then fork their workers.",
    mistakes="One socket for both, so that each reads the other's answers; a lock or a thread that"
    " the child has not got.",
)
def fork(context: Context) -> None:
    """Use, fork, and let the child be in the middle of a read while the parent reads."""
    size = 8 * min(context.read_chunk, 1 << 20) + 7
    data, others = context.payload(size), context.payload(size)
    location, other = context.image(data), context.image(others)
    client = context.store
    context.holds(location, data)
    writes = context.claims(Capability.ADD | Capability.DELETE)
    image_id = context.new_id() if writes else None
    budget = context.budget()
    with Child(partial(_read_and_add, client, location, image_id, budget)) as child:
        child.hear(2 * budget)  # it has read a part
        _read(context, client, other, others, "the parent, while the child is in a read")
        if writes:
            client.delete(client.add(context.new_id(), data).location)
        child.say("go on")
        child.hear(2 * budget)  # and now all
        _read(context, client, other, others, "the parent, after the child's read")
        child.say("go on")
        got = child.answer(2 * budget)
    if got != data:
        raise Violation("the image, read in a forked child", f"{len(got)} bytes, others")
    _read(context, client, location, data, "the parent, after the child's end")


def _read(context: Context, client: Client, location: Location, data: bytes, who: str) -> None:
    try:
        got = context.read(location, client)
    except Exception as error:
        raise Violation(f"the image, read by {who}", f"{type(error).__name__}: {error}") from error
    context.same(got, data, f"the image, read by {who}")


def _read_and_add(
    client: Client, location: Location, image_id: str | None, seconds: float, line: Line
) -> bytes:
    with client.get(location) as reader:
        pieces = [next(reader)]
        line.say("a part is read")
        line.hear(seconds)
        pieces.extend(reader)
    line.say("all is read")
    line.hear(seconds)
    if image_id is not None:
        client.delete(client.add(image_id, b"added in the child").location)
    client.get_size(location)
    return b"".join(pieces)


@case(
    "CON-10",
    level=Level.ROBUST,
    needs=GET | Capability.THREAD_SAFE,
    hooks=("endpoint",),
    sentence="However many threads use a store, it MUST NOT have more than limits.max_connections"
    " connections, and every call MUST come to its end.",
    why="A server that everybody overruns serves nobody.",
    mistakes="A connection for each call or thread; a call that holds one and waits for another.",
)
def connections(context: Context) -> None:
    """Read and add in more threads than there are connections, and count on the wire."""
    wire = context.wire()
    client = context.client_behind(wire)
    if client.limits.max_connections > _MANY:
        client = _narrower(context, wire)
    most = client.limits.max_connections
    count = most + _MORE
    data = context.payload(8 * min(context.read_chunk, 1 << 20) + 7)
    location = wire.location(context.image(data))
    counted = _Counted(wire)
    patience = min(context.budget(0.1), _LONGEST)
    meeting = Meeting(count, patience)
    acts: dict[str, Callable[[], object]] = {
        f"reader {n}": partial(_read_counted, client, location, counted, meeting)
        for n in range(count)
    }
    deeds = together(acts, context.budget(2))
    for name, deed in deeds.items():
        if deed.value != data:
            raise Violation("every reader gets its bytes", f"{name} {deed.error or 'others'}")
    _within(counted, most, f"{count} threads read")
    if context.claims(Capability.ADD):
        small = context.payload(2 * min(context.part_size, 1 << 20) + 7)
        meeting = Meeting(count, patience)
        acts = {
            f"add {n}": partial(_add_counted, client, context.new_id(), small, counted, meeting)
            for n in range(count)
        }
        for name, deed in together(acts, context.budget(2)).items():
            if deed.error is not None:
                raise Violation("every add comes to its end", f"{name} {deed.error!r}")
        _within(counted, most, f"{count} threads add")
    context.notes["connections"] = counted.most


class _Counted:
    """How many connections there were at most, as seen at the points where somebody looked."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.most = 0

    def look(self) -> None:
        """Count now."""
        self.most = max(self.most, self._wire.open)


def _within(counted: _Counted, most: int, did: str) -> None:
    if counted.most > most:
        expected = f"at most {most} connections, as limits.max_connections says"
        raise Violation(expected, f"{counted.most}", did)


def _narrower(context: Context, wire: Wire) -> Client:
    try:
        return context.client_behind(wire, max_connections=_MANY)
    except ConfigurationError:
        return context.client_behind(wire)


def _read_counted(client: Client, location: str, counted: _Counted, meeting: Meeting) -> bytes:
    came = False
    try:
        with client.get(location) as reader:
            pieces = [next(reader)]
            came = True
            meeting.come()
            counted.look()
            pieces.extend(reader)
            return b"".join(pieces)
    finally:
        if not came:
            meeting.leave()


def _add_counted(
    client: Client, image_id: str, data: bytes, counted: _Counted, meeting: Meeting
) -> object:
    came: list[bool] = []

    def at(position: int) -> None:
        counted.look()
        if position and not came:
            came.append(True)
            meeting.come()
            counted.look()

    try:
        return client.add(image_id, Tap(data, at), len(data))
    finally:
        if not came:
            meeting.leave()
