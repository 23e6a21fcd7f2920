"""Case and its measuring: contenders side by side, interleaved, several rounds."""

from __future__ import annotations

import gc
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["MIB", "Case", "Result", "Settings", "Spread", "SuiteCases", "measure", "timed"]

MIB = 1 << 20
_SPARE = 128 * MIB
SUBJECT = "storekit"
"""The contender that all others are compared with."""


@dataclass(frozen=True)
class Settings:
    """What the command line asks of a suite."""

    directory: Path
    """An empty directory of the run's own, on the disk to measure."""
    sizes: tuple[int, ...]
    """Image sizes in bytes."""
    small_images: int
    """How many small images are stored, read and deleted."""


@dataclass(frozen=True)
class Case:
    """One thing that several contenders do.

    Every run does the thing once, cleans up behind itself, and returns what the doing took, in
    ``unit``. Less is better.
    """

    name: str
    """Unique in the run."""
    group: str
    """The table that it is shown in."""
    runs: Mapping[str, Callable[[], float]]
    """What each contender does, by its name."""
    unit: str = "s"
    """``s``, ``us`` or ``MiB``."""
    amount: int = 0
    """Bytes that are moved, or 0 where a rate makes no sense. So much page cache is made ready."""
    targets: Mapping[str, float] = field(default_factory=dict)
    """The least ratio that storekit has to reach, by the contender that it is compared with."""
    limit: float | None = None
    """The most that storekit's own value may be."""
    setup: Callable[[], object] = lambda: None
    """Called before the first round."""
    teardown: Callable[[], object] = lambda: None
    """Called after the last one."""


SuiteCases = Callable[[Settings], Iterable[Case]]
"""What the module of a suite has under the name ``cases``."""


@dataclass(frozen=True)
class Spread:
    """What the rounds gave."""

    median: float
    """The middle one."""
    least: float
    """The smallest."""
    most: float
    """The largest."""

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        """Sum up the values of the rounds.

        Args:
            values: One per round.

        Returns:
            Their spread.
        """
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Result:
    """A case and the values of its rounds."""

    name: str
    """Name of the case."""
    group: str
    """The table that it is shown in."""
    unit: str
    """Of the values."""
    amount: int
    """Bytes that are moved."""
    targets: dict[str, float]
    """The least ratio to reach, by contender."""
    limit: float | None
    """The most that storekit's own value may be."""
    values: dict[str, list[float]]
    """One value per round, by contender."""

    @property
    def value(self) -> Spread:
        """Storekit's own values."""
        return Spread.of(self.values[SUBJECT])

    @property
    def ratios(self) -> dict[str, Spread]:
        """How many times as fast storekit is as each of the others, round by round."""
        own = self.values[SUBJECT]
        return {
            name: Spread.of([theirs / ours for theirs, ours in zip(values, own, strict=True)])
            for name, values in self.values.items()
            if name != SUBJECT and self.unit != "MiB"
        }


def measure(case: Case, rounds: int, directory: Path) -> Result:
    """Let the contenders of a case run in turn, every round in another order.

    The order is drawn, from the same seed in every run: with a fixed one, each contender would
    always find what the same other one left behind.

    Args:
        case: What to do.
        rounds: How often.
        directory: Where the images are stored.

    Returns:
        The values of all rounds.
    """
    names = list(case.runs)
    values: dict[str, list[float]] = {name: [] for name in names}
    draw = random.Random(0)
    case.setup()
    for _ in range(rounds):
        for name in draw.sample(names, len(names)):
            _settle(case.amount, directory)
            values[name].append(case.runs[name]())
    case.teardown()
    return Result(
        case.name, case.group, case.unit, case.amount, dict(case.targets), case.limit, values
    )


def _settle(amount: int, directory: Path) -> None:
    """Give everybody the same start: no garbage, no dirty pages, and a warm page cache.

    A virtual machine may give memory that was free for a while back to its host. Whoever uses it
    next waits until the host has found it again, which can take several times as long as the
    write itself. Pages that were just used for a file, and are free again, are at hand.
    """
    gc.collect()
    os.sync()
    piece = bytes(MIB)
    with tempfile.TemporaryFile(dir=directory, buffering=0) as file:
        for _ in range(0, amount + _SPARE, MIB):
            file.write(piece)


def timed(work: Callable[[], object], after: Callable[[], object] = lambda: None) -> float:
    """Time some work, and clean up outside of the timed part.

    Args:
        work: What is timed.
        after: What undoes it.

    Returns:
        Seconds.
    """
    begin = time.perf_counter()
    work()
    taken = time.perf_counter() - begin
    after()
    return taken
