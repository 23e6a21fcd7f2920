"""PerProcess: what a process must not share with the one it was forked from."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Generic, TypeVar

__all__ = ["PerProcess", "ProcessLock"]

T = TypeVar("T")


class ProcessLock:
    """A lock of each process: of its parent's, a thread that a forked child has not may hold it."""

    def __init__(self) -> None:
        self._locks: dict[int, threading.RLock] = {}

    def here(self) -> AbstractContextManager[bool]:
        """Give this process's. Its thread may take it again."""
        return self._locks.setdefault(os.getpid(), threading.RLock())


class PerProcess(Generic[T]):
    """Connections and the like: made when they are needed first, and made anew in a forked child.

    Thread-safe. A child drops its parent's without closing it.

    Args:
        make: Makes one.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = ProcessLock()
        self._made: T | None = None
        self._process = 0

    def get(self) -> T:
        """Give this process's.

        Returns:
            The one that was made here; what ``make`` raises goes through.
        """
        with self._lock.here():
            if self._made is None or self._process != os.getpid():
                self._made = self._make()
                self._process = os.getpid()
            return self._made

    def take(self) -> T | None:
        """Give this process's and forget it, to close it.

        Returns:
            It; None if this process made none.
        """
        with self._lock.here():
            made, self._made = self._made, None
            return made if self._process == os.getpid() else None
