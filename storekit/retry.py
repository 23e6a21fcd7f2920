"""RetryPolicy: how often a request is tried, and for how long in all."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from storekit.errors import Timeout, Unavailable

__all__ = ["Clock", "Refusal", "RetryPolicy"]

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Refusal(Exception):
    """What a server answered, as the cause of the error that it became.

    Args:
        status: The status code.
        retry_after: Seconds that the server asks to wait.
    """

    def __init__(self, status: int, retry_after: float = 0.0) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.retry_after = retry_after


class Clock:
    """The time that one call of a verb has.

    Args:
        budget: Seconds from now.
    """

    def __init__(self, budget: float) -> None:
        self._end = time.monotonic() + budget

    def left(self) -> float:
        """Seconds that are left; negative when they are used up."""
        return self._end - time.monotonic()

    def within(self, seconds: float) -> float:
        """Give a time, cut to what is left.

        Args:
            seconds: How long a step may take.

        Raises:
            Timeout: Nothing is left.
        """
        left = self.left()
        if left <= 0:
            raise Timeout("the time for this request is used up")
        return min(seconds, left)


@dataclass(frozen=True)
class RetryPolicy:
    """Tries again what may succeed later, in place of what a driver's library would do.

    That is ``Unavailable``, ``Timeout`` included, and nothing else: an attempt has to translate
    what its library raises, for what comes out untranslated ends it. Each attempt may follow one
    that the backend did, and whose answer got lost, so it must be one that may be repeated. The
    pauses grow; where the cause is a ``Refusal`` they are at least as long as the server asks for.
    """

    attempts: int
    """How often one thing is tried, the first time included."""
    budget: float
    """Seconds for all attempts and pauses together."""
    first_pause: float = 0.1
    """The longest first pause, in seconds; the longest one doubles from attempt to attempt."""
    longest_pause: float = 10.0
    """The longest pause that a server has not asked for, in seconds."""

    def run(self, attempt: Callable[[Clock], T], failed: list[Unavailable] | None = None) -> T:
        """Try until it succeeds, fails for good, or attempts or time are used up.

        Args:
            attempt: One try; told how much time there is.
            failed: Gets what each try fails with that may succeed later, the last one included:
                what became of one whose answer was lost, a later one does not tell.

        Returns:
            What the try returned.

        Raises:
            StoreError: What the last try raised. Any other exception goes through at once.
        """
        clock = Clock(self.budget)
        tried = 0
        while True:
            try:
                return attempt(clock)
            except Unavailable as error:
                if failed is not None:
                    failed.append(error)
                tried += 1
                cause = error.__cause__
                asked = cause.retry_after if isinstance(cause, Refusal) else 0.0
                pause = self.pause(tried, asked, clock)
                if pause is None:
                    raise
                _log.debug("attempt %d failed (%s), the next in %.2f s", tried, error, pause)
            time.sleep(pause)

    def pause(self, tried: int, retry_after: float, clock: Clock) -> float | None:
        """Tell how long to wait before the next try: any length up to a growing one.

        So many clients do not come back together.

        Args:
            tried: How many tries there were.
            retry_after: Seconds that the server asks to wait.
            clock: How much time there is.

        Returns:
            Seconds, or None: attempts or time are used up.
        """
        longest = min(self.longest_pause, self.first_pause * 2 ** (tried - 1))
        pause = random.uniform(0, longest) + retry_after  # noqa: S311 - no secret
        return None if tried >= self.attempts or pause >= clock.left() else pause
