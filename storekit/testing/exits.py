"""Exits: a driver that ends the process would end a run without a report, and with success."""

from __future__ import annotations

import os
import threading

__all__ = ["Exited", "allow_exits", "forbid_exits"]

_exit = os._exit
_lock = threading.Lock()
_process = 0
_forbidden = 0


class Exited(BaseException):
    """``os._exit`` was called while cases ran: raised in its place."""


def forbid_exits() -> None:
    """Raise ``Exited`` from ``os._exit`` in this process; a forked child of it may end."""
    global _process, _forbidden  # noqa: PLW0603 - there is one os._exit
    with _lock:
        if _process != os.getpid():
            _process, _forbidden = os.getpid(), 0
        _forbidden += 1
        os._exit = _refuse  # type: ignore[assignment]


def allow_exits() -> None:
    """Undo ``forbid_exits``."""
    global _forbidden  # noqa: PLW0603
    with _lock:
        _forbidden -= 1
        if not _forbidden:
            os._exit = _exit


def _refuse(status: int) -> None:
    if os.getpid() != _process:
        _exit(status)
    raise Exited(f"os._exit({status}) was called, which ends the process without a word")
