"""Plays: calls that somebody else chooses, and what must come of each.

A play is begun again and again, each time with new images. The shortest sequence of calls that
went wrong is kept: it is what a case shows.
"""

from __future__ import annotations

import string
import time
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any, NamedTuple

from storekit.capabilities import Capability
from storekit.errors import Duplicate, NotFound, RangeNotSatisfiable, StoreError
from storekit.location import Location
from storekit.testing.case import Violation
from storekit.testing.context import Context
from storekit.testing.history import History
from storekit.testing.journal import Client

__all__ = ["IMAGES", "SIZES", "Catalogue", "Choice", "Play", "image_name"]

IMAGES = 2
"""How many images there are at once: few, so that calls meet on them."""
SIZES = 4
"""How many sizes of images there are, the shortest first."""

_LARGEST = 1 << 18  # bytes, about, of the images
_SHORTENING = 0.6  # of limits.op_budget: how long a shorter sequence is looked for
_PLAIN: tuple[dict[str, Any], ...] = ({"fault": None}, {"known": True}, {"size": 0}, {"who": 0})
_TOLD = (NotFound, Duplicate, RangeNotSatisfiable)


class Choice(NamedTuple):
    """A call that somebody chose."""

    verb: str
    """``add``, ``get``, ``get_size``, ``delete``, or ``get_range``: a get of a part."""
    who: int = 0
    """Which client."""
    image: int = 0
    """Which image."""
    size: int = 0
    """Of an add: about which size."""
    known: bool = True
    """Of an add: whether its size is declared."""
    offset: int = 0
    """Of a read of a part: where it begins. What is too much is one byte past the end; -1 is the
    end, -2 the byte before it."""
    length: int = 0
    """And how long it is, likewise."""
    anew: bool = False
    """Whether the client is closed, and opened anew, before the call."""
    fault: tuple[str, int, int] | None = None
    """What happens to the client's connection in the call: see ``Doubtful``."""


