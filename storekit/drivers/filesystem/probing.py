"""What a directory's filesystem can do: tried in the directory itself, leaving nothing there."""

from __future__ import annotations

import enum
import fcntl
import os
import secrets
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial

from storekit.arguments import RESERVED_PREFIX
from storekit.drivers.filesystem.descriptor import Descriptor
from storekit.drivers.filesystem.kernel import FULL, REFUSED, errno_of, rename_exclusively

__all__ = [
    "Road",
    "Traits",
    "create",
    "is_there",
    "link",
    "link_unnamed",
    "open_unnamed",
    "own_name",
    "probe",
]

_FAR = 1 << 20  # far enough from the begin of a file that what lies between can be a hole
_BLOCK = 512  # the unit of st_blocks, stat(2)


class Road(enum.Enum):
    """How a written file gets its name. Each is one step, and none replaces an image."""

    UNNAMED = "a file without a name, then a hard link"
    LINKED = "a hidden file, then a hard link"
    RENAMED = "a hidden file, then a rename that does not replace"
    LOCKED = "a hidden file, then a rename under a lock"


@dataclass(frozen=True)
class Traits:
    """What a directory can do."""

    road: Road | None
    """How images are stored; None if the directory cannot be written."""
    refusal: str = ""
    """Why it cannot be written."""
    sparse: bool = True
    """Whether files have holes."""
    syncs: bool = True
    """Whether the directory itself can be synced."""
    folds_case: bool = False
    """Whether names that differ in case are one."""


def own_name(kind: str) -> bytes:
    """Make a name that no image can have and that nobody else makes.

    Args:
        kind: What it is for.
    """
    return f"{RESERVED_PREFIX}{kind}-{secrets.token_hex(16)}".encode()


def probe(directory: int) -> Traits:
    """Find out what a directory can do.

    Args:
        directory: Its descriptor.

    Returns:
        What it can do, if it can be written at all.

    Raises:
        OSError: A file cannot be made in it.
    """
    first, second, free = own_name("probe"), own_name("probe"), own_name("probe")
    with ExitStack() as undo:
        for name in (first, second, free):
            undo.callback(_remove, directory, name)
        for name in (first, second):
            file = create(directory, name)
            undo.callback(file.close)
            # As an upload: who reclaims leaves alone what is locked.
            errno_of(fcntl.flock, undo.enter_context(file), fcntl.LOCK_EX)
        if not (is_there(directory, first) and is_there(directory, second)):
            return probe(directory)  # reclaimed before they were locked
        return Traits(
            folds_case=is_there(directory, first.upper()),
            syncs=errno_of(os.fsync, directory) not in REFUSED,
            sparse=_is_sparse(file.number),
            road=_road(directory, first, second, free),
        )


def open_unnamed(directory: int) -> Descriptor:
    """Make a file without a name, of mode 0600.

    Args:
        directory: Descriptor of the directory.

    Raises:
        OSError: It cannot be made; the errnos of a filesystem that has no such files are several.
    """
    flags = os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC
    return Descriptor(partial(os.open, b".", flags, 0o600, dir_fd=directory))


def create(directory: int, name: bytes) -> Descriptor:
    """Make a file with a name, of mode 0600.

    Args:
        directory: Descriptor of the directory.
        name: The name.

    Raises:
        OSError: It cannot be made, or the name is taken.
    """
    return Descriptor.open_at(directory, name, os.O_RDWR | os.O_CREAT | os.O_EXCL)


def link_unnamed(fd: int, directory: int, name: bytes) -> None:
    """Give a name to a file without one.

    Args:
        fd: The file.
        directory: Descriptor of the directory.
        name: The name.

    Raises:
        FileExistsError: The name is taken.
        OSError: It cannot be done.
    """
    # By way of /proc, as open(2) shows it: by the descriptor alone it needs a privilege.
    os.link(f"/proc/self/fd/{fd}".encode(), name, dst_dir_fd=directory, follow_symlinks=True)


def link(directory: int, old: bytes, new: bytes) -> None:
    """Give a file a second name.

    Args:
        directory: Descriptor of the directory of both names.
        old: The name that it has.
        new: The name that it shall have.

    Raises:
        FileExistsError: The name is taken.
        OSError: It cannot be done.
    """
    os.link(old, new, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)


def is_there(directory: int, name: bytes) -> bool:
    """Tell whether a name is taken.

    Args:
        directory: Descriptor of the directory.
        name: The name.
    """
    return not errno_of(lambda: os.stat(name, dir_fd=directory, follow_symlinks=False))


def _road(directory: int, name: bytes, taken: bytes, free: bytes) -> Road:
    """Try the roads, the best first. ``name`` and ``taken`` are files, ``free`` is none."""
    if _works(_link_new_unnamed, directory, free):
        return Road.UNNAMED
    if _works(link, directory, name, free):
        return Road.LINKED
    # A filesystem in user space may take the flag and not heed it.
    if _works(rename_exclusively, directory, name, taken):
        return Road.LOCKED
    return Road.RENAMED if _works(rename_exclusively, directory, name, free) else Road.LOCKED


def _works(function: Callable[..., object], *arguments: object) -> bool:
    number = errno_of(function, *arguments)
    if number in FULL:  # so it is not known
        raise OSError(number, os.strerror(number))
    return not number


def _link_new_unnamed(directory: int, name: bytes) -> None:
    file = open_unnamed(directory)
    with file as fd:
        file.close()
        link_unnamed(fd, directory, name)


def _is_sparse(fd: int) -> bool:
    # No space, or a small limit on the size of files, tells nothing about holes.
    return bool(errno_of(os.pwrite, fd, b"\1", _FAR)) or os.fstat(fd).st_blocks * _BLOCK < _FAR


def _remove(directory: int, name: bytes) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)
