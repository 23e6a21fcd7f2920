"""The server process of slow_fuse: a directory served by FUSE, with the faults it is told.

::

    python slow_fuse_server.py BACKING MOUNTPOINT [links] [noreplace] [holes] [folds]

Each line of standard input is a fault and the operations that have it; ``done`` answers it.
"""

import ctypes
import errno
import os
import sys
import threading

import mfusepy

_THREADS = 32  # operations at once, those that hang included
_STATUS = ("st_mode", "st_ino", "st_dev", "st_nlink", "st_uid", "st_gid", "st_size", "st_blocks")
_SPACE = (
    "f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree", "f_favail",
    "f_flag", "f_namemax",
)  # fmt: skip


class _Faults:
    """The fault that is in place, and those that wait for its end."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._kind = "none"
        self._operations: frozenset[str] = frozenset()

    def follow(self) -> None:
        """Obey the commands of standard input until its end."""
        for line in sys.stdin:
            kind, *operations = line.split()
            with self._changed:
                self._kind, self._operations = kind, frozenset(operations)
                self._changed.notify_all()
            print("done", flush=True)
        os._exit(0)

    def meet(self, operation: str) -> None:
        """Let an operation fail or wait, if it shall."""
        with self._changed:
            while self._has(operation):
                if self._kind != "hung":
                    number = getattr(errno, self._kind.upper())
                    raise OSError(number, os.strerror(number))
                self._changed.wait()

    def _has(self, operation: str) -> bool:
        if self._kind == "none":
            return False
        return not self._operations or operation in self._operations


class _Passthrough(mfusepy.Operations):
    """Every operation, done to the backing directory."""

    use_ns = True

    def __init__(self, backing, features):
        self._backing = backing
        self._holes = "holes" in features
        self._folds = "folds" in features

    def real(self, path):
        return os.fsencode(self._backing + (path.lower() if self._folds else path))

    def getattr(self, path, fh=None):
        found = os.fstat(fh) if fh else os.lstat(self.real(path))
        status = {name: getattr(found, name) for name in _STATUS}
        if not self._holes:
            status["st_blocks"] = -(-found.st_size // 512)
        return status | {"st_mtime": found.st_mtime_ns, "st_ctime": found.st_ctime_ns}

    def readdir(self, path, fh):
        with os.scandir(self.real(path)) as entries:
            for entry in entries:
                mode = entry.stat(follow_symlinks=False).st_mode
                yield os.fsdecode(entry.name), {"st_ino": entry.inode(), "st_mode": mode}, 0

    def statfs(self, path):
        found = os.statvfs(self.real(path))
        return {name: getattr(found, name) for name in _SPACE}

    def create(self, path, mode, flags=os.O_RDWR):
        return os.open(self.real(path), flags | os.O_CREAT, mode)

    def open(self, path, flags):
        return os.open(self.real(path), flags)

    def read(self, path, size, offset, fh):
        return os.pread(fh, size, offset)

    def write(self, path, data, offset, fh):
        return os.pwrite(fh, data, offset)

    def truncate(self, path, length, fh=None):
        os.truncate(fh or self.real(path), length)

    def chmod(self, path, mode):
        os.chmod(self.real(path), mode)

    def utimens(self, path, times=None):
        os.utime(self.real(path), ns=times)

    def fsync(self, path, datasync, fh):
        os.fsync(fh)

    def fsyncdir(self, path, datasync, fh):
        return 0

    def flush(self, path, fh):
        return 0

    def release(self, path, fh):
        os.close(fh)

    def unlink(self, path):
        os.unlink(self.real(path))

    def mkdir(self, path, mode):
        os.mkdir(self.real(path), mode)

    def rmdir(self, path):
        os.rmdir(self.real(path))

    def symlink(self, target, source):
        os.symlink(source, self.real(target))

    def readlink(self, path):
        return os.fsdecode(os.readlink(self.real(path)))

    def mknod(self, path, mode, dev):
        os.mknod(self.real(path), mode, dev)

    def rename(self, old, new):
        raise NotImplementedError  # see rename_fuse_3; it must be there to be offered


class _WithLinks(_Passthrough):
    """And hard links."""

    def link(self, target, source):
        os.link(self.real(source), self.real(target), follow_symlinks=False)


class _Filesystem(mfusepy.FUSE):
    """mfusepy's, with faults, and with the flags of a rename, which it drops."""

    def __init__(self, operations, mountpoint, faults, *, noreplace, **options):
        self._faults = faults
        self._noreplace = noreplace
        super().__init__(operations, mountpoint, **options)

    def _wrapper(self, function, *arguments):
        def with_faults(*given):
            self._faults.meet(function.__name__.removesuffix("_fuse_3"))
            return function(*given)

        with_faults.__name__ = function.__name__
        return super()._wrapper(with_faults, *arguments)

    def rename_fuse_3(self, old, new, flags):
        if flags and not self._noreplace:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        libc = ctypes.CDLL(None, use_errno=True)
        names = [self.operations.real(os.fsdecode(name)) for name in (old, new)]
        if libc.renameat2(-1, names[0], -1, names[1], flags):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return 0


def main():
    backing, mountpoint, *features = sys.argv[1:]
    faults = _Faults()
    threading.Thread(target=faults.follow, daemon=True).start()
    # No caches: a fault is met by the next call.
    _Filesystem(
        (_WithLinks if "links" in features else _Passthrough)(backing, features),
        mountpoint,
        faults,
        noreplace="noreplace" in features,
        foreground=True,
        use_ino=True,
        attr_timeout=0,
        entry_timeout=0,
        negative_timeout=0,
        default_permissions=True,
        subtype="slow",
        max_threads=_THREADS,
    )


if __name__ == "__main__":
    main()
