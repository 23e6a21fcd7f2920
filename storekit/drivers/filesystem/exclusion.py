"""Exclusion: one at a time, among all threads and processes that use the same directories."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from storekit.arguments import RESERVED_PREFIX
from storekit.drivers.filesystem.descriptor import Descriptor
from storekit.drivers.filesystem.directory import DENIED, Directory
from storekit.drivers.filesystem.kernel import errno_of
from storekit.drivers.filesystem.mounts import is_remote
from storekit.errors import Forbidden, Timeout

__all__ = ["LOCK_NAME", "locked"]

LOCK_NAME = f"{RESERVED_PREFIX}lock".encode()
"""The file whose lock is taken where other machines must see it. It stays."""

_FIRST_PAUSE = 0.0005  # seconds between two tries; doubles. A commit takes well under that.
_LONGEST_PAUSE = 0.05


@contextmanager
def locked(directory: Directory, timeout: float) -> Iterator[Descriptor]:
    """Hold the lock of a directory.

    Args:
        directory: The directory.
        timeout: Seconds to wait at most: its holder may be stopped.

    Yields:
        The lock: held as long as the block runs, and as long as somebody uses this.

    Raises:
        Timeout: Somebody else kept it.
        Forbidden: This process may not lock it.
        OSError: There are no locks.
    """
    deadline = time.monotonic() + timeout
    pause = _FIRST_PAUSE
    while (lock := directory.run(_try_lock, directory)) is None:
        if time.monotonic() > deadline:
            raise Timeout(f"{directory.path} was locked by others for {timeout:g} s")
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
    try:
        yield lock
    finally:
        directory.release(lock.close)


def _try_lock(directory: Directory) -> Descriptor | None:
    with directory.at() as fd:
        lock = _lock_file(fd) if is_remote(directory.filesystem) else _itself(fd)
        if lock is None:
            return None
        with lock as number:
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return None
            # Whoever comes after a removal of the file has another one, and another lock.
            return lock if not is_remote(directory.filesystem) or _is_current(fd, number) else None


def _itself(fd: int) -> Descriptor:
    """Open what every process can lock that sees the directory, be it read-only for some."""
    return Descriptor.open_at(fd, b".", os.O_RDONLY | os.O_DIRECTORY)


def _lock_file(fd: int) -> Descriptor | None:
    """Open the lock file: locks of a network filesystem need one that can be written.

    Returns:
        The file, or None if somebody else is just making it.
    """
    try:
        with suppress(FileNotFoundError):
            return Descriptor.open_at(fd, LOCK_NAME, os.O_RDWR)
        with suppress(FileExistsError):
            mode = _mode_of_lock(os.fstat(fd))
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
            lock = Descriptor.open_at(fd, LOCK_NAME, flags, mode)
            with lock as number:
                # Refused only where there are no owners, or no modes: it is ours.
                errno_of(os.fchown, number, -1, os.fstat(fd).st_gid)
                errno_of(os.fchmod, number, mode)
            return lock
    except OSError as error:
        if error.errno not in DENIED:
            raise
        raise Forbidden(
            f"{os.fsdecode(LOCK_NAME)} in the first directory cannot be locked: {error.strerror}",
            hint="every process that adds must be able to write to the first directory of paths",
        ) from error
    return None


def _mode_of_lock(directory: os.stat_result) -> int:
    """Tell the mode with which whoever may write to the directory can take the lock."""
    writers = directory.st_mode & 0o222
    return 0o600 | writers | writers << 1


def _is_current(fd: int, lock: int) -> bool:
    with suppress(FileNotFoundError):
        found = os.stat(LOCK_NAME, dir_fd=fd, follow_symlinks=False)
        return os.path.samestat(found, os.fstat(lock))
    return False
