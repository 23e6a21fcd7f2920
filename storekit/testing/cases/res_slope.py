"""RES: a thousand cycles, after which a process holds no more than after a few."""

from __future__ import annotations

import gc
import sys
from array import array
from collections.abc import Callable
from functools import partial

from storekit.capabilities import Capability
from storekit.errors import StoreClosed
from storekit.testing.case import Level, Violation, case
from storekit.testing.children import in_child
from storekit.testing.context import Context
from storekit.testing.harness import Harness
from storekit.testing.resources import allocated, held, resident
from storekit.testing.slopes import growth

ADD, GET, DELETE = Capability.ADD, Capability.GET, Capability.DELETE
_WARM = 100  # cycles before the first sample: imports, caches, pools
_CYCLES = 1000
_EVERY = 10  # cycles between two samples
_SIZE = 997  # bytes of the image
_SECONDS = 30.0  # times op_budget that all cycles may take

_MOST = {
    "descriptors": 0.005,
    "threads": 0.005,
    "blocks": 0.5,
    "memory": 128.0,
    "resident memory": 1024.0,
}
"""What they may grow by, per cycle. Descriptors and threads: one in 200 cycles. Blocks, those of
Python's allocator: one in two cycles. Memory, that of C's allocator, in bytes: less than an entry
in a table takes. Resident memory, in bytes: it shows what is got in whole pages, past both, so a
quarter of one is enough; less would show the holes between what is in use."""

Series = dict[str, list[tuple[float, float]]]


@case(
    "RES-08",
    level=Level.HARD,
    needs=ADD | GET | DELETE,
    exclusive=True,
    budget=_SECONDS + 3,
    sentence="Over 1000 cycles of add, get, get_size and delete, memory, descriptors and threads"
    " MUST NOT grow steadily; close() MUST be idempotent, and use after it MUST raise StoreClosed.",
    why="A service does that a million times between two restarts.",
    mistakes="A table of images that forgets none; a descriptor, or a thread, for what happens"
    " rarely; a store that opens itself again.",
)
def slopes(context: Context) -> None:
    """Close twice; then do the cycles in a child, and estimate what grows."""
    held()  # or there is no /proc: better told here than in a child
    data = context.payload(_SIZE)
    _closed(context, data)
    ids = [context.new_id() for _ in range(_WARM + _CYCLES)]
    series = in_child(partial(_cycles, context.harness, ids, data), context.budget(_SECONDS))
    for what, most in _MOST.items():
        grows = growth(series[what])
        context.notes[f"{what} per cycle"] = grows
        if grows > most:
            first, last = series[what][0][1], series[what][-1][1]
            actual = f"{grows:.3g} per cycle, from {first:,.0f} to {last:,.0f}"
            did = f"{_CYCLES} cycles of add, get, get_size and delete"
            raise Violation(f"{what} that grow by {most:g} per cycle at most", actual, did)


def _cycles(harness: Harness, ids: list[str], data: bytes) -> Series:
    rows = len(range(_WARM, len(ids), _EVERY))
    samples = array("d", bytes(8 * rows * len(_MOST)))  # all at once: or it would be what grows
    gc.freeze()  # what the parent had is no matter here, and would be looked through each time
    with harness.make_store() as store:
        for number, image_id in enumerate(ids):
            location = store.add(image_id, data).location
            with store.get(location) as reader:
                if reader.read() != data:
                    raise Violation("the image", "other bytes", f"cycle {number}")
            store.get_size(location)
            store.delete(location)
            row, rest = divmod(number - _WARM, _EVERY)
            if row >= 0 and not rest:
                _look(samples, row * len(_MOST))
    numbers = range(_WARM, len(ids), _EVERY)
    columns = {what: samples[n :: len(_MOST)] for n, what in enumerate(_MOST)}
    return {what: list(zip(numbers, column, strict=True)) for what, column in columns.items()}


def _look(samples: array[float], at: int) -> None:
    """Put what the process has into a row of the samples."""
    now = held()
    samples[at], samples[at + 1] = len(now.descriptors), len(now.threads)
    samples[at + 3], samples[at + 4] = allocated(), resident()
    del now
    samples[at + 2] = sys.getallocatedblocks()


def _closed(context: Context, data: bytes) -> None:
    """Close a client twice, and use it."""
    client = context.client()
    location = context.image(data)
    client.get_size(location)
    client.close()
    try:
        client.close()
    except Exception as error:
        actual = f"{type(error).__name__}: {error}"
        raise Violation("close() may be called twice", actual, "close(); close()") from error
    verbs: dict[str, Callable[[], object]] = {
        "add": lambda: client.add(context.new_id(), data),
        "get": lambda: client.get(location),
        "get_size": lambda: client.get_size(location),
        "delete": lambda: client.delete(location),
        "leftovers": lambda: list(client.leftovers()),
    }
    if context.claims(Capability.LIST):
        verbs["list"] = lambda: list(client.list())
    for verb, act in verbs.items():
        with context.expect_error(StoreClosed, did=f"{verb} after close()"):
            act()
    context.holds(location, data)
