"""A driver that plays what a test wrote: one body for the get, one for each time it is resumed."""

import storekit
from storekit.capabilities import Capability, Limits
from storekit.driver import Content, Driver
from storekit.location import Location

HERE = "player://toys/teddy"


class Body:
    """The chunks of one answer. What is an exception among them is raised in its place."""

    def __init__(self, *chunks):
        self._chunks = iter(chunks)
        self.closed = 0
        self.given = 0

    def __iter__(self):
        return self

    def __next__(self):
        assert not self.closed, "read after it was closed"
        chunk = next(self._chunks)
        if isinstance(chunk, BaseException):
            raise chunk
        self.given += 1
        return chunk

    def close(self):
        self.closed += 1


class PlayerDriver(Driver):
    """Plays bodies."""

    schemes = ("player",)
    capabilities = Capability.GET | Capability.GET_RANGE
    limits = Limits(read_chunk=1000)
    play: "Play"

    def get(self, location, offset, length, context=None):
        return self.play.content(offset, length)

    def get_size(self, location, context=None):
        return self.play.total

    def translate(self, error, operation):
        self.play.translated.append((operation, error))


class Play:
    """What a player plays, and what was asked of it.

    Args:
        total: The size of the image.
        *bodies: The answer to the get and, if there are more, to each resume.
        fileno: The descriptor of the image, if it has one.
        **limits: Limits of the store.
    """

    def __init__(self, total, *bodies, fileno=None, **limits):
        self.total = total
        self.bodies = list(bodies)
        self.resumed_at = []
        self.translated = []
        self._fileno = fileno
        self._next = 1
        members = {"play": self, "limits": Limits(**{"read_chunk": 1000, **limits})}
        self.store = storekit.open_store(
            type("PlayerDriver", (PlayerDriver,), members), name="toys"
        )

    def content(self, offset, length):
        resume = self._resume if len(self.bodies) > 1 else None
        return Content(self.total, self.bodies[0], self._fileno, resume)

    def _resume(self, position):
        self.resumed_at.append(position)
        body = self.bodies[min(self._next, len(self.bodies) - 1)]
        self._next += 1
        if isinstance(body, BaseException):
            raise body
        return body(position) if callable(body) else body

    def get(self, *arguments, **options):
        """Get the image from the store."""
        return self.store.get(Location(HERE), *arguments, **options)
