"""Upload: an image's file while it is written, until it gets its name."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Self

from storekit.drivers.filesystem.descriptor import Descriptor
from storekit.drivers.filesystem.directory import Directory
from storekit.drivers.filesystem.kernel import errno_of, rename_exclusively, write_back
from storekit.drivers.filesystem.probing import (
    Road,
    create,
    is_there,
    link,
    link_unnamed,
    open_unnamed,
    own_name,
)
from storekit.thin import data_runs

__all__ = ["Upload"]

_WRITE_BACK = 8 << 20  # bytes: with more at once the disk idles at first, with fewer nothing is won


class Upload:
    """A file that is no image yet. Its methods block.

    Args:
        directory: Where it is to be.
        road: How it gets its name.
        thin: Whether runs of zeros become holes.
        durable: Whether it is synced to the disk.
    """

    size: int = 0
    """How many bytes it has so far, holes included."""
    file: Descriptor
    """The file; from ``begin`` on."""

    def __init__(self, directory: Directory, road: Road, *, thin: bool, durable: bool) -> None:
        self.directory = directory
        self._road = road
        self._thin = thin
        self._durable = durable
        self._hidden = None if road is Road.UNNAMED else own_name("upload")
        self._begun = 0  # up to where writing back was begun
        self._waited = 0  # and up to where it was waited for

    @classmethod
    @contextmanager
    def into(cls, directory: Directory, *, thin: bool, durable: bool) -> Iterator[Self]:
        """Make an upload, and give back all that it has at the end, whatever happens.

        Args:
            directory: Where it is to be.
            thin: Whether runs of zeros become holes.
            durable: Whether it is synced to the disk.

        Raises:
            OSError: It cannot be made.
            Unavailable: The directory is gone or hangs.
        """
        traits = directory.traits or directory.run(directory.known_traits)
        road = traits.road or Road.UNNAMED
        upload = cls(directory, road, thin=thin, durable=durable)
        with directory.opened:  # even if the store is closed meanwhile, there is a way to clean up
            try:
                directory.run(upload.begin)
                yield upload
            finally:
                directory.release(upload.close)

    def begin(self) -> Self:
        """Make the file, and lock it where it has a name, which shows that it is alive.

        Raises:
            OSError: It cannot be made.
            Unavailable: The directory is gone.
        """
        with self.directory.at() as directory:
            if self._hidden is None:
                self.file = open_unnamed(directory)
                return self
            while True:
                self._hidden = own_name("upload")  # never one again: it may be reclaimed by now
                self.file = create(directory, self._hidden)
                with self.file as fd:
                    # Where there are no locks, its age shows whether it is alive.
                    errno_of(fcntl.flock, fd, fcntl.LOCK_EX)
                    # A reclaim may have come in before the lock. Then nothing is lost yet.
                    if is_there(directory, self._hidden):
                        return self
                self.file.close()

    def write(self, chunk: bytes) -> None:
        """Write the next bytes.

        Args:
            chunk: The bytes.

        Raises:
            OSError: They cannot be written.
        """
        with self.file as fd:
            if self._thin:
                for begin, end in data_runs(chunk, self.size):
                    _write_all(fd, memoryview(chunk)[begin:end], self.size + begin)
            else:
                _write_all(fd, memoryview(chunk), self.size)
            self.grew(fd, len(chunk))

    def skip(self, fd: int, n: int) -> None:
        """Let the next bytes be a hole.

        Args:
            fd: The file.
            n: How many.

        Raises:
            OSError: The file cannot be that long.
        """
        os.ftruncate(fd, self.size + n)
        self.grew(fd, n)

    def grew(self, fd: int, n: int) -> None:
        """Take note that bytes were added, and start to write them to the disk now and then.

        Args:
            fd: The file.
            n: How many.

        Raises:
            OSError: The disk failed.
        """
        self.size += n
        eager = self._durable or self.directory.watched
        if self.size - self._begun < _WRITE_BACK or not eager:
            return
        write_back(fd, self._begun, self.size - self._begun, wait=False)
        if self.directory.watched:
            # A sync at the end that has much to do would look like one that hangs.
            write_back(fd, self._waited, self._begun - self._waited, wait=True)
            self._waited = self._begun
        self._begun = self.size

    def finish(self, mode: int) -> None:
        """Make the file what the image shall be.

        Args:
            mode: Its mode.

        Raises:
            OSError: The disk failed, or is full after all.
        """
        with self.file as fd:
            os.ftruncate(fd, self.size)
            with suppress(PermissionError):  # it is ours, so the filesystem has no modes
                os.fchmod(fd, mode)
            if self._durable:
                os.fsync(fd)
            else:
                # Closing makes a network filesystem tell what it could not write.
                Descriptor(partial(os.dup, fd)).close()

    def publish(self, name: bytes, lock: Descriptor | None) -> None:
        """Give the file its name, in one step.

        Args:
            name: The image's name.
            lock: A lock to hold on to until this returns, however late that is.

        Raises:
            FileExistsError: The name is taken.
            FileNotFoundError: The upload was reclaimed.
            OSError: It cannot be done.
        """
        with self.directory.at() as directory, self.file as fd, lock or self.file:
            try:
                self._give_name(directory, fd, name)
            except (FileExistsError, FileNotFoundError):
                # A network filesystem asks again if an answer was lost, and finds its own doing.
                if not _bears(name, directory, fd):
                    raise
            self._unhide(directory)

    def close(self) -> None:
        """Give everything back, the hidden name too. May be called twice."""
        with self.directory.opened as directory:
            self._unhide(directory)
        if hasattr(self, "file"):
            self.file.close()

    def _give_name(self, directory: int, fd: int, name: bytes) -> None:
        if self._hidden is None:
            link_unnamed(fd, directory, name)
        elif self._road is Road.LINKED:
            link(directory, self._hidden, name)
        elif self._road is Road.RENAMED:
            rename_exclusively(directory, self._hidden, name)
        else:
            os.rename(self._hidden, name, src_dir_fd=directory, dst_dir_fd=directory)

    def _unhide(self, directory: int) -> None:
        if self._hidden is not None:
            with suppress(OSError):  # what stays is found by leftovers()
                os.unlink(self._hidden, dir_fd=directory)


def _bears(name: bytes, directory: int, fd: int) -> bool:
    """Tell whether a file has a name; it has not where a rival's was taken away just now."""
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(found, os.fstat(fd))


def _write_all(fd: int, data: memoryview, offset: int) -> None:
    while data:
        written = os.pwrite(fd, data, offset)
        data = data[written:]
        offset += written
