"""Mutants of leftovers: too many are found, or too few."""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar, ParamSpec

from storekit.context import RequestContext
from storekit.driver import Leftover
from storekit.errors import DigestMismatch
from storekit.source import Source
from storekit.testing.reference import DirectoryDriver, MemoryDriver
from storekit.testing.reference.connection import Refusal
from storekit.testing.reference.directory import UPLOADS
from storekit.testing.zoo.mutants import mutant
from storekit.transfer import Part

Context = RequestContext | None

P = ParamSpec("P")
_GONE = 404
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


class DeadByIdleness(MemoryDriver):
    """An upload is dead when its newest part is old. Right: what was reclaimed cannot commit."""

    def leftovers(self, older_than: timedelta, context: Context = None) -> Iterator[Leftover]:
        """Look at the newest part, and at no session."""
        idle = max(older_than.total_seconds(), self.config.upload_idle)
        for upload in self._ask("GET", self._path("uploads")).json:
            if upload["age"] >= idle:
                modified = datetime.fromtimestamp(upload["modified"], UTC)
                yield Leftover(upload["name"], self.store_name, upload["size"], modified)

    def reclaim(self, leftover: Leftover, context: Context = None) -> None:
        """Remove it, whoever has a session."""
        self._ask("DELETE", self._path("uploads", leftover.name), 204)


@mutant(kills="LFT-04")
class PartsBeginAnew(DeadByIdleness):
    """A part that finds its upload gone begins it anew, and the commit takes what is there."""

    def open(self) -> None:
        """Begin with no part."""
        super().open()
        self._numbers: defaultdict[str, int] = defaultdict(int)
        self._one = threading.Lock()

    def _send_part(self, upload: str, part: Part) -> None:
        with self._one:
            try:
                self._numbers[upload] += 1
                super()._send_part(upload, replace(part, number=self._numbers[upload]))
            except Refusal as refusal:
                if refusal.status != _GONE:
                    raise
                path = self._path("uploads", self._image_id, name=upload, session="", size=0)
                self._ask("POST", path, 201)
                self._numbers[upload] = 1
                super()._send_part(upload, replace(part, number=1))

    def _add_in_parts(self, image_id: str, source: Source) -> None:
        self._image_id = image_id
        super()._add_in_parts(image_id, source)

    def _commit(self, method: str, path: str, status: int, body: bytes = b"") -> None:
        upload = path.rpartition("/")[2].partition("?")[0]
        if upload in self._numbers:
            path = self._path("uploads", upload, parts=self._numbers[upload])
        super()._commit(method, path, status, body)


@mutant(kills="LFT-04")
class CommitsWhatIsGone(_ByName):
    """An upload that is gone at its commit becomes an empty image."""

    def _is_dead(self, path: Path) -> bool:
        return time.time() - path.stat().st_mtime >= self.config.upload_idle

    @contextmanager
    def _upload(self) -> Iterator[tuple[int, Path]]:
        with super()._upload() as (descriptor, path):
            try:
                yield descriptor, path
            finally:
                path.touch()

    def _commit(self, step: Callable[P, object], *args: P.args, **named: P.kwargs) -> None:
        if step is os.link:
            Path(str(args[0])).touch()
        super()._commit(step, *args, **named)


@mutant(kills="LFT-04")
class LatePartsStay(DeadByIdleness):
    """A part that comes after the reclaim is kept aside, where no leftovers are looked for."""

    def leftovers(self, older_than: timedelta, context: Context = None) -> Iterator[Leftover]:
        """Look at whole uploads only."""
        found = super().leftovers(older_than, context)
        return (leftover for leftover in found if not leftover.name.startswith("late-"))

    def _send_part(self, upload: str, part: Part) -> None:
        try:
            super()._send_part(upload, part)
        except Refusal:
            path = self._path("uploads", "late", name=f"late-{upload}", session="", size=0)
            self._ask("POST", path, 201)
            raise
