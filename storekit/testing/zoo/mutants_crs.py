"""Mutants of crashes: right as long as nothing dies in the middle."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path

from storekit import transfer
from storekit.context import RequestContext
from storekit.errors import Duplicate, InUse
from storekit.location import Location
from storekit.source import Source
from storekit.testing.reference import DirectoryDriver, MemoryDriver
from storekit.testing.reference.connection import Pool
from storekit.testing.reference.directory import UPLOADS, sync_directory
from storekit.testing.zoo.mutants import mutant
from storekit.testing.zoo.parts import Careless

Context = RequestContext | None
_SLOW = 0.02  # seconds: a backend that is not next door


@mutant(kills="CRS-01")
class PartialSurvivesKill(DirectoryDriver):
    """An image is written under its own name, and removed if that fails."""

    def add(self, image_id: str, source: Source, context: Context = None) -> Location:
        """Take the name first."""
        final = self._root / image_id
        descriptor = os.open(final, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        try:
            for chunk in source.chunks(self.limits.write_chunk):
                os.write(descriptor, chunk)
        except BaseException:
            final.unlink()
            raise
        finally:
            os.close(descriptor)
        return self._location(image_id)


@mutant(kills="CRS-01")
class NamesThenFills(Careless):
    """An image is written aside; the commit makes its name, then moves the bytes there."""

    def publish(self, descriptor: int, upload: Path, final: Path) -> None:
        """Commit in two steps, of which the first one is seen."""
        final.touch(exist_ok=False)
        time.sleep(_SLOW)
        super().publish(descriptor, upload, final)


@mutant(kills="CRS-02")
class ReservesTheId(DirectoryDriver):
    """An add takes a lock file for the id, and removes it at its end."""

    def add(self, image_id: str, source: Source, context: Context = None) -> Location:
        """Lock, add, unlock."""
        lock = self._root / UPLOADS / f"lock-{image_id}"
        try:
            lock.touch(exist_ok=False)
        except FileExistsError:
            raise Duplicate("somebody adds it") from None
        try:
            return super().add(image_id, source, context)
        finally:
            lock.unlink()


@mutant(kills="CRS-03")
class UploadsUnderOtherNames(DirectoryDriver):
    """Uploads are hidden files beside the images, and leftovers are looked for elsewhere."""

    @contextmanager
    def _upload(self) -> Iterator[tuple[int, Path]]:
        path = self._root / f".storekit-{secrets.token_hex(8)}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        try:
            yield descriptor, path
        finally:
            path.unlink()
            os.close(descriptor)


@mutant(kills="CRS-03")
class TwoForEachUpload(DirectoryDriver):
    """Each upload has a second file beside it, which says what it is."""

    @contextmanager
    def _upload(self) -> Iterator[tuple[int, Path]]:
        with super()._upload() as (descriptor, path):
            note = path.with_suffix(".json")
            note.write_text("{}")
            try:
                yield descriptor, path
            finally:
                note.unlink()


@mutant(kills="CRS-04")
class EmptiesThenUnlinks(DirectoryDriver):
    """A delete gives the space back, then removes the name."""

    def delete(self, location: Location, context: Context = None) -> None:
        """Truncate, then unlink."""
        os.truncate(self._path(location), 0)
        time.sleep(_SLOW)
        super().delete(location, context)


@mutant(kills="CRS-04")
class MarkStays(DirectoryDriver):
    """A delete leaves a mark while it is under way, and no other one begins as long as it is."""

    def delete(self, location: Location, context: Context = None) -> None:
        """Mark, delete, unmark."""
        self._path(location).lstat()
        mark = self._root / UPLOADS / f"delete-{self.image_id(location)}"
        try:
            mark.touch(exist_ok=False)
        except FileExistsError:
            raise InUse("somebody deletes it") from None
        try:
            time.sleep(_SLOW)
            super().delete(location, context)
        finally:
            mark.unlink()


class _Forgetful(Careless):
    """Syncs less than it should."""

    syncs_file = syncs_directory = False

    def publish(self, descriptor: int, upload: Path, final: Path) -> None:
        """Sync what it syncs."""
        if self.syncs_file:
            os.fsync(descriptor)
        final.hardlink_to(upload)
        if self.syncs_directory:
            sync_directory(self._root)


@mutant(kills="CRS-05")
class NoFsync(_Forgetful):
    """Nothing is synced."""


@mutant(kills="CRS-05")
class SyncsTheFileOnly(_Forgetful):
    """The bytes are synced, and the directory, which has the name, is not."""

    syncs_file = True


@mutant(kills="CRS-05")
class SyncsTheDirectoryOnly(_Forgetful):
    """The name is synced, and the bytes are not."""

    syncs_directory = True


class _Trusting(Pool):
    """Takes idle connections as they are."""

    def _reusable(self, connection: HTTPConnection) -> bool:
        return connection.sock is not None


class _Once(MemoryDriver):
    """Does not look at its connections, and does not try again."""

    def open(self) -> None:
        self.limit(max_attempts=1)
        super().open()
        self._pool.__class__ = _Trusting


@mutant(kills="CRS-06")
class LeavesOutWhatFailed(_Once):
    """A part whose connection broke is taken for sent, and what is there is committed."""

    def _send_part(self, upload: str, part: transfer.Part) -> None:
        try:
            super()._send_part(upload, part)
        except OSError:
            for _ in range(self.limits.max_connections):  # so many may be dead
                with suppress(OSError):
                    empty = transfer.Part(part.number, part.offset, b"")
                    return super()._send_part(upload, empty)


@mutant(kills="CRS-06")
class RestartIsNoError(_Once):
    """What a restart breaks comes out as the client library raised it."""

    def add(self, image_id: str, source: Source, context: Context = None) -> Location:
        """Let it out, as something that nobody maps."""
        try:
            return super().add(image_id, source, context)
        except OSError as error:
            raise RuntimeError("the connection broke") from error
