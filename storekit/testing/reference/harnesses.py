"""The harnesses of the reference drivers: with every hook that can be."""

from __future__ import annotations

import base64
import copy
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlencode

from storekit.config import make_driver
from storekit.driver import Driver
from storekit.location import Location
from storekit.store import Store
from storekit.testing import power
from storekit.testing.harness import Harness
from storekit.testing.reference.directory import UPLOADS, DirectoryDriver, sync_directory
from storekit.testing.reference.fuse import Mirror, lacks, mirrored
from storekit.testing.reference.memory import MemoryDriver
from storekit.testing.reference.process import administer, shared_port

_SIZE = "192m"  # of the file system that a directory has to itself

__all__ = ["DirectoryHarness", "MemoryHarness", "ReferenceHarness"]


class ReferenceHarness(Harness):
    """What both have in common: the class of the driver, and that of the frame, can be set."""

    driver: ClassVar[type[Driver]]
    """The class of the driver."""
    frame: ClassVar[type[Store]] = Store
    """The class of the frame: ``Store``, or a mutant of it."""
    checked: ClassVar[bool] = True
    """Whether the frame may check the driver's class when it makes the driver."""

    def options(self) -> dict[str, object]:
        """Give the options of a store on this backend."""
        raise NotImplementedError

    def make_store(self, **overrides: object) -> Store:
        """Open a store on the backend."""
        options = {**self.options(), **overrides}

        def make() -> Driver:
            if self.checked:
                return make_driver("reference", {"driver": self.driver, **options})
            return self.driver("reference", self.driver.options.model_validate(options))

        store = self.frame("reference", "reference", make)
        _ = store.capabilities  # opens it
        return store


