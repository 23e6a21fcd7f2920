"""A file system by FUSE over a directory, with faults on command: reads that fail, and hanging."""

from __future__ import annotations

import ctypes.util
import importlib.util
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Mirror", "lacks", "mirrored"]

_READY = 30.0  # seconds for the mount to appear
_LOOK = 0.01


def lacks() -> str | None:
    """Tell what is missing here to mount one, or None."""
    if os.geteuid() != 0:
        return "the right to mount"
    if not Path("/dev/fuse").exists():
        return "/dev/fuse"
    if importlib.util.find_spec("mfusepy") is None:
        return "mfusepy, which storekit[testing] brings"
    if ctypes.util.find_library("fuse3") is None:
        return "libfuse3, which Debian's fuse3 brings"
    return None


class Mirror:
    """A mounted one.

    Args:
        path: Where it is mounted.
        process: Its server.
    """

    def __init__(self, path: Path, process: subprocess.Popen[str]) -> None:
        self.path = path
        self._process = process

    def fault(self, kind: str) -> None:
        """Put a fault in place of the one before.

        Args:
            kind: ``eio``: reads fail. ``hung``: nothing answers. ``none``: it works again, what
                hung as well.
        """
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the server has no pipes")
        self._process.stdin.write(f"{kind}\n")
        self._process.stdin.flush()
        if self._process.stdout.readline() != "done\n":
            raise RuntimeError("the server of the FUSE mount is gone")


@contextmanager
def mirrored(backing: Path, mountpoint: Path) -> Iterator[Mirror]:
    """Mount a directory somewhere else.

    Args:
        backing: The directory.
        mountpoint: An empty directory.

    Yields:
        What is mounted. Its server ends with the block, or with its standard input.

    Raises:
        RuntimeError: It cannot be mounted.
    """
    command = [sys.executable, "-m", "storekit.testing.reference.fuse_server"]
    process = subprocess.Popen(  # noqa: S603 - our own
        [*command, str(backing), str(mountpoint)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Not version 2, which may be installed as well, without its programs.
        env={**os.environ, "FUSE_LIBRARY_NAME": "fuse3"},
        stderr=subprocess.DEVNULL,  # libfuse complains about a default of its own
        text=True,
    )
    try:
        deadline = time.monotonic() + _READY
        while not mountpoint.is_mount():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the FUSE mount did not appear")
            threading.Event().wait(_LOOK)
        yield Mirror(mountpoint, process)
    finally:
        process.kill()  # what hangs in it fails now
        process.communicate()
        subprocess.run(["umount", "-l", str(mountpoint)], check=False, capture_output=True)  # noqa: S603, S607
