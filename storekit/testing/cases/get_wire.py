"""GET: what a reader takes and gives back."""

from __future__ import annotations

import gc
import os
import threading

from storekit.capabilities import Capability
from storekit.testing.case import Violation, case
from storekit.testing.context import Context
from storekit.testing.journal import Client
from storekit.testing.looks import looks

GET = Capability.GET
_CYCLES = 12  # readers that are dropped; more than a leak could hide in
_SETTLING = 0.1  # of limits.op_budget
_KERNEL = 1 << 20  # bytes that the kernel may hold between backend and reader


def _descriptors() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def _given_back(context: Context, pulled: int) -> None:
    """Drop many readers after some chunks, and count descriptors; the store must work on."""
    data = context.payload(8 * min(context.read_chunk, 1 << 20) + 7)
    location = context.image(data)
    client = context.store
    context.holds(location, data)
    _drop(client, location, pulled)
    before = _descriptors()
    for _ in range(_CYCLES):
        _drop(client, location, pulled)
    spare = 2  # idle connections that a pool may keep, beside those it had
    # The other ends of connections may be in this process too, and are closed a moment later.
    if not any(_descriptors() <= before + spare for _ in looks(context.budget(_SETTLING))):
        expected = f"{before} descriptors, and at most {spare} more"
        did = f"{_CYCLES} readers dropped after {pulled} chunks"
        raise Violation(expected, f"{_descriptors()}", did)
    for _ in range(context.limits.max_connections + 1):
        _drop(client, location, pulled)
    context.holds(location, data)


def _drop(client: Client, location: object, pulled: int) -> None:
    reader = client.get(location)
    for _ in range(pulled):
        next(reader)


@case(
    "GET-08",
    needs=GET,
    exclusive=True,
    sentence="A reader that is never read, and dropped, MUST give back its descriptor or"
    " connection.",
    why="A client that goes away before the first byte must cost nothing.",
    mistakes="A generator that was not started: its finally never runs.",
)
def dropped_unread(context: Context) -> None:
    """Drop readers that nobody read."""
    _given_back(context, 0)


@case(
    "GET-09",
    needs=GET,
    exclusive=True,
    sentence="A reader that is dropped after a chunk MUST give back its descriptor or connection,"
    " and MUST NOT spoil the connection for the next one.",
    why="Most clients that go away do it in the middle.",
    mistakes="A connection with half an answer in it put back into the pool.",
)
def dropped_midway(context: Context) -> None:
    """Drop readers in the middle."""
    _given_back(context, 1)


@case(
    "GET-11",
    needs=GET,
    sentence="A consumer that pauses longer than half of limits.io_timeout MUST get all its bytes.",
    why="The consumer is somebody's slow network; the timeout is the backend's.",
    mistakes="A timeout on the whole read; a watchdog that counts the consumer's time.",
    budget=4.0,
)
def slow_consumer(context: Context) -> None:
    """Pause between two chunks, as the declared timeout says."""
    data = context.payload(4 * min(context.read_chunk, 1 << 20) + 7)
    location = context.image(data)
    client = context.store
    pause = 0.6 * client.limits.io_timeout
    longest = 3.0  # seconds that a case may spend on doing nothing
    if pause > longest:
        client = context.client(io_timeout=longest)
        pause = 0.6 * client.limits.io_timeout
    with client.get(location) as reader:
        first = next(reader)
        threading.Event().wait(pause)
        context.same(first + context.drain(reader), data, f"bytes after a pause of {pause:.1f} s")


@case(
    "GET-12",
    needs=GET,
    hooks=("endpoint",),
    sentence="A reader MUST NOT pull more than limits.window parts ahead of its consumer.",
    why="Memory is bounded by the window, whatever the size of the image.",
    mistakes="Reading the whole answer before the first chunk is given.",
)
def pulled_ahead(context: Context) -> None:
    """Read one chunk of a long image, and count what crossed the wire."""
    client = context.store
    ahead = client.limits.window * max(context.part_size, context.read_chunk)
    size = 4 * (ahead + _KERNEL) + 7
    location = context.image(context.payload(size))
    wire = context.wire()
    behind = context.client_behind(wire)
    began = wire.down
    with behind.get(wire.location(location)) as reader:
        next(reader)
        # The backend goes on sending until every buffer on the way is full.
        settled = -1
        while settled != wire.down:
            settled = wire.down
            threading.Event().wait(0.05)
        pulled = wire.down - began
        context.notes["pulled"] = pulled
        bound = ahead + _KERNEL
        context.check(pulled <= bound, f"at most {bound} bytes pulled", pulled, "one chunk")
