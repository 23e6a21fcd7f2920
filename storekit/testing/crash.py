"""Crashes: a call made in a child process that is killed in the middle of it."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from storekit.testing.case import NotRun, Violation
from storekit.testing.children import Child, Line
from storekit.testing.sources import Stops

__all__ = ["Doomed", "Shot", "fire", "volley"]

_LATE = 1.2  # times the measured time: some calls end before they are killed
_CLOCK_MONOTONIC = 1  # linux/time.h
_SIGEVENT = 64  # bytes of a struct sigevent, sigevent(3type)


@dataclass(frozen=True)
class Shot:
    """An instant at which a process is killed: a byte of what it reads, or a time."""

    number: int
    """Which of a volley; from 1 on."""
    byte: int | None = None
    """The position in the source; None for a time."""
    fraction: float = 0.0
    """The time, as a fraction of what the call takes when it is not killed."""

    def __str__(self) -> str:
        if self.byte is not None:
            return f"shot {self.number}, at byte {self.byte} of the source"
        return f"shot {self.number}, at {self.fraction:.3f} of the time that the call takes"


def volley(chance: random.Random, times: int, bytes_: int = 0, size: int = 0) -> list[Shot]:
    """Choose instants. Those at a byte come last: no request that commits is under way there.

    Args:
        chance: Where the choices come from; the same seed makes the same ones.
        times: How many at a time.
        bytes_: How many at a byte of the source.
        size: The size of the source.

    Raises:
        NotRun: The system has no timer that kills.
    """
    if times and not hasattr(ctypes.CDLL(None), "timer_create"):
        raise NotRun("the C library has no timer_create, see timer_create(2)")
    fractions = [chance.uniform(0, _LATE) for _ in range(times)]
    positions = [chance.randint(0, size) for _ in range(bytes_)]
    shots = [Shot(number, None, fraction) for number, fraction in enumerate(fractions, 1)]
    return shots + [Shot(number, byte) for number, byte in enumerate(positions, times + 1)]


class Doomed:
    """The child's side of a shot.

    Args:
        shot: When to die; None: not at all.
        seconds: What the call takes when it is not killed.
    """

    def __init__(self, shot: Shot | None, seconds: float) -> None:
        self._shot = shot
        self._seconds = seconds

    def source(self, data: bytes) -> Stops:
        """Give a source at a byte of which the process is killed, if it is to be at a byte.

        Args:
            data: Its bytes.
        """
        byte = None if self._shot is None else self._shot.byte

        def at(position: int) -> None:
            if position == byte:
                os.kill(os.getpid(), signal.SIGKILL)

        return Stops(data, () if byte is None else (byte,), at)

    def begins(self) -> None:
        """The call begins now: if the process is to be killed at a time, it will be."""
        if self._shot is not None and self._shot.byte is None:
            _kill_after(self._shot.fraction * self._seconds)


def fire(act: Callable[[], object], seconds: float) -> tuple[bool, Any]:
    """Run something in a forked child that may be killed.

    Args:
        act: What to run. What it returns must pickle.
        seconds: How long to wait for its end.

    Returns:
        Whether it came to its end, and what it returned; None if it was killed.

    Raises:
        Violation: It raised, or did neither end nor die in time.
    """

    def run(_: Line) -> object:
        return act()

    with Child(run) as child:
        try:
            if not child.connection.poll(seconds):
                raise Violation(f"an end within {seconds:.1f} s", "it hangs", "a child process")
            ok, value = child.connection.recv()
        except (EOFError, OSError):
            return False, None
    if not ok:
        raise Violation("a child process that works", value)
    return True, value


def _kill_after(seconds: float) -> None:
    """Have the kernel kill this process: no thread of it has to be awake for that."""
    libc = ctypes.CDLL(None, use_errno=True)
    timer = ctypes.c_void_p()
    # sigev_value, sigev_signo, sigev_notify = SIGEV_SIGNAL; nobody can catch this signal.
    event = struct.pack("Pii", 0, signal.SIGKILL, 0).ljust(_SIGEVENT, b"\0")
    nanoseconds = max(1, int(seconds * 1e9))  # 0 would disarm it
    once = struct.pack("llll", 0, 0, *divmod(nanoseconds, 10**9))
    made = libc.timer_create(_CLOCK_MONOTONIC, event, ctypes.byref(timer))
    if made or libc.timer_settime(timer, 0, once, None):
        raise OSError(ctypes.get_errno(), "the kernel sets no timer")
