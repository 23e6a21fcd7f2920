"""Retries of the memory driver: one layer, bounded in number and in time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Self

from storekit.capabilities import Limits

__all__ = ["Attempt", "Refusal", "attempts"]

_FIRST_PAUSE = 0.02  # seconds; doubles


class Refusal(Exception):
    """The server said no.

    Args:
        status: The HTTP status.
        reason: The server's words.
        wait_for: What it wrote in Retry-After.
    """

    def __init__(self, status: int, reason: str, wait_for: str | None = None) -> None:
        super().__init__(f"the server answered {status} {reason}".strip())
        self.status = status
        self.wait_for = wait_for


class Attempt:
    """One try: a block that swallows what may be better the next time, and waits for that.

    Args:
        last: Whether there is no next time.
        pause: Seconds to wait, if the server does not ask for more.
        until: When there is no more time, on the monotonic clock.
    """

    def __init__(self, last: bool, pause: float, until: float) -> None:
        self._last = last
        self._pause = pause
        self._until = until

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if self._last or not isinstance(error, OSError | Refusal):
            return False
        if isinstance(error, PermissionError):  # a certificate that was refused stays so
            return False
        pause = self._pause
        if isinstance(error, Refusal) and error.wait_for is not None:
            with suppress(ValueError):
                pause = float(error.wait_for)
        # To come back earlier than the server asks, or later than there is time, helps nobody.
        if time.monotonic() + pause >= self._until:
            return False
        time.sleep(pause)
        return True


def attempts(limits: Limits) -> Iterator[Attempt]:
    """Give a block for each try.

    Args:
        limits: How many there are, and for how long.
    """
    until = time.monotonic() + limits.op_budget
    for number in range(1, limits.max_attempts + 1):
        yield Attempt(number == limits.max_attempts, _FIRST_PAUSE * 2 ** (number - 1), until)
