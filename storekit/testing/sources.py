"""Things to add: sources that count, misbehave, or fail where a case wants them to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

__all__ = ["Failing", "OverLong", "ShortReads", "Stops", "Tap", "Trickle"]


class Tap:
    """A binary file object that counts what is taken from it.

    Args:
        data: The bytes.
        at: Called with the position before each read, for a case that looks in the middle.
    """

    def __init__(self, data: bytes, at: Callable[[int], object] | None = None) -> None:
        self._data = data
        self._at = at
        self.position = 0
        """How many bytes were taken."""
        self.reads = 0
        """How often it was read."""
        self.closed = False
        """Whether somebody closed it."""
        self.rewound = False
        """Whether somebody moved it."""

    def read(self, n: int = -1) -> bytes:
        """Give the next bytes.

        Args:
            n: At most how many; all if negative.
        """
        if self._at is not None:
            self._at(self.position)
        self.reads += 1
        end = len(self._data) if n < 0 else self.position + n
        piece = self._data[self.position : end]
        self.position += len(piece)
        return piece

    def seek(self, offset: int, whence: int = 0) -> int:
        """Note that somebody moved it, and move."""
        self.rewound = True
        base = (0, self.position, len(self._data))[whence]
        self.position = base + offset
        return self.position

    def tell(self) -> int:
        """Give the position."""
        return self.position

    def close(self) -> None:
        """Note that somebody closed it."""
        self.closed = True


class ShortReads(Tap):
    """A file object that gives at most a few bytes at once."""

    def read(self, n: int = -1) -> bytes:
        """Give at most 997 bytes, a prime."""
        return super().read(997 if n < 0 else min(n, 997))


class Stops(Tap):
    """A file object that no read of which goes past one of its stops.

    Args:
        data: The bytes.
        stops: Positions.
        at: Called with the position before each read.
    """

    def __init__(
        self, data: bytes, stops: Iterable[int], at: Callable[[int], object] | None = None
    ) -> None:
        super().__init__(data, at)
        self._stops = sorted(stops)

    def read(self, n: int = -1) -> bytes:
        """Give the next bytes, up to the next stop."""
        ahead = [stop - self.position for stop in self._stops if stop > self.position]
        wanted = ahead[0] if ahead else n
        return super().read(wanted if n < 0 else min(n, wanted))


class OverLong(Tap):
    """A file object that gives more than it is asked for."""

    def read(self, n: int = -1) -> bytes:
        """Give 7 bytes more."""
        return super().read(n if n < 0 else n + 7)


class Trickle:
    """An iterable of chunks that counts what is taken from it.

    Args:
        chunks: The chunks.
    """

    def __init__(self, *chunks: bytes) -> None:
        self._chunks = iter(chunks)
        self.taken = 0
        """How many chunks were taken."""

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk = next(self._chunks)
        self.taken += 1
        return chunk


class Failing(Tap):
    """A file object that raises after some bytes.

    Args:
        data: The bytes that it gives until then.
        error: What it raises then.
    """

    def __init__(self, data: bytes, error: BaseException) -> None:
        super().__init__(data)
        self._error = error

    def read(self, n: int = -1) -> bytes:
        """Give the next bytes, or raise."""
        piece = super().read(n)
        if not piece:
            raise self._error
        return piece
