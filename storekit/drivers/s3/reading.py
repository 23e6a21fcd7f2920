"""Reading: an object by ranged requests, those of a long one several at once."""

from __future__ import annotations

import re
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from botocore.exceptions import ClientError

from storekit.capabilities import Limits
from storekit.drivers.s3.bucket import Answer, Bucket
from storekit.drivers.s3.faults import status_of
from storekit.errors import DataError
from storekit.slots import Slot
from storekit.transfer import Download
from storekit.values import Content

__all__ = ["read"]

_AT_ONCE = 1 << 18  # bytes; more is hardly ever waiting in a socket
_PARTIAL, _UNSATISFIABLE = 206, 416
_SPAN = re.compile(r"bytes ([0-9]+)-([0-9]+)/([0-9]+)", re.ASCII)


def read(bucket: Bucket, key: str, offset: int, length: int | None, limits: Limits) -> Content:
    """Begin to read an object.

    Args:
        bucket: The bucket.
        key: The object's key.
        offset: The first byte wanted.
        length: How many bytes, 1 or more; None is all.
        limits: Part size, window and chunk.

    Raises:
        DataError: The server sent something else than was asked for.
    """
    wanted = limits.part_size if length is None else min(length, limits.part_size)
    try:
        first = _open(bucket, key, offset, offset + wanted, None)
    except ClientError as error:
        if status_of(error) != _UNSATISFIABLE:
            raise
        return Content(bucket.head(key).size, ())
    end = first.total if length is None else min(first.total, offset + length)
    image = _Image(bucket, key, first.etag, end, limits)
    return Content(first.total, image.from_part(first), resume=image.from_offset)


@dataclass(frozen=True)
class _Image:
    """One version of an object, and up to where it is read."""

    bucket: Bucket
    key: str
    etag: str
    end: int
    limits: Limits

    def from_offset(self, offset: int) -> _Chunks:
        """Begin at an offset, in the same version."""
        end = min(offset + self.limits.part_size, self.end)
        return self.from_part(_open(self.bucket, self.key, offset, end, self.etag))

    def from_part(self, first: _Opened) -> _Chunks:
        """Begin with a part that is open."""
        download = None
        if first.end < self.end:
            download = Download(
                first.end, self.end, self.limits.part_size, self.limits.window, self._fetch
            )
        return _Chunks(first, download, min(_AT_ONCE, self.limits.read_chunk))

    def _fetch(self, begin: int, end: int, closed: threading.Event) -> bytes:
        opened = _open(self.bucket, self.key, begin, end, self.etag)
        pieces = []
        try:
            while not closed.is_set() and (piece := opened.read(self.limits.read_chunk)):
                pieces.append(piece)
        finally:
            opened.close()
        return b"".join(pieces)


class _Opened:
    """The answer to a ranged request. Gives connection and slot back at its end, or closed."""

    def __init__(self, answer: Answer, slot: Slot, begin: int, end: int, total: int) -> None:
        self.end = end
        self.total = total
        self.etag = str(answer["ETag"])
        self._left = end - begin
        self._body: Any = answer["Body"]
        self._slot = slot

    def read(self, n: int) -> bytes:
        """Give the next bytes, none at the end."""
        if not self._left:
            return b""
        try:
            data: bytes = self._body.read(min(n, self._left))
        except BaseException as error:
            self.close()
            traceback.clear_frames(error.__traceback__)  # they hold the connection
            raise
        self._left -= len(data)
        if not self._left or not data:
            # Read to its end, the connection is free for the next request.
            self._left = 0
            self._body.read()
            self.close()
        return data

    def close(self) -> None:
        """Give everything back; a body that is not at its end costs its connection."""
        self._left = 0
        self._body.close()
        self._slot.release()

    def __del__(self) -> None:
        self.close()


class _Chunks:
    """First an open part, piece by piece as it comes; then the parts behind it."""

    def __init__(self, first: _Opened, download: Download | None, read_chunk: int) -> None:
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


def _open(bucket: Bucket, key: str, begin: int, end: int, etag: str | None) -> _Opened:
    pinned = {} if etag is None else {"IfMatch": etag}
    asked = f"bytes={begin}-{end - 1}"
    with bucket.opened(Key=key, Range=asked, **pinned) as (answer, slot):
        if answer["ResponseMetadata"]["HTTPStatusCode"] != _PARTIAL:
            raise DataError("the server sends the whole image in answer to a range")
        span = _SPAN.fullmatch(answer.get("ContentRange", ""))
        if span is None:
            raise DataError("the server sends a part and does not tell which")
        first, last, total = map(int, span.groups())
        if (first, last) != (begin, min(end, total) - 1):
            raise DataError(f"the server sends bytes {first} to {last} in answer to {asked}")
        if etag is not None and answer["ETag"] != etag:
            raise DataError("the image changed while it was read", hint="read it again")
        return _Opened(answer, slot, begin, last + 1, total)
