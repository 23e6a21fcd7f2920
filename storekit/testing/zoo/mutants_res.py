"""Mutants of resources: what they take they keep, or take too much of."""

from __future__ import annotations

import logging
import os
import socket
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPConnection

from storekit import transfer
from storekit.context import RequestContext
from storekit.driver import Content
from storekit.location import Location
from storekit.source import Source
from storekit.testing.reference import DirectoryDriver, MemoryDriver
from storekit.testing.reference.connection import Pool
from storekit.testing.zoo.mutants import mutant
from storekit.testing.zoo.parts import with_chunks

Context = RequestContext | None
_LONG = 20.0  # seconds that a forgotten thread is there

_log = logging.getLogger(__name__)


@mutant(kills="RES-01")
class LeaksADescriptor(DirectoryDriver):
    """Each get_size leaves a descriptor open."""

    def get_size(self, location: Location, context: Context = None) -> int:
        """Open, look, and forget."""
        return os.fstat(os.open(self._path(location), os.O_RDONLY | os.O_CLOEXEC)).st_size


@mutant(kills="RES-01")
class LeaksOnError(DirectoryDriver):
    """An upload that fails leaves its directory open."""

    def add(self, image_id: str, source: Source, context: Context = None) -> Location:
        """Close only what went well."""
        descriptor = os.open(self._root, os.O_RDONLY | os.O_CLOEXEC)
        location = super().add(image_id, source, context)
        os.close(descriptor)
        return location


@mutant(kills="RES-01")
class CloseForgetsTheIdle(MemoryDriver):
    """close() ends the session, and forgets the idle connections."""

    def close(self) -> None:
        """End the session only."""
        if hasattr(self, "_session"):
            self._session.close()


@mutant(kills="RES-02")
class ThreadPerGet(MemoryDriver):
    """Each get starts a thread that goes on after it."""

    def get(
        self, location: Location, offset: int, length: int | None, context: Context = None
    ) -> Content:
        """Start one more."""
        threading.Thread(target=threading.Event().wait, args=(_LONG,), daemon=True).start()
        return super().get(location, offset, length, context)


@mutant(kills="RES-02")
class ExecutorStays(DirectoryDriver):
    """close() does not shut the executor down."""

    def open(self) -> None:
        """Make the executor."""
        super().open()
        self._executor = ThreadPoolExecutor(1)

    def get_size(self, location: Location, context: Context = None) -> int:
        """Ask in a thread."""
        return self._executor.submit(super().get_size, location, context).result()


class _KeepingPool(Pool):
    """Puts dead connections aside."""

    aside: list[socket.socket]

    def _reusable(self, connection: HTTPConnection) -> bool:
        fine = super()._reusable(connection)
        if not fine and connection.sock is not None:
            self.aside.append(connection.sock)
            connection.sock = None
        return fine


@mutant(kills="RES-03")
class KeepsDeadConnections(MemoryDriver):
    """A connection that the server closed is not used any more, and not closed."""

    def open(self) -> None:
        """Take a pool that keeps them."""
        super().open()
        self._pool.__class__ = _KeepingPool
        self._pool.aside = []  # type: ignore[attr-defined]  # of the class that it has now


@mutant(kills="RES-04")
class SpoolsToDisk(MemoryDriver):
    """An image goes through a temporary file that stays."""

    def add(self, image_id: str, source: Source, context: Context = None) -> Location:
        """Spool, and forget."""
        with tempfile.NamedTemporaryFile(delete=False) as file:
            file.write(b"spooled")
        return super().add(image_id, source, context)


@mutant(kills="RES-04")
class BeginsForNothing(MemoryDriver):
    """An upload is begun for each image, and small ones do not use it."""

    def add(self, image_id: str, source: Source, context: Context = None) -> Location:
        """Begin an upload, then store in one request."""
        if source.size is not None and source.size <= self.limits.part_size:
            path = self._path("uploads", image_id, name=os.urandom(8).hex(), session="", size=0)
            self._ask("POST", path, 201)
        return super().add(image_id, source, context)


@mutant(kills="RES-05")
class BufferWholeAdd(DirectoryDriver):
    """All bytes are read before the first one is written."""

    def add(self, image_id: str, source: Source, context: Context = None) -> Location:
        """Read all, then store it."""
        data = b"".join(source.chunks(self.limits.part_size))
        return super().add(image_id, Source(data), context)


@mutant(kills="RES-05")
class KeepsSentParts(MemoryDriver):
    """Parts are kept after they were sent, should somebody want them again."""

    def open(self) -> None:
        """Begin with none."""
        super().open()
        self._sent: list[bytes] = []

    def _send_part(self, upload: str, part: transfer.Part) -> None:
        self._sent.append(part.data)
        super()._send_part(upload, part)


@mutant(kills="RES-06")
class KeepsChunks(DirectoryDriver):
    """Chunks that were given are kept, to compute a digest of them at the end."""

    def get(
        self, location: Location, offset: int, length: int | None, context: Context = None
    ) -> Content:
        """Keep what passes."""
        kept: list[bytes] = []

        def kept_too(chunks: Iterable[bytes]) -> Iterator[bytes]:
            for chunk in chunks:
                kept.append(chunk)
                yield chunk

        return with_chunks(super().get(location, offset, length, context), kept_too)


class _SideEffect(DirectoryDriver):
    """Does something beside each get_size."""

    effect: Callable[[], object]

    def get_size(self, location: Location, context: Context = None) -> int:
        type(self).effect()
        return super().get_size(location, context)


@mutant(kills="RES-07")
class WarnsOfSuccess(_SideEffect):
    """Each call that succeeds is logged as a warning."""

    @staticmethod
    def effect() -> None:
        """Write to the log."""
        _log.warning("it worked")


@mutant(kills="RES-07")
class ClosedByTheCollector(_SideEffect):
    """A file is opened, and closed by whoever collects the garbage."""

    @staticmethod
    def effect() -> None:
        """Open, and forget."""
        with suppress(OSError):
            open("/dev/null", "rb")  # noqa: SIM115 - that is what is wrong


class _Raises:
    def __del__(self) -> None:
        raise ValueError("too late for anybody to catch")


@mutant(kills="RES-07")
class RaisesAtTheEnd(_SideEffect):
    """An object of the driver raises when it is collected."""

    effect = staticmethod(_Raises)
