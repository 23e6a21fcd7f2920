"""Mutants of reading."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from typing import Any

from storekit.context import RequestContext
from storekit.driver import Content
from storekit.errors import NotFound
from storekit.location import Location
from storekit.store import Store
from storekit.testing.reference import DirectoryDriver, MemoryDriver
from storekit.testing.reference.connection import Refusal
from storekit.testing.zoo.mutants import mutant
from storekit.testing.zoo.parts import WrappedReader, cut, with_chunks

Context = RequestContext | None


@mutant(kills="GET-01")
class TruncateLastByte(MemoryDriver):
    """The last byte of an image is not delivered."""

    def get(
        self, location: Location, offset: int, length: int | None, context: Context = None
    ) -> Content:
        """Give one byte less."""
        content = super().get(location, offset, length, context)
        size = max(content.total - 1, 0)
        return with_chunks(content, lambda chunks: cut(chunks, size), size)


@mutant(kills="GET-01")
class TruncateLastChunk(MemoryDriver):
    """A last chunk that is not full is not delivered."""

    def get(
        self, location: Location, offset: int, length: int | None, context: Context = None
    ) -> Content:
        """Give whole chunks only."""
        content = super().get(location, offset, length, context)
        size = content.total - content.total % self.limits.read_chunk
        return with_chunks(content, lambda chunks: cut(chunks, size), size)


@mutant(kills="GET-02")
class PaddedSize(MemoryDriver):
    """get_size tells the size on disk, in blocks."""

    def get_size(self, location: Location, context: Context = None) -> int:
        """Round up."""
        return -(-super().get_size(location, context) // 512) * 512


@mutant(kills="GET-03")
class MissingIsEmpty(MemoryDriver):
    """A missing image is an empty one."""

    def get(
        self, location: Location, offset: int, length: int | None, context: Context = None
    ) -> Content:
        """Swallow the 404."""
        try:
            return super().get(location, offset, length, context)
        except Refusal as refusal:
            if refusal.status != 404:  # noqa: PLR2004 - HTTP
                raise
            return Content(0, ())


@mutant(kills="GET-03")
class LazyNotFound(MemoryDriver):
    """NotFound comes with the first chunk, not from get."""

    def get(
        self, location: Location, offset: int, length: int | None, context: Context = None
    ) -> Content:
        """Ask when the first chunk is wanted."""

        def chunks() -> Iterator[bytes]:
            yield from super(LazyNotFound, self).get(location, offset, length, context).chunks

        return Content(997, chunks())


@mutant(kills=("GET-04", "RNG-01"))
class EmptyIsRefused(MemoryDriver):
    """An empty image cannot be read: the range is not satisfiable."""

    def get(
        self, location: Location, offset: int, length: int | None, context: Context = None
    ) -> Content:
        """Refuse to read nothing."""
        content = super().get(location, offset, length, context)
        if content.total == 0:
            raise NotFound("the range is not satisfiable")
        return content


class _TextAtEnd(WrappedReader):
    def read(self, n: int = -1) -> Any:  # noqa: ANN401 - that is the point
        return super().read(n) or ""


class _NoStoreClosed(WrappedReader):
    def __iter__(self) -> _NoStoreClosed:
        return self


class _OpenAfterClose(WrappedReader):
    def __next__(self) -> bytes:
        return b"buffered" if self.inner.closed else super().__next__()


class _ReadintoSkips(WrappedReader):
    def readinto(self, buffer: bytearray) -> int:
        self.inner.read(1)
        return super().readinto(buffer)


class _ReaderMutant(Store):
    """A frame with another reader."""

    reader: type[WrappedReader]

    def get(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as Store.get
        """Wrap the reader."""
        return self.reader(super().get(*args, **options))


@mutant(kills="GET-05")
class StrAtEnd(_ReaderMutant):
    """The end value of read is a text."""

    reader = _TextAtEnd


@mutant(kills="GET-06")
class SilentSecondPass(_ReaderMutant):
    """Iterating a second time gives nothing, silently."""

    reader = _NoStoreClosed


@mutant(kills="GET-07")
class ReadsAfterClose(_ReaderMutant):
    """A closed reader still gives what was in its buffer."""

    reader = _OpenAfterClose


@mutant(kills="GET-14")
class ReadintoLosesByte(_ReaderMutant):
    """readinto loses a byte."""

    reader = _ReadintoSkips


@mutant(kills="GET-08")
class EagerDescriptor(DirectoryDriver):
    """The file is opened at once, and closed by a generator that may never start."""

    def get(
        self, location: Location, offset: int, length: int | None, context: Context = None
    ) -> Content:
        """Open, and close in a finally that is not reached."""
        descriptor = os.open(self._path(location), os.O_RDONLY)
        total = os.fstat(descriptor).st_size

        def chunks() -> Iterator[bytes]:
            try:
                position, end = offset, total if length is None else min(total, offset + length)
                while position < end:
                    chunk = os.pread(
                        descriptor, min(self.limits.read_chunk, end - position), position
                    )
                    position += len(chunk)
                    yield chunk
            finally:
                os.close(descriptor)

        return Content(total, chunks())


@mutant(kills="GET-09")
class LeaksWhenDropped(DirectoryDriver):
    """The file is closed at its end, and never before."""

    def get(
        self, location: Location, offset: int, length: int | None, context: Context = None
    ) -> Content:
        """Open a file that only its end closes."""
        descriptor = os.open(self._path(location), os.O_RDONLY)
        total = os.fstat(descriptor).st_size
        return Content(total, _UntilTheEnd(descriptor, total, self.limits.read_chunk))


class _UntilTheEnd:
    def __init__(self, descriptor: int, end: int, chunk: int) -> None:
        self._descriptor, self._end, self._chunk = descriptor, end, chunk
        self._position = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._position >= self._end:
            os.close(self._descriptor)
            raise StopIteration
        chunk = os.pread(self._descriptor, self._chunk, self._position)
        self._position += len(chunk)
        return chunk


@mutant(kills="GET-10")
class SharedPosition(DirectoryDriver):
    """All readers share the driver's position."""

    _position = 0

    def get(
        self, location: Location, offset: int, length: int | None, context: Context = None
    ) -> Content:
        """Keep the position on the driver."""
        content = super().get(location, offset, length, context)
        self._position = offset

        def chunks(_: Iterable[bytes]) -> Iterator[bytes]:
            path = self._path(location)
            with path.open("rb") as file:
                while True:
                    file.seek(self._position)
                    chunk = file.read(self.limits.read_chunk)
                    if not chunk:
                        return
                    self._position += len(chunk)
                    yield chunk

        return with_chunks(content, chunks)


