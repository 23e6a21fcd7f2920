"""Looks: when to look again for what takes a moment to be seen."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

__all__ = ["looks"]

_FIRST_PAUSE = 0.002  # seconds; doubles
_LONGEST_PAUSE = 0.2


def looks(seconds: float) -> Iterator[None]:
    """Come back at growing intervals: at once, and as long as there is time.

    Args:
        seconds: How long. With 0 there is one look.

    Yields:
        When it is time to look. Nothing more once the time is over.
    """
    begin, pause = time.perf_counter(), _FIRST_PAUSE
    while True:
        yield
        if time.perf_counter() - begin >= seconds:
            return
        threading.Event().wait(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
