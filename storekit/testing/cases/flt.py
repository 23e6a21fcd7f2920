"""FLT: connections that are not made, answers that do not come, and bytes that come slowly."""

from __future__ import annotations

import socket
import time
from contextlib import suppress

from storekit.capabilities import Capability
from storekit.errors import StoreError, Unavailable
from storekit.testing.case import Level, NotRun, case
from storekit.testing.cases.err import four_verbs, somewhere_to_look
from storekit.testing.context import Context
from storekit.testing.journal import Client
from storekit.testing.trials import SLACK, Call, layers, met, patience, tried, tried_all
from storekit.testing.watchdog import Hung, watched
from storekit.testing.wire import Drip, Stall, Wire

GET = Capability.GET
_READING = frozenset({"get", "get_size"})
_LONGER = 4  # times: the timeout that must not be the one that counts
_NOBODY = "nobody.invalid"  # RFC 6761, 6.4: no resolver ever knows such a name


def long_image(context: Context) -> bytes:
    """Make an image of several chunks, with a rest.

    Args:
        context: The context of the case.
    """
    return context.payload(4 * min(context.read_chunk, 1 << 20) + 7)


def upload_sizes(context: Context, small: int) -> list[int]:
    """Give the size of an image that goes in one request, and of one that goes in parts.

    Args:
        context: The context of the case.
        small: The first one, in bytes.
    """
    small = min(small, max(context.limits.part_size - 1, 1))
    affordable = context.part_size == context.limits.part_size
    return [small, 2 * context.part_size + 997] if affordable else [small]


def _calls(context: Context, client: Client, location: str, seconds: float) -> dict[str, Call]:
    """Give the four verbs; those that write may ask once more, to find out what became of it."""
    return {
        verb: Call(act, seconds if verb in _READING else 2 * seconds)
        for verb, act in four_verbs(context, client, location).items()
    }


def _all_unavailable(context: Context, calls: dict[str, Call], did: str) -> None:
    """Demand the same error of all verbs, each in its time."""
    kinds: dict[str, str] = {}
    for verb, ended in tried_all(context, calls, did).items():
        with context.expect_error(Unavailable, did=f"{verb}: {did}") as caught:
            ended.again()
        kinds[verb] = type(caught.error).__name__
        slowest = max(float(context.notes.get("slowest", 0.0)), ended.seconds)
        context.notes["slowest"] = slowest
    wanted = kinds["get_size"]
    for verb, kind in kinds.items():
        context.same(kind, wanted, f"the error of {verb}, as of get_size, {did}")


@case(
    "FLT-01",
    level=Level.ROBUST,
    hooks=("endpoint",),
    sentence="A refused connection, and a host that no resolver knows, MUST raise the same"
    " Unavailable from every verb.",
    why="The caller tries another store, or later; it can do so only if it is told one thing.",
    mistakes="NotFound from the verb that asks whether something is there; OutcomeUnknown for a"
    " request that was never sent; the resolver's own exception.",
)
def nobody_listens(context: Context) -> None:
    """Refuse every connection; then use a name that does not exist."""
    location = str(somewhere_to_look(context))
    wire = context.wire()
    timeout = patience(context)
    client = context.client_behind(
        wire, max_attempts=1, connect_timeout=timeout, io_timeout=timeout
    )
    wire.refuse()
    calls = _calls(context, client, wire.location(location), SLACK * timeout)
    _all_unavailable(context, calls, "connections are refused")
    _unknown_host(context, wire, location, timeout)


def _unknown_host(context: Context, wire: Wire, location: str, timeout: float) -> None:
    begin = time.perf_counter()
    try:
        error = watched(
            lambda: _look_up_in_vain(_NOBODY), SLACK * context.limits.connect_timeout, "resolver"
        )
    except Hung:
        error = TimeoutError()
    resolver = time.perf_counter() - begin
    context.notes["resolver"] = resolver
    if error is not None:
        return  # the resolver of this machine says nothing, or that the name exists
    there, nowhere = f"127.0.0.1:{wire.port}", f"{_NOBODY}:{wire.port}"
    behind = context.harness.behind(wire.endpoint.replace(there, nowhere, 1))
    seconds = SLACK * (timeout + resolver)
    did = "the host is unknown"

    def opened() -> Client:
        return context.client(behind, max_attempts=1, connect_timeout=timeout, io_timeout=timeout)

    opening = tried(seconds, opened, f"opening: {did}")
    if isinstance(opening.error, StoreError):
        kind = type(opening.error).__name__
        context.check(isinstance(opening.error, Unavailable), "Unavailable", kind, did)
        return
    client = opening.again()
    if not isinstance(client, Client):
        raise NotRun("the harness opened no store")
    seen = wire.location(location).replace(there, nowhere, 1)
    _all_unavailable(context, _calls(context, client, seen, seconds), did)


