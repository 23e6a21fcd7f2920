"""Measured: what a probe found of a store, beside what the store declares."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from storekit.testing.result import EXIT_ERROR, EXIT_MISSED, EXIT_OK

__all__ = ["Probed", "Row", "Verdict"]


class Verdict(enum.Enum):
    """What a measurement says of a declaration."""

    OK = "OK"
    """It was measured as it is declared."""
    OVER = "OVER"
    """More was measured than is declared. Advisory."""
    LIE = "LIE"
    """More is declared than was measured."""
    NOTED = "NOTED"
    """It was measured; nothing is declared of it."""
    NOT_MEASURED = "NOT-MEASURED"
    """It was not measured, and why."""
    ERROR = "ERROR"
    """The backend, or the way to it, failed: nothing is known."""

    @classmethod
    def of(cls, *, declared: bool, measured: bool) -> Verdict:
        """Judge what is there or is not.

        Args:
            declared: Whether the store declares it.
            measured: Whether it was found.
        """
        if declared is measured:
            return cls.OK
        return cls.LIE if declared else cls.OVER


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measurement."""

    name: str
    """What was measured."""
    declared: str = "-"
    """What the store declares of it."""
    measured: str = "-"
    """What was found."""
    verdict: Verdict
    """What the one says of the other."""
    why: str = ""
    """What went wrong, or why it was not measured; empty where it is as declared."""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """The figures behind it by name: bytes, seconds or counts."""


@dataclass(frozen=True, kw_only=True)
class Probed:
    """A whole probe."""

    harness: str
    """Name of the harness."""
    store: str
    """Name of the store."""
    driver: str
    """Name of its driver."""
    seed: int
    """Probe with the same seed to make the same choices."""
    limit: int
    """The longest image that was tried, in bytes."""
    rows: tuple[Row, ...]
    """The measurements, in order."""
    left: tuple[str, ...] = ()
    """Ids of images of the probe that could not be removed."""
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When it began."""
    seconds: float = 0.0
    """How long it took."""

    def __getitem__(self, name: str) -> Row:
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(name)

    @property
    def counts(self) -> dict[Verdict, int]:
        """How many rows of each verdict there are."""
        found = Counter(row.verdict for row in self.rows)
        return {verdict: found[verdict] for verdict in Verdict}

    @property
    def lies(self) -> tuple[str, ...]:
        """The names of the rows in which more is declared than was measured."""
        return tuple(row.name for row in self.rows if row.verdict is Verdict.LIE)

    @property
    def exit_code(self) -> int:
        """That of the command: 0; 1 for a lie, or what was left behind; 3 for an error."""
        if any(row.verdict is Verdict.ERROR for row in self.rows):
            return EXIT_ERROR
        return EXIT_MISSED if self.lies or self.left else EXIT_OK
