"""Mutants of faults of the operating system: what fails is taken for something else."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

from storekit.context import RequestContext
from storekit.driver import Content
from storekit.errors import NotFound, StoreError, Timeout, Unavailable
from storekit.location import Location
from storekit.source import Source
from storekit.testing.reference import DirectoryDriver
from storekit.testing.reference.deadline import Deadline
from storekit.testing.reference.directory import UPLOADS
from storekit.testing.zoo.mutants import mutant
from storekit.testing.zoo.parts import Careless, with_chunks

Context = RequestContext | None
P = ParamSpec("P")
T = TypeVar("T")


@mutant(kills="OSF-01")
class FullIsTheEnd(Careless):
    """What does not fit on the disk is left out."""

    def write(self, descriptor: int, chunk: bytes) -> None:
        """Write if there is room."""
        try:
            super().write(descriptor, chunk)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise

    def publish(self, descriptor: int, upload: Path, final: Path) -> None:
        """Link what there is."""
        final.hardlink_to(upload)


@mutant(kills="OSF-01")
class FullIsAnOutage(DirectoryDriver):
    """A full disk is reported as one that will be back soon."""

    def translate(self, error: Exception, operation: str) -> StoreError | None:
        """Have it tried again."""
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            return Unavailable("the disk did not take it")
        return super().translate(error, operation)


@mutant(kills="OSF-01")
class HalfStaysWhenFull(DirectoryDriver):
    """What was written until the disk was full stays there."""

    @contextmanager
    def _upload(self) -> Iterator[tuple[int, Path]]:
        keep = self._root / UPLOADS / os.urandom(8).hex()
        with super()._upload() as (descriptor, path):
            try:
                yield descriptor, path
            except OSError:
                path.rename(keep)
                raise


def _forgiving(chunks: Iterable[bytes], instead: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
    try:
        yield from chunks
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        yield from instead()


@mutant(kills="OSF-02")
class EioIsTheEnd(DirectoryDriver):
    """An image ends where it cannot be read."""

    def get(
        self, location: Location, offset: int, length: int | None, context: Context = None
    ) -> Content:
        """Read what can be read, and give that."""
        content = super().get(location, 0, None, context)
        data = b"".join(_forgiving(content.chunks, lambda: iter(())))
        end = len(data) if length is None else offset + length
        return Content(len(data), (data[offset:end],))


@mutant(kills="OSF-02")
class EioIsZeros(DirectoryDriver):
    """What cannot be read is given as zeros."""

    def get(
        self, location: Location, offset: int, length: int | None, context: Context = None
    ) -> Content:
        """Fill up."""
        content = super().get(location, offset, length, context)
        size = content.total - offset if length is None else min(length, content.total - offset)

        def filled(chunks: Iterable[bytes]) -> Iterator[bytes]:
            given: list[int] = []
            for chunk in _forgiving(chunks, lambda: iter((bytes(size - sum(given)),))):
                given.append(len(chunk))
                yield chunk

        return with_chunks(content, filled)


@mutant(kills="OSF-02")
class EioIsNotFound(DirectoryDriver):
    """An image that cannot be read is reported as missing."""

    def translate(self, error: Exception, operation: str) -> StoreError | None:
        """Take any failure for a missing file."""
        if isinstance(error, OSError) and error.errno == errno.EIO:
            return NotFound("it cannot be read")
        return super().translate(error, operation)


@mutant(kills="OSF-03")
class OpensToReadAndWrite(DirectoryDriver):
    """Images are opened for writing too when they are read."""

    def get(
        self, location: Location, offset: int, length: int | None, context: Context = None
    ) -> Content:
        """Open for both."""
        os.close(os.open(self._path(location), os.O_RDWR | os.O_CLOEXEC))
        return super().get(location, offset, length, context)


@mutant(kills="OSF-03")
class MustWriteToOpen(DirectoryDriver):
    """A store that cannot write its own directory does not open."""

    def open(self) -> None:
        """Leave a mark."""
        super().open()
        mark = self._root / UPLOADS / "mark"
        mark.touch()
        mark.unlink()


@mutant(kills="OSF-04")
class GoneIsNotFound(DirectoryDriver):
    """Images on a directory that is gone are reported as missing."""

    def translate(self, error: Exception, operation: str) -> StoreError | None:
        """Do not look at the directory."""
        return None


@mutant(kills="OSF-04")
class MakesTheRootAnew(DirectoryDriver):
    """An add makes the directory if it is not there."""

    def add(self, image_id: str, source: Source, context: Context = None) -> Location:
        """Make it first."""
        (self._root / UPLOADS).mkdir(parents=True, exist_ok=True)
        return super().add(image_id, source, context)


@mutant(kills="OSF-04")
class StaysGone(DirectoryDriver):
    """A directory that was gone once is not looked for again."""

    _gone = False

    def translate(self, error: Exception, operation: str) -> StoreError | None:
        """Remember."""
        translated = super().translate(error, operation)
        self._gone = self._gone or isinstance(translated, Unavailable)
        return translated

    def get_size(self, location: Location, context: Context = None) -> int:
        """Do not even look."""
        if self._gone:
            raise Unavailable("the directory is gone")
        return super().get_size(location, context)


class _Patient(Deadline):
    """Waits for whatever hangs."""

    def call(self, function: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        return function(*args, **named)


@mutant(kills="OSF-05")
class WaitsForEver(DirectoryDriver):
    """Calls of the kernel have no deadline."""

    def open(self) -> None:
        """Take a deadline that is none."""
        super().open()
        self._deadline = _Patient(self.limits.io_timeout)


class _Joined(Deadline):
    """Runs calls in threads that the interpreter waits for."""

    def call(self, function: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        results: list[T] = []
        errors: list[BaseException] = []

        def run() -> None:
            try:
                results.append(function(*args, **named))
            except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                errors.append(error)

        thread = threading.Thread(target=run, daemon=False)
        thread.start()
        thread.join(self._seconds)
        if errors:
            raise errors[0]
        if not results:
            raise Timeout("the file system did not answer")
        return results[0]


@mutant(kills="OSF-05")
class HoldsTheInterpreter(DirectoryDriver):
    """Calls that hang keep the interpreter from its end."""

    def open(self) -> None:
        """Take a deadline with threads that are joined."""
        super().open()
        self._deadline = _Joined(self.limits.io_timeout)
