"""Requests: how many each operation takes, counted by a relay before the backend."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from storekit.capabilities import Capability
from storekit.errors import StoreError
from storekit.location import Location
from storekit.store import Store
from storekit.testing.case import NotApplicable, NotRun
from storekit.testing.probing.bench import Bench, brief
from storekit.testing.probing.measured import Row, Verdict
from storekit.testing.probing.measures.sizes import shown
from storekit.testing.wire import Wire

__all__ = ["OPERATIONS", "requests"]

T = TypeVar("T")

OPERATIONS = (
    *("open", "add", "add in parts", "get_size", "get", "get a range", "list", "delete"),
    "close",
)
"""The operations that are counted."""
_SMALL = 997
_RANGE = 100


def requests(bench: Bench) -> list[Row]:
    """Count the requests of each operation.

    Args:
        bench: What to work with.

    Raises:
        NotRun: The harness tells of no endpoint, or none that speaks plain HTTP.
    """
    endpoint = _endpoint(bench)
    try:
        return _counted(bench, endpoint)
    except StoreError as error:
        bench.blame(error)
        raise NotRun(f"through the relay: {brief(error)}") from error


def _counted(bench: Bench, endpoint: str) -> list[Row]:
    with Wire(endpoint) as wire:
        counter = _Counter(wire)
        behind = bench.harness.behind(wire.endpoint)
        client = counter.count("open", lambda: bench.client(behind))
        try:
            # What is asked once by each client is not a part of the operations.
            first = bench.keeper.add(client, bench.new_id(), b"first", straight=wire.straight)
            bench.read(first, client)
            bench.keeper.delete(client, first, wire.straight)
            _operations(bench, counter, client)
        finally:
            counter.count("close", client.close)
    return [counter.rows.get(name) or _not_measured(bench, name) for name in OPERATIONS]


def _endpoint(bench: Bench) -> str:
    try:
        bench.harness.require("http")
    except NotApplicable as error:
        raise NotRun(str(error)) from None
    except NotRun:
        raise NotRun("no endpoint") from None
    return str(bench.harness.endpoint)


class _Counter:
    """Counts what passes while something is done, and makes the rows."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.rows: dict[str, Row] = {}

    def count(self, name: str, act: Callable[[], T], what: str = "") -> T:
        before, up, down = len(self.wire.requests), self.wire.up, self.wire.down
        value = act()
        methods = Counter(request.method for request in self.wire.requests[before:])
        total = sum(methods.values())
        listed = ", ".join(
            method if count == 1 else f"{count} {method}" for method, count in methods.items()
        )
        self.rows[name] = Row(
            name=f"requests: {name}",
            measured=f"{total}: {listed}" if total else "0",
            verdict=Verdict.NOTED,
            why=what,
            numbers={
                "requests": total,
                "bytes up": self.wire.up - up,
                "bytes down": self.wire.down - down,
            },
        )
        return value


def _operations(bench: Bench, counter: _Counter, client: Store) -> None:
    straight = counter.wire.straight
    data = bench.payload(_SMALL)

    def add(size: int) -> Callable[[], Location]:
        image_id = bench.new_id()
        content = data if size == _SMALL else bench.payload(size)
        return lambda: bench.keeper.add(client, image_id, content, straight=straight)

    location = counter.count("add", add(_SMALL), f"{_SMALL} bytes")
    counter.count("get_size", lambda: client.get_size(location))
    counter.count("get", lambda: bench.read(location, client), f"{_SMALL} bytes")
    if bench.claims(Capability.GET_RANGE):
        counter.count(
            "get a range",
            lambda: _part(client, location),
            f"{_RANGE} of {_SMALL} bytes",
        )
    if bench.claims(Capability.LIST):
        counter.count("list", lambda: sum(1 for _ in client.list()), "all images of the store")
    counter.count("delete", lambda: bench.keeper.delete(client, location, straight))
    part = bench.limits.part_size
    if 2 * part + 1 <= bench.longest:
        whole = counter.count(
            "add in parts", add(2 * part + 1), f"two of {shown(part)}, and a byte"
        )
        bench.keeper.delete(client, whole, straight)


def _part(client: Store, location: Location) -> None:
    with client.get(location, 1, _RANGE) as reader:
        for _ in reader:
            pass


def _not_measured(bench: Bench, name: str) -> Row:
    why = {
        "add in parts": f"it is longer than the limit, {shown(bench.longest)}",
        "get a range": "the store has no GET_RANGE",
        "list": "the store has no LIST",
    }.get(name, "")
    return Row(name=f"requests: {name}", verdict=Verdict.NOT_MEASURED, why=why)
