"""The watchdog: runs something in a thread, and does not wait for ever."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable
from queue import SimpleQueue

__all__ = ["Hung", "Worker", "all_stacks", "watched"]


class Hung(Exception):
    """It did not end in time.

    Args:
        name: What it is.
        seconds: How long it was waited for.
        stacks: Where every thread was then, the one that does it first.
    """

    def __init__(self, name: str, seconds: float, stacks: str) -> None:
        super().__init__(name, seconds, stacks)
        self.name = name
        self.seconds = seconds
        self.stacks = stacks

    def __str__(self) -> str:
        return f"{self.name} does not end within {self.seconds:.1f} s"


class Worker:
    """A thread that does one thing after another, each of which may take so long and no longer.

    What is begun and ended in one thread (a server that dies with the thread that started it, a
    connection of sqlite) works in it as it does without a watchdog.

    Args:
        name: A name for the thread.
    """

    def __init__(self, name: str) -> None:
        self._busy = False
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def run(self, function: Callable[[], None], seconds: float, name: str) -> BaseException | None:
        """Run a function, after whatever the thread is still doing.

        Args:
            function: What to run.
            seconds: How long to wait.
            name: What it is, for the error.

        Returns:
            What it raised. Returned, not raised: a case may let out a KeyboardInterrupt of its own.

        Raises:
            Hung: It did not end in time.
        """
        raised: list[BaseException] = []
        ended = threading.Event()

        def job() -> None:
            try:
                function()
            except BaseException as error:  # noqa: BLE001 - the caller judges it
                raised.append(error)
            finally:
                ended.set()

        self._jobs.put(job)
        self._busy = True  # also if a signal interrupts the waiting
        self._busy = not ended.wait(seconds)
        if self._busy:
            raise Hung(name, seconds, all_stacks(self._thread))
        return raised[0] if raised else None

    def end(self) -> None:
        """End the thread. One that hangs cannot be ended; it is left behind as a daemon."""
        self._jobs.put(None)
        if not self._busy:
            self._thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()


def watched(function: Callable[[], None], seconds: float, name: str) -> BaseException | None:
    """Run a function in a thread of its own.

    Args:
        function: What to run.
        seconds: How long to wait. The thread cannot be ended; it is left behind as a daemon.
        name: A name for the thread.

    Returns:
        What it raised.

    Raises:
        Hung: It did not end in time.
    """
    worker = Worker(name)
    try:
        return worker.run(function, seconds, name)
    finally:
        worker.end()


def all_stacks(first: threading.Thread | None = None) -> str:
    """Tell where every thread of the process is.

    Args:
        first: The thread to begin with.
    """
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    frames = sys._current_frames()  # noqa: SLF001 - the documented way
    leader = None if first is None else first.ident
    parts = []
    for ident in sorted(frames, key=lambda ident: ident != leader):
        stack = "".join(traceback.format_stack(frames[ident]))
        parts.append(f"Thread {names.get(ident, ident)}\n{stack}")
    return "\n".join(parts)
