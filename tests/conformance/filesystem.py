"""How the kit gets at a filesystem store: a directory, for root on a small tmpfs of its own.

The tmpfs is mounted twice, so that it can go away from where the store expects it and come back
with its images. Reads that fail and calls that hang take a FUSE filesystem; a power failure takes
an ext4 on a loop device.
"""

import contextlib
import copy
import ctypes
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from servers import slow_fuse

import storekit
from storekit.location import Location
from storekit.testing import Harness, power

__all__ = ["FilesystemHarness"]

_SIZE = "512m"  # enough for the largest images that a case makes; it takes no memory unused
_LEFT = ".storekit-upload-0123456789abcdef0123456789abcdef"
_NOBODY = 65534


class FilesystemHarness(Harness):
    """A filesystem store."""

    absent: ClassVar = {
        "endpoint": "files have no wire",
        "in_use": "an open file may be deleted",
    }

    def setup(self) -> None:
        super().setup()
        self._kept, self._disk = self.directory / "kept", self.directory / "disk"
        self._kept.mkdir()
        self._disk.mkdir()
        self._images = self._disk / "images"
        self._fuse: slow_fuse.Mount | None = None
        if os.geteuid():
            hooks = ("fault:full", "fault:readonly", "fault:gone", "denied_backend", "restart")
            self.absent = {**self.absent, **dict.fromkeys(hooks, "it takes root")}
        else:
            self.directory.chmod(0o755)  # the other user gets at the images through it
            _mount("-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", self._kept)
            self._appear()
        if lacking := slow_fuse.missing():
            faults = dict.fromkeys(("fault:eio", "fault:hung"), lacking)
            self.absent = {**self.absent, **faults}
        if lacking := power.lacks():
            self.absent = {**self.absent, "fault:power": f"it takes {lacking}"}
        self._power: power.Disk | None = None
        self._images.mkdir()

    def teardown(self) -> None:
        if not os.geteuid():
            self._vanish()
            subprocess.run(["umount", "-l", self._kept], check=True)
        super().teardown()

    def make_store(self, **overrides: object) -> storekit.Store:
        options = {"path": self._images, "file_mode": "0644", **overrides}
        return storekit.open_store("filesystem", name="files", **options)

    def peek(self, location: str) -> bytes | None:
        path = self._images / Location(location).segments[-1]
        return path.read_bytes() if path.exists() else None

    def plant(self, image_id: str, data: bytes) -> str:
        (self._images / image_id).write_bytes(data)
        return str(Location.build("file", "", *self._images.parts[1:], image_id))

    def orphans(self) -> set[str]:
        return {name for name in os.listdir(self._images) if name.startswith(".storekit-")}

    def plant_leftover(self) -> str:
        path = self._images / _LEFT
        path.write_bytes(b"a part of a killed add")
        # Longer ago than upload_idle, which counts where the lock of an upload cannot be seen.
        killed = time.time() - 7200
        os.utime(path, (killed, killed))
        return str(path)

    def denied_backend(self) -> storekit.Store:
        opened: list[storekit.Store] = []

        def open_as_nobody() -> None:
            # Of this thread alone, and of those that it starts; see setfsuid(2).
            libc = ctypes.CDLL(None)
            libc.setfsgid(_NOBODY)
            libc.setfsuid(_NOBODY)
            opened.append(self.make_store())

        thread = threading.Thread(target=open_as_nobody)
        thread.start()
        thread.join()
        return opened[0]

    def restart(self) -> None:
        self._vanish()
        self._appear()

    @contextlib.contextmanager
    def breakable(self, kind: str) -> Iterator[Harness]:
        if kind == "power":
            with self._on_disk() as other:
                yield other
            return
        if kind not in {"eio", "hung"}:
            yield self
            return
        backing, point = self._kept / f"backing-{kind}", self.directory / f"fuse-{kind}"
        for directory in (backing, point):
            directory.mkdir(exist_ok=True)
        with slow_fuse.slow_fuse(backing, point) as mount:
            other = copy.copy(self)
            other._fuse, other._images = mount, point / "images"
            other._images.mkdir(exist_ok=True)
            yield other

    @contextlib.contextmanager
    def _on_disk(self) -> Iterator[Harness]:
        point = self.directory / "power"
        point.mkdir(exist_ok=True)
        with power.disk(self._kept / "power.ext4", point) as disk:
            other = copy.copy(self)
            # What a case puts beside the images can be copied to them by the kernel.
            other._power, other._images, other.directory = disk, point / "images", point
            other._images.mkdir()
            _sync(point)
            yield other

    @contextlib.contextmanager
    def fault(self, kind: str) -> Iterator[None]:
        """Break the backend."""
        if kind == "power":
            if not self._power:
                raise NotImplementedError(kind)
            with self._power.without_power():
                yield
            return
        if kind in {"eio", "hung"} and not self._fuse:
            raise NotImplementedError(kind)
        begin, end = {
            "gone": (self._vanish, self._appear),
            "full": (self._fill, self._empty),
            "readonly": (
                lambda: _mount("-o", "remount,ro", self._kept),
                lambda: _mount("-o", "remount,rw", self._kept),
            ),
            # Only reading: a directory that cannot be looked at is another fault.
            "eio": (lambda: self._fuse.fault("eio", "read"), lambda: self._fuse.fault("none")),
            "hung": (lambda: self._fuse.fault("hung"), lambda: self._fuse.fault("none")),
        }[kind]
        begin()
        try:
            yield
        finally:
            end()

    def _appear(self) -> None:
        _mount("--bind", self._kept, self._disk)

    def _vanish(self) -> None:
        subprocess.run(["umount", "-l", self._disk], check=True)

    def _fill(self) -> None:
        (self._kept / "filler").write_bytes(b"1")  # for a size of none would be no limit
        space = os.statvfs(self._kept)
        used = (space.f_blocks - space.f_bfree) * space.f_frsize
        _mount("-o", f"remount,size={used}", self._kept)

    def _empty(self) -> None:
        _mount("-o", f"remount,size={_SIZE}", self._kept)
        (self._kept / "filler").unlink()


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)
