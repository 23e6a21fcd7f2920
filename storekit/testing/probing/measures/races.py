"""Races: how many win when several add under one id, or delete one image, at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial

from storekit.capabilities import Capability
from storekit.errors import Duplicate, NotFound, StoreError
from storekit.location import Location
from storekit.store import Store
from storekit.testing.case import Violation
from storekit.testing.crowd import Deed, Meeting, together
from storekit.testing.probing.bench import Bench, brief
from storekit.testing.probing.measured import Row, Verdict
from storekit.testing.sources import Tap

__all__ = ["exclusive_add", "exclusive_delete"]

_RACERS = 4
_ROUNDS = 5
_LONGEST = 3.0  # seconds that one waits for the others, which the store may make wait for it


def exclusive_add(bench: Bench) -> list[Row]:
    """Race several adds of one id, each by a client of its own.

    Args:
        bench: What to work with.
    """
    clients = [bench.client() for _ in range(_RACERS)]
    wrong = ""
    for number in range(1, _ROUNDS + 1):
        if wrong := _race(bench, clients):
            wrong = f"round {number}: {wrong}"
            break
    return [_row(bench, "exclusive add", Capability.EXCLUSIVE_ADD, wrong)]


def exclusive_delete(bench: Bench) -> list[Row]:
    """Race several deletes of one image, each by a client of its own.

    Args:
        bench: What to work with.
    """
    clients = [bench.client() for _ in range(_RACERS)]
    wrong = ""
    for number in range(1, _ROUNDS + 1):
        location = bench.keeper.add(bench.store, bench.new_id(), bench.payload(997))
        bench.read(location)
        acts: dict[str, Callable[[], object]] = {
            f"delete {n}": partial(bench.keeper.delete, client, location)
            for n, client in enumerate(clients, 1)
        }
        deeds = _run(bench, acts)
        if isinstance(deeds, str):
            wrong = deeds
        else:
            wrong = _told(bench, deeds, NotFound, "that they deleted it")
        if wrong:
            wrong = f"round {number}: {wrong}"
            break
    return [_row(bench, "exclusive delete", Capability.EXCLUSIVE_DELETE, wrong)]


def _row(bench: Bench, name: str, promise: Capability, wrong: str) -> Row:
    declared = bench.claims(promise)
    return Row(
        name=name,
        declared="yes" if declared else "no",
        measured="no" if wrong else f"one of {_RACERS}, {_ROUNDS} times",
        verdict=Verdict.of(declared=declared, measured=not wrong),
        why=wrong,
        numbers={"racers": _RACERS, "rounds": _ROUNDS},
    )


def _race(bench: Bench, clients: list[Store]) -> str:
    """Let all add; say what is wrong, if anything."""
    image_id = bench.new_id()
    data = {f"add {n}": bench.payload(10_007 + n) for n in range(1, len(clients) + 1)}
    # All have looked whether the id is free before anyone begins, and before anyone commits.
    patience = min(bench.limits.op_budget / 10, _LONGEST)
    meetings = [Meeting(len(clients), patience) for _ in range(2)]

    def run(name: str, client: Store) -> Location:
        content = data[name]
        missing = dict(zip((0, len(content)), meetings, strict=True))

        def at(position: int) -> None:
            if meeting := missing.pop(position, None):
                meeting.come()

        try:
            return bench.keeper.add(client, image_id, Tap(content, at), len(content))
        finally:
            for meeting in missing.values():
                meeting.leave()

    acts: dict[str, Callable[[], object]] = {
        name: partial(run, name, client) for name, client in zip(data, clients, strict=True)
    }
    try:
        deeds = _run(bench, acts)
    except BaseException:
        for meeting in meetings * len(clients):
            meeting.leave()  # a signal: nobody waits for the others any more
        raise
    return deeds if isinstance(deeds, str) else _judged(bench, deeds, data)


def _judged(bench: Bench, deeds: Mapping[str, Deed], data: Mapping[str, bytes]) -> str:
    wrong = _told(bench, deeds, Duplicate, "that their image is stored")
    winners = [name for name, deed in deeds.items() if isinstance(deed.value, Location)]
    place = deeds[winners[0]].value if winners else None
    if isinstance(place, Location):
        if not wrong:
            try:
                there = bench.read(place)
            except StoreError as error:
                bench.blame(error)
                return f"the winner's image: {brief(error)}"
            if there != data[winners[0]]:
                wrong = f"the bytes are not those of {winners[0]}, which won"
        bench.drop(bench.store, place)
    return wrong


def _told(bench: Bench, deeds: Mapping[str, Deed], loser: type[StoreError], what: str) -> str:
    """Demand one that returned, and that all others raised the right error."""
    for deed in deeds.values():
        if deed.error is None or isinstance(deed.error, loser):
            continue
        if not isinstance(deed.error, StoreError):
            raise deed.error
        bench.blame(deed.error)
    won = sum(deed.error is None for deed in deeds.values())
    others = Counter(
        type(deed.error).__name__
        for deed in deeds.values()
        if deed.error is not None and not isinstance(deed.error, loser)
    )
    told = f"{won} of {len(deeds)} were told {what}"
    if others:
        told += f", {', '.join(f'{count} got {name}' for name, count in others.items())}"
    return "" if won == 1 and not others else told


def _run(bench: Bench, acts: Mapping[str, Callable[[], object]]) -> dict[str, Deed] | str:
    try:
        return together(acts, 2 * bench.limits.op_budget)
    except Violation as violation:
        return str(violation)
