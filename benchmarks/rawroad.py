"""The raw roads of the filesystem: what the machine gives, with nothing checked and nothing kept.

The bare road to add is what one would write by hand for speed: one thread per digest behind a
short queue, pieces of 1 MiB, write-back begun early, one fsync at the end. No duplicate check, no
temporary name, no size check, no hole.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import queue
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from contenders import Readable

__all__ = ["BareRoad", "copy_and_sync", "hash_alone"]

_PIECE = 1 << 20
_WRITE_BACK = 8 << 20
_QUEUE = 4
_SYNC_FILE_RANGE_WRITE = 2

_libc = ctypes.CDLL(None, use_errno=True)
_libc.sync_file_range.argtypes = (
    ctypes.c_int,
    ctypes.c_int64,
    ctypes.c_int64,
    ctypes.c_uint,
)


class BareRoad:
    """System calls and hashlib, in the words of the other contenders.

    Args:
        directory: Where the images are.
        sync: Whether to wait until they are on the disk.
        name: The name in tables.
    """

    def __init__(self, directory: Path, *, sync: bool = True, name: str = "bare road") -> None:
        self.name = name
        self._directory = directory
        self._sync = sync

    def add(
        self, image_id: str, data: Readable, size: int | None, hashes: Sequence[str]
    ) -> Mapping[str, str]:
        """Write a file."""
        threads = [_HashThread(name) for name in hashes]
        fd = os.open(self._directory / image_id, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            offset = begun = 0
            while piece := data.read(_PIECE):
                for thread in threads:
                    thread.pieces.put(piece)
                os.write(fd, piece)
                offset += len(piece)
                if self._sync and offset - begun >= _WRITE_BACK:
                    _libc.sync_file_range(fd, begun, offset - begun, _SYNC_FILE_RANGE_WRITE)
                    begun = offset
            for thread in threads:
                thread.pieces.put(None)
            if self._sync:
                os.fsync(fd)
        finally:
            os.close(fd)
        return {thread.name: thread.digest() for thread in threads}

    def get(self, location: str) -> int:
        """Read a file, 1 MiB at a time."""
        fd = os.open(_path(location), os.O_RDONLY)
        try:
            count = 0
            while piece := os.read(fd, _PIECE):
                count += len(piece)
            return count
        finally:
            os.close(fd)

    def get_size(self, location: str) -> int:
        """Ask for the size of a file."""
        try:
            return os.stat(_path(location)).st_size
        except FileNotFoundError:
            return -1

    def get_missing(self, location: str) -> None:
        """Open a file that does not exist."""
        try:
            os.open(_path(location), os.O_RDONLY)
        except FileNotFoundError:
            return
        raise AssertionError(f"{location} exists")

    def delete(self, location: str) -> None:
        """Remove a file."""
        os.unlink(_path(location))


class _HashThread(threading.Thread):
    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self._hash = hashlib.new(name, usedforsecurity=False)
        self.pieces: queue.Queue[bytes | None] = queue.Queue(_QUEUE)
        self.start()

    def run(self) -> None:
        while (piece := self.pieces.get()) is not None:
            self._hash.update(piece)

    def digest(self) -> str:
        self.join()
        return self._hash.hexdigest()


def hash_alone(block: bytes, size: int, algorithm: str) -> str:
    """Hash bytes in memory, with no I/O, no copy and no thread.

    Args:
        block: Random bytes, repeated as often as it takes.
        size: How many bytes to hash.
        algorithm: Name of the digest.

    Returns:
        The digest in hexadecimal.
    """
    digest = hashlib.new(algorithm, usedforsecurity=False)
    view = memoryview(block)
    for offset in range(0, size, _PIECE):
        begin = offset % len(block)
        digest.update(view[begin : begin + min(_PIECE, size - offset)])
    return digest.hexdigest()


def copy_and_sync(source: Path, target: Path) -> None:
    """Copy a file with the system's tools, which may clone it or copy it in the kernel.

    Args:
        source: The file.
        target: Its copy.
    """
    subprocess.run(["cp", "--reflink=auto", source, target], check=True)
    subprocess.run(["sync", target], check=True)


def _path(location: str) -> str:
    return location.removeprefix("file://")