@mutant(kills="GET-11")
class TimesTheConsumer(MemoryDriver):
    """The timeout runs while the consumer pauses."""

    def get(
        self, location: Location, offset: int, length: int | None, context: Context = None
    ) -> Content:
        """Give up when the consumer is slow."""
        content = super().get(location, offset, length, context)
        deadline = time.monotonic() + self.limits.io_timeout / 2

        def chunks(real: Iterable[bytes]) -> Iterator[bytes]:
            for chunk in real:
                if time.monotonic() > deadline:
                    raise TimeoutError("too slow")
                yield chunk

        return with_chunks(content, chunks)


@mutant(kills=("GET-12", "RES-06"))
class BufferWholeGet(MemoryDriver):
    """The whole image is read before the first chunk is given."""

    def get(
        self, location: Location, offset: int, length: int | None, context: Context = None
    ) -> Content:
        """Read all of it."""
        content = super().get(location, offset, length, context)
        data = b"".join(content.chunks)
        size = self.limits.read_chunk
        return Content(content.total, [data[i : i + size] for i in range(0, len(data), size)])


@mutant(kills="GET-13")
class TouchesOnRead(DirectoryDriver):
    """A read changes the time of the image."""

    def get(
        self, location: Location, offset: int, length: int | None, context: Context = None
    ) -> Content:
        """Touch the file."""
        os.utime(self._path(location), (1, 1))
        return super().get(location, offset, length, context)
