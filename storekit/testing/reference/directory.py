"""The reference driver over a directory: an image is a file, written aside and linked at once.

Complete: it makes every promise that files can keep. An upload is a file in ``.storekit-uploads``
under an exclusive lock, which the kernel drops when its process dies: that tells the living from
the leftover. Where calls may hang in the kernel, each has a deadline, ``io_timeout``.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ParamSpec

from pydantic import Field

from storekit.capabilities import Capability, Limits
from storekit.context import RequestContext
from storekit.driver import Capacity, Content, Driver, DriverOptions, Leftover, Listing
from storekit.errors import (
    Duplicate,
    InUse,
    NotFound,
    OutcomeUnknown,
    StorageFull,
    StoreError,
    Timeout,
    Unavailable,
)
from storekit.location import Location
from storekit.source import Source
from storekit.testing.reference.deadline import Deadline

__all__ = ["UPLOADS", "DirectoryDriver", "DirectoryOptions", "sync_directory"]

UPLOADS = ".storekit-uploads"
"""The directory of uploads, below that of the images."""

_OURS = ".storekit-"

P = ParamSpec("P")


class DirectoryOptions(DriverOptions):
    """The options of the reference driver over a directory."""

    path: Path = Field(description="The directory of the images. It must exist.")
    may_hang: bool = Field(
        default=False, description="Whether it is a mount that may stop answering."
    )


class DirectoryDriver(Driver):
    """Images as files in one directory."""

    schemes = ("directory",)
    options = DirectoryOptions
    capabilities = (
        Capability.GET
        | Capability.GET_RANGE
        | Capability.ADD
        | Capability.ADD_UNKNOWN_SIZE
        | Capability.DELETE
        | Capability.LIST
        | Capability.CAPACITY
        | Capability.EXCLUSIVE_ADD
        | Capability.EXCLUSIVE_DELETE
        | Capability.ATOMIC_ADD
        | Capability.CRASH_SAFE
        | Capability.DURABLE
        | Capability.STRONG_CONSISTENCY
        | Capability.THREAD_SAFE
        | Capability.FORK_SAFE
    )
    limits = Limits(
        read_chunk=16 << 10,
        write_chunk=16 << 10,
        part_size=64 << 10,
        window=1,
        connect_timeout=1.0,
        io_timeout=2.0,
        max_attempts=1,
    )
    example_locations = (
        "directory:///srv/images/cirros-0.6.3",
        "directory:///srv/two%20words/50%25",
    )
    config: DirectoryOptions

    def open(self) -> None:
        """See that the directory is there, and whether it can be written."""
        self._root = self.config.path.absolute()
        self._deadline = Deadline(self.limits.io_timeout if self.config.may_hang else None)
        call = self._deadline.call
        if not call(self._root.is_dir):
            raise Unavailable(f"{self._root} is not there", hint="make it, or mount it")
        if call(os.access, self._root, os.W_OK):
            call((self._root / UPLOADS).mkdir, exist_ok=True)
        else:
            self.narrow(
                Capability.ADD | Capability.ADD_UNKNOWN_SIZE | Capability.DELETE,
                f"{self._root} cannot be written",
            )

    def owns(self, location: Location) -> bool:
        """Tell whether the location is directly below our directory."""
        *parents, name = location.segments or ("",)
        root = self.config.path.absolute().parts[1:]
        return (
            not location.authority
            and tuple(parents) == root
            and bool(name)
            and "/" not in name
            and name not in {".", ".."}
            and not name.startswith(_OURS)
            and not location.query
        )

    def translate(self, error: Exception, operation: str) -> StoreError | None:
        """Tell a missing image from a directory that is gone."""
        if isinstance(error, FileNotFoundError) and not self._deadline.call(self._root.is_dir):
            return Unavailable(f"{self._root} is gone")
        return None

    def add(self, image_id: str, source: Source, context: RequestContext | None = None) -> Location:
        """Store an image: written aside, synced, then linked to its name."""
        final = self._root / image_id
        if self._deadline.call(os.path.lexists, final):
            raise Duplicate("there is an image of this id")
        if source.size is not None and source.size > self.capacity().free:
            raise StorageFull(f"the directory has no room for {source.size} bytes")
        with self._upload() as (descriptor, upload):
            for chunk in source.chunks(self.limits.write_chunk):
                self._deadline.call(_write, descriptor, chunk)
            self._deadline.call(os.fsync, descriptor)
            self._commit(os.link, upload, final)
        return self._location(image_id)

    def get(
        self,
        location: Location,
        offset: int,
        length: int | None,
        context: RequestContext | None = None,
    ) -> Content:
        """Begin to read an image."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = self._deadline.opened(os.open, os.close, self._path(location), flags)
        try:
            total = self._deadline.call(os.fstat, descriptor).st_size
        except BaseException:
            self._deadline.release(os.close, descriptor)
            raise
        end = total if length is None else min(total, offset + length)
        chunks = _Chunks(descriptor, offset, end, self.limits.read_chunk, self._deadline)
        return Content(total, chunks, descriptor)

    def get_size(self, location: Location, context: RequestContext | None = None) -> int:
        """Tell the size of an image."""
        return self._deadline.call(self._path(location).lstat).st_size

    def delete(self, location: Location, context: RequestContext | None = None) -> None:
        """Delete an image."""
        path = self._path(location)
        self._deadline.call(path.lstat)
        self._commit(path.unlink)

    def metadata(
        self, location: Location, context: RequestContext | None = None
    ) -> dict[str, object]:
        """Tell the file's name and its number."""
        status = self._deadline.call(self._path(location).lstat)
        return {"file": {"name": location.segments[-1], "inode": str(status.st_ino)}}

    def list(self, context: RequestContext | None = None) -> Iterator[Listing]:
        """Go through all images."""
        for name, status in self._deadline.call(_files, self._root):
            if not name.startswith(_OURS):
                modified = datetime.fromtimestamp(status.st_mtime, UTC)
                yield Listing(name, self._location(name), status.st_size, modified)

    def leftovers(
        self, older_than: timedelta, context: RequestContext | None = None
    ) -> Iterator[Leftover]:
        """Go through the uploads that nobody holds locked."""
        limit = datetime.now(UTC) - older_than
        for name, status in self._deadline.call(_dead, self._root / UPLOADS):
            modified = datetime.fromtimestamp(status.st_mtime, UTC)
            if modified <= limit:
                yield Leftover(name, self.store_name, status.st_size, modified)

    def reclaim(self, leftover: Leftover, context: RequestContext | None = None) -> None:
        """Remove an upload that nobody holds locked."""
        self._deadline.call(_remove_dead, self._root / UPLOADS / leftover.name)

    def capacity(self, context: RequestContext | None = None) -> Capacity:
        """Tell how much the file system holds."""
        status = self._deadline.call(os.statvfs, self._root)
        return Capacity(status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize)

    @contextmanager
    def _upload(self) -> Iterator[tuple[int, Path]]:
        path = self._root / UPLOADS / secrets.token_hex(12)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC

        def undo(late: int) -> None:
            path.unlink()
            os.close(late)

        descriptor = self._deadline.opened(os.open, undo, path, flags, 0o640)
        try:
            self._deadline.call(fcntl.flock, descriptor, fcntl.LOCK_EX)
            yield descriptor, path
        finally:
            self._deadline.release(path.unlink)
            self._deadline.release(os.close, descriptor)

    def _commit(self, step: Callable[P, object], *args: P.args, **named: P.kwargs) -> None:
        """Take the one step that others see, and make it last."""
        try:
            self._deadline.call(step, *args, **named)
        except Timeout as error:
            raise OutcomeUnknown(f"it is not known whether it was done: {error}") from error
        try:
            self._deadline.call(sync_directory, self._root)
        except (OSError, StoreError) as error:
            raise OutcomeUnknown(f"the directory could not be synced: {error}") from error

    def _path(self, location: Location) -> Path:
        return self._root / location.segments[-1]

    def _location(self, image_id: str) -> Location:
        return Location.build("directory", "", *self._root.parts[1:], image_id)


