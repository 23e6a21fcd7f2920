"""Mutants of sizes and deletes."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

from storekit.context import RequestContext
from storekit.driver import Leftover
from storekit.errors import NotFound, StoreError
from storekit.location import Location
from storekit.source import Source
from storekit.store import Store
from storekit.testing.reference import DirectoryDriver, MemoryDriver
from storekit.testing.reference.connection import Refusal
from storekit.testing.reference.directory import UPLOADS
from storekit.testing.zoo.mutants import mutant

Context = RequestContext | None

_SEGMENT = "segment-"


@mutant(kills="SIZ-01")
class SizeIsStr(Store):
    """get_size gives a text."""

    def get_size(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - that is the point
        """Give a text."""
        return str(super().get_size(*args, **options))


@mutant(kills="SIZ-02")
class SizeOfMissingIsZero(Store):
    """A missing image has size 0."""

    def get_size(self, *args: Any, **options: Any) -> int:  # noqa: ANN401 - as Store.get_size
        """Swallow NotFound."""
        try:
            return super().get_size(*args, **options)
        except NotFound:
            return 0


@mutant(kills="SIZ-03")
class EmptyHasNoSize(MemoryDriver):
    """An empty image is not found."""

    def get_size(self, location: Location, context: Context = None) -> int:
        """Take 0 for nothing."""
        size = super().get_size(location, context)
        if not size:
            raise NotFound("no such image")
        return size


@mutant(kills="SIZ-05")
class ReadsForTheSize(MemoryDriver):
    """get_size reads the image."""

    def get_size(self, location: Location, context: Context = None) -> int:
        """Count the bytes."""
        return sum(map(len, super().get(location, 0, None, context).chunks))


@mutant(kills="DEL-01")
class HidesInsteadOfDeleting(MemoryDriver):
    """A deleted image is hidden by the client that deleted it."""

    def open(self) -> None:
        """Begin with nothing hidden."""
        super().open()
        self._hidden: set[str] = set()

    def delete(self, location: Location, context: Context = None) -> None:
        """Hide it."""
        self.get_size(location)
        self._hidden.add(str(location))

    def get_size(self, location: Location, context: Context = None) -> int:
        """See whether it is hidden."""
        if str(location) in self._hidden:
            raise NotFound("hidden")
        return super().get_size(location, context)


@mutant(kills="DEL-02")
class DeleteMissingOk(Store):
    """Deleting what is not there is no error."""

    def delete(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - as Store.delete
        """Swallow NotFound."""
        try:
            super().delete(*args, **options)
        except NotFound:
            return


@mutant(kills="DEL-03")
class SecondDeleteOk(MemoryDriver):
    """Deleting again what this client deleted is no error."""

    def open(self) -> None:
        """Begin with nothing deleted."""
        super().open()
        self._deleted: set[str] = set()

    def delete(self, location: Location, context: Context = None) -> None:
        """Remember what was deleted."""
        if str(location) in self._deleted:
            return
        super().delete(location, context)
        self._deleted.add(str(location))


@mutant(kills="DEL-05")
class DeleteIsPrefix(MemoryDriver):
    """Every image is deleted whose id begins alike."""

    def delete(self, location: Location, context: Context = None) -> None:
        """Delete by prefix."""
        prefix = self.image_id(location)
        super().delete(location, context)
        for listing in tuple(self.list(context)):
            if listing.image_id.startswith(prefix):
                super().delete(listing.location, context)


@mutant(kills="DEL-05")
class DeleteIgnoresCase(MemoryDriver):
    """Every image is deleted whose id differs in case alone."""

    def delete(self, location: Location, context: Context = None) -> None:
        """Delete by the folded id."""
        folded = self.image_id(location).casefold()
        super().delete(location, context)
        for listing in tuple(self.list(context)):
            if listing.image_id.casefold() == folded:
                super().delete(listing.location, context)


@mutant(kills="DEL-06")
class DeleteKeepsSegments(DirectoryDriver):
    """A large image has a segment, and its delete forgets it."""

    def add(self, image_id: str, source: Source, context: Context = None) -> Location:
        """Write a segment too."""
        location = super().add(image_id, source, context)
        if self.get_size(location) > self.limits.part_size:
            (self._root / UPLOADS / f"{secrets.token_hex(4)}.segment").write_bytes(b"1")
        return location


@mutant(kills="DEL-09")
class HalfDeletedForEver(MemoryDriver):
    """An image has a second object; a delete that was cut off between the two never succeeds."""

    def add(self, image_id: str, source: Source, context: Context = None) -> Location:
        """Store a second object."""
        location = super().add(image_id, source, context)
        self._commit("PUT", self._path("images", f"second-{image_id}"[:255]), 201, b"2")
        return location

    def delete(self, location: Location, context: Context = None) -> None:
        """Delete the second object, then the first."""
        image_id = self.image_id(location)
        self._commit("DELETE", self._path("images", f"second-{image_id}"[:255]), 204)
        super().delete(location, context)


class RecordThenSegment(MemoryDriver):
    """An image has a record and a segment; the record is deleted first. Right: the rest is listed.

    The segment is a dead upload on the server, which keeps nothing else that is no image.
    """

    def add(self, image_id: str, source: Source, context: Context = None) -> Location:
        """Store a segment, then the image."""
        name = _segment(image_id)
        path = self._path("uploads", image_id, name=name, session="", size=0)
        self._ask("POST", path, 201)
        return super().add(image_id, source, context)

    def delete(self, location: Location, context: Context = None) -> None:
        """Delete the record, then the segment, which leftovers finds if that fails."""
        super().delete(location, context)
        with suppress(Refusal, OSError, StoreError):
            name = _segment(self.image_id(location))
            self._ask("DELETE", self._path("uploads", name), 204)

    def leftovers(self, older_than: timedelta, context: Context = None) -> Iterator[Leftover]:
        """List segments that have no record."""
        used = {_segment(listing.image_id) for listing in self.list()}
        found = super().leftovers(older_than, context)
        return (leftover for leftover in found if leftover.name not in used)


@mutant(kills="DEL-09")
class CutCleanUpIsHidden(RecordThenSegment):
    """A segment whose record is gone is found by nobody."""

    def leftovers(self, older_than: timedelta, context: Context = None) -> Iterator[Leftover]:
        """Look at no segment."""
        found = super().leftovers(older_than, context)
        return (leftover for leftover in found if not leftover.name.startswith(_SEGMENT))


def _segment(image_id: str) -> str:
    return _SEGMENT + hashlib.md5(image_id.encode(), usedforsecurity=False).hexdigest()
