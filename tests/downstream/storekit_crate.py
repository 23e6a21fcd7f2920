"""Images in one SQLite file. For many small images that should move as one file.

A row of ``image`` is an image, rows of ``part`` its bytes. An upload writes its parts in
transactions of their own; the last one makes it an image. See https://sqlite.org/isolation.html.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import Field, field_validator

from storekit import (
    Capability,
    Content,
    DataError,
    Driver,
    DriverOptions,
    Duplicate,
    Forbidden,
    InUse,
    Leftover,
    Limits,
    Listing,
    Location,
    NotFound,
    RequestContext,
    Source,
    StorageFull,
    StoreError,
    Unavailable,
)

_TABLES = """
CREATE TABLE IF NOT EXISTS upload (number INTEGER PRIMARY KEY AUTOINCREMENT, touched REAL);
CREATE TABLE IF NOT EXISTS image (id TEXT PRIMARY KEY, number INTEGER, size INTEGER, made REAL);
CREATE TABLE IF NOT EXISTS part (
    number INTEGER, offset INTEGER, data BLOB, PRIMARY KEY (number, offset)) WITHOUT ROWID;
"""

# https://sqlite.org/rescode.html
_ERRORS: dict[int, type[StoreError]] = {
    sqlite3.SQLITE_BUSY: Unavailable,
    sqlite3.SQLITE_LOCKED: Unavailable,
    sqlite3.SQLITE_CANTOPEN: Unavailable,
    sqlite3.SQLITE_FULL: StorageFull,
    sqlite3.SQLITE_READONLY: Forbidden,
    sqlite3.SQLITE_PERM: Forbidden,
    sqlite3.SQLITE_CORRUPT: DataError,
    sqlite3.SQLITE_NOTADB: DataError,
    sqlite3.SQLITE_IOERR: DataError,
}


class CrateOptions(DriverOptions):
    """Where the file is."""

    path: Path = Field(description="The SQLite file, an absolute path.")
    create: bool = Field(default=False, description="Make the file if it is missing.")

    @field_validator("path")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        if not path.is_absolute():
            raise ValueError("not an absolute path")
        return path


class CrateDriver(Driver):
    """Images in a SQLite file. A connection lives as long as one transaction."""

    interface = 1
    schemes = ("crate",)
    options = CrateOptions
    capabilities = (
        Capability.GET
        | Capability.GET_RANGE
        | Capability.ADD
        | Capability.ADD_UNKNOWN_SIZE
        | Capability.DELETE
        | Capability.LIST
        | Capability.EXCLUSIVE_ADD
        | Capability.EXCLUSIVE_DELETE
        | Capability.ATOMIC_ADD
        | Capability.CRASH_SAFE
        | Capability.STRONG_CONSISTENCY
        | Capability.THREAD_SAFE
        | Capability.FORK_SAFE
    )
    limits = Limits(part_size=1 << 18, window=1, io_timeout=10)
    example_locations = ("crate:///srv/images.crate/cirros-0.6.3",)
    config: CrateOptions

    def __init__(self, store_name: str, options: CrateOptions) -> None:
        super().__init__(store_name, options)
        self._live: set[int] = set()

    def open(self) -> None:
        """Check that the file is there, or make it."""
        if self.config.create:
            self.config.path.touch()
        with self._transaction() as db:
            for statement in _TABLES.split(";"):
                db.execute(statement)

    def owns(self, location: Location) -> bool:
        """Tell whether a location is in our file."""
        return (
            not location.authority
            and location.segments[:-1] == self.config.path.parts[1:]
            and location.segments[-1] != ""
        )

    def translate(self, error: Exception, operation: str) -> StoreError | None:
        """Map SQLite's result codes."""
        if isinstance(error, sqlite3.Error):
            code = getattr(error, "sqlite_errorcode", 0)
            return _ERRORS.get(code & 0xFF, Unavailable)(str(error))
        return None

    def add(self, image_id: str, source: Source, context: RequestContext | None = None) -> Location:
        """Store an image."""
        with self._transaction() as db:
            if db.execute("SELECT 1 FROM image WHERE id = ?", (image_id,)).fetchone():
                raise Duplicate("the id is taken")
            number = db.execute("INSERT INTO upload (touched) VALUES (?)", (time.time(),)).lastrowid
        assert number is not None  # an INSERT has one; for the type checker
        self._live.add(number)
        try:
            size = self._write(number, source)
            self._commit(number, image_id, size)
        except BaseException:
            with self._transaction() as db:
                _forget(db, number)
            raise
        finally:
            self._live.discard(number)
        return Location.build("crate", "", *self.config.path.parts[1:], image_id)

    def get(
        self,
        location: Location,
        offset: int,
        length: int | None,
        context: RequestContext | None = None,
    ) -> Content:
        """Begin to read an image; its number pins the version."""
        number, total = self._image(location)
        end = total if length is None else min(total, offset + length)
        return Content(total, self._chunks(number, offset, end))

    def get_size(self, location: Location, context: RequestContext | None = None) -> int:
        """Tell the size of an image."""
        return self._image(location)[1]

    def delete(self, location: Location, context: RequestContext | None = None) -> None:
        """Delete an image."""
        with self._transaction() as db:
            found = db.execute(
                "DELETE FROM image WHERE id = ? RETURNING number", (location.segments[-1],)
            ).fetchone()
            if found is None:
                raise NotFound("no such image")
            _forget(db, found[0])

    def list(self, context: RequestContext | None = None) -> Iterator[Listing]:
        """Go through the images."""
        with self._transaction("DEFERRED") as db:
            rows = db.execute("SELECT id, size, made FROM image").fetchall()
        for image_id, size, made in rows:
            place = Location.build("crate", "", *self.config.path.parts[1:], image_id)
            yield Listing(image_id, place, size, datetime.fromtimestamp(made, UTC))

    def leftovers(
        self, older_than: timedelta, context: RequestContext | None = None
    ) -> Iterator[Leftover]:
        """Go through uploads that nobody goes on with."""
        idle = max(older_than.total_seconds(), self.config.upload_idle)
        with self._transaction("DEFERRED") as db:
            rows = db.execute(
                "SELECT number, touched, (SELECT COALESCE(SUM(LENGTH(data)), 0) FROM part"
                " WHERE part.number = upload.number) FROM upload WHERE touched <= ?",
                (time.time() - idle,),
            ).fetchall()
        for number, touched, size in rows:
            if number not in self._live:
                modified = datetime.fromtimestamp(touched, UTC)
                yield Leftover(str(number), self.store_name, size, modified)

    def reclaim(self, leftover: Leftover, context: RequestContext | None = None) -> None:
        """Remove an upload; without its row it can never commit."""
        number = int(leftover.name)
        if number in self._live:
            raise InUse("the upload is alive")
        with self._transaction() as db:
            if not _forget(db, number):
                raise NotFound("no such upload")

    @contextmanager
    def _transaction(self, kind: str = "IMMEDIATE") -> Iterator[sqlite3.Connection]:
        uri = f"{self.config.path.as_uri()}?mode=rw"
        timeout = self.limits.io_timeout
        # An isolation level of None: the transactions are the ones that are written here.
        with closing(sqlite3.connect(uri, timeout, isolation_level=None, uri=True)) as db:
            db.execute(f"BEGIN {kind}")
            yield db
            db.execute("COMMIT")

    def _write(self, number: int, source: Source) -> int:
        offset = 0
        for data in source.chunks(self.limits.part_size):
            with self._transaction() as db:
                db.execute("INSERT INTO part VALUES (?, ?, ?)", (number, offset, data))
                db.execute("UPDATE upload SET touched = ? WHERE number = ?", (time.time(), number))
            offset += len(data)
        return offset

    def _commit(self, number: int, image_id: str, size: int) -> None:
        with self._transaction() as db:
            if not db.execute("DELETE FROM upload WHERE number = ?", (number,)).rowcount:
                raise Unavailable("the upload was taken for dead and reclaimed")
            try:
                db.execute(
                    "INSERT INTO image VALUES (?, ?, ?, ?)", (image_id, number, size, time.time())
                )
            except sqlite3.IntegrityError as error:
                raise Duplicate("the id is taken") from error

    def _image(self, location: Location) -> tuple[int, int]:
        with self._transaction("DEFERRED") as db:
            found = db.execute(
                "SELECT number, size FROM image WHERE id = ?", (location.segments[-1],)
            ).fetchone()
        if found is None:
            raise NotFound("no such image")
        return found[0], found[1]

    def _chunks(self, number: int, begin: int, end: int) -> Iterator[bytes]:
        while begin < end:
            with self._transaction("DEFERRED") as db:
                found = db.execute(
                    "SELECT offset, data FROM part WHERE number = ? AND offset <= ?"
                    " ORDER BY offset DESC LIMIT 1",
                    (number, begin),
                ).fetchone()
            if found is None:
                raise NotFound("the image was deleted while it was read")
            offset, data = found
            chunk = data[begin - offset : end - offset]
            if not chunk:
                raise DataError(f"there is no byte {begin}")
            yield chunk
            begin += len(chunk)


def _forget(db: sqlite3.Connection, number: int) -> bool:
    db.execute("DELETE FROM part WHERE number = ?", (number,))
    return db.execute("DELETE FROM upload WHERE number = ?", (number,)).rowcount > 0
