"""Exclusion: one at a time, among all threads and processes that use the same directories."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from storekit.arguments import RESERVED_PREFIX
from storekit.drivers.filesystem.descriptor import Descriptor
from storekit.drivers.filesystem.directory import Directory
from storekit.errors import Timeout

__all__ = ["LOCK_NAME", "locked"]

LOCK_NAME = f"{RESERVED_PREFIX}lock".encode()
"""The file whose lock is taken. It stays."""

_FIRST_PAUSE = 0.0005  # seconds between two tries; doubles. A commit takes well under that.
_LONGEST_PAUSE = 0.05


@contextmanager
def locked(directory: Directory, mode: int, timeout: float) -> Iterator[Descriptor]:
    """Hold the lock of a directory.

    Args:
        directory: The directory.
        mode: Mode of a new lock file.
        timeout: Seconds to wait at most: its holder may be stopped.

    Yields:
        The lock: held as long as the block runs, and as long as somebody uses this.

    Raises:
        Timeout: Somebody else kept it.
        OSError: There are no locks.
    """
    deadline = time.monotonic() + timeout
    pause = _FIRST_PAUSE
    while (lock := directory.run(_try_lock, directory, mode)) is None:
        if time.monotonic() > deadline:
            name = os.fsdecode(LOCK_NAME)
            raise Timeout(f"{directory.path / name} was locked by others for {timeout:g} s")
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
    try:
        yield lock
    finally:
        directory.release(lock.close)


def _try_lock(directory: Directory, mode: int) -> Descriptor | None:
    with directory.at() as fd:
        lock = Descriptor.open_at(fd, LOCK_NAME, os.O_RDWR | os.O_CREAT, mode)
        with lock as number:
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return None
            # Whoever comes after a removal of the file has another one, and another lock.
            with suppress(FileNotFoundError):
                found = os.stat(LOCK_NAME, dir_fd=fd, follow_symlinks=False)
                return lock if os.path.samestat(found, os.fstat(number)) else None
            return None
