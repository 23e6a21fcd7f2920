"""Mutants of adding: drivers that store something else, or leave something behind."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storekit import transfer
from storekit.context import RequestContext
from storekit.errors import Duplicate
from storekit.location import Location
from storekit.source import Source
from storekit.testing.reference import DirectoryDriver, MemoryDriver
from storekit.testing.reference.directory import UPLOADS
from storekit.testing.zoo.mutants import mutant

Context = RequestContext | None


class _OtherBytes(MemoryDriver):
    """A driver that changes the bytes of an image that goes in one request."""

    def _changed(self, body: bytes) -> bytes:
        raise NotImplementedError

    def _commit(self, method: str, path: str, status: int, body: bytes = b"") -> None:
        changed = self._changed(body) if method == "PUT" else body
        super()._commit(method, path, status, changed)


@mutant(kills="ADD-02")
class EmptyIsPadded(_OtherBytes):
    """An empty image becomes one of a byte."""

    def _changed(self, body: bytes) -> bytes:
        return body or b"\0"


@mutant(kills="ADD-03")
class PadsToWords(_OtherBytes):
    """An image is padded to an even number of bytes."""

    def _changed(self, body: bytes) -> bytes:
        return body + b"\0" * (len(body) % 2)


@mutant(kills="ADD-04")
class TextMode(_OtherBytes):
    """Line ends are made uniform."""

    def _changed(self, body: bytes) -> bytes:
        return body.replace(b"\r\n", b"\n")


@mutant(kills="ADD-05")
class DropsEndOfFullChunk(_OtherBytes):
    """The last byte is lost when the last chunk is full."""

    def _changed(self, body: bytes) -> bytes:
        full = body and len(body) % self.limits.write_chunk == 0
        return body[:-1] if full else body


@mutant(kills="ADD-06")
class DropsEndOfShortPart(MemoryDriver):
    """The last byte is lost when the last part is not full."""

    def _send_part(self, upload: str, part: transfer.Part) -> None:
        short = len(part.data) < self.limits.part_size
        data = part.data[:-1] if short else part.data
        super()._send_part(upload, transfer.Part(part.number, part.offset, data))


@mutant(kills="ADD-07")
class SparseLosesTail(_OtherBytes):
    """Zeros at the end are left out, and nobody puts them back."""

    def _changed(self, body: bytes) -> bytes:
        return body.rstrip(b"\0")


@mutant(kills="ADD-11")
class StateLeftBetweenAdds(MemoryDriver):
    """What one upload leaves in the driver's buffer begins the next one."""

    _buffer = b""

    def _send_part(self, upload: str, part: transfer.Part) -> None:
        if part.number == 1:
            data, self._buffer = self._buffer + part.data, part.data[-1:]
            part = transfer.Part(part.number, part.offset, data)
        super()._send_part(upload, part)


@mutant(kills="ADD-15")
class OverwriteOnDuplicate(MemoryDriver):
    """An image of the same id is replaced."""

    def add(self, image_id: str, source: Source, context: Context = None) -> Location:
        """Delete what is there first."""
        self._pool.request(
            "DELETE",
            self._path("images", image_id),
            headers={"Idempotency-Key": secrets.token_hex(8)},
        )
        return super().add(image_id, source, context)


@mutant(kills="ADD-15")
class ReadsBeforeItLooks(MemoryDriver):
    """Duplicate is raised only after data was read."""

    def add(self, image_id: str, source: Source, context: Context = None) -> Location:
        """Read, then look."""
        length = self.limits.part_size
        if source.fits(length):
            self._commit("PUT", self._path("images", image_id), 201, source.read(length))
        else:
            self._add_in_parts(image_id, source)
        return Location.build("memory", self.config.space, image_id)


@mutant(kills="ADD-18")
class LeakTempOnError(DirectoryDriver):
    """The file of a failed upload stays."""

    @contextmanager
    def _upload(self) -> Iterator[tuple[int, Path]]:
        path = self._root / UPLOADS / secrets.token_hex(12)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
        yield descriptor, path
        path.unlink()
        os.close(descriptor)


@mutant(kills="ADD-19")
class CatchExceptionOnly(DirectoryDriver):
    """Only an Exception is cleaned up after."""

    @contextmanager
    def _upload(self) -> Iterator[tuple[int, Path]]:
        path = self._root / UPLOADS / secrets.token_hex(12)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
        try:
            yield descriptor, path
        except Exception:
            path.unlink()
            os.close(descriptor)
            raise
        path.unlink()
        os.close(descriptor)


@mutant(kills="ADD-21")
class VisibleBeforeCommit(DirectoryDriver):
    """An image is written under its own name."""

    def add(self, image_id: str, source: Source, context: Context = None) -> Location:
        """Write where everybody looks."""
        final = self._root / image_id
        try:
            with final.open("xb") as file:
                for chunk in source.chunks(self.limits.write_chunk):
                    file.write(chunk)
                    file.flush()
        except FileExistsError:
            raise
        except BaseException:
            final.unlink()
            raise
        return self._location(image_id)


@mutant(kills="ADD-23")
class FoldsCase(MemoryDriver):
    """Ids are kept in lower case."""

    def add(self, image_id: str, source: Source, context: Context = None) -> Location:
        """Fold the id."""
        return super().add(image_id.casefold(), source, context)


@mutant(kills="ADD-23")
class CutsLongIds(MemoryDriver):
    """Ids are cut to fewer bytes than are allowed."""

    def add(self, image_id: str, source: Source, context: Context = None) -> Location:
        """Cut the id."""
        return super().add(image_id[: self.limits.max_id_length - 1], source, context)


@mutant(kills="DEL-04")
class Tombstone(MemoryDriver):
    """An id that was deleted is taken for ever."""

    def open(self) -> None:
        """Begin with no deleted ids."""
        super().open()
        self._deleted: set[str] = set()

    def add(self, image_id: str, source: Source, context: Context = None) -> Location:
        """Refuse an id that was deleted."""
        if image_id in self._deleted:
            raise Duplicate("there was an image of this id")
        return super().add(image_id, source, context)

    def delete(self, location: Location, context: Context = None) -> None:
        """Remember the id."""
        super().delete(location, context)
        self._deleted.add(self.image_id(location))
