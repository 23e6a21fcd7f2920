"""A real FUSE filesystem over a directory, with faults on command.

::

    with slow_fuse(backing, mountpoint) as mount:
        mount.fault("hung")             # every operation waits from now on
        mount.fault("eio", "read")      # reading fails; what was hung before goes on
        mount.fault("none")
        mount.stop()                    # the server is stopped: what hangs can be killed now
        mount.go_on()

What is written to the mount is in the backing directory. It has no unnamed files, as FUSE has
none unless a filesystem offers them; ``links=False`` and so on take away what else a
filesystem may not have.

Needs root, /dev/fuse, mfusepy, and libfuse (Debian: fuse3). The server is a process of its own,
for its operations would else need the lock of the interpreter that waits for them. It ends with
the ``with`` block, or with its standard input.
"""

import contextlib
import ctypes
import ctypes.util
import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["Mount", "missing", "slow_fuse"]

_SERVER = Path(__file__).with_name("slow_fuse_server.py")
_READY = 10.0  # seconds for the mount to appear


def missing() -> str | None:
    """Tell what is missing to run it, or None."""
    if os.geteuid():
        return "mounting needs root"
    if not Path("/dev/fuse").exists():
        return "there is no /dev/fuse"
    if importlib.util.find_spec("mfusepy") is None:
        return "mfusepy is not installed"
    if ctypes.util.find_library("fuse3") is None:
        return "libfuse3 is not installed"
    return None


class Mount:
    """A mounted filesystem and its server."""

    def __init__(self, path: Path, process: subprocess.Popen[str]) -> None:
        self.path = path
        self._process = process

    def fault(self, kind: str, *operations: str) -> None:
        """Put a fault in place of the one before.

        Args:
            kind: ``none``, ``hung``, or the name of an errno: ``eio``.
            *operations: The operations that have it, by FUSE's names; all if none is named.
        """
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(" ".join((kind, *operations)) + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"

    def stop(self) -> None:
        """Stop the server. A call that it did not see yet hangs, but ends with its process.

        One that it has seen, as with the fault ``hung``, holds up even the end of its process.
        """
        self._process.send_signal(signal.SIGSTOP)
        for task in Path(f"/proc/{self._process.pid}/task").iterdir():
            while (task / "stat").read_text().rpartition(")")[2].split()[0] != "T":
                time.sleep(0.005)

    def go_on(self) -> None:
        """Let the server go on after ``stop``."""
        self._process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def slow_fuse(
    backing: Path,
    mountpoint: Path,
    *,
    links: bool = True,
    noreplace: bool = True,
    holes: bool = True,
    folds: bool = False,
) -> Iterator[Mount]:
    """Mount a directory somewhere else.

    Args:
        backing: The directory.
        mountpoint: Where to mount it: an empty directory.
        links: Whether there are hard links.
        noreplace: Whether a rename can be told not to replace.
        holes: Whether files have holes, as far as it tells.
        folds: Whether upper and lower case in names are one.

    Yields:
        The mount.
    """
    switches = {"links": links, "noreplace": noreplace, "holes": holes, "folds": folds}
    features = [name for name, on in switches.items() if on]
    command = [sys.executable, str(_SERVER), str(backing), str(mountpoint), *features]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        # Not version 2, which Ceph's packages bring without its programs.
        env={**os.environ, "FUSE_LIBRARY_NAME": "fuse3"},
    )
    try:
        deadline = time.monotonic() + _READY
        while not mountpoint.is_mount():
            assert process.poll() is None, "the FUSE server ended"
            assert time.monotonic() < deadline, "the FUSE mount did not appear"
            time.sleep(0.02)
        yield Mount(mountpoint, process)
    finally:
        # What hangs in it fails once its server is gone.
        process.kill()
        process.communicate()
        subprocess.run(["umount", "-l", str(mountpoint)], check=False)
