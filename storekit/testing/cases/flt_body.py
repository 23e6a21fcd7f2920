"""FLT: bodies that are cut, broken, too long or wrong."""

from __future__ import annotations

from storekit.capabilities import Capability
from storekit.errors import DataError, InUse, NotFound, StoreError, Unavailable, Unsupported
from storekit.location import Location
from storekit.testing.case import Level, NotApplicable, NotRun, Violation, case
from storekit.testing.cases.flt import long_image
from storekit.testing.context import Context
from storekit.testing.journal import Client
from storekit.testing.trials import layers, met
from storekit.testing.wire import Append, Cut, Flip, Rechunk, Reset, Stall

GET = Capability.GET
_BROKEN = (DataError, Unavailable)
_BOGUS = b"HTTP/1.1 200 OK\r\nContent-Length: 997\r\n\r\n" + b"\xa5" * 997


def _right_or_broken(context: Context, client: Client, location: str, data: bytes, did: str) -> str:
    """Demand of a read the right bytes or an error; tell which."""
    try:
        found = context.read(location, client)
    except _BROKEN as error:
        return type(error).__name__
    except StoreError as error:
        kinds = "the right bytes, DataError or Unavailable"
        raise Violation(kinds, f"{type(error).__name__}: {error}", did) from error
    context.same(found, data, f"bytes of {did}")
    return "read"


