"""Mutants of leftovers: too many are found, or too few."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

from storekit.context import RequestContext
from storekit.driver import Leftover
from storekit.errors import DigestMismatch
from storekit.testing.reference import DirectoryDriver, MemoryDriver
from storekit.testing.reference.directory import UPLOADS
from storekit.testing.zoo.mutants import mutant

Context = RequestContext | None

_alive: defaultdict[int, set[str]] = defaultdict(set)  # uploads, by process


class _ByName(DirectoryDriver):
    """Looks at every file of the uploads, whoever holds it."""

    def leftovers(self, older_than: timedelta, context: Context = None) -> Iterator[Leftover]:
        limit = datetime.now(UTC) - older_than
        for path in (self._root / UPLOADS).iterdir():
            status = path.stat()
            modified = datetime.fromtimestamp(status.st_mtime, UTC)
            if modified <= limit and self._is_dead(path):
                yield Leftover(path.name, self.store_name, status.st_size, modified)

    def reclaim(self, leftover: Leftover, context: Context = None) -> None:
        (self._root / UPLOADS / leftover.name).unlink()

    def _is_dead(self, path: Path) -> bool:
        return True


@mutant(kills="LFT-01")
class UploadStaysAfterCommit(DirectoryDriver):
    """The upload keeps its own name after the image has got one."""

    @contextmanager
    def _upload(self) -> Iterator[tuple[int, Path]]:
        with super()._upload() as (descriptor, path):
            yield descriptor, path
            (self._root / UPLOADS / f"{path.name}0").hardlink_to(path)


class _StaysAfter(DirectoryDriver):
    """What an add has written keeps a second name when it fails so."""

    failure: ClassVar[type[Exception]] = FileExistsError

    @contextmanager
    def _upload(self) -> Iterator[tuple[int, Path]]:
        with super()._upload() as (descriptor, path):
            try:
                yield descriptor, path
            except self.failure:
                self._second_name(path).hardlink_to(path)
                raise

    def _second_name(self, path: Path) -> Path:
        return self._root / UPLOADS / f"{path.name}0"


@mutant(kills="LFT-01")
class UploadStaysAfterWrongDigest(_StaysAfter):
    """What an add of other bytes than expected has written stays."""

    failure = DigestMismatch


@mutant(kills="LFT-01")
class LoserLeavesUpload(_StaysAfter):
    """What an add has written stays when its commit finds the id taken by another."""


@mutant(kills="LFT-01")
class LoserHidesUpload(_StaysAfter):
    """What an add that lost has written stays where no leftovers are looked for."""

    def _second_name(self, path: Path) -> Path:
        return self._root / f"{UPLOADS}-{path.name}"


@mutant(kills="LFT-01")
class ListsItsOwnDirectory(DirectoryDriver):
    """What lists as a leftover is there always: the driver's own directory."""

    def leftovers(self, older_than: timedelta, context: Context = None) -> Iterator[Leftover]:
        """Count the images, and list the directory once there are some."""
        yield from super().leftovers(older_than, context)
        if any(True for _ in self.list()):
            yield Leftover(UPLOADS, self.store_name, 0)


@mutant(kills="LFT-02")
class ReclaimsByAge(_ByName):
    """Whatever is old enough is a leftover, though somebody writes it."""


@mutant(kills="LFT-02")
class KnowsItsOwnUploads(_ByName):
    """Uploads of this process are known to be alive, those of others are taken for dead."""

    @contextmanager
    def _upload(self) -> Iterator[tuple[int, Path]]:
        with super()._upload() as (descriptor, path):
            _alive[os.getpid()].add(str(path))
            try:
                yield descriptor, path
            finally:
                _alive[os.getpid()].discard(str(path))

    def _is_dead(self, path: Path) -> bool:
        return str(path) not in _alive[os.getpid()]


@mutant(kills="LFT-03")
class ListsImagesToo(DirectoryDriver):
    """An image that is as empty as an upload that has just begun is a leftover."""

    def leftovers(self, older_than: timedelta, context: Context = None) -> Iterator[Leftover]:
        """List empty images as well, once there is a leftover."""
        found = tuple(super().leftovers(older_than, context))
        yield from found
        for listing in self.list() if found else ():
            if not listing.size:
                yield Leftover(listing.image_id, self.store_name, 0, listing.modified)


@mutant(kills="LFT-03")
class FindsNothing(MemoryDriver):
    """Leftovers are never listed."""

    def leftovers(self, older_than: timedelta, context: Context = None) -> Iterator[Leftover]:
        """List nothing."""
        return iter(())


@mutant(kills="LFT-03")
class ReclaimsInWord(MemoryDriver):
    """A reclaim says that it is done, and removes nothing."""

    def reclaim(self, leftover: Leftover, context: Context = None) -> None:
        """Remove nothing."""


@mutant(kills="LFT-03")
class IgnoresTheAge(MemoryDriver):
    """Leftovers are listed and reclaimed whatever age was asked for."""

    def leftovers(self, older_than: timedelta, context: Context = None) -> Iterator[Leftover]:
        """Ask for any age."""
        return super().leftovers(timedelta(0), context)
