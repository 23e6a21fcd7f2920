"""Signals that end the command, made exceptions, so that every clean-up on the way out runs."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["SIGNALS", "Stopped", "postponed", "stop_on_signals", "stopped_in"]

# ``timeout`` signals a process, and at once its group: twice, and meant once.
_GRACE = 1.0
_SOON = 0.01
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What asks the command to end."""


class Stopped(KeyboardInterrupt):
    """A signal asked the command to end.

    Raised in the main thread, wherever it is. A ``KeyboardInterrupt``, which nothing on the way
    takes for a failure that could be tried again, whatever else it catches.

    Args:
        number: The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        self.exit_code = 128 + number
        self.signal = signal.Signals(number).name

    def __str__(self) -> str:
        return f"stopped by {self.signal}"


def stop_on_signals() -> None:
    """Let SIGINT, SIGTERM and SIGHUP raise ``Stopped``.

    A signal that the parent had ignored, as ``nohup`` does, stays ignored. While the clean-up
    runs, another signal within the same second does nothing; a later one ends the process at once.
    """
    stopped_at: float | None = None

    def stop(number: int, _: object) -> None:
        nonlocal stopped_at
        now = time.monotonic()
        if stopped_at is None:
            stopped_at = now
            raise Stopped(number)
        if now - stopped_at > _GRACE:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)
    _insist()


def stopped_in(error: BaseException) -> Stopped | None:
    """Look for a signal behind an exception: Python wraps what is raised in a class body.

    Args:
        error: What came out.
    """
    seen: set[int] = set()
    behind: BaseException | None = error
    while behind is not None and id(behind) not in seen:
        if isinstance(behind, Stopped):
            return behind
        seen.add(id(behind))
        behind = behind.__cause__ or behind.__context__
    return None


@contextmanager
def postponed() -> Iterator[None]:
    """Let no signal into a block that must not be cut; one that comes is raised behind it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _insist() -> None:
    """Raise ``Stopped`` again where Python swallowed it, as it does in a ``__del__``."""
    others = sys.unraisablehook

    def lost(unraisable: sys.UnraisableHookArgs) -> None:
        stopped = unraisable.exc_value
        if not isinstance(stopped, Stopped):
            others(unraisable)
            return

        def again(*_: object) -> None:
            raise Stopped(stopped.number)

        # Not from here, where it would be swallowed too.
        signal.signal(signal.SIGALRM, again)
        signal.setitimer(signal.ITIMER_REAL, _SOON)

    sys.unraisablehook = lost
