"""SIZ: how long an image is."""

from __future__ import annotations

from collections.abc import Callable

from storekit.capabilities import Capability
from storekit.errors import NotFound, StoreError
from storekit.testing.case import Violation, case
from storekit.testing.context import Context
from storekit.testing.wire import Request, http_answer

_OVERHEAD = 16 << 10


@case(
    "SIZ-01",
    sentence="get_size MUST give the number of bytes of the image, as an int.",
    why="It decides about quotas before anything is read.",
    mistakes="Text from a header; the allocated size; a float.",
)
def equals_bytes(context: Context) -> None:
    """Ask for the sizes of images around a chunk and a part."""
    for size in (1, 997, 70_001, *context.around(min(context.part_size, 1 << 20))):
        location = context.image(context.payload(size))
        for client in (context.store, context.other):
            context.same(client.get_size(location), size, "get_size")


@case(
    "SIZ-02",
    sentence="get_size of what is not there MUST raise NotFound, never 0.",
    why="0 is a size. A caller that gets it goes on with an empty image.",
    mistakes="A missing header read as 0; the error swallowed.",
)
def missing(context: Context) -> None:
    """Ask for the size of nothing."""
    location = context.missing()
    with context.expect_error(NotFound, did="a get_size of nothing") as caught:
        context.store.get_size(location)
    context.check(str(location) in caught.text, "an error that names it", caught.text, "get_size")


@case(
    "SIZ-03",
    sentence="get_size of an empty image MUST be 0.",
    why="It is there, so it has a size.",
    mistakes="NotFound for a false size; 1 for a padded object.",
)
def empty(context: Context) -> None:
    """Ask for the size of an empty image."""
    context.same(context.store.get_size(context.image(b"")), 0, "get_size of an empty image")


@case(
    "SIZ-04",
    needs=Capability.GET,
    hooks=("http",),
    sentence="For one fault of the backend get_size MUST raise the same kind of error as get.",
    why="A caller that asks for the size first must learn the same as one that does not.",
    mistakes="A HEAD answered 403 taken for missing; errors without a body not mapped.",
)
def same_error(context: Context) -> None:
    """Answer both with the same status."""
    location = context.image(context.payload(997))
    for status in (401, 403, 404, 503):
        wire = context.wire()
        client = context.client_behind(wire, max_attempts=1)
        wire.script = _always(status)
        wire.cut()
        kinds = []
        for verb in (client.get, client.get_size):
            with context.expect_error(StoreError, did=f"a {verb.__name__} answered {status}") as e:
                verb(wire.location(location))
            kinds.append(type(e.error))
        context.same(kinds[1], kinds[0], f"the error of get_size for {status}")


def _always(status: int) -> Callable[[Request], bytes]:
    def script(_: Request) -> bytes:
        return http_answer(status)

    return script


@case(
    "SIZ-05",
    needs=Capability.GET,
    hooks=("endpoint",),
    sentence="get_size MUST NOT move the image's bytes, and MUST NOT leave a connection behind for"
    " each call.",
    why="It is asked for every image of a listing.",
    mistakes="A GET whose body is thrown away; a connection that is not given back.",
)
def moves_nothing(context: Context) -> None:
    """Count bytes and connections of many get_size."""
    location = context.image(context.payload((1 << 20) + 7))
    wire = context.wire()
    client = context.client_behind(wire)
    seen = wire.location(location)
    client.get_size(seen)
    before, opened = wire.down, wire.open
    rounds = 10
    for _ in range(rounds):
        client.get_size(seen)
    crossed = (wire.down - before) / rounds
    context.check(crossed <= _OVERHEAD, f"at most {_OVERHEAD} bytes", crossed, "get_size")
    context.check(wire.open <= opened + 1, f"{opened} connections", wire.open, "ten get_size")
    if wire.open > context.limits.max_connections:
        raise Violation("connections within the limit", wire.open)
