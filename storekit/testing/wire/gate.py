"""Gate: one direction of the wire, and the fault that happens at a byte of it."""

from __future__ import annotations

import threading
from dataclasses import dataclass

__all__ = ["Cut", "Drip", "Flip", "Gate", "Passing", "Reset", "Stall"]


@dataclass(frozen=True)
class Stall:
    """Nothing passes any more, on any connection, after so many bytes."""

    after: int = 0


@dataclass(frozen=True)
class Cut:
    """The connection ends in good order (FIN) after so many bytes."""

    after: int = 0


@dataclass(frozen=True)
class Reset:
    """The connection breaks (RST) after so many bytes."""

    after: int = 0


@dataclass(frozen=True)
class Flip:
    """The byte after so many others has all its bits turned."""

    after: int = 0


@dataclass(frozen=True)
class Drip:
    """After so many bytes some pass one by one."""

    after: int
    count: int
    """How many."""
    pause: float
    """Seconds after each."""


Passing = Stall | Cut | Reset | Flip | Drip


class Gate:
    """Counts what passes in one direction, over all connections. Thread-safe."""

    def __init__(self) -> None:
        self.fired = 0
        """How often the fault that was armed last has happened."""
        self._lock = threading.Lock()
        self._fault: Passing | None = None
        self._left: int | None = 0
        self._since = 0

    @property
    def stalled(self) -> bool:
        """Whether nothing passes any more."""
        return isinstance(self._fault, Stall) and self.fired > 0

    def arm(self, fault: Passing | None, *, times: int | None = 1) -> None:
        """Aim a fault; bytes are counted from here on.

        Args:
            fault: What is to happen; None: nothing more.
            times: How often a connection is cut or reset, counted anew after each; None: for ever.
        """
        with self._lock:
            self._fault = fault
            self._left = times
            self._since = 0
            self.fired = 0

    def take(self, block: bytes) -> tuple[bytes, Passing | None, bytes]:
        """Let bytes through.

        Args:
            block: The bytes, not empty.

        Returns:
            What passes, what happens after that, and what is to be tried next.
        """
        with self._lock:
            fault = self._fault
            reach = self._since + len(block)
            if fault is None or reach < fault.after or (reach == fault.after and not _ends(fault)):
                self._since = reach
                return block, None, b""
            at = max(fault.after - self._since, 0)
            if isinstance(fault, Flip):
                self._spend()
                return block[:at] + bytes([block[at] ^ 0xFF]) + block[at + 1 :], None, b""
            if isinstance(fault, Drip):
                return self._dripped(fault, block, at)
            if isinstance(fault, Stall):
                self._since = max(self._since, fault.after)
                self.fired = 1
            else:
                self._spend()
            return block[:at], fault, block[at:]

    def _dripped(self, fault: Drip, block: bytes, at: int) -> tuple[bytes, Drip | None, bytes]:
        if at:
            self._since = fault.after
            return block[:at], None, block[at:]
        self.fired += 1
        self._since += 1
        if self.fired == fault.count:
            self._fault = None
        return block[:1], fault, block[1:]

    def _spend(self) -> None:
        self.fired += 1
        self._since = 0
        if self._left is not None:
            self._left -= 1
            if not self._left:
                self._fault = None


def _ends(fault: Passing) -> bool:
    return isinstance(fault, Cut | Reset)
