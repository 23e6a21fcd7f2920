"""Descriptor: an open file that is closed once, and not under a call that still uses it."""

from __future__ import annotations

import operator
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Self

from storekit.errors import StoreClosed

__all__ = ["Descriptor"]


class Descriptor:
    """An open descriptor, to be used in a ``with`` block.

    ``close`` waits for nobody: the last user closes. So a call that hangs in the kernel can never
    wake up on a number that means another file by then, and what is under way can be ended.

    Args:
        opener: Gives the number of a new descriptor: ``os.open`` with its arguments.

    Raises:
        OSError: As the opener.
    """

    def __init__(self, opener: Callable[[], int]) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._closed = False
        self._numbers: list[int] = []
        # An interrupt comes between two steps of Python. This is one: what is open is kept.
        self._numbers.extend(map(operator.call, (opener,)))

    @property
    def number(self) -> int:
        """The descriptor's number, for whoever makes sure that it is open."""
        return self._numbers[0]

    @classmethod
    def open(cls, name: os.PathLike[str] | bytes, flags: int, mode: int = 0o600) -> Self:
        """Open a path.

        Args:
            name: The path.
            flags: As for ``os.open``.
            mode: Of a new file.

        Raises:
            OSError: As ``os.open``.
        """
        return cls(partial(os.open, name, flags | os.O_CLOEXEC, mode))

    @classmethod
    def open_at(cls, directory: int, name: bytes, flags: int, mode: int = 0o600) -> Self:
        """Open a name in a directory, never through a symbolic link.

        Args:
            directory: Descriptor of the directory.
            name: The name.
            flags: As for ``os.open``.
            mode: Of a new file.

        Raises:
            OSError: As ``os.open``; ELOOP for a symbolic link.
        """
        flags |= os.O_CLOEXEC | os.O_NOFOLLOW
        return cls(partial(os.open, name, flags, mode, dir_fd=directory))

    def __enter__(self) -> int:
        with self._lock:
            if self._closed and not self._users:
                raise StoreClosed("the file or the store was closed")
            self._users += 1
        return self.number

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            last = self._closed and not self._users
        if last:
            self._give_back()

    def close(self) -> None:
        """Close it, or let its last user do so. May be called twice."""
        with self._lock:
            idle = not self._closed and not self._users
            self._closed = True
        if idle:
            self._give_back()

    def __del__(self) -> None:
        # Nobody is in a ``with`` block of what is dropped, whatever an interrupt left counted.
        if getattr(self, "_numbers", None):
            with suppress(OSError):
                self._give_back()

    def _give_back(self) -> None:
        any(map(os.close, map(list.pop, [self._numbers] * len(self._numbers))))  # one step again
