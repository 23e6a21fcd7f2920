"""Once: what is found out by the first who needs it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Generic, TypeVar

from storekit.perprocess import ProcessLock

__all__ = ["Once"]

T = TypeVar("T")


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
                    raise copy.copy(self._failure)
                try:
                    self.known = ask()
                except Exception as error:
                    self._failure = copy.copy(error)  # without what its traceback keeps
                    raise
            return self.known
