"""Mutants of concurrency: right as long as nobody else is there."""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path

from storekit.context import RequestContext
from storekit.driver import Content
from storekit.errors import StoreError
from storekit.location import Location
from storekit.source import Source
from storekit.testing.reference import DirectoryDriver, MemoryDriver
from storekit.testing.reference.connection import Pool, Refusal
from storekit.testing.zoo.mutants import mutant
from storekit.testing.zoo.parts import Careless, refuse_taken

Context = RequestContext | None
_SLOW = 0.03  # seconds: a backend that is not next door
_MANY = 1000


@mutant(kills="CON-01")
class KeepsCallInDriver(MemoryDriver):
    """The id of an add is kept in the driver while its bytes are read."""

    _image_id = ""

    def add(self, image_id: str, source: Source, context: Context = None) -> Location:
        """Store under the id of whoever came last."""
        self._image_id = image_id
        if source.size is None or source.size > self.limits.part_size:
            return super().add(image_id, source, context)
        data = source.read(self.limits.part_size)
        self._commit("PUT", self._path("images", self._image_id), 201, data)
        return Location.build("memory", self.config.space, image_id)


@mutant(kills="CON-02")
class OneFileForAll(DirectoryDriver):
    """All readers of an image share one open file, and its position."""

    def open(self) -> None:
        """Begin with no open files."""
        super().open()
        self._files: dict[str, int] = {}

    def close(self) -> None:
        """Close them."""
        while getattr(self, "_files", None):
            os.close(self._files.popitem()[1])

    def get(
        self, location: Location, offset: int, length: int | None, context: Context = None
    ) -> Content:
        """Seek once, then read on."""
        path = self._path(location)
        if str(path) not in self._files:
            self._files[str(path)] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        descriptor = self._files[str(path)]
        total = os.fstat(descriptor).st_size
        end = total if length is None else min(total, offset + length)
        os.lseek(descriptor, offset, os.SEEK_SET)

        def chunks() -> Iterator[bytes]:
            left = end - offset
            while left and (chunk := os.read(descriptor, min(left, self.limits.read_chunk))):
                left -= len(chunk)
                yield chunk

        return Content(total, chunks())


@mutant(kills="CON-03")
class CheckThenWrite(Careless):
    """EXCLUSIVE_ADD is claimed, and kept by a look at the id before the bytes are written."""


@mutant(kills="CON-03")
class ChecksTwice(Careless):
    """EXCLUSIVE_ADD is claimed, and kept by a look before the bytes and one before the rename."""

    def publish(self, descriptor: int, upload: Path, final: Path) -> None:
        """Look again."""
        refuse_taken(final)
        time.sleep(_SLOW)
        super().publish(descriptor, upload, final)


@mutant(kills="CON-03")
class LoserCleansUp(MemoryDriver):
    """An add that loses removes what is there under the id, the winner's image."""

    def add(self, image_id: str, source: Source, context: Context = None) -> Location:
        """Delete after a failure."""
        try:
            return super().add(image_id, source, context)
        except Refusal:
            with suppress(Refusal, OSError, StoreError):
                self._commit("DELETE", self._path("images", image_id), 204)
            raise


_locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


@mutant(kills="CON-04")
class LocksInThisProcess(Careless):
    """EXCLUSIVE_ADD is kept by a lock of the process."""

    def add(self, image_id: str, source: Source, context: Context = None) -> Location:
        """Hold a lock of the process."""
        with _locks[str(self._root / image_id)]:
            return super().add(image_id, source, context)


@mutant(kills="CON-05")
class ReservesTheName(Careless):
    """The commit makes an empty file of the name, then puts the image in its place."""

    def publish(self, descriptor: int, upload: Path, final: Path) -> None:
        """Commit in two steps."""
        os.close(os.open(final, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o640))
        time.sleep(_SLOW)
        super().publish(descriptor, upload, final)


@mutant(kills="CON-06")
class WipesFirst(DirectoryDriver):
    """A delete writes zeros over the image, then unlinks it."""

    def delete(self, location: Location, context: Context = None) -> None:
        """Wipe, then unlink."""
        path = self._path(location)
        with path.open("r+b") as file:
            file.write(bytes(path.stat().st_size))
        super().delete(location, context)


@mutant(kills="CON-06")
class TruncatesFirst(DirectoryDriver):
    """A delete truncates the image, then unlinks it."""

    def delete(self, location: Location, context: Context = None) -> None:
        """Truncate, then unlink."""
        os.truncate(self._path(location), 0)
        time.sleep(_SLOW)
        super().delete(location, context)


@mutant(kills="CON-06")
class RequestForEachChunk(MemoryDriver):
    """Each chunk is asked for by itself, of whatever image has the name then."""

    def get(
        self, location: Location, offset: int, length: int | None, context: Context = None
    ) -> Content:
        """Ask for the size, then for one chunk after the other."""
        total = self.get_size(location)
        end = total if length is None else min(total, offset + length)

        def chunks() -> Iterator[bytes]:
            position = offset
            while position < end:
                wanted = min(self.limits.read_chunk, end - position)
                answer = super(RequestForEachChunk, self).get(location, position, wanted)
                for chunk in answer.chunks:
                    position += len(chunk)
                    yield chunk

        return Content(total, chunks())


@mutant(kills="CON-07")
class LooksThenDeletes(DirectoryDriver):
    """Who deleted is told by a look before; the delete itself never fails."""

    def delete(self, location: Location, context: Context = None) -> None:
        """Look, then delete whatever is there."""
        self.get_size(location)
        time.sleep(_SLOW)
        self._path(location).unlink(missing_ok=True)


class _InheritedPool(Pool):
    """Connections that parent and child both take for their own, and take as they are."""

    def _acquire(self) -> HTTPConnection:
        self._places.acquire()
        with self._lock:
            return self._idle.pop() if self._idle else self._connect()


@mutant(kills="CON-09")
class SharesSockets(MemoryDriver):
    """A forked child goes on with the parent's connections."""

    def open(self) -> None:
        """Take a pool that knows of no fork, and does not try again."""
        self.limit(max_attempts=1)
        super().open()
        self._pool.__class__ = _InheritedPool


@mutant(kills="CON-10")
class ConnectionForEachCall(MemoryDriver):
    """As many connections are made as there are calls."""

    def open(self) -> None:
        """Have room for many."""
        super().open()
        self._pool._places = threading.BoundedSemaphore(_MANY)  # noqa: SLF001 - what is wrong
