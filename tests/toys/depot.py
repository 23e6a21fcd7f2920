"""A directory of parts and a manifest: an upload in parallel, the commit is a rename.

The backend's own exceptions escape from every verb and are mapped in ``translate`` alone.
"""

import json
import os
import shutil
import uuid
from datetime import UTC, datetime
from pathlib import Path

from storekit import transfer
from storekit.capabilities import Capability, Limits
from storekit.driver import Content, Driver, DriverOptions, Leftover, Listing
from storekit.errors import Duplicate, NotFound
from storekit.location import Location


class DepotOptions(DriverOptions):
    """Options of a depot."""

    path: Path


class DepotDriver(Driver):
    """Images as directories of numbered parts."""

    schemes = ("depot",)
    options = DepotOptions
    capabilities = (
        Capability.GET
        | Capability.GET_RANGE
        | Capability.ADD
        | Capability.ADD_UNKNOWN_SIZE
        | Capability.DELETE
        | Capability.LIST
    )
    limits = Limits(part_size=1000, window=3, read_chunk=700)
    digests = ("sha256",)
    example_locations = ("depot://srv/images/teddy",)
    config: DepotOptions

    def open(self):
        if not self.config.path.is_dir():
            raise NotADirectoryError(f"{self.config.path} is no directory")

    def owns(self, location):
        return Path("/", *location.segments[:-1]) == self.config.path

    def translate(self, error, operation):
        if isinstance(error, FileNotFoundError):
            return NotFound("no such image")
        if isinstance(error, OSError) and error.errno == 39:
            return Duplicate("the id is taken")
        return None

    def add(self, image_id, source, context=None):
        if (self.config.path / image_id).exists():
            raise Duplicate("the id is taken")
        upload = self.config.path / f".storekit-{uuid.uuid4()}"
        upload.mkdir()
        try:
            sizes = transfer.upload(
                source,
                self.limits.part_size,
                self.limits.window,
                lambda part: (upload / str(part.number)).write_bytes(part.data),
            )
            manifest = {"sizes": sizes, "sha256": source.digests["sha256"]}
            (upload / "manifest").write_text(json.dumps(manifest))
            os.rename(upload, self.config.path / image_id)
        except BaseException:
            shutil.rmtree(upload)
            raise
        return Location.build("depot", "", *self.config.path.parts[1:], image_id)

    def get(self, location, offset, length, context=None):
        home = self._home(location)
        sizes = json.loads((home / "manifest").read_text())["sizes"]
        total = sum(sizes)
        end = total if length is None else min(total, offset + length)
        return Content(
            total,
            self._chunks(home, offset, end),
            resume=lambda position: self._chunks(home, position, end),
        )

    def get_size(self, location, context=None):
        return sum(json.loads((self._home(location) / "manifest").read_text())["sizes"])

    def delete(self, location, context=None):
        gone = self.config.path / f".storekit-{uuid.uuid4()}"
        os.rename(self._home(location), gone)
        shutil.rmtree(gone)

    def list(self, context=None):
        for home in self.config.path.iterdir():
            if not home.name.startswith(".storekit-"):
                sizes = json.loads((home / "manifest").read_text())["sizes"]
                place = Location.build("depot", "", *home.parts[1:])
                yield Listing(home.name, place, sum(sizes))

    def leftovers(self, older_than, context=None):
        for home in self.config.path.glob(".storekit-*"):
            modified = datetime.fromtimestamp(home.stat().st_mtime, UTC)
            if datetime.now(UTC) - modified >= older_than:
                size = sum(part.stat().st_size for part in home.iterdir())
                yield Leftover(home.name, self.store_name, size, modified)

    def reclaim(self, leftover, context=None):
        shutil.rmtree(self.config.path / leftover.name)

    def _home(self, location):
        return self.config.path / location.segments[-1]

    def _chunks(self, home, begin, end):
        position = 0
        number = 1
        while position < end:
            part = (home / str(number)).read_bytes()
            yield part[max(0, begin - position) : max(0, end - position)]
            position += len(part)
            number += 1
