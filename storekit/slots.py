"""Slots: how many connections a store has in use at once."""

from __future__ import annotations

import threading

from storekit.errors import Unavailable

__all__ = ["Slot", "Slots"]


class Slots:
    """A bound on what is in use at once.

    Args:
        limit: How many slots there are.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._used = 0
        self._changed = threading.Condition()

    @property
    def used(self) -> int:
        """How many are taken."""
        return self._used

    def take(self, timeout: float) -> Slot:
        """Take a slot, waiting for one if need be.

        Args:
            timeout: Seconds to wait.

        Raises:
            Unavailable: None became free in time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._used < self.limit, timeout):
                raise Unavailable(
                    f"all {self.limit} connections of the store are in use",
                    hint="close readers, or raise max_connections",
                )
            self._used += 1
        return Slot(self)

    def give_back(self) -> None:
        """Free one slot. Called by ``Slot`` alone."""
        with self._changed:
            self._used -= 1
            self._changed.notify()


class Slot:
    """One taken slot. Released once, however often it is asked.

    Args:
        slots: Where it was taken.
    """

    def __init__(self, slots: Slots) -> None:
        self._slots: Slots | None = slots

    def release(self) -> None:
        """Give it back."""
        slots, self._slots = self._slots, None
        if slots is not None:
            slots.give_back()