class _Chunks:
    """The bytes of an open file from one offset to another; closes it."""

    def __init__(
        self, descriptor: int, begin: int, end: int, chunk: int, deadline: Deadline
    ) -> None:
        self._descriptor = descriptor
        self._deadline = deadline
        self._position = begin
        self._end = end
        self._chunk = chunk

    def __iter__(self) -> _Chunks:
        return self

    def __next__(self) -> bytes:
        wanted = min(self._chunk, self._end - self._position)
        if wanted <= 0:
            raise StopIteration
        chunk = self._deadline.call(os.pread, self._descriptor, wanted, self._position)
        if not chunk:
            raise StopIteration
        self._position += len(chunk)
        return chunk

    def close(self) -> None:
        """Close the file. May be called twice."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            self._deadline.release(os.close, descriptor)

    def __del__(self) -> None:
        self.close()


def _files(directory: Path) -> list[tuple[str, os.stat_result]]:
    """List the regular files of a directory."""
    found = []
    with os.scandir(directory) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # deleted while we look
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    found.append((entry.name, status))
    return found


def _dead(directory: Path) -> list[tuple[str, os.stat_result]]:
    """List the files of a directory that nobody holds locked."""
    found = []
    for name, _ in _files(directory):
        with suppress(FileNotFoundError, InUse), _locked(directory / name) as status:
            found.append((name, status))
    return found


def _remove_dead(path: Path) -> None:
    with _locked(path):
        path.unlink()


@contextmanager
def _locked(path: Path) -> Iterator[os.stat_result]:
    """Lock an upload that nobody else holds."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUse(f"the upload {path.name} is alive") from None
        status = os.fstat(descriptor)
        if not status.st_nlink:
            raise NotFound(f"the upload {path.name} is gone")
        yield status
    finally:
        os.close(descriptor)


def _write(descriptor: int, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def sync_directory(directory: Path) -> None:
    """Make the names in a directory last.

    Args:
        directory: The directory.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
