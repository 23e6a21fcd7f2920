"""Sight: when a second client sees an image that was added, and no longer one that was deleted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from storekit.capabilities import Capability
from storekit.errors import NotFound
from storekit.location import Location
from storekit.testing.probing.bench import Bench
from storekit.testing.probing.measured import Row, Verdict

__all__ = ["plain", "visibility"]

_ROUNDS = 5


def plain(bench: Bench) -> list[Row]:
    """Measure that an image can be added, read and deleted at all.

    Args:
        bench: What to work with.
    """
    bench.plain()
    return [
        Row(
            name="a plain image",
            declared="ADD GET DELETE",
            measured="added, read, deleted",
            verdict=Verdict.OK,
        )
    ]


def visibility(bench: Bench) -> list[Row]:
    """Measure how long it takes until all see what was added, and nobody what was deleted.

    Args:
        bench: What to work with.
    """
    seen: list[float | None] = []
    gone: list[float | None] = []
    for number in range(_ROUNDS):
        image_id, data = bench.new_id(), bench.payload(997 + number)
        location = bench.keeper.add(bench.store, image_id, data)
        seen.append(bench.settled(partial(_whole, bench, location, data)))
        if number == 0 and bench.claims(Capability.LIST):
            seen.append(bench.settled(partial(_listed, bench, image_id), 1))
        bench.keeper.delete(bench.store, location)
        gone.append(bench.settled(partial(_gone, bench, location)))
        if number == 0 and bench.claims(Capability.LIST):
            listed: Callable[[], bool] = partial(_listed, bench, image_id)
            gone.append(bench.settled(lambda listed=listed: not listed(), 1))  # type: ignore[misc]  # the loop's
        if None in seen or None in gone:
            break
    delays = [delay for delay in (*seen, *gone) if delay is not None]
    bench.settling = None if None in seen else max(delays, default=0.0)
    return [_row(bench, "visible after add", seen), _row(bench, "gone after delete", gone)]


def _row(bench: Bench, name: str, delays: list[float | None]) -> Row:
    strong = bench.claims(Capability.STRONG_CONSISTENCY)
    budget = bench.limits.op_budget
    declared = "at once" if strong else f"within {budget:g} s"
    known = [delay for delay in delays if delay is not None]
    if len(known) < len(delays):
        return Row(
            name=name,
            declared=declared,
            measured=f"not within {budget:g} s",
            verdict=Verdict.LIE,
            why="a second client still sees it as it was",
            numbers={"budget": budget},
        )
    late = max(known)
    verdict = Verdict.of(declared=strong, measured=not late)
    return Row(
        name=name,
        declared=declared,
        measured=f"after {late:.3f} s" if late else f"at once, {_ROUNDS} times",
        verdict=verdict,
        why="a second client saw it late" if verdict is Verdict.LIE else "",
        numbers={"settled": round(late, 4), "rounds": _ROUNDS},
    )


def _whole(bench: Bench, location: Location, data: bytes) -> bool:
    try:
        if bench.other.get_size(location) != len(data):
            return False
        with bench.other.get(location) as reader:
            return b"".join(reader) == data
    except NotFound:
        return False


def _gone(bench: Bench, location: Location) -> bool:
    try:
        bench.other.get_size(location)
    except NotFound:
        return _unreadable(bench, location)
    return False


def _unreadable(bench: Bench, location: Location) -> bool:
    try:
        bench.other.get(location).close()
    except NotFound:
        return True
    return False


def _listed(bench: Bench, image_id: str) -> bool:
    return any(listing.image_id == image_id for listing in bench.other.list())
