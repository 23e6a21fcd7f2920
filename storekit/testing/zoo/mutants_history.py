"""Mutants that answer what was true once, and only recorded histories show it."""

from __future__ import annotations

import time

from storekit.context import RequestContext
from storekit.driver import Content
from storekit.location import Location
from storekit.testing.reference import DirectoryDriver, MemoryDriver
from storekit.testing.zoo.mutants import mutant

Context = RequestContext | None
_WHILE = 0.02  # seconds


@mutant(kills="CON-08")
class StaleRead(DirectoryDriver):
    """An image that was read once is given again as long as any image has its name."""

    def open(self) -> None:
        """Begin with nothing read."""
        super().open()
        self._read: dict[Location, bytes] = {}

    def get(
        self, location: Location, offset: int, length: int | None, context: Context = None
    ) -> Content:
        """Look whether an image is there, and give what was there at the first time."""
        self.get_size(location)
        if location not in self._read:
            whole = super().get(location, 0, None)
            self._read[location] = b"".join(whole.chunks)
        data = self._read[location]
        end = len(data) if length is None else offset + length
        step = self.limits.read_chunk
        part = data[offset:end]
        return Content(len(data), iter([part[at : at + step] for at in range(0, len(part), step)]))


@mutant(kills="CON-08")
class SizeOfAMomentAgo(MemoryDriver):
    """A size that was told is told again for a moment, whatever becomes of the image."""

    def open(self) -> None:
        """Begin with nothing told."""
        super().open()
        self._told: dict[Location, tuple[float, int]] = {}

    def get_size(self, location: Location, context: Context = None) -> int:
        """Ask again only after a moment."""
        until, size = self._told.get(location, (0.0, 0))
        if time.monotonic() > until:
            size = super().get_size(location, context)
            self._told[location] = time.monotonic() + _WHILE, size
        return size
