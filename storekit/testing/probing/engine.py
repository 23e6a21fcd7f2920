"""Probe: what a store really does, measured beside what it declares.

Without pytest and without a contract: it asks no "must", it measures. What it says of a store is
one table, each row with a verdict: a lie is what is declared and was not measured.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from storekit.capabilities import Capability
from storekit.driver import Driver
from storekit.errors import ConfigurationError, StoreError
from storekit.store import Store
from storekit.testing.case import NotApplicable, NotRun
from storekit.testing.harness import Harness
from storekit.testing.probing.bench import Bench, Broken, brief
from storekit.testing.probing.measured import Probed, Row, Verdict
from storekit.testing.probing.measures import MEASURES, Measure
from storekit.testing.probing.measures.ids import short

__all__ = ["LIMIT", "probe"]

LIMIT = 32 << 20
"""The longest image that is tried unless told otherwise, in bytes."""

_NEEDED = Capability.ADD | Capability.GET | Capability.DELETE
_log = logging.getLogger("storekit")


def probe(
    target: Harness | type[Harness] | Store,
    *,
    limit: int = LIMIT,
    seed: int | None = None,
) -> Probed:
    """Measure what a store does, and compare it with what it declares.

    It adds images under ids of its own and removes them at the end, also after a failure and a
    ``KeyboardInterrupt``. It changes nothing else in the store.

    Args:
        target: A harness, its class, or a store. A store is left open; further clients are made
            of its driver and its options.
        limit: The longest image that may be tried, in bytes.
        seed: A number; the same one makes the same choices. None: a new one, kept in the answer.

    Returns:
        What was measured.

    Raises:
        ValueError: The limit is below 1.
        StoreError: The store cannot be opened.
        Exception: The harness cannot be set up.
    """
    if limit < 1:
        raise ValueError(f"limit is {limit}, not a number of bytes above 0")
    harness = _harness_of(target)
    chosen = random.SystemRandom().randrange(1 << 32) if seed is None else seed
    started, begin = datetime.now(UTC), time.perf_counter()
    with _set_up(harness):
        bench = Bench(harness, seed=chosen, limit=limit)
        name, driver = bench.store.name, bench.store.driver
        try:
            rows = _measured(bench, chosen)
            left = bench.clean()
        except BaseException as error:
            if left := bench.clean():
                error.add_note(f"still in the store: {', '.join(map(short, left))}")
            raise
    return Probed(
        harness=type(harness).__name__.lstrip("_"),
        store=name,
        driver=driver,
        seed=chosen,
        limit=limit,
        rows=tuple(rows),
        left=left,
        started=started,
        seconds=time.perf_counter() - begin,
    )


@contextmanager
def _set_up(harness: Harness) -> Iterator[None]:
    # What a driver warns of is provoked; without a handler it would go to standard error.
    quiet = logging.NullHandler()
    _log.addHandler(quiet)
    try:
        harness.setup()
        try:
            yield
        finally:
            harness.teardown()
    finally:
        _log.removeHandler(quiet)


def _measured(bench: Bench, seed: int) -> list[Row]:
    rows: list[Row] = []
    stopped = ""
    if missing := _NEEDED & ~bench.capabilities:
        stopped = f"the store has no {next(iter(missing)).name}"
    for measure in MEASURES:
        # Of its own, so that one measurement does not change the choices of the next.
        bench.random = random.Random(f"{seed}:{measure.names[0]}")  # noqa: S311 - no secret
        if stopped:
            found = _not_measured(measure, stopped)
        else:
            found, stopped = _one(bench, measure)
        rows += found
    return rows


def _one(bench: Bench, measure: Measure) -> tuple[list[Row], str]:
    """Measure, and tell why nothing more can be measured, if so."""
    try:
        try:
            return measure.act(bench), ""
        except StoreError as error:
            # In the middle of something that should have worked, whatever is measured by it.
            bench.blame(error)
            stopped = "not even a plain image is right" if measure is MEASURES[0] else ""
            return [_lie(name, brief(error)) for name in measure.names], stopped
    except Broken as broken:
        failed = Row(name=measure.names[0], verdict=Verdict.ERROR, why=str(broken))
        rest = _not_measured(measure, "the backend failed")[1:]
        return [failed, *rest], f"the backend failed at: {measure.names[0]}"
    except (NotRun, NotApplicable) as why:
        return _not_measured(measure, str(why)), ""


def _lie(name: str, why: str) -> Row:
    return Row(name=name, declared="yes", measured="no", verdict=Verdict.LIE, why=why)


def _not_measured(measure: Measure, why: str) -> list[Row]:
    return [Row(name=name, verdict=Verdict.NOT_MEASURED, why=why) for name in measure.names]


def _harness_of(target: Harness | type[Harness] | Store) -> Harness:
    if isinstance(target, type):
        return target()
    return _GivenStore(target) if isinstance(target, Store) else target


class _GivenStore(Harness):
    """A store that somebody has opened: further clients are made as it was."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store

    def make_store(self, **overrides: object) -> Store:
        """Make a driver of the same class with the same options, and a store of it."""
        first = self._store.opening.instance()
        if unknown := overrides.keys() - type(first.config).model_fields.keys():
            raise ConfigurationError(f"the driver has no option {', '.join(sorted(unknown))}")
        options = first.config.model_copy(update=overrides)

        def make() -> Driver:
            return type(first)(first.store_name, options)

        store = Store(self._store.name, self._store.driver, make)
        _ = store.capabilities  # opens it
        return store