class Play:
    """What all plays have in common.

    Args:
        context: The context of the case.
        clients: The clients that are chosen from.
        seconds: How long it may be used.
    """

    def __init__(self, context: Context, clients: list[Client], seconds: float) -> None:
        self.context = context
        self.clients = clients
        self.history = History()
        """Names the bytes that were written since it was begun, and what was read."""
        self.found: Violation | None = None
        """What went wrong, after the fewest calls that are known."""
        self.begun = 0
        """How often it was begun."""
        self.calls = 0
        """How many calls were made."""
        self._until = time.perf_counter() + seconds
        self._lines: list[str] = []
        self._choices: list[Choice] = []
        self._failing: list[Choice] = []

    def begin(self) -> None:
        """Begin anew, with images that are not there yet."""
        self.begun += 1
        self._lines, self._choices = [], []
        self.history = History()

    def end(self) -> None:
        """Remove what is there."""
        raise NotImplementedError

    def call(self, choice: Choice) -> None:
        """Make a call, and judge what came of it.

        Args:
            choice: The call.

        Raises:
            Violation: It went wrong.
        """
        raise NotImplementedError

    def data(self, size: int) -> bytes:
        """Make bytes that nobody has written since it was begun, nor as many.

        Args:
            size: About which size, from 0.
        """
        number = len(self.history.sizes) + 1
        sizes = (7, 997, self.context.read_chunk, 2 * self.context.part_size)
        length = min(sizes[size], _LARGEST) + number
        return Random(number).randbytes(length)  # noqa: S311 - the same each time, no secret

    @property
    def over(self) -> bool:
        """Whether there is no more time."""
        return time.perf_counter() > self._until

    def step(self, choice: Choice) -> None:
        """Count a call, and remember it.

        Args:
            choice: The call.
        """
        self.calls += 1
        self._choices.append(choice)

    def note(self, line: str) -> None:
        """Write down a call.

        Args:
            line: How it looks, and what came of it.
        """
        self._lines.append(line)

    def fail(self, expected: object, actual: object) -> Violation:
        """Tell that the last call went wrong.

        Args:
            expected: What could have come of it.
            actual: What did.

        Returns:
            What is to be raised.
        """
        did = f"{len(self._lines)} calls" if len(self._lines) > 1 else "one call"
        self.found = Violation(expected, actual, did, evidence=self._lines)
        self._failing = list(self._choices)
        return self.found

    def shorten(self) -> None:
        """Look for fewer and plainer calls that go wrong too."""
        self._until = time.perf_counter() + self.context.budget(_SHORTENING)
        size = 2 * len(self._failing)
        while size and not self.over:
            before, at = len(self._failing), 0
            size = max(1, size // 2)
            while at < len(self._failing):
                if not self._fails(self._failing[:at] + self._failing[at + size :]):
                    at += size
            if size == 1 and len(self._failing) == before:
                break
        for at in range(len(self._failing)):
            for plain in _PLAIN:
                choice = self._failing[at]._replace(**plain)
                if choice != self._failing[at]:
                    self._fails([*self._failing[:at], choice, *self._failing[at + 1 :]])

    def _fails(self, choices: list[Choice]) -> bool:
        """Make calls, and tell whether one goes wrong; which then are the failing ones."""
        if self.over:
            return False
        self.begin()
        try:
            for choice in choices:
                self.call(choice)
        except Violation:
            return True
        finally:
            self.end()
        return False


class Catalogue(Play):
    """Clients that work well, against a dict: what was added and not deleted is there.

    Args:
        context: The context of the case.
        clients: How many clients.
        seconds: How long it may be used.
    """

    def __init__(self, context: Context, clients: int, seconds: float) -> None:
        super().__init__(context, [context.client() for _ in range(clients)], seconds)
        self._ids: list[str] = []
        self._there: dict[int, bytes] = {}
        self._places: dict[int, Location] = {}

    def begin(self) -> None:
        """Begin with an empty dict."""
        super().begin()
        self._ids = [self.context.new_id() for _ in range(IMAGES)]
        self._there, self._places = {}, {}

    def end(self) -> None:
        """Remove what is there."""
        for place in self._places.values():
            with suppress(StoreError):
                self.context.store.delete(place)

    def call(self, choice: Choice) -> None:
        """Make a call; without STRONG_CONSISTENCY again, while it only tells of the past."""
        place = self._places.get(choice.image)
        self.step(choice)
        if choice.anew and len(self.clients) > 1:
            self._reopen(self._number(choice.who))
        if choice.verb == "add":
            text, act, expected = self._add(choice)
        elif place is None or (choice.verb == "get_range" and not self._ranged):
            return  # there is nothing that could be asked for
        elif choice.verb == "get_range":
            text, act, expected = self._get_range(choice, place)
        else:
            text, act, expected = self._whole(choice, place)
        if choice.verb != "add" and choice.image not in self._there:
            expected = "NotFound"
        told = ""

        def holds() -> bool:
            nonlocal told
            told = _told(self.context, act)
            return told == expected or told.startswith("done")

        with suppress(Violation):
            self.context.eventually(holds, expected)
        self.note(f"client {self._number(choice.who)}: {text} -> {told}")
        if told != expected:
            raise self.fail(expected, told)

    @property
    def _ranged(self) -> bool:
        return self.context.claims(Capability.GET_RANGE)

    def _reopen(self, number: int) -> None:
        self.clients[number - 1].close()
        self.clients[number - 1] = self.context.client()
        self.note(f"client {number}: closed, and opened anew")

    def _number(self, who: int) -> int:
        return who % len(self.clients) + 1

    def _client(self, choice: Choice) -> Client:
        return self.clients[self._number(choice.who) - 1]

    def _add(self, choice: Choice) -> tuple[str, Callable[[], str], str]:
        client, data, image = self._client(choice), self.data(choice.size), choice.image
        known = choice.known or not self.context.claims(Capability.ADD_UNKNOWN_SIZE)
        value = self.history.value(data)
        expected = "Duplicate" if image in self._there else "done"

        def act() -> str:
            stored = client.add(self._ids[image], data if known else iter([data]))
            self._there[image], self._places[image] = data, stored.location
            right = stored.size == len(data)
            return "done" if right else f"done, and told a size of {stored.size}"

        how = "" if known else ", of unknown size"
        return f"add {image_name(image)} = {value}, {len(data)} bytes{how}", act, expected

    def _get_range(self, choice: Choice, place: Location) -> tuple[str, Callable[[], str], str]:
        client, data = self._client(choice), self._there.get(choice.image, b"")
        past = len(data) + 1
        offset, length = (
            min(number, past) if number >= 0 else max(0, past + number)
            for number in (choice.offset, choice.length)
        )
        wanted = data[offset : offset + length]
        part = f"its {len(wanted)} bytes from {offset} on"
        expected = "RangeNotSatisfiable" if offset > len(data) else part

        def act() -> str:
            with client.get(place, offset=offset, length=length) as reader:
                got = self.context.drain(reader)
            return part if got == wanted else f"{len(got)} bytes, others"

        return f"get {image_name(choice.image)} [{offset}, +{length}]", act, expected

    def _whole(self, choice: Choice, place: Location) -> tuple[str, Callable[[], str], str]:
        client, image = self._client(choice), choice.image
        data = self._there.get(image, b"")

        def delete() -> str:
            client.delete(place)
            self._there.pop(image, None)
            return "done"

        expected, act = {
            "get": (
                self.history.seen(data),
                lambda: self.history.seen(self.context.read(place, client)),
            ),
            "get_size": (str(len(data)), lambda: str(client.get_size(place))),
            "delete": ("done", delete),
        }[choice.verb]
        return f"{choice.verb} {image_name(image)}", act, expected


def image_name(image: int) -> str:
    """Give the letter of an image.

    Args:
        image: Which image.
    """
    return string.ascii_uppercase[image]


def _told(context: Context, act: Callable[[], str]) -> str:
    try:
        return act()
    except Exception as error:
        if not context.journal.came_from_a_store(error):
            raise
        kind = next((kind for kind in _TOLD if isinstance(error, kind)), None)
        return kind.__name__ if kind else f"{type(error).__name__}: {error}"
