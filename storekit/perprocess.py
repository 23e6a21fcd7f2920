"""PerProcess and Once: what the threads of a process share, and a fork must not."""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Generic, TypeVar

__all__ = ["Once", "PerProcess", "ProcessLock"]

T = TypeVar("T")


class ProcessLock:
    """A lock of each process: of its parent's, a thread that a forked child has not may hold it."""

    def __init__(self) -> None:
        self._locks: dict[int, threading.RLock] = {}

    def here(self) -> AbstractContextManager[bool]:
        """Give this process's. Its thread may take it again."""
        return self._locks.setdefault(os.getpid(), threading.RLock())


class Once(Generic[T]):
    """An answer that is asked for once. Thread-safe.

    Whoever comes while somebody asks waits for that answer, and shares it where it is a failure:
    asked by one after the other, a server that is down would keep the last for as long as all of
    them together. Whoever comes later asks again.

    Args:
        known: The answer, where it is known beforehand.
    """

    def __init__(self, known: T | None = None) -> None:
        self.known = known
        """The answer; None while there is none."""
        self._lock = ProcessLock()
        self._failure: Exception | None = None  # of the last who asked

    def get(self, ask: Callable[[], T]) -> T:
        """Give the answer.

        Args:
            ask: Asks, if nobody has.

        Raises:
            Exception: What ``ask`` raises, here or where it was waited for.
        """
        before = self._failure
        with self._lock.here():
            if self.known is None:
                if self._failure is not None and self._failure is not before:
                    raise _copied(self._failure)
                try:
                    self.known = ask()
                except Exception as error:
                    self._failure = _copied(error)
                    raise
            return self.known

    def take(self) -> T | None:
        """Forget the answer. Waits for whoever asks.

        Returns:
            It; None if there is none.
        """
        with self._lock.here():
            known, self.known = self.known, None
            return known


class PerProcess(Generic[T]):
    """Connections and the like: made when they are needed first, and made anew in a forked child.

    Thread-safe; one that cannot be made fails as ``Once`` does. A child drops its parent's without
    closing it.

    Args:
        make: Makes one.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: dict[int, Once[T]] = {}

    def get(self) -> T:
        """Give this process's.

        Returns:
            The one that was made here; what ``make`` raises goes through.
        """
        return self._here().get(self._make)

    def take(self) -> T | None:
        """Give this process's and forget it, to close it.

        Returns:
            It; None if this process made none.
        """
        return self._here().take()

    def _here(self) -> Once[T]:
        process = os.getpid()
        here = self._made.setdefault(process, Once())
        if len(self._made) > 1:
            self._made = {process: here}  # without the parent's
        return here


def _copied(error: Exception) -> Exception:
    """Copy a failure and its cause, without what their tracebacks keep."""
    try:
        copied = copy.copy(error)
    except Exception:  # noqa: BLE001 - whatever a class of others makes of being copied
        return error
    if isinstance(error.__cause__, Exception):
        copied.__cause__ = _copied(error.__cause__)
    return copied
