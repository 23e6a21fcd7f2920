"""A third party's driver: images as files, slow or faulty where a test wants it to be."""

import os
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

from storekit import Capability, Content, InUse, Leftover, Limits, Listing, Location, NotFound
from storekit.driver import Driver, DriverOptions
from storekit.errors import Duplicate


class ChestOptions(DriverOptions):
    """Options of a chest."""

    path: Path
    without: tuple[str, ...] = ()
    """Capabilities that it withdraws."""
    pause: float = 0
    """Seconds before each chunk of a read."""
    trap: float = 0
    """Seconds that a read spends in a finalizer, where Python drops what is raised."""
    linger: float = 0
    """Seconds that the clean-up after an add takes."""
    off_by: int = 0
    """By how much it is wrong about sizes."""
    corrupt: bool = False
    """Whether the first byte of a read is another one."""
    stuck: bool = False
    """Whether nothing can be deleted."""


class ChestDriver(Driver):
    """Images as files in one directory."""

    schemes = ("chest",)
    options = ChestOptions
    capabilities = (
        Capability.GET
        | Capability.GET_RANGE
        | Capability.ADD
        | Capability.ADD_UNKNOWN_SIZE
        | Capability.DELETE
        | Capability.LIST
    )
    limits = Limits(read_chunk=4096, write_chunk=4096)
    example_locations = ("chest:///srv/chest/cirros",)
    config: ChestOptions

    def open(self):
        for name in self.config.without:
            self.narrow(Capability[name], f"without {name}")

    def owns(self, location):
        return Path("/", *location.segments[:-1]) == self.config.path

    def add(self, image_id, source, context=None):
        target = self.config.path / image_id
        if target.exists():
            raise Duplicate("the id is taken")
        aside = self.config.path / f".storekit-{uuid.uuid4()}"
        try:
            with aside.open("wb") as file:
                for chunk in source.chunks(self.limits.write_chunk):
                    file.write(chunk)
                    file.flush()
            os.link(aside, target)
        finally:
            time.sleep(self.config.linger)
            aside.unlink(missing_ok=True)
        return Location.build("chest", "", *target.parts[1:])

    def get(self, location, offset, length, context=None):
        path = self._path(location)
        size = path.stat().st_size
        end = size if length is None else min(size, offset + length)
        return Content(size, self._chunks(path, offset, end))

    def get_size(self, location, context=None):
        return self._path(location).stat().st_size + self.config.off_by

    def delete(self, location, context=None):
        path = self._path(location)
        if self.config.stuck:
            raise InUse("a dragon sits on it")
        path.unlink()

    def list(self, context=None):
        for path in self._files(hidden=False):
            place = Location.build("chest", "", *path.parts[1:])
            yield Listing(path.name, place, path.stat().st_size, _modified(path))

    def leftovers(self, older_than, context=None):
        for path in self._files(hidden=True):
            if datetime.now(UTC) - _modified(path) >= older_than:
                size = path.stat().st_size
                yield Leftover(path.name, self.store_name, size, _modified(path))

    def reclaim(self, leftover, context=None):
        (self.config.path / leftover.name).unlink()

    def _chunks(self, path, offset, end):
        with path.open("rb") as file:
            file.seek(offset)
            Trap(self.config.trap)  # gone at once
            while offset < end:
                time.sleep(self.config.pause)
                chunk = file.read(min(self.limits.read_chunk, end - offset))
                if self.config.corrupt and offset == 0:
                    chunk = bytes([chunk[0] ^ 1]) + chunk[1:]
                offset += len(chunk)
                yield chunk

    def _files(self, *, hidden):
        for path in sorted(self.config.path.iterdir()):
            if path.name.startswith(".storekit-") == hidden:
                yield path

    def _path(self, location):
        path = self.config.path / location.segments[-1]
        if not path.is_file():
            raise NotFound("no such image")
        return path


class Trap:
    """Something whose end takes time."""

    def __init__(self, seconds):
        self.seconds = seconds

    def __del__(self):
        time.sleep(self.seconds)


def _modified(path):
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)
