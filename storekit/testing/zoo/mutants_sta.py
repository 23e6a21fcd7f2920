"""Mutants whose single calls are right; only some sequences of calls are not."""

from __future__ import annotations

from contextlib import suppress

from storekit.context import RequestContext
from storekit.driver import Content
from storekit.errors import Duplicate, StoreError
from storekit.location import Location
from storekit.source import Source
from storekit.testing.reference import DirectoryDriver, MemoryDriver
from storekit.testing.reference.connection import Refusal
from storekit.testing.zoo.mutants import mutant

Context = RequestContext | None


@mutant(kills="STA-01")
class KeepsTotalOfRange(MemoryDriver):
    """The size of an image, seen in a read of a part of it, is told also of its successor."""

    def open(self) -> None:
        """Begin with nothing seen."""
        super().open()
        self._totals: dict[Location, int] = {}

    def get(
        self, location: Location, offset: int, length: int | None, context: Context = None
    ) -> Content:
        """Keep the total of a part."""
        content = super().get(location, offset, length)
        if offset:
            self._totals[location] = content.total
        return content

    def get_size(self, location: Location, context: Context = None) -> int:
        """See that the image is there, and tell what is known already."""
        return self._totals.get(location, super().get_size(location))


@mutant(kills="STA-02")
class KeepsSizeUntilDeleted(DirectoryDriver):
    """A size is kept until this client deletes the image, whatever others put in its place."""

    def open(self) -> None:
        """Begin with nothing seen."""
        super().open()
        self._sizes: dict[Location, int] = {}

    def get_size(self, location: Location, context: Context = None) -> int:
        """See that the image is there, and tell what is known already."""
        return self._sizes.setdefault(location, super().get_size(location))

    def delete(self, location: Location, context: Context = None) -> None:
        """Forget its size."""
        super().delete(location)
        self._sizes.pop(location, None)


@mutant(kills="STA-03")
class CleansUpTheOther(MemoryDriver):
    """An add whose connection breaks removes what is under the id, be it an older image."""

    def add(self, image_id: str, source: Source, context: Context = None) -> Location:
        """Delete after a broken connection."""
        try:
            return super().add(image_id, source, context)
        except OSError as error:
            if isinstance(error, Duplicate):
                raise
            for _ in range(3):
                with suppress(Refusal, OSError, StoreError):
                    self._commit("DELETE", self._path("images", image_id), 204)
            raise
