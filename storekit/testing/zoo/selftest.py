"""The self-test: the references pass, and every mutant dies by its case."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from storekit.testing.case import Level
from storekit.testing.reference import DirectoryHarness, MemoryHarness
from storekit.testing.result import EXIT_MISSED, EXIT_OK, Outcome, Report
from storekit.testing.runner import cases_for, run
from storekit.testing.session import Session
from storekit.testing.zoo.mutants import Mutant, all_mutants

__all__ = ["Kill", "SelfTest", "self_test"]

_JOBS = 4
_GREEN = frozenset({Outcome.PASS, Outcome.REFUSED, Outcome.NOT_APPLICABLE})


@dataclass(frozen=True)
class Kill:
    """What one case found on one mutant."""

    mutant: Mutant
    """The mutant."""
    case_id: str
    """The case that must fail on it."""
    outcome: Outcome
    """What it did."""
    reason: str
    """Why."""
    seconds: float
    """How long it took."""

    @property
    def dead(self) -> bool:
        """Whether the mutant died, by a FAIL and by nothing else."""
        return self.outcome is Outcome.FAIL


@dataclass(frozen=True)
class SelfTest:
    """What the kit is worth."""

    references: tuple[Report, ...]
    """The reports of the reference drivers."""
    kills: tuple[Kill, ...]
    """Every mutant with every case that must kill it."""
    unproven: tuple[str, ...]
    """Ids of cases that kill no mutant."""
    seconds: float
    """How long it took."""

    @property
    def problems(self) -> list[str]:
        """What is not as it must be, one line each."""
        found = [
            f"{report.harness}: {result.case.id} {result.outcome.value}: {result.reason}"
            for report in self.references
            for result in report.results
            if result.outcome not in _GREEN
        ]
        found += [
            f"{kill.mutant.name} survives {kill.case_id}: {kill.outcome.value} {kill.reason}"
            for kill in self.kills
            if not kill.dead
        ]
        found += [f"{case_id} kills no mutant" for case_id in self.unproven]
        return found

    @property
    def exit_code(self) -> int:
        """The exit code of the command."""
        return EXIT_MISSED if self.problems else EXIT_OK


def self_test(
    *,
    select: str | None = None,
    level: Level = Level.HARD,
    seed: int | None = None,
    on_step: Callable[[str], None] | None = None,
) -> SelfTest:
    """Try the kit on its references and its mutants.

    Args:
        select: Only cases whose id begins with one of these, and their mutants.
        level: The highest level of the cases.
        seed: As of ``run``.
        on_step: Called with a line for each step, from several threads.

    Returns:
        What was found.
    """
    begin = time.perf_counter()
    tell = on_step or (lambda _: None)
    references = []
    for harness in (MemoryHarness, DirectoryHarness):
        references.append(run(harness, level=level, select=select, seed=seed))
        tell(f"{harness.__name__}: {len(references[-1].results)} cases")
    cases = {result.case.id: result.case for result in references[0].results}
    pairs = [(found, case_id) for found in all_mutants() for case_id in found.kills]
    pairs = [(found, case_id) for found, case_id in pairs if case_id in cases]
    kills = _run_pairs(pairs, seed, tell)
    dead = {kill.case_id for kill in kills if kill.dead}
    return SelfTest(
        references=tuple(references),
        kills=tuple(kills),
        unproven=tuple(case_id for case_id in cases if case_id not in dead),
        seconds=time.perf_counter() - begin,
    )


def _run_pairs(
    pairs: Iterable[tuple[Mutant, str]], seed: int | None, tell: Callable[[str], None]
) -> list[Kill]:
    whole = cases_for()

    def one(pair: tuple[Mutant, str]) -> Kill:
        found, case_id = pair
        begin = time.perf_counter()
        try:
            with Session(found.harness, seed=seed) as session:
                result = session.run(whole[case_id])
            outcome, reason = result.outcome, result.reason
        except Exception as error:  # noqa: BLE001 - a mutant that cannot even be set up
            outcome, reason = Outcome.ERROR, f"{type(error).__name__}: {error}"
        kill = Kill(found, case_id, outcome, reason, time.perf_counter() - begin)
        tell(f"{found.name}: {case_id} {outcome.value}")
        return kill

    pairs = list(pairs)
    alone = [pair for pair in pairs if whole[pair[1]].alone]
    beside = [pair for pair in pairs if not whole[pair[1]].alone]
    with ThreadPoolExecutor(_JOBS, thread_name_prefix="zoo") as pool:
        kills = list(pool.map(one, beside))
    kills += [one(pair) for pair in alone]
    return sorted(kills, key=lambda kill: (kill.case_id, kill.mutant.name))
