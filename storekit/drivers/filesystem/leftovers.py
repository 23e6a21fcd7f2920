"""Leftovers: hidden files that killed processes left behind, told from those that are alive."""

from __future__ import annotations

import fcntl
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from storekit.arguments import RESERVED_PREFIX
from storekit.drivers.filesystem.descriptor import Descriptor
from storekit.drivers.filesystem.directory import Directory, modified_of, regular
from storekit.drivers.filesystem.exclusion import LOCK_NAME
from storekit.drivers.filesystem.mounts import is_remote
from storekit.errors import InUse
from storekit.values import Leftover

__all__ = ["is_hidden", "is_older", "look_at", "place_of", "reclaim"]

_PREFIX = RESERVED_PREFIX.encode()


def is_hidden(name: bytes) -> bool:
    """Tell whether a file is one that an upload or a trial makes.

    Args:
        name: The file's name.
    """
    return name.startswith(_PREFIX) and name != LOCK_NAME


def is_older(leftover: Leftover, least: timedelta) -> bool:
    """Tell whether a leftover has an age.

    Args:
        leftover: One that ``look_at`` gave.
        least: The least age.
    """
    age = datetime.now(UTC) - (leftover.modified or datetime.now(UTC))
    return age >= least or not least


def look_at(directory: Directory, name: bytes, store: str, idle: float) -> Leftover | None:
    """Look at a hidden file. Blocks.

    Args:
        directory: Where it is.
        name: Its name.
        store: The store's name.
        idle: Seconds after which an upload counts as dead where its lock cannot be seen.

    Returns:
        What it is, or None if it is alive.

    Raises:
        NotFound: It is no regular file.
        FileNotFoundError: It is gone.
    """
    with directory.at() as fd:
        regular(os.stat(name, dir_fd=fd, follow_symlinks=False))
        file = Descriptor.open_at(fd, name, os.O_RDONLY | os.O_NONBLOCK)
        with file as number:
            # Shared: two that look do not take each other for a live upload.
            alive = _is_alive(directory, number, fcntl.LOCK_SH, idle)
            status = os.fstat(number)
            file.close()
    if alive:
        return None
    shown = directory.path / os.fsdecode(name)
    return Leftover(os.fspath(shown), store, status.st_size, modified_of(status))


def reclaim(directory: Directory, name: bytes, idle: float) -> None:
    """Remove a hidden file unless it is alive. Blocks.

    Its upload, should there be one after all, cannot commit any more: it needs the name.

    Args:
        directory: Where it is.
        name: Its name.
        idle: As for ``look_at``.

    Raises:
        InUse: It is alive.
        NotFound: It is no regular file.
        FileNotFoundError: It is gone.
    """
    with directory.at() as fd:
        regular(os.stat(name, dir_fd=fd, follow_symlinks=False))
        file = Descriptor.open_at(fd, name, os.O_RDWR | os.O_NONBLOCK)
        with file as number:
            file.close()
            if _is_alive(directory, number, fcntl.LOCK_EX, idle):
                raise InUse("the upload is alive")
            os.unlink(name, dir_fd=fd)


def place_of(leftover: Leftover) -> tuple[Path, bytes]:
    """Take the name of a leftover apart.

    Args:
        leftover: One that ``look_at`` gave.

    Returns:
        The directory's path and the file's name.
    """
    path = Path(leftover.name)
    return path.parent, os.fsencode(path.name)


def _is_alive(directory: Directory, fd: int, kind: int, idle: float) -> bool:
    """Take the lock, which its upload would have, and keep it until the file is closed."""
    locks = True
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        locks = False
    # An upload of another machine may have a lock that cannot be seen here.
    if locks and not is_remote(directory.filesystem):
        return False
    return time.time() - os.fstat(fd).st_mtime < idle
