"""The server of ``fuse``: a directory served as a file system, with the faults it is told.

``python -m storekit.testing.reference.fuse_server BACKING MOUNTPOINT``. Each line of its standard
input is the kind of a fault: ``eio``, ``hung``, or ``none``; ``done`` answers it.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

import mfusepy  # type: ignore[import-untyped]

__all__ = ["main"]

_THREADS = 32  # operations at once, those that hang included
_LONGEST = 120.0  # seconds that anything hangs: who is to end it may be killed, and hang himself
_STATUS = ("st_mode", "st_ino", "st_nlink", "st_uid", "st_gid", "st_size", "st_blocks")
_SPACE = (
    *("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail"),
    *("f_files", "f_ffree", "f_favail", "f_flag", "f_namemax"),
)


class _Faults:
    """The fault that is in place, and those that wait for its end."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._kind = "none"

    def follow(self) -> None:
        """Obey the lines of the standard input until its end."""
        for line in sys.stdin:
            with self._changed:
                self._kind = line.strip()
                self._changed.notify_all()
            sys.stdout.write("done\n")
            sys.stdout.flush()
        os._exit(0)

    def meet(self, *, reading: bool = False) -> None:
        """Wait as long as everything hangs; fail where reading fails."""
        with self._changed:
            self._changed.wait_for(lambda: self._kind != "hung", _LONGEST)
            if reading and self._kind == "eio":
                raise OSError(errno.EIO, os.strerror(errno.EIO))


class _Mirror(mfusepy.Operations):  # type: ignore[misc]  # it comes without types
    """Every operation, done to the backing directory."""

    use_ns = True

    def __init__(self, backing: str, faults: _Faults) -> None:
        self._backing = backing
        self._faults = faults

    def _real(self, path: str) -> str:
        self._faults.meet()
        return self._backing + path

    def getattr(self, path: str, fh: int | None = None) -> dict[str, int]:
        real = self._real(path)
        found = os.fstat(fh) if fh else os.lstat(real)
        times = {"st_mtime": found.st_mtime_ns, "st_ctime": found.st_ctime_ns}
        return {name: getattr(found, name) for name in _STATUS} | times

    def readdir(self, path: str, fh: int) -> Iterator[tuple[str, dict[str, int], int]]:
        with os.scandir(self._real(path)) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                yield entry.name, {"st_ino": entry.inode(), "st_mode": status.st_mode}, 0

    def statfs(self, path: str) -> dict[str, int]:
        found = os.statvfs(self._real(path))
        return {name: getattr(found, name) for name in _SPACE}

    def create(self, path: str, mode: int, fi: Any = None) -> int:  # noqa: ANN401
        return os.open(self._real(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)

    def open(self, path: str, flags: int) -> int:
        return os.open(self._real(path), flags)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        self._faults.meet(reading=True)
        return os.pread(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        self._faults.meet()
        return os.pwrite(fh, data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> None:
        os.truncate(fh or self._real(path), length)

    def chmod(self, path: str, mode: int) -> None:
        os.chmod(self._real(path), mode)

    def fsync(self, path: str, datasync: int, fh: int) -> None:
        self._faults.meet()
        os.fsync(fh)

    def fsyncdir(self, path: str, datasync: int, fh: int) -> None:
        self._faults.meet()

    def flush(self, path: str, fh: int) -> None:
        self._faults.meet()

    def release(self, path: str, fh: int) -> None:
        os.close(fh)

    def mkdir(self, path: str, mode: int) -> None:
        os.mkdir(self._real(path), mode)

    def unlink(self, path: str) -> None:
        os.unlink(self._real(path))

    def link(self, target: str, source: str) -> None:
        os.link(self._real(source), self._real(target), follow_symlinks=False)

    def rename(self, old: str, new: str, flags: int = 0) -> None:
        os.rename(self._real(old), self._real(new))


def main() -> None:
    """Serve until the standard input ends, or the file system is unmounted."""
    backing, mountpoint = sys.argv[1:]
    faults = _Faults()
    threading.Thread(target=faults.follow, daemon=True).start()
    # No caches: a fault is met by the next call.
    mfusepy.FUSE(
        _Mirror(backing, faults),
        mountpoint,
        foreground=True,
        attr_timeout=0,
        entry_timeout=0,
        negative_timeout=0,
        default_permissions=True,
        use_ino=True,
        max_threads=_THREADS,
    )


if __name__ == "__main__":
    main()
