"""The reference driver over a socket: a client of the server in ``server``.

Complete: it makes every promise but durability (the server keeps the images in its memory) and
thin storage. Requests that change something carry an Idempotency-Key, so that a repeated one gets
the first one's answer; a request whose answer was lost for good is settled: the server tells what
became of it, or sees to it that it comes to nothing.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import ClassVar
from urllib.parse import quote, urlencode

from pydantic import Field, SecretStr

from storekit import transfer
from storekit.capabilities import Capability, Limits
from storekit.context import RequestContext
from storekit.driver import Capacity, Content, Driver, DriverOptions, Leftover, Listing
from storekit.errors import (
    BackendError,
    DataError,
    Duplicate,
    Forbidden,
    InUse,
    NotAuthenticated,
    NotFound,
    OutcomeUnknown,
    StorageFull,
    StoreError,
    Unavailable,
)
from storekit.location import Location
from storekit.source import Source
from storekit.testing.reference.connection import Answer, Body, Pool, Refusal, tls_of
from storekit.testing.reference.session import Session

__all__ = ["MemoryDriver", "MemoryOptions"]

_BY_STATUS: dict[int, type[StoreError]] = {
    401: NotAuthenticated,
    403: Forbidden,
    404: NotFound,
    409: InUse,
    413: StorageFull,
    507: StorageFull,
    429: Unavailable,
    500: Unavailable,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


class MemoryOptions(DriverOptions):
    """The options of the reference driver over a socket."""

    max_connections: int | None = Field(
        None, ge=2, description="How many connections the store has at once; one tells it lives."
    )
    endpoint: str = Field(description="Where the server listens: http(s)://host:port.")
    space: str = Field(description="The namespace on the server.", pattern="^[a-z0-9]+$")
    token: SecretStr = Field(description="The user's token.")


class MemoryDriver(Driver):
    """Images in the memory of the reference server."""

    schemes: ClassVar[tuple[str, ...]] = ("memory",)
    options: ClassVar[type[DriverOptions]] = MemoryOptions
    capabilities = (
        Capability.GET
        | Capability.GET_RANGE
        | Capability.ADD
        | Capability.ADD_UNKNOWN_SIZE
        | Capability.DELETE
        | Capability.LIST
        | Capability.ACL
        | Capability.CAPACITY
        | Capability.EXCLUSIVE_ADD
        | Capability.EXCLUSIVE_DELETE
        | Capability.ATOMIC_ADD
        | Capability.CRASH_SAFE
        | Capability.STRONG_CONSISTENCY
        | Capability.IN_USE_GUARD
        | Capability.DETECTS_CORRUPTION
        | Capability.THREAD_SAFE
        | Capability.FORK_SAFE
    )
    limits = Limits(
        read_chunk=16 << 10,
        write_chunk=16 << 10,
        part_size=64 << 10,
        window=3,
        max_connections=8,
        connect_timeout=1.0,
        io_timeout=2.0,
        max_attempts=3,
    )
    example_locations: ClassVar[tuple[str, ...]] = (
        "memory://images/cirros-0.6.3",
        "memory://images/two%20words%3F",
    )
    pool: ClassVar[type[Pool]] = Pool
    """What speaks HTTP."""
    config: MemoryOptions

    def open(self) -> None:
        """Connect, and see whether the namespace can be written."""
        endpoint = Location(self.config.endpoint)
        host, port = endpoint.host_port
        token = self.config.token.get_secret_value()
        options = self.config
        tls = tls_of(options.ca_file, options.insecure) if endpoint.scheme == "https" else None
        self._pool = self.pool(host, port or 80, token, self.limits, tls)
        self._session = Session(self._pool, self._path("sessions"))
        if self._ask("GET", self._path("")).json["readonly"]:
            self.narrow(
                Capability.ADD | Capability.ADD_UNKNOWN_SIZE | Capability.DELETE | Capability.ACL,
                "the namespace is read-only",
            )

    def close(self) -> None:
        """Close every connection."""
        if hasattr(self, "_pool"):
            self._session.close()
            self._pool.close()

    def owns(self, location: Location) -> bool:
        """Tell whether the location is in our namespace."""
        return (
            location.authority == self.config.space
            and len(location.segments) == 1
            and bool(location.segments[0])
            and not location.query
        )

    def translate(self, error: Exception, operation: str) -> StoreError | None:
        """Map the server's refusals."""
        if isinstance(error, Refusal):
            if error.status == 412:  # noqa: PLR2004 - HTTP: a precondition failed
                replaced = operation in {"get", "read"}
                return DataError("the image was replaced") if replaced else Duplicate(str(error))
            return _BY_STATUS.get(error.status, BackendError)(str(error))
        return None

    def add(self, image_id: str, source: Source, context: RequestContext | None = None) -> Location:
        """Store an image: in one request where it fits into a part, else in parts."""
        head = self._pool.request("HEAD", self._path("images", image_id))
        if head.status == 200:  # noqa: PLR2004 - HTTP
            raise Duplicate("there is an image of this id")
        _accepted(head, 404)
        if source.size is not None and source.size > int(head.headers["X-Free"]):
            raise StorageFull(f"the namespace has no room for {source.size} bytes")
        length = self.limits.part_size
        if source.fits(length):
            self._commit("PUT", self._path("images", image_id), 201, source.read(length))
        else:
            self._add_in_parts(image_id, source)
        return Location.build("memory", self.config.space, image_id)

    def get(
        self,
        location: Location,
        offset: int,
        length: int | None,
        context: RequestContext | None = None,
    ) -> Content:
        """Begin to read an image."""
        path = self._path("images", self.image_id(location))
        body = self._pool.open(path, _range_header(offset, length))
        if body.status == 416:  # noqa: PLR2004 - HTTP: the range begins past the end
            body.close()
            return Content(_total_of(body), ())
        try:
            _check_range(body, offset, length)
        except BaseException:
            body.close()
            raise
        version = body.headers["ETag"]
        end = None if length is None else offset + length
        last = body

        def resume(position: int) -> Iterable[bytes]:
            nonlocal last
            if last.corrupt:
                raise DataError("the checksum of what was received is wrong")
            headers = _range_header(position, None if end is None else end - position)
            again = self._pool.open(path, {**headers, "If-Match": version})
            try:
                _check_range(again, position, None if end is None else end - position)
            except BaseException:
                again.close()
                raise
            last = again
            return again

        return Content(_total_of(body), body, resume=resume)

    def get_size(self, location: Location, context: RequestContext | None = None) -> int:
        """Tell the size of an image."""
        return int(self._head(location).headers["Content-Length"])

    def delete(self, location: Location, context: RequestContext | None = None) -> None:
        """Delete an image."""
        self._commit("DELETE", self._path("images", self.image_id(location)), 204)

    def metadata(
        self, location: Location, context: RequestContext | None = None
    ) -> dict[str, object]:
        """Tell the version, and who may use the image."""
        head = self._head(location)
        return {"version": head.headers["ETag"], "acl": json.loads(head.headers["X-ACL"])}

    def list(self, context: RequestContext | None = None) -> Iterator[Listing]:
        """Go through all images, a page at a time."""
        after = ""
        while page := self._ask("GET", self._path("images", after=after)).json:
            for image in page:
                yield Listing(
                    image["id"],
                    Location.build("memory", self.config.space, image["id"]),
                    image["size"],
                    datetime.fromtimestamp(image["modified"], UTC),
                )
            after = page[-1]["id"]

    def leftovers(
        self, older_than: timedelta, context: RequestContext | None = None
    ) -> Iterator[Leftover]:
        """Go through the uploads whose client is gone: the server sees its session end."""
        for upload in self._ask("GET", self._path("uploads")).json:
            if not upload["alive"] and upload["age"] >= older_than.total_seconds():
                modified = datetime.fromtimestamp(upload["modified"], UTC)
                yield Leftover(upload["name"], self.store_name, upload["size"], modified)

    def reclaim(self, leftover: Leftover, context: RequestContext | None = None) -> None:
        """Remove the upload of a client that is gone."""
        self._ask("DELETE", self._path("uploads", leftover.name, unless="alive"), 204)

    def set_acls(
        self,
        location: Location,
        public: bool,
        read: Sequence[str],
        write: Sequence[str],
        context: RequestContext | None = None,
    ) -> None:
        """Set who may use an image."""
        acl = {"public": str(public), "read": [*read], "write": [*write]}
        path = self._path("acls", self.image_id(location))
        self._ask("PUT", path, 204, json.dumps(acl).encode())

    def capacity(self, context: RequestContext | None = None) -> Capacity:
        """Tell how much the namespace holds."""
        told = self._ask("GET", self._path("")).json
        return Capacity(told["total"], told["free"])

    def copy_from(
        self,
        other: Driver,
        location: Location,
        image_id: str,
        context: RequestContext | None = None,
    ) -> Location | None:
        """Copy inside the namespace, the version that is there now."""
        if not isinstance(other, MemoryDriver) or other.config.space != self.config.space:
            return None
        version = self._head(location).headers["ETag"]
        source = self.image_id(location)
        path = self._path("copies", image_id, source=source, version=version)
        self._commit("POST", path, 201)
        return Location.build("memory", self.config.space, image_id)

    def _add_in_parts(self, image_id: str, source: Source) -> None:
        name = secrets.token_hex(8)  # ours, so that a begin whose answer is lost can be undone
        session = self._session.token()
        try:
            path = self._path(
                "uploads", image_id, name=name, session=session, size=source.size or 0
            )
            self._ask("POST", path, 201)
            sent = transfer.upload(
                source,
                self.limits.part_size,
                self.limits.window,
                lambda part: self._send_part(name, part),
            )
            self._commit("POST", self._path("uploads", name, parts=len(sent)), 201)
        except BaseException:
            with suppress(Refusal, OSError, StoreError):
                self._pool.request("DELETE", self._path("uploads", name))
            raise

    def _send_part(self, upload: str, part: transfer.Part) -> None:
        path = self._path("parts", upload, str(part.number))
        self._ask("PUT", path, 204, part.data)

    def _commit(self, method: str, path: str, status: int, body: bytes = b"") -> None:
        """Ask for what must happen once; find out what became of it if the answer is lost."""
        headers = {"Idempotency-Key": (key := secrets.token_hex(16))}
        sent = threading.Event()
        try:
            answer = self._pool.request(method, path, body, headers, sent)
        except OSError as error:
            if not sent.is_set():
                raise
            try:
                settled = self._ask("POST", self._path("settle", key))
            except (OSError, Refusal, StoreError):
                raise OutcomeUnknown(f"no answer came back: {error}") from error
            answer = Answer(int(settled.body), {}, b"")
            if answer.status == 410:  # noqa: PLR2004 - HTTP, gone: it will never happen
                raise
        _accepted(answer, status)

    def _head(self, location: Location) -> Answer:
        return self._ask("HEAD", self._path("images", self.image_id(location)))

    def _ask(self, method: str, path: str, status: int = 200, body: bytes = b"") -> Answer:
        answer = self._pool.request(method, path, body)
        _accepted(answer, status)
        return answer

    def _path(self, verb: str, *names: str, **query: object) -> str:
        path = "/".join(quote(name, safe="") for name in (self.config.space, verb, *names) if name)
        return f"/{path}?{urlencode(query)}" if query else f"/{path}"


def _accepted(answer: Answer, status: int) -> None:
    if answer.status != status:
        raise Refusal(answer.status, answer.body[:200].decode(errors="replace"))


def _range_header(offset: int, length: int | None) -> dict[str, str]:
    if offset == 0 and length is None:
        return {}
    last = "" if length is None else str(offset + length - 1)
    return {"Range": f"bytes={offset}-{last}"}


def _check_range(body: Body, offset: int, length: int | None) -> None:
    """Demand that the answer is the part that was asked for."""
    ranged = bool(_range_header(offset, length))
    if body.status == 200 and not ranged:  # noqa: PLR2004 - HTTP
        return
    if body.status == 200:  # noqa: PLR2004 - HTTP
        raise DataError("the server sent the whole image in place of a part")
    if body.status != 206:  # noqa: PLR2004 - HTTP
        raise Refusal(body.status, "")
    begin = body.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    if begin != str(offset):
        raise DataError(f"the server sent another part than that from byte {offset} on")


def _total_of(body: Body) -> int:
    told = body.headers
    total = told.get("Content-Range", "").rpartition("/")[2] or told.get("Content-Length", "")
    try:
        return int(total)
    except ValueError as error:
        raise DataError("the server did not tell the size of the image") from error
