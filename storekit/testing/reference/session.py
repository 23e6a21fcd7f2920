"""The session of the memory driver: how the server knows that this process is alive."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable

from storekit.testing.reference.connection import Pool

__all__ = ["Session"]


class Session:
    """Tells the server, by a connection that stays open, that this process is alive.

    Args:
        pool: What opens the connection.
        path: The path of all sessions.
    """

    def __init__(self, pool: Pool, path: str) -> None:
        self._pool = pool
        self._path = path
        self._lock = threading.Lock()
        self._pid = 0
        self._token = ""
        self._end: Callable[[], None] | None = None

    def token(self) -> str:
        """Give the session's token, opening it at its first use in this process."""
        with self._lock:
            if self._end is None or self._pid != os.getpid():
                self.close()
                self._pid = os.getpid()
                self._token = secrets.token_hex(8)
                self._end = self._pool.hold(f"{self._path}/{self._token}")
            return self._token

    def close(self) -> None:
        """End the session."""
        end, self._end = self._end, None
        if end is not None:
            end()
