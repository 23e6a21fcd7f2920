"""History: what several threads asked of a few images at once, and what they were told."""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from storekit.errors import Duplicate, InUse, NotFound, StoreError, Unavailable
from storekit.location import Location
from storekit.testing.case import NotApplicable, Violation
from storekit.testing.context import Context

__all__ = ["NOBODY", "Ending", "History", "Move", "in_order", "named_place"]

NOBODY = "nobody's"
"""The name of bytes, and of a size, that no add has written."""

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Ending(enum.Enum):
    """What a call told of the image."""

    DONE = "done"
    """It did what it was asked; a read has a value."""
    NOT_FOUND = "NotFound"
    """No image was there."""
    DUPLICATE = "Duplicate"
    """An image was there."""
    NOTHING = "no word"
    """An error that tells nothing of the image, and did nothing to it."""
    UNKNOWN = "unknown"
    """It may have been done, may be done at any later time, or never."""


@dataclass(frozen=True)
class Move:
    """One call of a history."""

    lane: str
    """Who called: a thread and its client."""
    verb: str
    """``add``, ``get``, ``get_size`` or ``delete``."""
    image: str
    """The id of the image."""
    value: str
    """The name of the bytes that an add writes, or that a read saw; else empty."""
    begin: int
    """When it was called, on the clock of the history: all its times differ."""
    end: int | None
    """When it returned. None: what it does may still come."""
    ending: Ending
    """What it told."""

    @property
    def writes(self) -> bool:
        """Whether it may have changed what is there."""
        return self.verb in {"add", "delete"} and self.ending in {Ending.DONE, Ending.UNKNOWN}

    @property
    def reads(self) -> bool:
        """Whether it asked what is there."""
        return self.verb in {"get", "get_size"}

    @property
    def text(self) -> str:
        """It in a few words."""
        if self.verb == "add":
            return f"add {self.value}: {self.ending.value}"
        told = self.value if self.reads and self.ending is Ending.DONE else self.ending.value
        return f"{self.verb}: {told}"

    def overlaps(self, other: Move) -> bool:
        """Tell whether neither ended before the other began.

        Args:
            other: Another call.
        """
        return _before(self.begin, other.end) and _before(other.begin, self.end)


class History:
    """Records calls. Thread-safe."""

    def __init__(self) -> None:
        self.moves: list[Move] = []
        """The calls that have ended, in the order in which they did."""
        self.sizes: dict[str, int] = {}
        """The bytes of each value, by its name."""
        self.doubts: list[str] = []
        """The errors after which an outcome is not known."""
        self._values: dict[bytes, str] = {}
        self._clock = 0
        self._changed = threading.Condition()

    def value(self, data: bytes) -> str:
        """Name the bytes of an add. No two adds have the same, nor as many.

        Args:
            data: The bytes.

        Returns:
            A letter, and a number where there are no more letters.
        """
        with self._changed:
            if data not in self._values:
                number, letter = divmod(len(self._values), len(_LETTERS))
                name = f"{_LETTERS[letter]}{number or ''}"
                self._values[data] = name
                self.sizes[name] = len(data)
            return self._values[data]

    def seen(self, data: bytes) -> str:
        """Name bytes that were read.

        Args:
            data: The bytes.
        """
        with self._changed:
            return self._values.get(data) or f"{NOBODY} {len(data)} bytes"

    def sized(self, size: int) -> str:
        """Name a size that was told.

        Args:
            size: The size.
        """
        with self._changed:
            named = (name for name, length in self.sizes.items() if length == size)
            return next(named, f"{NOBODY} {size} bytes")

    def record(
        self,
        lane: str,
        verb: str,
        image: str,
        act: Callable[[], str],
        value: str = "",
        *,
        sent: bool = True,
    ) -> Move:
        """Make a call, and write down what it told.

        Args:
            lane: Who calls.
            verb: The verb.
            image: The id of the image.
            act: Calls it; returns the name of what was read, by ``seen`` or ``sized``.
            value: The name of what an add writes.
            sent: Whether it can reach the backend; else an outcome that is not known is none.

        Returns:
            The call.

        Raises:
            Violation: The call raised what tells nothing that could be judged.
        """
        begin = self._tick()
        try:
            value, ending = act() or value, Ending.DONE
        except StoreError as error:
            ending = _ending(verb, error)
            if ending is Ending.UNKNOWN and not sent:
                ending = Ending.NOTHING
            if ending is Ending.UNKNOWN:
                self.doubts.append(f"{verb}: {type(error).__name__}: {error}")
        end = None if ending is Ending.UNKNOWN else self._tick()
        move = Move(lane, verb, image, value, begin, end, ending)
        with self._changed:
            self.moves.append(move)
            self._changed.notify_all()
        return move

    def wait(self, count: int, seconds: float) -> None:
        """Wait until others have ended some calls.

        Args:
            count: How many.
            seconds: How long at most.
        """
        with self._changed:
            wanted = len(self.moves) + count
            self._changed.wait_for(lambda: len(self.moves) >= wanted, seconds)

    def of(self, image: str) -> list[Move]:
        """Give the calls about one image, in the order in which they began.

        Args:
            image: Its id.
        """
        return in_order(move for move in self.moves if move.image == image)

    def _tick(self) -> int:
        with self._changed:
            self._clock += 1
            return self._clock


def in_order(moves: Iterable[Move]) -> list[Move]:
    """Sort calls by when they began.

    Args:
        moves: The calls.
    """
    return sorted(moves, key=lambda move: move.begin)


def named_place(context: Context, *, again: bool = True) -> tuple[str, Location]:
    """Make an image id, and learn its location: an image is added, and deleted again.

    Args:
        context: The context of the case.
        again: Whether to see that it has the same location the next time.

    Returns:
        The id, and the location.

    Raises:
        NotApplicable: The location is another one each time.
    """
    image_id = context.new_id()
    places = []
    for _ in range(2 if again else 1):
        places.append(context.store.add(image_id, b"to learn the location").location)
        context.store.delete(places[-1])
    if places[0] != places[-1]:
        raise NotApplicable("an image that is added again has another location")
    return image_id, places[0]


def _before(begin: int, end: int | None) -> bool:
    return end is None or begin < end


def _ending(verb: str, error: StoreError) -> Ending:
    match error:
        case NotFound() if verb != "add":
            return Ending.NOT_FOUND
        case Duplicate() if verb == "add":
            return Ending.DUPLICATE
        case _ if verb in {"get", "get_size"}:
            return Ending.NOTHING
        case Unavailable():
            return Ending.UNKNOWN
        case InUse():
            return Ending.NOTHING
    raise Violation(
        "success, NotFound or Duplicate, InUse, or an outcome that is not known",
        f"{type(error).__name__}: {error}",
        f"{verb} beside other calls",
    ) from error
