"""Mutants of transport faults: they hang, or hurry, or take a broken answer for a whole one."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from http.client import HTTPConnection

from storekit.context import RequestContext
from storekit.driver import Content
from storekit.errors import DataError, NotFound, StoreError
from storekit.location import Location
from storekit.testing.reference import MemoryDriver
from storekit.testing.reference.connection import Body, Pool
from storekit.testing.zoo.mutants import mutant
from storekit.testing.zoo.parts import cut, with_chunks

Context = RequestContext | None


@mutant(kills="FLT-01")
class RefusedIsNotFound(MemoryDriver):
    """Where nobody listens, there is no image."""

    def translate(self, error: Exception, operation: str) -> StoreError | None:
        """Take a refused connection for a missing image."""
        if isinstance(error, ConnectionRefusedError) and operation == "delete":
            return NotFound("there is nothing")
        return super().translate(error, operation)


class _RawResolver(Pool):
    def _connect(self) -> HTTPConnection:
        connection = HTTPConnection(*self._address, timeout=self._limits.connect_timeout)
        connection.connect()
        connection.sock.settimeout(self._limits.io_timeout)
        return connection


@mutant(kills="FLT-01")
class ResolverEscapes(MemoryDriver):
    """What the resolver raises is translated by nobody."""

    pool = _RawResolver


class _OneTimeout(Pool):
    def _connect(self) -> HTTPConnection:
        connection = HTTPConnection(*self._address, timeout=self._limits.io_timeout)
        connection.connect()
        return connection


@mutant(kills="FLT-02")
class ConnectsWithIoTimeout(MemoryDriver):
    """A connection may take as long as an answer."""

    pool = _OneTimeout


class _Patient(Pool):
    def _connect(self) -> HTTPConnection:
        connection = super()._connect()
        connection.sock.settimeout(None)
        return connection


@mutant(kills="FLT-03")
class NoTimeout(MemoryDriver):
    """An answer is waited for, however long it takes."""

    pool = _Patient


class _PatientWithBodies(Pool):
    def open(self, path: str, headers: Mapping[str, str]) -> Body:
        """Take the timeout away once the head is there."""
        body = super().open(path, headers)
        if body._connection is not None:  # noqa: SLF001 - a mutant may
            body._connection.sock.settimeout(None)  # noqa: SLF001
        return body


@mutant(kills="FLT-04")
class TimesTheHeadOnly(MemoryDriver):
    """Once the head of an answer is there, its body is waited for without end."""

    pool = _PatientWithBodies


@mutant(kills="FLT-05")
class TimesTheWholeBody(MemoryDriver):
    """The timeout of one answer is that of all its bytes together."""

    def get(
        self, location: Location, offset: int, length: int | None, context: Context = None
    ) -> Content:
        """Look at the clock at every chunk."""
        until = time.monotonic() + self.limits.io_timeout

        def timed(chunks: Iterable[bytes]) -> Iterator[bytes]:
            for chunk in chunks:
                if time.monotonic() > until:
                    raise TimeoutError("the body took too long")
                yield chunk

        return with_chunks(super().get(location, offset, length, context), timed)


@mutant(kills="FLT-06")
class ShortReadIsOk(MemoryDriver):
    """What came until the connection ended is the image."""

    def get(
        self, location: Location, offset: int, length: int | None, context: Context = None
    ) -> Content:
        """Read, and see how much there is."""
        content = super().get(location, offset, length, context)
        data = b""
        try:
            for chunk in content.chunks:
                data += chunk
        except (OSError, DataError):
            pass
        return Content(offset + len(data), (data,) if data else ())


class _ResumesWrong(MemoryDriver):
    """Goes on with other bytes after a read that broke."""

    def get(
        self, location: Location, offset: int, length: int | None, context: Context = None
    ) -> Content:
        content = super().get(location, offset, length, context)
        end = content.total if length is None else min(offset + length, content.total)
        return replace(content, resume=lambda at: self._rest(location, offset, at, end))

    def _rest(self, location: Location, begin: int, at: int, end: int) -> Iterable[bytes]:
        raise NotImplementedError


@mutant(kills="FLT-07")
class ResumesFromTheBeginning(_ResumesWrong):
    """A read that broke goes on with the first bytes of the image."""

    def _rest(self, location: Location, begin: int, at: int, end: int) -> Iterable[bytes]:
        return cut(MemoryDriver.get(self, location, begin, None).chunks, end - at)


@mutant(kills="FLT-07b")
class ResumeUnpinned(_ResumesWrong):
    """A read that broke goes on in whatever image has the name by then."""

    def _rest(self, location: Location, begin: int, at: int, end: int) -> Iterable[bytes]:
        return MemoryDriver.get(self, location, at, end - at).chunks


@mutant(kills="FLT-08")
class NoLengthIsEmpty(MemoryDriver):
    """An answer that does not tell its length is empty."""

    def get(
        self, location: Location, offset: int, length: int | None, context: Context = None
    ) -> Content:
        """Take a missing length for 0."""
        try:
            return super().get(location, offset, length, context)
        except DataError:
            return Content(0, ())


class _Careless(Pool):
    def _reusable(self, connection: HTTPConnection) -> bool:
        return connection.sock is not None


@mutant(kills="FLT-09")
class ReusesWhatIsDirty(MemoryDriver):
    """A connection is used again, whatever waits in it."""

    pool = _Careless


class _Trusting(Pool):
    def open(self, path: str, headers: Mapping[str, str]) -> Body:
        """Lose the checksum."""
        body = super().open(path, headers)
        del body.headers["X-CRC32"]
        return body


@mutant(kills="FLT-10")
class NeverChecks(MemoryDriver):
    """The checksum of what came is compared with nothing."""

    pool = _Trusting


@mutant(kills="FLT-10")
class ResumesWhatIsCorrupt(MemoryDriver):
    """A read whose checksum is wrong goes on after the wrong bytes, which are out by then."""

    def get(
        self, location: Location, offset: int, length: int | None, context: Context = None
    ) -> Content:
        """Forget that something was wrong."""
        content = super().get(location, offset, length, context)
        known = content.resume
        if known is None:
            return content

        def resume(position: int) -> Iterable[bytes]:
            if isinstance(content.chunks, Body):
                content.chunks.corrupt = False
            return known(position)

        return replace(content, resume=resume)
