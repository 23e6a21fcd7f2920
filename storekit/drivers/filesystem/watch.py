"""Watch: deadlines for calls that may hang in the kernel, as on a network mount that went away."""

from __future__ import annotations

import _thread
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, ParamSpec, TypeVar

from storekit.errors import OutcomeUnknown, Timeout, Unavailable

__all__ = ["Watch"]

_GRACE = 1.0  # seconds that a call has to return after an interrupt

P = ParamSpec("P")
T = TypeVar("T")


class Watch:
    """Runs calls in helper threads and stops waiting for them at a deadline.

    Nothing can interrupt a call that hangs in the kernel; its thread stays until it returns, and
    what it then yields is closed. There are at most ``limit`` of them: once all hang, further
    calls are refused at once. A thread lives as long as its call, so there is none to fork or to
    end. They are daemons: the interpreter does not wait for them.

    Args:
        timeout: Seconds that a call may take.
        limit: How many calls may run, or hang, at once.
        report: Told how many calls hang, whenever that changes.
    """

    def __init__(self, timeout: float, limit: int, report: Callable[[int], None]) -> None:
        self._timeout = timeout
        self._limit = limit
        self._report = report
        self._changed = threading.Condition()
        self._running = 0
        self._stuck = 0

    def call(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Run a call.

        Args:
            function: What to call.
            *arguments: With what.
            **named: With what.

        Returns:
            What it returned.

        Raises:
            Timeout: It did not return in time.
            Unavailable: So many calls hang that no other is begun.
            BaseException: Whatever it raised.
        """
        self._enter()
        call = _Call(self, lambda: function(*arguments, **named))
        if not call.wait(self._timeout):
            raise Timeout(self._late(), hint="is the mount's server up?")
        return call.outcome()

    def commit(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Run a call that changes what others see.

        Args:
            function: What to call.
            *arguments: With what.
            **named: With what.

        Returns:
            What it returned.

        Raises:
            OutcomeUnknown: It did not return in time, so nobody knows.
            BaseException: As ``call``.
        """
        self._enter()
        call = _Call(self, lambda: function(*arguments, **named))
        if not call.wait(self._timeout):
            raise OutcomeUnknown(self._late(), hint="look whether it was done when it answers")
        return call.outcome()

    def release(self, function: Callable[P, object], *arguments: P.args, **named: P.kwargs) -> None:
        """Run a call that gives something back: always, however many hang, and without failing.

        Args:
            function: What to call.
            *arguments: With what.
            **named: With what.
        """
        with self._changed:
            self._running += 1
            patient = not self._stuck
        # At the end of the interpreter there are no more threads, and no more need.
        with suppress(RuntimeError):
            call = _Call(self, lambda: function(*arguments, **named))
            # Where other calls hang this one will: a verb has waited its time already.
            call.wait(self._timeout if patient else 0)

    def _late(self) -> str:
        return f"the filesystem did not answer within {self._timeout:g} s"

    def _enter(self) -> None:
        deadline = time.monotonic() + self._timeout
        with self._changed:
            while self._running >= self._limit:
                if self._stuck >= self._limit:
                    raise Unavailable(
                        f"{self._stuck} calls hang in the filesystem, no other is begun",
                        hint="is the mount's server up?",
                    )
                if not self._changed.wait(deadline - time.monotonic()):
                    raise Timeout(f"no call could be begun within {self._timeout:g} s")
            self._running += 1

    def leave(self, *, stuck: bool) -> None:
        """Take note that a call returned. For the calls.

        Args:
            stuck: Whether nobody waits for it any more.
        """
        with self._changed:
            self._running -= 1
            self._changed.notify()
            if stuck:
                self._stuck -= 1
                self._report(self._stuck)

    def abandon(self) -> None:
        """Take note that a call hangs. For the calls."""
        with self._changed:
            self._stuck += 1
            self._report(self._stuck)


class _Call(Generic[T]):
    """One call in its thread."""

    def __init__(self, watch: Watch, function: Callable[[], T]) -> None:
        self._watch = watch
        self._function = function
        self._lock = threading.Lock()
        self._returned = False
        self._running = threading.Lock()  # held until it has returned
        self._abandoned = False
        self._result: T
        self._error: BaseException | None = None
        self._running.acquire()
        try:
            # Half the cost of a threading.Thread, which would wait for its begin.
            _thread.start_new_thread(self._run, ())
        except BaseException:
            watch.leave(stuck=False)
            raise

    def wait(self, timeout: float) -> bool:
        """Wait for it. Also if that is interrupted, what it yields later is closed."""
        try:
            self._running.acquire(timeout=timeout)
        except BaseException:
            # One that does not hang returns in a moment. Then whoever cleans up knows what there
            # is, and is through before the process ends.
            if not self._returned:
                self._running.acquire(timeout=min(_GRACE, timeout))
            raise
        finally:
            with self._lock:
                self._abandoned = not self._returned
                if self._abandoned:
                    self._watch.abandon()
        return not self._abandoned

    def outcome(self) -> T:
        if self._error is not None:
            error, self._error = self._error, None  # no cycle through its traceback
            raise error
        return self._result

    def _run(self) -> None:
        try:
            self._result = self._function()
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            self._error = error
        with self._lock:
            self._returned = True
            self._running.release()
            abandoned = self._abandoned
        if abandoned:
            with suppress(Exception):  # nobody is there to be told
                close = getattr(getattr(self, "_result", None), "close", None)
                if close is not None:
                    close()
        self._watch.leave(stuck=abandoned)