@case(
    "FLT-06",
    level=Level.ROBUST,
    needs=GET,
    hooks=("endpoint",),
    sentence="A body that ends before its declared length MUST raise DataError (Unavailable where"
    " the protocol is not HTTP), and MUST NOT pass for a whole one.",
    why="A short image that looks whole is an operating system that does not boot, or worse.",
    mistakes="The end of the connection taken for the end of the image.",
)
def ends_early(context: Context) -> None:
    """Close the connection in good order, in the middle and before the last byte."""
    data = long_image(context)
    location = str(context.image(data))
    kinds = (DataError,) if context.harness.offers("http") else _BROKEN
    for after in (len(data) // 2, len(data) - 1):
        wire = context.wire()
        client = context.client_behind(wire, max_attempts=1)
        wire.answers.arm(Cut(after))
        did = f"a read whose connection ends after {after} bytes"
        with layers(wire), context.expect_error(*kinds, did=did):
            context.read(wire.location(location), client)
        met(wire.answers.fired, did)


@case(
    "FLT-07",
    level=Level.ROBUST,
    needs=GET,
    hooks=("endpoint",),
    sentence="A connection that breaks (RST) in the middle of a body MUST be resumed at the right"
    " byte, or raise DataError or Unavailable.",
    why="Long downloads meet broken connections every day.",
    mistakes="Beginning again from the first byte; the end of the stream instead of an error.",
)
def breaks(context: Context) -> None:
    """Break the connection once, and at every chunk."""
    data = long_image(context)
    location = str(context.image(data))
    for times in (1, None):
        wire = context.wire()
        client = context.client_behind(wire)
        wire.answers.arm(Reset(len(data) // 2), times=times)
        did = "a read whose connection breaks " + ("once" if times else "again and again")
        context.notes[did] = _right_or_broken(context, client, wire.location(location), data, did)
        met(wire.answers.fired, did)


@case(
    "FLT-07b",
    level=Level.ROBUST,
    needs=GET,
    hooks=("endpoint",),
    sentence="A read that is cut and goes on after another image took the place of the first MUST"
    " give the first one's bytes to the end, or raise DataError, NotFound or Unavailable; it MUST"
    " NOT give some bytes of each.",
    why="Half of one system and half of another has the right length, and no checksum of the"
    " connection is wrong.",
    mistakes="A resume that asks for the rest of whatever has the name now: no If-Match, no"
    " version, no snapshot; the size compared, and nothing else.",
)
def goes_on_in_another(context: Context) -> None:
    """Cut a read in the middle, put other bytes of the same length in its place, and read on."""
    whole = long_image(context)
    parts: list[tuple[int, int | None]] = [(0, None)]
    if context.claims(Capability.GET_RANGE):
        parts.append((997, len(whole) - 1994))
    for offset, length in parts:
        data, image_id = context.payload(len(whole)), context.new_id()
        location = context.image(data, image_id)
        wanted = data[offset : offset + (length or len(data))]
        wire = context.wire()
        client, other = context.client_behind(wire), context.other
        # Less than half of it comes before the cut, and nothing of it after that.
        wire.answers.arm(Stall(len(data) // 2))
        did = f"a read from {offset} that is cut, and another image put there before it goes on"
        seen = wire.location(location)
        with client.get(seen, **({"offset": offset, "length": length} if offset else {})) as reader:
            try:
                found = next(reader)
            except Unavailable as error:
                raise NotApplicable(f"nothing is given before half has come: {error}") from error
            met(len(found) < len(wanted), did)
            wire.cut()
            wire.answers.arm(None)
            _replace(context, other, location, image_id)
            try:
                found += context.drain(reader)
            except (*_BROKEN, NotFound) as error:
                context.notes[did] = type(error).__name__
                continue
            except StoreError as error:
                kinds = "the first image, DataError, NotFound or Unavailable"
                raise Violation(kinds, f"{type(error).__name__}: {error}", did) from error
        context.same(found, wanted, f"bytes of {did}")
        context.notes[did] = "read"


def _replace(context: Context, client: Client, location: Location, image_id: str) -> None:
    """Put an image of other bytes, as many, in the place of one.

    Raises:
        NotApplicable: This backend cannot have that.
        NotRun: The harness offers no way to.
    """
    data = context.payload(client.get_size(location))
    if context.claims(Capability.ADD | Capability.DELETE):
        try:
            client.delete(location)
        except InUse as error:
            raise NotApplicable(f"what is being read cannot be replaced: {error}") from error
        again = client.add(image_id, data).location
    else:
        context.harness.require("plant")
        again = Location(context.harness.plant(image_id, data))
    if again != location:
        raise NotApplicable("the backend gives another image another location")
    if context.read(location, client) != data:
        raise NotRun("the image that was put in the place of another is not read there")


@case(
    "FLT-08",
    level=Level.ROBUST,
    needs=GET,
    hooks=("http",),
    sentence="A body in chunks of its own (chunked encoding) that is cut MUST raise DataError,"
    " Unavailable, or Unsupported where there is no length; it MUST NOT pass for a whole one.",
    why="A proxy between store and backend may turn any answer into a chunked one.",
    mistakes="A missing length taken for 0, or for what came; the missing last chunk overlooked.",
)
def chunks_cut(context: Context) -> None:
    """Take the length away, and cut the answer in the middle."""
    data = long_image(context)
    location = str(context.image(data))
    parts: list[tuple[int, int | None]] = [(0, None)]
    if context.claims(Capability.GET_RANGE):
        parts.append((997, len(data) - 1994))
    for offset, length in parts:
        wire = context.wire()
        client = context.client_behind(wire, max_attempts=1)
        seen = wire.location(location)
        aimed = wire.aim(Rechunk(len(data) // 2), methods={"GET"}, times=None)
        did = f"a chunked answer that is cut, to a read from {offset}"
        with (
            context.expect_error(*_BROKEN, Unsupported, did=did),
            client.get(seen, **({"offset": offset, "length": length} if offset else {})) as reader,
        ):
            context.drain(reader)
        met(aimed.hits, did)


@case(
    "FLT-09",
    level=Level.ROBUST,
    needs=GET,
    hooks=("http",),
    sentence="Of a body that is longer than declared exactly the declared bytes MUST be given, or"
    " DataError raised; and what came besides MUST NOT be taken for the next answer.",
    why="Whoever can add bytes to one answer could else forge the next one.",
    mistakes="Reading to the end of the connection; putting a connection back into the pool with"
    " something in it.",
)
def too_long(context: Context) -> None:
    """Let a forged answer follow a right one, and ask again."""
    data = long_image(context)
    location = str(context.image(data))
    wire = context.wire()
    client = context.client_behind(wire)
    seen = wire.location(location)
    did = "an answer that is longer than declared"
    aimed = wire.aim(Append(_BOGUS), methods={"GET"})
    _right_or_broken(context, client, seen, data, did)
    met(aimed.hits, did)
    context.holds(seen, data, client)
    # What comes later is not lost with what the client had read already.
    wire.say(_BOGUS)
    context.same(client.get_size(seen), len(data), f"get_size after {did}")
    context.holds(seen, data, client)


@case(
    "FLT-10",
    level=Level.ROBUST,
    needs=GET | Capability.DETECTS_CORRUPTION,
    hooks=("endpoint",),
    sentence="A byte that changes on its way MUST raise DataError, and MUST NOT be passed on by a"
    " read that is resumed after it.",
    why="TCP's own checksum misses one broken packet in some ten thousand.",
    mistakes="A checksum that is compared to itself; one that is checked when the wrong bytes are"
    " out, and then a resumed read that is right.",
)
def flipped(context: Context) -> None:
    """Change a byte near the beginning, in the middle and near the end."""
    data = long_image(context)
    location = str(context.image(data))
    for attempts in {1, context.limits.max_attempts}:
        for at in (len(data) // 7, len(data) // 2, len(data) - 1):
            wire = context.wire()
            client = context.client_behind(wire, max_attempts=attempts)
            wire.answers.arm(Flip(at))
            did = f"a read of which byte {at} of the answer is changed, {attempts} attempts"
            outcome = _right_or_broken(context, client, wire.location(location), data, did)
            met(wire.answers.fired, did)
            context.check(outcome in {"DataError", "read"}, "DataError", outcome, did)
