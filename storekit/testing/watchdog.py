"""The watchdog: runs something in a thread, and does not wait for ever."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable

__all__ = ["Hung", "all_stacks", "watched"]


class Hung(Exception):
    """It did not end in time.

    Args:
        seconds: How long it was waited for.
        stacks: Where every thread was then.
    """

    def __init__(self, seconds: float, stacks: str) -> None:
        super().__init__(seconds, stacks)
        self.seconds = seconds
        self.stacks = stacks


def watched(function: Callable[[], None], seconds: float, name: str) -> BaseException | None:
    """Run a function in a thread of its own.

    Args:
        function: What to run.
        seconds: How long to wait. The thread cannot be ended; it is left behind as a daemon.
        name: A name for the thread.

    Returns:
        What it raised. Returned, not raised: a case may let out a KeyboardInterrupt of its own.

    Raises:
        Hung: It did not end in time.
    """
    raised: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - the caller judges it
            raised.append(error)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise Hung(seconds, all_stacks())
    return raised[0] if raised else None


def all_stacks() -> str:
    """Tell where every thread of the process is."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    parts = []
    for ident, frame in sys._current_frames().items():  # noqa: SLF001 - the documented way
        stack = "".join(traceback.format_stack(frame))
        parts.append(f"Thread {names.get(ident, ident)}\n{stack}")
    return "\n".join(parts)