def _look_up_in_vain(host: str) -> None:
    """Demand that a name is unknown.

    Args:
        host: The name.

    Raises:
        LookupError: The resolver knows it.
    """
    with suppress(OSError):
        socket.getaddrinfo(host, 80)
        raise LookupError(host)


@case(
    "FLT-02",
    level=Level.ROBUST,
    hooks=("endpoint",),
    sentence="A host that never answers a connection MUST raise Unavailable within"
    " limits.connect_timeout.",
    why="A machine that lost its power refuses nothing; whoever waits for it waits for minutes.",
    mistakes="The kernel's own patience, which is two minutes; one timeout for everything.",
)
def black_hole(context: Context) -> None:
    """Connect to where nobody answers."""
    location = str(somewhere_to_look(context))
    wire = context.wire()
    timeout = patience(context)
    client = context.client_behind(
        wire, max_attempts=1, connect_timeout=timeout, io_timeout=_LONGER * timeout
    )
    if not wire.swallow():
        raise NotRun("this system answers every connection on the loopback")
    calls = _calls(context, client, wire.location(location), SLACK * timeout)
    _all_unavailable(context, calls, "a black hole")


@case(
    "FLT-03",
    level=Level.ROBUST,
    hooks=("endpoint",),
    sentence="A backend that accepts and never answers MUST raise Unavailable within"
    " limits.io_timeout.",
    why="A backend that hangs must not hang the image service too.",
    mistakes="A timeout for the connection and none for the answer.",
)
def never_answers(context: Context) -> None:
    """Let nothing come back."""
    location = str(somewhere_to_look(context))
    wire = context.wire()
    timeout = patience(context)
    client = context.client_behind(
        wire, max_attempts=1, connect_timeout=_LONGER * timeout, io_timeout=timeout
    )
    wire.asked.arm(Stall())
    calls = _calls(context, client, wire.location(location), SLACK * timeout)
    # An add and a delete may ask once more, to find out what became of them.
    with layers(wire, most=len(calls) + len(calls.keys() - _READING)):
        for verb, ended in tried_all(context, calls, "no answer").items():
            with context.expect_error(Unavailable, did=f"{verb}: no answer"):
                ended.again()
    met(wire.asked.fired, "a request that nobody answers")


@case(
    "FLT-04",
    level=Level.ROBUST,
    needs=GET,
    hooks=("endpoint",),
    sentence="A body that stops in the middle MUST raise Unavailable within limits.io_timeout.",
    why="It is the commonest way in which a network fails.",
    mistakes="A timeout for the head of the answer only.",
)
def stalls(context: Context) -> None:
    """Let half of an image through, and nothing after it."""
    data = long_image(context)
    location = str(context.image(data))
    wire = context.wire()
    timeout = patience(context)
    client = context.client_behind(
        wire, max_attempts=1, connect_timeout=_LONGER * timeout, io_timeout=timeout
    )
    wire.answers.arm(Stall(len(data) // 2))
    did = "a read that stalls in the middle"
    with layers(wire):
        ended = tried(SLACK * timeout, lambda: context.read(wire.location(location), client), did)
        with context.expect_error(Unavailable, did=did):
            ended.again()
    met(wire.answers.fired, did)


@case(
    "FLT-05",
    level=Level.ROBUST,
    needs=GET,
    hooks=("endpoint",),
    sentence="A body that drips in, a byte every hundredth of a second, MUST be read, however much"
    " longer than limits.io_timeout it takes in all.",
    why="A slow network is no failure; the timeout is for silence.",
    mistakes="One deadline for the whole read; an end taken for what is merely slow.",
)
def drips(context: Context) -> None:
    """Let some bytes in the middle through one by one."""
    data = long_image(context)
    location = str(context.image(data))
    wire = context.wire()
    timeout = patience(context)
    client = context.client_behind(wire, max_attempts=1, io_timeout=timeout)
    pause = min(0.01, timeout / 20)
    count = int(1.5 * timeout / pause)
    wire.answers.arm(Drip(len(data) // 2, count, pause))
    with layers(wire):
        context.same(context.read(wire.location(location), client), data, "bytes that drip in")
    met(wire.answers.fired == count, "a body that drips in")
