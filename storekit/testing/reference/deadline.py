"""Deadlines for calls that may hang in the kernel, as on a mount whose server is gone."""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, ParamSpec, TypeVar

from storekit.errors import Timeout

__all__ = ["Deadline"]

P = ParamSpec("P")
T = TypeVar("T")


class Deadline:
    """Runs calls in threads of their own, and stops waiting for them. Thread-safe.

    Nothing can interrupt a call that hangs in the kernel. Its thread ends when it returns; the
    interpreter does not wait for that.

    Args:
        seconds: How long a call may take. None: calls cannot hang, and need no thread.
    """

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._hanging: set[object] = set()

    def call(self, function: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """Call something.

        Args:
            function: What to call.
            *args: With what.
            **named: With what.

        Raises:
            Timeout: It did not return in time.
            Exception: What it raised.
        """
        return self.opened(function, _nothing, *args, **named)

    def opened(
        self,
        function: Callable[P, T],
        undo: Callable[[T], object],
        *args: P.args,
        **named: P.kwargs,
    ) -> T:
        """Call something that opens something.

        Args:
            function: What to call.
            undo: Gives back what it returns too late.
            *args: With what.
            **named: With what.

        Raises:
            Timeout: It did not return in time.
            Exception: What it raised.
        """
        if self._seconds is None:
            return function(*args, **named)
        call = _Call(lambda: function(*args, **named), undo, self._hanging)
        if not call.wait(self._seconds):
            raise Timeout(f"the file system did not answer within {self._seconds:g} s")
        return call.outcome()

    def release(self, function: Callable[P, object], *args: P.args, **named: P.kwargs) -> None:
        """Give something back: without failing, and without waiting where others hang already.

        Args:
            function: What to call.
            *args: With what.
            **named: With what.
        """
        # At its end the interpreter has no more threads.
        with suppress(RuntimeError):
            if self._seconds is not None:
                call = _Call(lambda: function(*args, **named), _nothing, self._hanging)
                call.wait(0 if self._hanging else self._seconds)
                return
        with suppress(OSError):
            function(*args, **named)


def _nothing(_: object) -> None:
    pass


class _Call(Generic[T]):
    """One call in its thread."""

    def __init__(
        self, function: Callable[[], T], undo: Callable[[T], object], hanging: set[object]
    ) -> None:
        self._function = function
        self._undo = undo
        self._hanging = hanging
        self._lock = threading.Lock()
        self._running = threading.Lock()  # held until it has returned
        self._returned = False
        self._result: T
        self._error: BaseException | None = None
        self._running.acquire()
        _thread.start_new_thread(self._run, ())

    def wait(self, seconds: float) -> bool:
        """Wait for its end. What it returns after this is undone."""
        self._running.acquire(timeout=seconds)
        with self._lock:
            if not self._returned:
                self._hanging.add(self)
            return self._returned

    def outcome(self) -> T:
        """Give what it returned, or raise what it raised."""
        if self._error is not None:
            error, self._error = self._error, None  # no cycle through its traceback
            raise error
        return self._result

    def _run(self) -> None:
        try:
            self._result = self._function()
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            self._error = error
        with self._lock:
            self._returned = True
            late = self in self._hanging
            self._hanging.discard(self)
        self._running.release()
        if late and self._error is None:
            with suppress(OSError):
                self._undo(self._result)
