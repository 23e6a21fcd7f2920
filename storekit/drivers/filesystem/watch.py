"""Watch: deadlines for calls that may hang in the kernel, as on a network mount that went away."""

from __future__ import annotations

import _thread
import os
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, ParamSpec, TypeVar

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
    """

    def __init__(self, timeout: float, limit: int) -> None:
        self._timeout = timeout
        self._limit = limit
        self.forget()
        _watches.add(self)

    def forget(self) -> None:
        """Forget all calls. For a forked child, which has none of their threads."""
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        # Weak: a call that was dropped before it began takes no slot, whatever an interrupt cut.
        self._calls: weakref.WeakSet[_Call[Any]] = weakref.WeakSet()

    @property
    def stuck(self) -> int:
        """How many calls hang."""
        with self._lock:
            return self._stuck()

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
        # At the end of the interpreter there are no more threads, and no more need.
        with suppress(RuntimeError):
            call = _Call(self, lambda: function(*arguments, **named), always=True)
            # Where other calls hang this one will: a verb has waited its time already.
            call.wait(0 if self.stuck else self._timeout)

    def _late(self) -> str:
        return f"the filesystem did not answer within {self._timeout:g} s"

    def _stuck(self) -> int:
        return sum(call.abandoned for call in self._calls)

    def _has_slot(self) -> bool:
        if len(self._calls) < self._limit:
            return True
        if (stuck := self._stuck()) >= self._limit:
            raise Unavailable(
                f"{stuck} calls hang in the filesystem, no other is begun",
                hint="is the mount's server up?",
            )
        return False

    def enter(self, call: _Call[Any], *, always: bool) -> None:
        """Give a call a slot. For the calls.

        Args:
            call: The call.
            always: Whether it may begin however many there are.

        Raises:
            Timeout: None came free in time.
            Unavailable: So many calls hang that none will.
        """
        with self._lock:
            if not always and not self._changed.wait_for(self._has_slot, self._timeout):
                raise Timeout(f"no call could be begun within {self._timeout:g} s")
            self._calls.add(call)

    def leave(self, call: _Call[Any]) -> None:
        """Take a call's slot back, if it has one. For the calls.

        Args:
            call: The call.
        """
        with self._lock:
            self._calls.discard(call)
            self._changed.notify()


class _Call(Generic[T]):
    """One call in its thread."""

    abandoned = False
    """Whether it runs, and nobody waits for it any more."""

    def __init__(self, watch: Watch, function: Callable[[], T], *, always: bool = False) -> None:
        self._watch = watch
        self._function = function
        self._always = always
        self._lock = threading.Lock()
        self._threads: list[int] = []
        self._returned = False
        self._running = threading.Lock()  # held until it has returned
        self._result: T
        self._error: BaseException | None = None
        self._running.acquire()

    def wait(self, timeout: float) -> bool:
        """Begin it, and wait. Also if that is interrupted, what it yields later is closed."""
        try:
            self._watch.enter(self, always=self._always)
            # Half the cost of a threading.Thread, which would wait for its begin. An interrupt
            # comes between two steps of Python, and this is one: what has begun is known.
            self._threads.extend(map(_thread.start_new_thread, (self._run,), ((),)))
            self._running.acquire(timeout=timeout)
        except BaseException:
            # One that does not hang returns in a moment. Then whoever cleans up knows what there
            # is, and is through before the process ends.
            if self._threads and not self._returned:
                self._running.acquire(timeout=min(_GRACE, timeout))
            raise
        finally:
            with self._lock:
                self.abandoned = bool(self._threads) and not self._returned
            if not self._threads:
                self._watch.leave(self)
        return not self.abandoned

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
            abandoned = self.abandoned
        if abandoned:
            with suppress(Exception):  # nobody is there to be told
                close = getattr(getattr(self, "_result", None), "close", None)
                if close is not None:
                    close()
        self._watch.leave(self)


# The state of Python at the fork may be any, but for what is made new.
_watches: weakref.WeakSet[Watch] = weakref.WeakSet()


def _forget_all() -> None:
    for watch in tuple(_watches):
        watch.forget()


os.register_at_fork(after_in_child=_forget_all)
