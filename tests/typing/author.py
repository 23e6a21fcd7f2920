"""A driver, as far as a type checker sees it. Checked, never run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import assert_type

from pydantic import Field, SecretStr

from storekit import (
    Capability,
    Capacity,
    Content,
    Driver,
    DriverOptions,
    Leftover,
    Limits,
    Listing,
    Location,
    NotFound,
    RequestContext,
    Source,
    StoreError,
    open_store,
)
from storekit.transfer import Part, upload


class Options(DriverOptions):
    path: Path = Field(description="Where.")
    key: SecretStr | None = Field(None, description="What opens it.")


class ThingDriver(Driver):
    interface = 1
    schemes = ("thing",)
    options = Options
    digests = ("sha256",)
    capabilities = Capability.GET | Capability.ADD
    limits = Limits(write_chunk=1 << 20, io_timeout=5)
    example_locations = ("thing://a/b",)
    config: Options

    def open(self) -> None:
        self.narrow(Capability.ADD, "read only")
        self.limit(part_size=1 << 20, io_timeout=0.5)
        self.degraded = "half of it is missing"
        assert_type(self.config.path, Path)
        assert_type(self.store_name, str)

    def close(self) -> None:
        pass

    def owns(self, location: Location) -> bool | None:
        return location.authority == self.store_name

    def translate(self, error: Exception, operation: str) -> StoreError | None:
        return NotFound("no such image") if isinstance(error, KeyError) else None

    def add(self, image_id: str, source: Source, context: RequestContext | None = None) -> Location:
        assert_type(source.size, int | None)
        assert_type(source.fits(self.limits.part_size), bool)
        assert_type(source.done, bool)
        tags = upload(source, self.limits.part_size, self.limits.window, self._send)
        assert_type(tags, list[str])
        assert_type(source.digests, dict[str, str])
        return Location.build("thing", self.store_name, image_id)

    def get(
        self,
        location: Location,
        offset: int,
        length: int | None,
        context: RequestContext | None = None,
    ) -> Content:
        return Content(5, (b"bytes",), resume=self._chunks)

    def get_size(self, location: Location, context: RequestContext | None = None) -> int:
        return 5

    def delete(self, location: Location, context: RequestContext | None = None) -> None:
        raise NotFound("no such image", location=location, hint="add it")

    def metadata(
        self, location: Location, context: RequestContext | None = None
    ) -> dict[str, object]:
        return {"rack": "7"}

    def list(self, context: RequestContext | None = None) -> Iterator[Listing]:
        yield Listing("a", Location("thing://a/a"), 5)

    def leftovers(
        self, older_than: timedelta, context: RequestContext | None = None
    ) -> Iterator[Leftover]:
        yield Leftover("a", self.store_name, 5)

    def reclaim(self, leftover: Leftover, context: RequestContext | None = None) -> None:
        pass

    def set_acls(
        self,
        location: Location,
        public: bool,
        read: Sequence[str],
        write: Sequence[str],
        context: RequestContext | None = None,
    ) -> None:
        pass

    def capacity(self, context: RequestContext | None = None) -> Capacity:
        return Capacity(5, 3)

    def copy_from(
        self,
        other: Driver,
        location: Location,
        image_id: str,
        context: RequestContext | None = None,
    ) -> Location | None:
        return None

    def _chunks(self, position: int) -> Iterator[bytes]:
        yield b"bytes"[position:]

    def _send(self, part: Part) -> str:
        assert_type(part.data, bytes)
        return str(part.number)


store = open_store(ThingDriver, path="/srv")
