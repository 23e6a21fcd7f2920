"""Results: the eight outcomes, what one case found, and what a whole run amounts to."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from storekit.testing.case import Case, Level

__all__ = ["EXIT_ERROR", "EXIT_MISSED", "EXIT_OK", "EXIT_USAGE", "Outcome", "Report", "Result"]

EXIT_OK = 0
"""The level is reached."""
EXIT_MISSED = 1
"""The level is not reached."""
EXIT_USAGE = 2
"""The call or the configuration is wrong."""
EXIT_ERROR = 3
"""The kit or its environment failed; outranks all others."""


class Outcome(enum.Enum):
    """What became of a case. Only PASS is green."""

    PASS = "PASS"  # noqa: S105 - no password
    """The store does what the case says."""
    REFUSED = "REFUSED"
    """The store does not claim the gate, and refuses the call as it must."""
    NOT_APPLICABLE = "N/A"
    """A promise that is not made, or a hook that this backend cannot have."""
    NOT_RUN = "NOT-RUN"
    """The harness lacks a hook. Nothing is known, so the level is not reached."""
    WAIVED = "WAIVED"
    """It fails, and somebody signed for that until a date."""
    OVER = "OVER"
    """It works, though it is not claimed. Advisory."""
    FAIL = "FAIL"
    """The store does not do what the case says."""
    ERROR = "ERROR"
    """The kit or its environment failed: nothing is known."""

    @property
    def blocks(self) -> bool:
        """Whether a level cannot be reached with it."""
        return self in {Outcome.FAIL, Outcome.NOT_RUN, Outcome.ERROR}


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one case found, with the evidence."""

    case: Case
    """The case."""
    outcome: Outcome
    """The verdict."""
    reason: str = ""
    """Why, in one line; empty for a PASS."""
    expected: str = ""
    """Of a FAIL: what the contract says."""
    actual: str = ""
    """Of a FAIL: what happened."""
    calls: tuple[str, ...] = ()
    """Of anything but a PASS: the calls that led there, oldest first."""
    trace: str = ""
    """The traceback, or all threads' stacks of a case that hung."""
    hung: bool = False
    """Whether it did not end in time: ``trace`` then begins with the thread that hangs."""
    notes: Mapping[str, float | str] = field(default_factory=dict)
    """What was measured, by name."""
    seconds: float = 0.0
    """How long it took."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """A whole run."""

    harness: str
    """Name of the harness."""
    store: str
    """Name of the store."""
    driver: str
    """Name of its driver."""
    declared: tuple[str, ...]
    """The capabilities that the store has, as configured."""
    limits: Mapping[str, float]
    """The limits that the store has, as configured."""
    level: Level
    """The level that was asked for."""
    seed: int
    """Run with the same seed to make the same choices."""
    selection: str | None
    """What was selected, where it was not everything."""
    results: tuple[Result, ...]
    """The results, in the order of the contract."""
    total: Mapping[Level, Sequence[str]]
    """The ids of all the cases that count for a level, by level."""
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When it began."""
    seconds: float = 0.0
    """How long it took."""
    left: tuple[str, ...] = ()
    """Ids of images of this run that are still there after it."""

    def __getitem__(self, case_id: str) -> Result:
        for result in self.results:
            if result.case.id == case_id:
                return result
        raise KeyError(case_id)

    @property
    def counts(self) -> dict[Outcome, int]:
        """How many results of each outcome there are."""
        found = Counter(result.outcome for result in self.results)
        return {outcome: found[outcome] for outcome in Outcome}

    @property
    def reached(self) -> Level | None:
        """The highest level reached. None: not even core, or only a selection was run."""
        outcomes = {result.case.id: result.outcome for result in self.results}
        counted = {case_id for ids in self.total.values() for case_id in ids}
        if any(outcomes[case_id].blocks for case_id in outcomes.keys() - counted):
            return None  # the end of the run, which is no case of the contract
        reached = None
        for level in Level:
            if not self.total.get(level):  # no case can show it yet
                return reached
            for case_id in self.total[level]:
                if case_id not in outcomes or outcomes[case_id].blocks:
                    return reached
            reached = level
        return reached

    @property
    def exit_code(self) -> int:
        """The exit code of the command, from ``EXIT_OK`` to ``EXIT_ERROR``."""
        outcomes = [result.outcome for result in self.results]
        if Outcome.ERROR in outcomes:
            return EXIT_ERROR
        if self.selection is not None:
            return EXIT_MISSED if any(outcome.blocks for outcome in outcomes) else EXIT_OK
        if self.reached is None or self.reached < self.level:
            return EXIT_MISSED
        return EXIT_OK


def totals(cases: Iterable[Case]) -> dict[Level, list[str]]:
    """Tell which cases count for which level.

    Args:
        cases: The whole contract.
    """
    found: dict[Level, list[str]] = {level: [] for level in Level}
    for item in cases:
        found[item.counted_at].append(item.id)
    return found
