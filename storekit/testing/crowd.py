"""A crowd: several things done at once, and the order in which they came about."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from storekit.testing.case import Violation
from storekit.values import StoredImage

__all__ = ["Deed", "Meeting", "Story", "together"]

Act = Callable[[], object]


class Story:
    """What happened, in the order in which it did. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: list[str] = []

    def tell(self, line: str) -> None:
        """Add what happened just now.

        Args:
            line: What it was.
        """
        with self._lock:
            self._lines.append(line)

    def __str__(self) -> str:
        with self._lock:
            return "; ".join(f"({n}) {line}" for n, line in enumerate(self._lines, 1))


@dataclass
class Deed:
    """What became of one thing that was done beside others."""

    value: object = None
    """What it returned."""
    error: Exception | None = None
    """What it raised."""
    ended: bool = False
    """Whether it came to an end at all."""

    @property
    def shown(self) -> str:
        """It, on a part of a line."""
        if self.error is not None:
            return f"raised {type(self.error).__name__}"
        if isinstance(self.value, StoredImage):
            return f"returned: {self.value.size} bytes are stored"
        return "returned"


class Meeting:
    """A point that several come to: nobody goes on before all are there, or have ended.

    A store may rightly let one wait for the other; so nobody waits for ever.

    Args:
        count: How many.
        patience: Seconds that one waits at most. Then all go on, now and later.
    """

    def __init__(self, count: int, patience: float) -> None:
        self._changed = threading.Condition()
        self._missing = count
        self._patience = patience

    def come(self) -> None:
        """Be there, and wait for the others."""
        with self._changed:
            self._one_less()
            if not self._changed.wait_for(lambda: self._missing <= 0, self._patience):
                self._missing = 0
                self._changed.notify_all()

    def leave(self) -> None:
        """Have ended: nobody waits for us."""
        with self._changed:
            self._one_less()

    def _one_less(self) -> None:
        self._missing -= 1
        self._changed.notify_all()


def together(
    acts: Mapping[str, Act], seconds: float, story: Story | None = None, *, all_end: bool = True
) -> dict[str, Deed]:
    """Do several things at once, each in a thread of its own, begun together.

    Args:
        acts: What to do, by name.
        seconds: How long they may take. A thread that does not end is left behind.
        story: Told how each of them ended.
        all_end: Whether it is a violation if one does not end.

    Returns:
        What became of each, by name.

    Raises:
        Violation: One of them did not end in time; or it is what one of them raised.
    """
    deeds = {name: Deed() for name in acts}
    start = threading.Barrier(len(acts))
    threads = [
        threading.Thread(
            target=_do, args=(name, act, deeds[name], start, story), name=name, daemon=True
        )
        for name, act in acts.items()
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    for deed in deeds.values():
        if isinstance(deed.error, Violation):
            raise deed.error
    hanging = [name for name, deed in deeds.items() if not deed.ended]
    if hanging and all_end:
        raise Violation(
            f"an end of all {len(acts)} within {seconds:.1f} s",
            f"{', '.join(hanging)} did not end",
            str(story or "several calls at once"),
        )
    return deeds


def _do(name: str, act: Act, deed: Deed, start: threading.Barrier, story: Story | None) -> None:
    start.wait()
    try:
        deed.value = act()
    except Exception as error:  # noqa: BLE001 - the case judges it
        deed.error = error
    deed.ended = True
    if story is not None:
        story.tell(f"{name} {deed.shown}")
