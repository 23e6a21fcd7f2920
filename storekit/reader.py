"""ChunkReader: what ``get`` returns."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Self

from storekit.arguments import given_size
from storekit.capabilities import Limits
from storekit.digests import Digests, compare
from storekit.errors import (
    BackendError,
    DataError,
    RangeNotSatisfiable,
    StoreClosed,
    StoreError,
    Unsupported,
)
from storekit.location import Location
from storekit.values import Content

__all__ = ["ChunkReader"]

_log = logging.getLogger(__name__)
_FIRST_PAUSE = 0.1  # seconds before a read that made no progress is resumed again; doubles
_LONGEST_PAUSE = 10.0


class ChunkReader:
    """The bytes of an image on their way out of a store: an iterator of chunks.

    Read it by iteration, ``read(n)`` or ``readinto(buffer)``, also mixed; once. What it holds in
    the backend is given back with the last byte, on ``close()``, at the end of a ``with`` block,
    and when it is dropped. Made by ``get``; one thread reads it.
    """

    size: int
    """How many bytes will come in all."""
    total: int
    """How many bytes the whole image has."""
    location: Location
    """Where they come from."""
    digests: dict[str, str]
    """The digests that ``expect`` named, from the last byte on."""

    def __init__(
        self,
        location: Location,
        content: Content,
        offset: int,
        length: int | None,
        *,
        limits: Limits,
        wanted: Mapping[str, str],
        translate: Callable[[Exception], StoreError],
    ) -> None:
        self.location = location
        self.digests = {}
        self._content = content
        self._source: Iterable[bytes] | None = content.chunks
        self._chunks: Iterator[bytes] | None = iter(content.chunks)
        self._offset = offset
        self._limits = limits
        self._wanted = wanted
        self._hashing = Digests(wanted)
        self._translate = translate
        self._received = 0
        self._stuck = 0
        self._rest = memoryview(b"")
        self._closed = False
        self._ended = False
        self._failure: BaseException | None = None
        try:
            self.total = given_size(content.total)
            self.size = _size_of(self.total, offset, length)
            if not self.size:
                self._finish()
        except BaseException:
            self._release()
            raise

    @property
    def closed(self) -> bool:
        """Whether ``close()`` was called."""
        return self._closed

    def __iter__(self) -> Self:
        if self._closed or self._ended:
            raise self._used_up()
        return self

    def __next__(self) -> bytes:
        chunk = self._take(self._limits.read_chunk)
        if not chunk:
            self._ended = True
            raise StopIteration
        return chunk

    def read(self, n: int = -1) -> bytes:
        """Give the next bytes.

        Args:
            n: At most how many; all that are left if negative or left out.

        Returns:
            n bytes, fewer only at the end, none after it.

        Raises:
            DataError: The backend sent fewer or more bytes than the image has.
            DigestMismatch: The image is not what was expected; raised in place of the last bytes.
            StoreClosed: The reader was closed.
            StoreError: Whatever else the backend failed with.
        """
        pieces = []
        missing = self.size if n < 0 else n
        while missing > 0 and (piece := self._take(missing)):
            pieces.append(piece)
            missing -= len(piece)
        if self._closed:
            raise self._used_up()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Fill a buffer with the next bytes.

        Args:
            buffer: Where to put them.

        Returns:
            How many there were: the length of the buffer, fewer only at the end.

        Raises:
            StoreError: As ``read``.
        """
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def fileno(self) -> int:
        """Give a descriptor of the whole image, for sendfile with an explicit offset.

        What is read through it is not checked.

        Raises:
            Unsupported: The backend has no descriptor.
            StoreClosed: The reader was closed or used up.
        """
        if self._closed or self._chunks is None:
            raise self._used_up()
        if self._content.fileno is None:
            raise Unsupported("this backend has no file descriptor", location=self.location)
        return self._content.fileno

    def close(self) -> None:
        """Give everything back. May be called twice, and at any time."""
        self._closed = True
        self._rest = memoryview(b"")
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_closed"):  # else the constructor failed
            self._release()

    def __repr__(self) -> str:
        return f"<ChunkReader of {self.location}: {self._received} of {self.size} bytes>"

    def _take(self, n: int) -> bytes:
        """Give up to n bytes of the current chunk, or of the next one; none at the end."""
        rest = self._rest or memoryview(self._receive())
        if len(rest) <= n and isinstance(rest.obj, bytes) and len(rest) == len(rest.obj):
            self._rest = memoryview(b"")
            return rest.obj  # a whole chunk: no copy
        self._rest = rest[n:]
        return bytes(rest[:n])

    def _receive(self) -> bytes:
        """Give the next chunk of the backend; none at the end."""
        if self._closed:
            raise self._used_up()
        if self._failure is not None:
            raise self._failure
        if self._chunks is None:
            return b""
        try:
            chunk = self._next_chunk()
            self._received += len(chunk)
            self._hashing.update(chunk)
            if self._received >= self.size:
                self._finish()
        except Exception as error:
            self._failure = error
            self._release()
            raise
        return chunk

    def _next_chunk(self) -> bytes:
        """Give the next chunk that is not empty, resuming the read where it was cut."""
        cut = False
        while True:
            try:
                if cut:
                    self._resume()
                if chunk := self._raw_chunk():
                    self._stuck = 0
                    return chunk
                raise DataError(f"the backend ended after {self._received} of {self.size} bytes")
            except Exception as error:  # noqa: BLE001 - translated
                failure = self._translate(error)
                if not self._resumable(failure):
                    raise failure from (None if failure is error else error)
            cut = True

    def _resumable(self, failure: StoreError) -> bool:
        return (
            self._content.resume is not None
            and self._stuck + 1 < self._limits.max_attempts
            and (failure.retriable or isinstance(failure, DataError))
        )

    def _resume(self) -> None:
        resume = self._content.resume
        assert resume is not None  # noqa: S101 - for the type checker
        self._stuck += 1
        self._give_back()
        self._content = replace(self._content, fileno=None)  # it was of the body that was cut
        if self._stuck > 1:
            time.sleep(min(_FIRST_PAUSE * 2.0 ** (self._stuck - 2), _LONGEST_PAUSE))
        _log.debug("%s: resuming at byte %d", self.location, self._offset + self._received)
        try:
            self._source = resume(self._offset + self._received)
        except DataError:  # another version of the image: trying again cannot help
            self._stuck = self._limits.max_attempts
            raise
        self._chunks = iter(self._source)

    def _raw_chunk(self) -> bytes:
        for chunk in self._chunks or ():
            if not isinstance(chunk, bytes):
                raise BackendError(f"the driver gave a {type(chunk).__name__} as a chunk")
            if chunk:
                return chunk
        return b""

    def _finish(self) -> None:
        """Settle what must be settled before the last byte goes out."""
        try:
            if self._received > self.size or self._raw_chunk():
                raise DataError(f"the backend sent more than {self.size} bytes")
            self.digests = self._hashing.finish()
            compare(self.digests, self._wanted)
        except Exception as error:  # noqa: BLE001 - translated
            failure = self._translate(error)
            raise failure from (None if failure is error else error)
        self._release()

    def _release(self) -> None:
        self._give_back()
        self._chunks = None
        self._hashing.close()

    def _give_back(self) -> None:
        # Often the same object: a body that is its own iterator.
        bodies = {id(body): body for body in (self._chunks, self._source)}
        self._chunks = iter(())
        self._source = None
        for body in bodies.values():
            close = getattr(body, "close", None)
            if close is not None:
                try:
                    close()
                except Exception as error:  # noqa: BLE001 - the bytes are out, or the failure is
                    _log.debug("%s: closing failed: %s", self.location, self._translate(error))

    def _used_up(self) -> StoreClosed:
        return StoreClosed(
            "the reader is closed or used up", location=self.location, hint="get the image again"
        )


def _size_of(total: int, offset: int, length: int | None) -> int:
    """Tell how many bytes will come."""
    if offset > total:
        raise RangeNotSatisfiable(f"offset {offset} is past the {total} bytes of the image")
    return total - offset if length is None else min(total - offset, length)