class MemoryHarness(ReferenceHarness):
    """The driver over a socket, and a namespace of its own on the server of this process."""

    driver = MemoryDriver
    absent: Mapping[str, str] = dict.fromkeys(
        ("fault:eio", "fault:power"), "the server keeps the bytes in its memory"
    )

    def setup(self) -> None:
        """Make the namespace."""
        super().setup()
        self.endpoint = f"http://127.0.0.1:{shared_port()}"
        self._owner = f"owner-{self.namespace}"
        self._reader = f"reader-{self.namespace}"
        settings = {"owner": self._owner, "reader": self._reader}
        administer("PUT", self.namespace, json.dumps(settings).encode())

    def teardown(self) -> None:
        """Remove the namespace."""
        try:
            administer("DELETE", self.namespace)
        finally:
            super().teardown()

    def options(self) -> dict[str, object]:
        """Give the options of a store on the namespace."""
        return {"endpoint": self.endpoint, "space": self.namespace, "token": self._owner}

    def peek(self, location: str) -> bytes | None:
        """Look into the server's memory."""
        image = self._inside()["images"].get(Location(location).segments[-1])
        return None if image is None else base64.b64decode(image["data"])

    def plant(self, image_id: str, data: bytes) -> str:
        """Put an image on the server, by a store of the right driver."""
        options = {"driver": MemoryDriver, **self.options()}
        with Store("plant", "reference", lambda: make_driver("plant", options)) as store:
            return str(store.add(image_id, data).location)

    def acls(self, location: str) -> tuple[bool, list[str], list[str]]:
        """Look at what the server keeps with the image."""
        acl = self._inside()["images"][Location(location).segments[-1]]["acl"]
        return acl.get("public") == "True", acl.get("read", []), acl.get("write", [])

    def orphans(self) -> set[str]:
        """Name the uploads that the server holds."""
        return set(self._inside()["uploads"])

    @contextmanager
    def fault(self, kind: str) -> Iterator[None]:
        """Make the server misbehave for the namespace."""
        if kind not in {"full", "hung", "gone", "readonly"}:
            raise NotImplementedError(kind)
        self._act("fault", kind=kind)
        try:
            yield
        finally:
            self._act("fault", kind="")

    def denied_backend(self) -> Store:
        """Open a store as the user who may only read."""
        return self.make_store(token=self._reader)

    @contextmanager
    def in_use(self, location: str) -> Iterator[None]:
        """Make the server hold the image."""
        image_id = Location(location).segments[-1]
        self._act("hold", id=image_id, by="1")
        try:
            yield
        finally:
            self._act("hold", id=image_id, by="-1")

    def plant_leftover(self) -> str:
        """Begin an upload whose session is over."""
        self._act("leftover", name="0123456789abcdef")
        return "0123456789abcdef"

    def restart(self) -> None:
        """Cut every connection of the namespace, as a server that starts again does."""
        self._act("restart")

    def _inside(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(administer("GET", self.namespace))

    def _act(self, action: str, **query: str) -> None:
        administer("POST", f"{self.namespace}/{action}?{urlencode(query)}")


class DirectoryHarness(ReferenceHarness):
    """The driver over a directory, on a small file system of its own where that may be mounted."""

    driver = DirectoryDriver
    absent: Mapping[str, str] = {
        "endpoint": "files have no wire",
        "in_use": "an open file may be deleted",
        "denied_backend": "who owns a directory may write it",
        "restart": "there is no server",
    }

    def setup(self) -> None:
        """Make the directory."""
        super().setup()
        self._disk = self.directory / "disk"
        self._disk.mkdir()
        self._mounted = _mount("-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(self._disk))
        if not self._mounted:
            why = "a small file system takes the right to mount"
            self.absent = {**self.absent, "fault:full": why}
        if missing := lacks():
            why = f"a file system that can fail takes {missing}"
            self.absent = {**self.absent, "fault:eio": why, "fault:hung": why}
        if missing := power.lacks():
            why = f"a disk that loses what was not synced takes {missing}"
            self.absent = {**self.absent, "fault:power": why}
        self._root = self._disk / "images"
        self._root.mkdir()
        self._mirror: Mirror | None = None
        self._power: power.Disk | None = None

    def teardown(self) -> None:
        """Remove the directory."""
        if self._mounted:
            subprocess.run(["umount", "-l", str(self._disk)], check=True)  # noqa: S603, S607
        super().teardown()

    def options(self) -> dict[str, object]:
        """Give the options of a store on the directory."""
        return {"path": self._root, "may_hang": self._mirror is not None}

    def peek(self, location: str) -> bytes | None:
        """Read the file."""
        try:
            return (self._root / Location(location).segments[-1]).read_bytes()
        except FileNotFoundError:
            return None

    def plant(self, image_id: str, data: bytes) -> str:
        """Write the file."""
        (self._root / image_id).write_bytes(data)
        return str(Location.build("directory", "", *self._root.parts[1:], image_id))

    def orphans(self) -> set[str]:
        """Name the files that are no images."""
        uploads = {path.name for path in (self._root / UPLOADS).iterdir()}
        ours = {path.name for path in self._root.glob(".*") if path.name != UPLOADS}
        return uploads | ours

    @contextmanager
    def breakable(self, kind: str) -> Iterator[Harness]:
        """Put the directory on a FUSE mount, or on a disk whose power can fail."""
        if kind == "power":
            with self._on_disk() as other:
                yield other
            return
        if kind not in {"eio", "hung"}:
            yield self
            return
        backing, point = self._disk / f"backing-{kind}", self.directory / f"fuse-{kind}"
        for directory in (backing, point):
            directory.mkdir(exist_ok=True)
        with mirrored(backing, point) as mirror:
            other = copy.copy(self)
            other._mirror, other._root = mirror, point / "images"  # noqa: SLF001 - one of us
            other._root.mkdir(exist_ok=True)  # noqa: SLF001
            yield other

    @contextmanager
    def _on_disk(self) -> Iterator[DirectoryHarness]:
        point = self.directory / "power"
        point.mkdir(exist_ok=True)
        with power.disk(self._disk / "power.ext4", point) as disk:
            other = copy.copy(self)
            root = point / "images"
            root.mkdir()
            sync_directory(point)
            other._power, other._root = disk, root  # noqa: SLF001 - one of us
            # What a case puts beside the images can be copied to them by the kernel.
            other.directory = point
            yield other

    @contextmanager
    def fault(self, kind: str) -> Iterator[None]:
        """Fill, remount, move or break the directory."""
        if kind == "gone":
            away = self._root.with_name("away")
            self._root.rename(away)
            try:
                yield
            finally:
                shutil.rmtree(self._root, ignore_errors=True)  # somebody may have made it anew
                away.rename(self._root)
        elif kind in {"eio", "hung"} and self._mirror:
            self._mirror.fault(kind)
            try:
                yield
            finally:
                self._mirror.fault("none")
        elif kind == "power" and self._power:
            with self._power.without_power():
                yield
        elif kind == "full" and self._mounted:
            with _no_room(self._disk):
                yield
        elif kind == "readonly" and self._mounted:
            if not _mount("-o", "remount,ro", str(self._disk)):
                raise NotImplementedError(kind)
            try:
                yield
            finally:
                _mount("-o", "remount,rw", str(self._disk))
        elif kind == "readonly":
            with _unwritable(self._root / UPLOADS), _unwritable(self._root):
                yield
        else:
            raise NotImplementedError(kind)

    def plant_leftover(self) -> str:
        """Write an upload that nobody holds locked."""
        (self._root / UPLOADS / "0123456789abcdef").write_bytes(b"a part of a killed add")
        return "0123456789abcdef"


@contextmanager
def _unwritable(directory: Path) -> Iterator[None]:
    """Take the right to write away, where that binds us."""
    mode = directory.stat().st_mode
    directory.chmod(0o555)
    try:
        if os.access(directory, os.W_OK):
            raise NotImplementedError("readonly")
        yield
    finally:
        directory.chmod(mode)


def _mount(*arguments: str) -> bool:
    if os.geteuid() != 0:
        return False
    done = subprocess.run(["mount", *arguments], check=False, capture_output=True)  # noqa: S603, S607
    return done.returncode == 0


@contextmanager
def _no_room(disk: Path) -> Iterator[None]:
    """Make a file system in memory as small as what is on it."""
    filler = disk / "filler"
    filler.write_bytes(b"1")  # for nothing is on it, its size would be none, and that is no limit
    space = os.statvfs(disk)
    used = (space.f_blocks - space.f_bfree) * space.f_frsize
    if not _mount("-o", f"remount,size={used}", str(disk)):
        raise NotImplementedError("full")
    try:
        yield
    finally:
        _mount("-o", f"remount,size={_SIZE}", str(disk))
        filler.unlink()
