"""Calls of the kernel that Python does not have, and the errors of a call as numbers."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
from collections.abc import Callable

__all__ = ["FULL", "REFUSED", "clone", "errno_of", "rename_exclusively", "write_back"]

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""No space, a quota, or a file size that is not allowed."""
REFUSED = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTTY})
"""The kernel or the filesystem does not have the call."""

_FICLONE = 0x40049409  # linux/fs.h
_RENAME_NOREPLACE = 1  # linux/fs.h
_WAIT_BEFORE, _WRITE, _WAIT_AFTER = 1, 2, 4  # sync_file_range(2)

_libc = ctypes.CDLL(None, use_errno=True)
_sync_file_range = getattr(_libc, "sync_file_range", None)
_renameat2 = getattr(_libc, "renameat2", None)
if _sync_file_range is not None:
    _sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
if _renameat2 is not None:
    _renameat2.argtypes = (
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_uint,
    )


def errno_of(function: Callable[..., object], *arguments: object) -> int:
    """Try a call whose refusal is an answer.

    Args:
        function: What to call.
        *arguments: With what.

    Returns:
        0, or the number of the OSError that it raised.
    """
    try:
        function(*arguments)
    except OSError as error:
        return error.errno or errno.EIO
    return 0


def write_back(fd: int, offset: int, length: int, *, wait: bool) -> None:
    """Start to write a range of a file to the disk.

    Args:
        fd: The file.
        offset: Where the range begins, in bytes.
        length: How long it is.
        wait: Whether to wait until it is there.

    Raises:
        OSError: The disk failed. Where the call is missing nothing happens: fsync does it all.
    """
    flags = _WAIT_BEFORE | _WRITE | _WAIT_AFTER if wait else _WRITE
    if _sync_file_range is not None and _sync_file_range(fd, offset, length, flags):
        number = ctypes.get_errno()
        if number not in REFUSED:
            raise OSError(number, os.strerror(number))


def clone(source: int, target: int) -> None:
    """Make an empty file share all blocks of another.

    Args:
        source: The file that has the bytes.
        target: The empty file.

    Raises:
        OSError: The filesystem cannot, or they are on different ones.
    """
    fcntl.ioctl(target, _FICLONE, source)


def rename_exclusively(directory: int, old: bytes, new: bytes) -> None:
    """Rename a file unless the new name is taken.

    Args:
        directory: Descriptor of the directory of both names.
        old: Its name.
        new: The new name.

    Raises:
        FileExistsError: The new name is taken.
        OSError: The filesystem cannot do that.
    """
    if _renameat2 is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if _renameat2(directory, old, directory, new, _RENAME_NOREPLACE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
