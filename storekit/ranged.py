"""Ranged: an image read by requests for a part each, those of a long one several at once.

For drivers of object stores that speak HTTP.
"""

from __future__ import annotations

import re
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

from storekit.capabilities import Limits
from storekit.errors import DataError
from storekit.slots import Slot
from storekit.transfer import Download
from storekit.values import Content

__all__ = ["Body", "Opened", "part_asked", "read", "span_of"]

_AT_ONCE = 1 << 18  # bytes; more is hardly ever waiting in a socket
_PARTIAL = 206
_SPAN = re.compile(r"bytes ([0-9]+)-([0-9]+)/([0-9]+)", re.ASCII)


class Body(Protocol):
    """The body of an answer."""

    def read(self, n: int, /) -> bytes:
        """Give up to n bytes, none at the end."""
        ...

    def close(self) -> object:
        """Give its connection back, or close one that has bytes in it still."""
        ...


def part_asked(begin: int, end: int) -> str:
    """Give the value of the header ``Range`` (RFC 9110, 14.2).

    Args:
        begin: The first byte.
        end: The byte behind the last one.
    """
    return f"bytes={begin}-{end - 1}"


def span_of(status: int, content_range: str, begin: int, end: int) -> tuple[int, int]:
    """Check which part of an image a server sends.

    Args:
        status: The status of its answer.
        content_range: The header ``Content-Range``.
        begin: The first byte that was asked for.
        end: The byte behind the last one that was asked for.

    Returns:
        The byte behind the last one that comes, and the length of the image.

    Raises:
        DataError: It is another part, or the server does not tell.
    """
    if status != _PARTIAL:
        raise DataError("the server sends the whole image in answer to a range")
    span = _SPAN.fullmatch(content_range)
    if span is None:
        raise DataError("the server sends a part and does not tell which")
    first, last, total = map(int, span.groups())
    if (first, last) != (begin, min(end, total) - 1):
        asked = part_asked(begin, end)
        raise DataError(f"the server sends bytes {first} to {last} in answer to {asked}")
    return last + 1, total


class Opened:
    """The answer to a request for a part. Gives all back at its end, or when it is closed.

    Args:
        body: Its body.
        slot: The slot of its connection.
        begin: The first byte that comes.
        span: As of ``span_of``.
        etag: The version of the image; None where the server has no name for it.
    """

    def __init__(
        self, body: Body, slot: Slot, begin: int, span: tuple[int, int], etag: str | None
    ) -> None:
        self.end, self.total = span
        self.etag = etag
        self._left = self.end - begin
        self._body = body
        self._slot = slot

    def read(self, n: int) -> bytes:
        """Give the next bytes, none at the end.

        Args:
            n: At most how many.

        Raises:
            DataError: The body is shorter or longer than the part.
        """
        if not self._left:
            return b""
        more = b""
        try:
            data = self._body.read(min(n, self._left))
            if len(data) == self._left:
                more = self._body.read(1)  # at its end, the connection is free for the next request
        except BaseException as error:
            self.close()
            traceback.clear_frames(error.__traceback__)  # they hold the connection
            raise
        self._left -= len(data)
        missing = self._left
        if not missing or not data:
            self.close()
        if more:
            raise DataError("the server sends more than the part that it names")
        if not data:
            raise DataError(f"the answer ended {missing} bytes before the part that it names")
        return data

    def close(self) -> None:
        """Give everything back; a body that is not at its end costs its connection."""
        self._left = 0
        self._body.close()
        self._slot.release()

    def __del__(self) -> None:
        self.close()


OpenPart = Callable[[int, int, str | None], Opened]
"""Asks for the bytes from one offset up to another, of this version, or of any."""


def read(open_part: OpenPart, offset: int, length: int | None, limits: Limits) -> Content:
    """Begin to read an image.

    Args:
        open_part: Asks for a part; called by several threads.
        offset: The first byte wanted.
        length: How many bytes, 1 or more; None is all.
        limits: Part size, window and chunk.

    Raises:
        DataError: The server sent something else than was asked for.
    """
    wanted = limits.part_size if length is None else min(length, limits.part_size)
    first = open_part(offset, offset + wanted, None)
    end = first.total if length is None else min(first.total, offset + length)
    image = _Image(open_part, first.etag, end, limits)
    return Content(first.total, image.from_part(first), resume=image.from_offset)


@dataclass(frozen=True)
class _Image:
    """One version of an image, and up to where it is read."""

    open_part: OpenPart
    etag: str | None
    end: int
    limits: Limits

    def from_offset(self, offset: int) -> _Chunks:
        """Begin at an offset, in the same version."""
        end = min(offset + self.limits.part_size, self.end)
        return self.from_part(self._open(offset, end))

    def from_part(self, first: Opened) -> _Chunks:
        """Begin with a part that is open."""
        download = None
        if first.end < self.end:
            download = Download(
                first.end, self.end, self.limits.part_size, self.limits.window, self._fetch
            )
        return _Chunks(first, download, min(_AT_ONCE, self.limits.read_chunk))

    def _fetch(self, begin: int, end: int, closed: threading.Event) -> list[bytes]:
        opened = self._open(begin, end)
        pieces = []
        try:
            while not closed.is_set() and (piece := opened.read(self.limits.read_chunk)):
                pieces.append(piece)
        finally:
            opened.close()
        return pieces

    def _open(self, begin: int, end: int) -> Opened:
        opened = self.open_part(begin, end, self.etag)
        if opened.etag != self.etag:
            opened.close()
            raise DataError("the image changed while it was read", hint="read it again")
        return opened


class _Chunks:
    """First an open part, piece by piece as it comes; then the parts behind it."""

    def __init__(self, first: Opened, download: Download | None, read_chunk: int) -> None:
        self._first = first
        self._download = download
        self._read_chunk = read_chunk
        self._begin: Callable[[], None] | None = download.prefetch if download else None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        if self._begin is not None:
            begin, self._begin = self._begin, None
            begin()
        if chunk := self._first.read(self._read_chunk):
            return chunk
        if self._download is None:
            raise StopIteration
        return next(self._download)

    def close(self) -> None:
        """Give everything back."""
        self._first.close()
        if self._download is not None:
            self._download.close()
