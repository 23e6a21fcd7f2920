"""Mutants of listings, capacity and copies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count, islice

from storekit.context import RequestContext
from storekit.driver import Capacity, Driver, Listing
from storekit.location import Location
from storekit.source import Source
from storekit.testing.reference import DirectoryDriver, MemoryDriver
from storekit.testing.reference.directory import UPLOADS
from storekit.testing.zoo.mutants import mutant

Context = RequestContext | None
_PAGE = 5  # images of the server's pages


@mutant(kills="LST-01")
class ListsNoSizes(MemoryDriver):
    """Every image is listed with size 0."""

    def list(self, context: Context = None) -> Iterator[Listing]:
        """Forget the sizes."""
        return (replace(listing, size=0) for listing in super().list(context))


@mutant(kills="LST-02")
class ListsUploads(DirectoryDriver):
    """Uploads are listed as images."""

    def list(self, context: Context = None) -> Iterator[Listing]:
        """List both directories."""
        yield from super().list(context)
        for path in (self._root / UPLOADS).iterdir():
            yield Listing(path.name, self._location(path.name), path.stat().st_size)


@mutant(kills="LST-03")
class OnePage(MemoryDriver):
    """Only the first page is listed."""

    def list(self, context: Context = None) -> Iterator[Listing]:
        """Stop after a page."""
        return islice(super().list(context), _PAGE)


@mutant(kills="LST-03")
class ForgetsTheLastOfFullPages(MemoryDriver):
    """The last image of a full page is taken for the marker of another page, which is empty."""

    def list(self, context: Context = None) -> Iterator[Listing]:
        """Drop it."""
        images = tuple(super().list(context))
        full = len(images) % _PAGE == 0
        return iter(images[:-1] if full else images)


@mutant(kills="LST-05")
class Since1970(MemoryDriver):
    """Every image is listed as of the beginning of time."""

    def list(self, context: Context = None) -> Iterator[Listing]:
        """Know no times, and give one all the same."""
        unknown = datetime.fromtimestamp(0, UTC)
        return (replace(listing, modified=unknown) for listing in super().list(context))


@mutant(kills="LST-05")
class AsOfTheListing(MemoryDriver):
    """Every image is listed as of now."""

    def list(self, context: Context = None) -> Iterator[Listing]:
        """Look at the clock."""
        return (replace(listing, modified=datetime.now(UTC)) for listing in super().list(context))


@mutant(kills="LST-05")
class AsOfTheOpening(MemoryDriver):
    """Every image is listed as of when the store was opened."""

    def open(self) -> None:
        """Look at the clock; and try once, for the case waits as long as a request may take."""
        self.limit(max_attempts=1)
        super().open()
        self._opened = datetime.now(UTC)

    def list(self, context: Context = None) -> Iterator[Listing]:
        """Give one time for all."""
        return (replace(listing, modified=self._opened) for listing in super().list(context))


@mutant(kills="LST-04")
class PagesByNumber(MemoryDriver):
    """Pages are asked for by their number."""

    def list(self, context: Context = None) -> Iterator[Listing]:
        """Take each page from the listing as it is then."""
        for number in count():
            now = tuple(super().list(context))
            page = now[number * _PAGE : (number + 1) * _PAGE]
            if not page:
                return
            yield from page


@mutant(kills="CAP-01")
class FreeAboveTotal(MemoryDriver):
    """More is free than there is."""

    def capacity(self, context: Context = None) -> Capacity:
        """Mix up the two."""
        told = super().capacity(context)
        return Capacity(told.free, told.total)


@mutant(kills="CAP-01")
class FullAtTheEnd(DirectoryDriver):
    """Whether an image fits is found out by writing it."""

    def add(self, image_id: str, source: Source, context: Context = None) -> Location:
        """Do not look first."""
        source.read(1)
        return super().add(image_id, source, context)


@mutant(kills="CPY-01")
class CopyIsTheSame(MemoryDriver):
    """A copy inside the backend is another name for the image itself."""

    def copy_from(
        self, other: Driver, location: Location, image_id: str, context: Context = None
    ) -> Location | None:
        """Give the location of the image."""
        return location if isinstance(other, MemoryDriver) else None


@mutant(kills="CPY-01")
class CopiesHalf(MemoryDriver):
    """A copy inside the backend has half of the bytes."""

    def copy_from(
        self, other: Driver, location: Location, image_id: str, context: Context = None
    ) -> Location | None:
        """Store the first half."""
        if not isinstance(other, MemoryDriver):
            return None
        data = b"".join(other.get(location, 0, None).chunks)
        self._commit("PUT", self._path("images", image_id), 201, data[: len(data) // 2])
        return Location.build("memory", self.config.space, image_id)
