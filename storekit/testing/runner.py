"""The runner: all selected cases of the contract on one harness, and the report."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from storekit.capabilities import Capability
from storekit.errors import ConfigurationError
from storekit.testing.case import Case, Level, Registry
from storekit.testing.cases import contract
from storekit.testing.harness import Harness
from storekit.testing.result import Outcome, Report, Result, totals
from storekit.testing.session import Session
from storekit.testing.waivers import Waiver

__all__ = ["cases_for", "level_of", "run", "selected"]

_JOBS = 4


def run(
    harness: Harness | type[Harness],
    *,
    level: Level | str = Level.CORE,
    select: str | None = None,
    seed: int | None = None,
    jobs: int | None = None,
    waivers: Mapping[str, Waiver] | None = None,
    cases: Registry | None = None,
    on_start: Callable[[Case], None] | None = None,
    on_result: Callable[[Result], None] | None = None,
) -> Report:
    """Hold a store to the contract.

    Args:
        harness: How to get at it: an instance, or a class.
        level: How far: ``core``, ``robust`` or ``hard``.
        select: Only cases whose id begins with one of these, separated by commas: ``ADD,GET-01``.
        seed: A number; the same one makes the same choices. None: a new one, shown in the report.
        jobs: How many cases at once. None: several if the store promises THREAD_SAFE.
        waivers: Signed failures by case id, from ``read_waivers``.
        cases: The contract; the kit's own, and what the harness adds, by default.
        on_start: Called with each case as it begins, from several threads.
        on_result: Called with each result as it comes, likewise.

    Returns:
        The report.

    Raises:
        ConfigurationError: The level is none, nothing is selected, or what the harness says is
            absent cannot be.
        Hung: The harness is not set up within its patience, or opens no store.
        Exception: The harness cannot be set up, or opens no store.
    """
    wanted = level if isinstance(level, Level) else level_of(level)
    whole = cases_for(harness) if cases is None else cases
    chosen = selected(whole, wanted, select)
    started = datetime.now(UTC)
    begin = time.perf_counter()
    ids = {item.id for item in chosen}
    with Session(harness, seed=seed, waivers=waivers, chosen=ids) as session:
        found = _run_all(session, chosen, jobs, on_start, on_result)
        results = [found[item.id] for item in chosen]
        ending = session.end()
        if ending.outcome is not Outcome.PASS:
            results.append(ending)
        return Report(
            harness=type(session.harness).__name__,
            store=session.store_name,
            driver=session.driver_name,
            declared=session.declared,
            limits=session.limits_shown,
            level=wanted,
            seed=session.seed,
            selection=select,
            results=tuple(results),
            total=totals(whole),
            started=started,
            seconds=time.perf_counter() - begin,
            left=session.left,
        )


def cases_for(harness: Harness | type[Harness] | None = None) -> Registry:
    """Give the contract: the kit's own cases, and those that a harness adds.

    Args:
        harness: The harness, an instance or a class.

    Raises:
        ValueError: One of the harness's cases has the id of one of the kit's.
    """
    added = None if harness is None else harness.cases
    return Registry([*contract(), *(added or ())])


def selected(whole: Iterable[Case], level: Level, select: str | None) -> list[Case]:
    """Choose cases.

    Args:
        whole: All of them.
        level: The highest level that counts.
        select: Beginnings of ids, separated by commas; None for all. A selected case runs
            whatever its level is.

    Raises:
        ConfigurationError: Nothing is selected.
    """
    if select is None:
        return [item for item in whole if item.counted_at <= level]
    beginnings = tuple(part.strip().upper() for part in select.split(",") if part.strip())
    chosen = [item for item in whole if beginnings and item.id.upper().startswith(beginnings)]
    if not chosen:
        raise ConfigurationError(
            f"no case is selected by {select!r}", hint="ids begin with a group, such as ADD"
        )
    return chosen


def level_of(name: str) -> Level:
    """Find a level by its name.

    Args:
        name: The name.

    Raises:
        ConfigurationError: There is none of this name.
    """
    try:
        return Level[name.upper()]
    except KeyError:
        raise ConfigurationError(
            f"{name!r} is no level", hint=f"one of {', '.join(map(str, Level))}"
        ) from None


def _run_all(
    session: Session,
    chosen: Iterable[Case],
    jobs: int | None,
    on_start: Callable[[Case], None] | None,
    on_result: Callable[[Result], None] | None,
) -> dict[str, Result]:
    results: dict[str, Result] = {}

    def run_one(item: Case) -> None:
        if on_start is not None:
            on_start(item)
        results[item.id] = session.run(item)
        if on_result is not None:
            on_result(results[item.id])

    ordered = sorted(chosen, key=lambda item: (item.last, item.alone))
    beside = [item for item in ordered if not item.alone]
    threads = jobs or _default_jobs(session)
    with ThreadPoolExecutor(threads, thread_name_prefix="conform") as pool:
        for _ in pool.map(run_one, beside):
            pass
    for item in ordered[len(beside) :]:
        run_one(item)
    return results


def _default_jobs(session: Session) -> int:
    if Capability.THREAD_SAFE not in session.capabilities:
        return 1
    return min(_JOBS, 2 * (os.cpu_count() or 1))
