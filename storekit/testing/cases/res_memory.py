"""RES: memory that is bounded, and success that makes no noise. Measured in a child process."""

from __future__ import annotations

import gc
import logging
import sys
import threading
import warnings
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import repeat
from typing import Any

from storekit.capabilities import Capability
from storekit.location import Location
from storekit.store import Store
from storekit.testing.case import Level, Violation, case
from storekit.testing.children import in_child
from storekit.testing.context import Context
from storekit.testing.harness import Harness
from storekit.testing.resources import held, needed
from storekit.testing.sources import Trickle

GET, ADD = Capability.GET, Capability.ADD
_MIB = 1 << 20
_IMAGE = 64 * _MIB
_REST = 24 * _MIB  # of the interpreter, its libraries, and the digests that are computed beside
_CLEAR = 32 * _MIB  # by which an image is larger than what is allowed


def _plan(context: Context, overrides: dict[str, object], unit: int) -> tuple[int, int]:
    """Give how much may be needed, and an image that is clearly larger, both in bytes."""
    held()  # or there is no /proc: better told here than in a child
    limits = context.client(None, **overrides).limits if overrides else context.limits
    bound = (limits.window + 2) * max(limits.part_size, unit) + _REST
    return bound, max(_IMAGE, -(-(bound + _CLEAR) // _MIB) * _MIB)


def _smaller(context: Context) -> dict[str, object]:
    """Give options that make parts so short that a case can tell them from the whole image."""
    client, size = context.small_parts()
    return {} if client is context.store else {"part_size": size}


def _within(context: Context, name: str, taken: int, bound: int, did: str) -> None:
    context.notes[name] = taken
    if taken > bound:
        raise Violation(
            f"at most {bound >> 20} MiB more: limits.window + 2 parts, and {_REST >> 20} MiB",
            f"{taken >> 20} MiB",
            did,
        )


@case(
    "RES-05",
    level=Level.ROBUST,
    needs=ADD,
    exclusive=True,
    budget=12.0,
    sentence="An add MUST need memory for limits.window + 2 parts at most, however large the image"
    " is, its size known or not.",
    why="Ten adds of a large image at once must not end the service.",
    mistakes="Reading all to learn the size or the digest; parts that grow while the window does"
    " not shrink; sent parts that are kept for a retry.",
)
def add(context: Context) -> None:
    """Add an image that is made on the way, in a child, and measure its peak."""
    overrides = _smaller(context)
    bound, size = _plan(context, overrides, context.write_chunk)
    block = context.payload(_MIB)
    kinds: list[tuple[str, int | None]] = [("known", size)]
    if context.claims(Capability.ADD_UNKNOWN_SIZE):
        kinds.append(("unknown", None))
    for name, declared in kinds:
        image_id = context.new_id()
        act = partial(_add_in_child, context.harness, overrides, image_id, block, size, declared)
        location, stored, taken = in_child(act, context.budget(5))
        context.journal.live[location] = context.store
        context.same(stored, size, "the size of what was added")
        _within(context, name, taken, bound, f"an add of {size >> 20} MiB of {name} size")
        if context.claims(Capability.DELETE):
            context.store.delete(Location(location))


def _add_in_child(
    harness: Harness,
    overrides: dict[str, object],
    image_id: str,
    block: bytes,
    size: int,
    declared: int | None,
) -> tuple[str, int, int]:
    stored: list[Any] = []
    with harness.make_store(**overrides) as store:

        def act() -> None:
            stored.append(store.add(image_id, repeat(block, size // len(block)), declared))

        taken = needed(act)
    return str(stored[0].location), stored[0].size, taken


@case(
    "RES-06",
    level=Level.ROBUST,
    needs=GET,
    exclusive=True,
    budget=12.0,
    sentence="A get MUST need memory for limits.window + 2 parts at most, however large the image"
    " is.",
    why="Most reads are of large images, many of one at once.",
    mistakes="Reading the whole body before the first chunk; chunks kept to check a digest.",
)
def get(context: Context) -> None:
    """Read a large image in a child, and measure its peak."""
    bound, size = _plan(context, {}, context.read_chunk)
    block = context.payload(_MIB)
    image_id = context.new_id()
    if context.claims(ADD):
        location = context.store.add(image_id, repeat(block, size // _MIB), size).location
    else:
        context.harness.require("plant")
        location = Location(context.harness.plant(image_id, block * (size // _MIB)))
    act = partial(_get_in_child, context.harness, location)
    seen, taken = in_child(act, context.budget(5))
    context.same(seen, size, "bytes read")
    _within(context, "get", taken, bound, f"a get of {size >> 20} MiB")


def _get_in_child(harness: Harness, location: Location) -> tuple[int, int]:
    seen = 0
    with harness.make_store() as store:

        def act() -> None:
            nonlocal seen
            with store.get(location) as reader:
                for chunk in reader:
                    seen += len(chunk)

        taken = needed(act)
    return seen, taken


@case(
    "RES-07",
    level=Level.ROBUST,
    exclusive=True,
    sentence="Calls that succeed MUST log nothing above INFO, and MUST cause no ResourceWarning and"
    " no exception that nobody can catch.",
    why="Noise on success hides the one line that matters; a ResourceWarning is a leak that Python"
    " mended.",
    mistakes="A warning for a retry that worked; a file closed by the collector; a __del__ that"
    " raises.",
)
def silence(context: Context) -> None:
    """Do everything that succeeds in a child, and listen."""
    data = context.payload(2 * min(context.part_size, _MIB) + 7)
    location = context.image(data)
    ids = [context.new_id() for _ in range(4)]
    act = partial(_quietly, context.harness, location, data, ids)
    heard = in_child(act, context.budget(2))
    if heard:
        raise Violation("silence", "; ".join(heard[:5]), "calls that succeed")


def _quietly(harness: Harness, location: Location, data: bytes, ids: list[str]) -> list[str]:
    gc.collect()
    gc.freeze()  # what others have left is not ours
    heard: list[str] = []
    handler = _Ear(heard)
    logging.getLogger().addHandler(handler)
    sys.unraisablehook = lambda what: heard.append(f"unraisable: {what.exc_value!r}")
    threading.excepthook = lambda what: heard.append(f"in a thread: {what.exc_value!r}")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", ResourceWarning)
        with harness.make_store() as store:
            _do_all(store, location, data, ids)
        del store
        gc.collect()
    heard += [f"{warning.category.__name__}: {warning.message}" for warning in caught]
    return heard


class _Ear(logging.Handler):
    """Writes down what is above INFO."""

    def __init__(self, heard: list[str]) -> None:
        super().__init__(logging.INFO + 1)
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        self._heard.append(f"{record.levelname} of {record.name}: {record.getMessage()}")


def _do_all(store: Store, location: Location, data: bytes, ids: list[str]) -> None:
    can = store.capabilities
    store.get_size(location)
    if GET in can:
        store.get(location).read()
        store.get(location)  # dropped
        next(store.get(location))
    if Capability.GET_RANGE in can:
        store.get(location, offset=1, length=997).read()
    if ADD | Capability.DELETE in can:
        acts: list[Callable[[], Any]] = [
            lambda: store.add(ids[0], b""),
            lambda: store.add(ids[1], b"small"),
            lambda: store.add(ids[2], data),
        ]
        if Capability.ADD_UNKNOWN_SIZE in can:
            acts.append(lambda: store.add(ids[3], Trickle(data, data)))
        for act in acts:
            store.delete(act().location)
    if Capability.LIST in can:
        next(store.list(), None)
        list(store.list())
    if Capability.CAPACITY in can:
        store.capacity()
    list(store.leftovers(timedelta(0)))
