"""Power: a file system that loses, on command, whatever was not synced.

An ext4 on a loop device. ``cut`` shuts it down by the ioctl that the kernel's own crash tests use:
it drops what is in memory, the journal's open transaction too; ``back`` mounts it again, and the
journal is replayed, as after a real power failure. So it knows unnamed files, links, renames,
copies in the kernel and every kind of sync, for it is the kernel itself that has them. For the
harnesses of local drivers.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Disk", "disk", "lacks"]

_SIZE = 128 << 20  # bytes; it takes no space unused
_SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN, fs/ext4/ext4.h of the kernel
_NO_FLUSH = 2  # EXT4_GOING_FLAGS_NOLOGFLUSH
# Nothing is written because time passes: a commit every hour.
_OPTIONS = "loop,commit=3600"


def lacks() -> str | None:
    """Tell what is missing here to have such a file system, or None."""
    if os.geteuid() != 0:
        return "the right to mount"
    if not Path("/dev/loop-control").exists():
        return "/dev/loop-control"
    if shutil.which("mkfs.ext4") is None:
        return "mkfs.ext4, which Debian's e2fsprogs brings"
    return None


class Disk:
    """A mounted one.

    Args:
        image: The file that holds it.
        path: Where it is mounted.
    """

    def __init__(self, image: Path, path: Path) -> None:
        self.path = path
        self._image = image

    def cut(self) -> None:
        """Cut the power: what was not synced is lost, and nothing is there.

        Raises:
            RuntimeError: Somebody has it open: close every store on it before.
            OSError: It cannot be shut down.
        """
        root = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(root, _SHUTDOWN, struct.pack("I", _NO_FLUSH))
        finally:
            os.close(root)
        # Not lazily: what is mounted afterwards must be what the device has.
        _run("umount", str(self.path))

    def back(self) -> None:
        """Have it there again, as it is on the device.

        Raises:
            RuntimeError: It cannot be mounted.
        """
        _run("mount", "-t", "ext4", "-o", _OPTIONS, str(self._image), str(self.path))

    @contextmanager
    def without_power(self) -> Iterator[None]:
        """Cut the power, and have it back at the end of the block.

        Raises:
            RuntimeError: As ``cut`` and ``back``.
        """
        self.cut()
        try:
            yield
        finally:
            self.back()


@contextmanager
def disk(image: Path, path: Path) -> Iterator[Disk]:
    """Make one, and mount it.

    Args:
        image: A file to be made for it; best in memory, on a tmpfs.
        path: Where to mount it: an empty directory.

    Yields:
        The disk.

    Raises:
        RuntimeError: It cannot be made or mounted.
    """
    with image.open("wb") as file:
        file.truncate(_SIZE)
    try:
        _run("mkfs.ext4", "-q", "-F", "-m", "0", str(image))
        made = Disk(image, path)
        made.back()
        try:
            yield made
        finally:
            subprocess.run(["umount", "-l", str(path)], check=False, capture_output=True)  # noqa: S603, S607
    finally:
        image.unlink(missing_ok=True)


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr.strip()}")
