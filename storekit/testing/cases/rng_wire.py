"""RNG: what a random read asks of the wire, and what it makes of wrong answers."""

from __future__ import annotations

import re

from storekit.capabilities import Capability
from storekit.errors import DataError, Unsupported
from storekit.testing.case import case
from storekit.testing.context import Context
from storekit.testing.wire import Request, http_answer

RANGE = Capability.GET | Capability.GET_RANGE
_OVERHEAD = 64 << 10  # bytes for heads, for what else a get asks, and for what is on its way


@case(
    "RNG-12",
    needs=RANGE,
    hooks=("endpoint",),
    sentence="Only the range SHOULD cross the wire; a part other than that asked for MUST be a"
    " DataError, and the whole image in answer DataError or Unsupported.",
    why="A byte in the middle of a terabyte costs a byte; and a server that ignores ranges gives"
    " wrong bytes that look right.",
    mistakes="Reading from the beginning and skipping; trusting the answer to be what was asked.",
)
def on_the_wire(context: Context) -> None:
    """Count the bytes of a range, and answer with wrong ones."""
    data = context.payload((4 << 20) + 7)
    location = context.image(data)
    wire = context.wire()
    client = context.client_behind(wire, max_attempts=1)
    seen = wire.location(location)
    offset, length = len(data) // 2, 997
    before = wire.down
    with client.get(seen, offset, length) as reader:
        context.same(context.drain(reader), data[offset : offset + length], "the range")
    crossed = wire.down - before
    context.notes["crossed"] = crossed
    most = length + _OVERHEAD
    context.check(crossed <= most, f"at most {most} bytes on the wire", crossed, "a range")
    if context.harness.offers("http"):
        _wrong_part(context, str(location))
        _whole_image(context, data, str(location))


def _wrong_part(context: Context, location: str) -> None:
    wire = context.wire()
    client = context.client_behind(wire, max_attempts=1)

    def moved(block: bytes) -> bytes:
        return re.sub(
            rb"(?i)(content-range: bytes )(\d+)-(\d+)/",
            lambda m: b"%s%0*d-%0*d/" % (m[1], len(m[2]), int(m[2]) - 1, len(m[3]), int(m[3]) - 1),
            block,
        )

    wire.alter = moved
    with (
        context.expect_error(DataError, did="a range answered with another part"),
        client.get(wire.location(location), 1000, 997) as reader,
    ):
        context.drain(reader)


def _whole_image(context: Context, data: bytes, location: str) -> None:
    wire = context.wire()

    def script(request: Request) -> bytes | None:
        return http_answer(200, data) if "range" in request.headers else None

    wire.script = script
    client = context.client_behind(wire, max_attempts=1)
    with (
        context.expect_error(DataError, Unsupported, did="a range answered with the whole image"),
        client.get(wire.location(location), 1000, 997) as reader,
    ):
        context.drain(reader)
