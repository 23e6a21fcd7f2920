"""Reading: the chunks of an open image."""

from __future__ import annotations

import os
from typing import Self

from storekit.drivers.filesystem.descriptor import Descriptor
from storekit.drivers.filesystem.directory import Directory, regular

__all__ = ["FileChunks"]


class FileChunks:
    """An image's bytes from an offset, in order. Its file is closed once, also when dropped.

    Args:
        directory: Where it is.
        file: The open image.
        total: The image's size in bytes.
    """

    total: int
    """The size of the whole image, in bytes."""

    def __init__(self, directory: Directory, file: Descriptor, total: int) -> None:
        self._directory = directory
        self._file = file
        self.total = total
        self._offset = 0
        self._end = 0
        self._longest = 1

    @classmethod
    def open(cls, directory: Directory, name: bytes) -> Self:
        """Open an image. Blocks.

        Args:
            directory: Where it is.
            name: The image's file name.

        Raises:
            NotFound: It is no regular file.
            OSError: It cannot be opened.
            Unavailable: The directory is gone.
        """
        with directory.at() as fd:
            # Opening a device does things to it; a pipe that takes its place meanwhile must not
            # keep us waiting.
            regular(os.stat(name, dir_fd=fd, follow_symlinks=False))
            file = Descriptor.open_at(fd, name, os.O_RDONLY | os.O_NONBLOCK)
        with file as number:
            total = regular(os.fstat(number)).st_size
            os.posix_fadvise(number, 0, 0, os.POSIX_FADV_SEQUENTIAL)
        return cls(directory, file, total)

    def part(self, offset: int, length: int | None, longest: int) -> Self:
        """Choose what to read.

        Args:
            offset: The first byte.
            length: How many bytes at most; None is all.
            longest: The longest chunk, in bytes.
        """
        self._offset = offset
        self._end = self.total if length is None else min(self.total, offset + length)
        self._longest = longest
        return self

    def fileno(self) -> int:
        """Give the descriptor of the whole image."""
        return self._file.number

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        wanted = min(self._longest, self._end - self._offset)
        chunk = self._directory.run(self._read, wanted) if wanted > 0 else b""
        if not chunk:
            raise StopIteration
        self._offset += len(chunk)
        return chunk

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._directory.release(self._file.close)

    def __del__(self) -> None:
        if hasattr(self, "_longest"):  # else the constructor failed
            self.close()

    def _read(self, length: int) -> bytes:
        with self._file as fd:
            return os.pread(fd, length, self._offset)
