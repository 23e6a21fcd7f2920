"""PerProcess: what a process must not share with the one it was forked from."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["PerProcess"]

T = TypeVar("T")


class PerProcess(Generic[T]):
    """Connections and the like: made when they are needed first, and made anew in a forked child.

    Thread-safe. A child drops its parent's without closing it.

    Args:
        make: Makes one.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: T | None = None
        self._process = 0

    def get(self) -> T:
        """Give this process's.

        Returns:
            The one that was made here; what ``make`` raises goes through.
        """
        with self._lock:
            if self._made is None or self._process != os.getpid():
                self._made = self._make()
                self._process = os.getpid()
            return self._made

    def take(self) -> T | None:
        """Give this process's and forget it, to close it.

        Returns:
            It; None if this process made none.
        """
        with self._lock:
            made, self._made = self._made, None
            return made if self._process == os.getpid() else None
