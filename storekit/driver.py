"""Driver: what the author of a backend writes.

A driver translates between the frame's clean arguments and one kind of backend. It does not hash,
count, check an offset or catch ``Exception``: the frame does. It owes the frame what
docs/design.md lists: all or nothing, one winner, the commit after the last chunk,
bounded memory, only storekit's errors, and nothing left behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

from annotated_types import Ge, Gt
from pydantic import AllowInfNan, BaseModel, BeforeValidator, ConfigDict, Field

from storekit.capabilities import Capability, Limits
from storekit.context import RequestContext
from storekit.errors import StoreError, Unsupported
from storekit.location import Location
from storekit.secrecy import blot, secrets_of
from storekit.source import Source
from storekit.values import Capacity, Content, Leftover, Listing

__all__ = [
    "Capacity",
    "Content",
    "Count",
    "Driver",
    "DriverOptions",
    "Leftover",
    "Listing",
    "Seconds",
    "server_url",
]


def _no_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a number, not true or false")  # noqa: TRY004 - pydantic wants it
    return value


Count = Annotated[int, Ge(1), BeforeValidator(_no_bool)]
"""A number of bytes or of things, 1 or more, as the type of an option."""
Seconds = Annotated[float, Gt(0), AllowInfNan(allow_inf_nan=False), BeforeValidator(_no_bool)]
"""A time in seconds, above 0, as the type of an option."""


def server_url(url: str | None, like: str, instead: str) -> str | None:
    """Check an option that is the URL of a server, for a validator of it.

    Args:
        url: The option; None is none.
        like: A URL as it should be, for the error.
        instead: The options that credentials belong in, for the error.

    Returns:
        The URL, without a slash at its end.

    Raises:
        ValueError: It is none of http or https, or has a query or a credential in it.
    """
    if url is None:
        return None
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
        raise ValueError(f"a URL such as {like}")
    if "@" in parts.netloc:
        raise ValueError(f"no credential in the URL: {instead} are for that")
    parts.port  # noqa: B018 - raises ValueError where it is none
    return url.rstrip("/")


class DriverOptions(BaseModel):
    """The options that mean the same in every driver. A driver's own class inherits them.

    Validation does no I/O. A secret option has the type ``pydantic.SecretStr``. An option that is
    left out has the driver's own default.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=True
    )

    connect_timeout: Seconds | None = Field(None, description="Seconds that a connection may take.")
    io_timeout: Seconds | None = Field(None, description="Seconds that one answer may take.")
    max_attempts: Count | None = Field(
        None, description="How often a request is tried, the first time included."
    )
    max_connections: Count | None = Field(
        None, description="How many connections the store has at once."
    )
    max_image_size: Count | None = Field(None, description="Largest image, in bytes.")
    max_id_length: Count | None = Field(
        None, le=255, description="Longest image id, in bytes of UTF-8."
    )
    read_chunk: Count | None = Field(None, description="Longest chunk of a read, in bytes.")
    write_chunk: Count | None = Field(None, description="Bytes written at once.")
    part_size: Count | None = Field(None, description="Bytes of one part of an upload.")
    max_parts: Count | None = Field(None, description="Most parts of one upload.")
    window: Count | None = Field(None, description="Parts in flight at once.")
    ca_file: Path | None = Field(None, description="CA certificates to trust, a PEM file.")
    insecure: bool = Field(default=False, description="Do not verify the server's certificate.")
    upload_idle: Annotated[float, BeforeValidator(_no_bool)] = Field(
        3600.0,
        ge=0,
        allow_inf_nan=False,
        description="Seconds without a new part after which an upload counts as dead.",
    )


class Driver:
    """One kind of backend. Subclassed by the author of a driver.

    An instance keeps clients and nothing of a call: it serves many threads at once. Every verb
    gets only clean arguments, and raises StoreError or whatever its client library raises, which
    ``translate`` then maps.

    Args:
        store_name: The operator's name for the store.
        options: An instance of the class's ``options``.
    """

    interface: ClassVar[int] = 1
    """The major version of this interface that the driver is written for."""
    schemes: ClassVar[tuple[str, ...]] = ()
    """The URI schemes that it reads; the first is the one that it writes."""
    options: ClassVar[type[DriverOptions]] = DriverOptions
    """The class of its options."""
    digests: ClassVar[tuple[str, ...]] = ()
    """Digests that the driver itself needs of every image, whatever the caller asks."""
    example_locations: ClassVar[tuple[str, ...]] = ()
    """URIs as the driver writes them."""

    capabilities: Capability = Capability(0)
    """On the class the most that it can do; on an instance what this configuration can."""
    limits: Limits = Limits()
    """On the class its defaults; on an instance what this configuration has."""
    degraded: str | None = None
    """Set by a driver that works, but not as it should: why."""
    config: DriverOptions
    """The options of this store."""
    secrets: tuple[str, ...] = ()
    """The secrets among them, which no message may show."""

    def __init__(self, store_name: str, options: DriverOptions) -> None:
        self.store_name = store_name
        self.config = options
        self.secrets = tuple(secrets_of(options))
        self.withdrawn: dict[Capability, str] = {}
        names = {field.name for field in fields(Limits)}
        given = {
            name: value
            for name in names & set(type(options).model_fields)
            if (value := getattr(options, name)) is not None
        }
        self.limits = replace(type(self).limits, **given)

    def narrow(self, capability: Capability, reason: str) -> None:
        """Withdraw capabilities that this configuration, or this backend, cannot have.

        Args:
            capability: One flag or several.
            reason: Why, for the operator.
        """
        reason = blot(str(reason), self.secrets)
        self.capabilities &= ~capability
        for flag in capability:
            self.withdrawn[flag] = reason

    def limit(self, **values: float) -> None:
        """Tighten limits to what the backend said when it was opened.

        Args:
            **values: New values by the names of ``Limits``; bytes and seconds.
        """
        self.limits = replace(self.limits, **values)  # type: ignore[arg-type]  # checked by Limits

    def open(self) -> None:
        """Connect and check. Called once, before any verb; again only after ``close``."""

    def close(self) -> None:
        """Give everything back. May be called twice, and without ``open``."""

    def owns(self, location: Location) -> bool | None:
        """Tell whether a location of one of our schemes is in this store. No I/O, before open too.

        Without an ``owns`` of its own a driver takes every location of its schemes, which is right
        only where two stores of its kind cannot be told apart by their locations.

        Args:
            location: A location whose scheme is among ``schemes``.

        Returns:
            True or False, or None where it is only known once the store is open.

        Raises:
            InvalidLocation: No store of this kind can own such a location.
        """
        return location.scheme in self.schemes

    def image_id(self, location: Location) -> str:
        """Tell the id that an image was added under. No I/O.

        Args:
            location: A location that this store owns.
        """
        return location.segments[-1] if location.segments else location.authority

    def translate(self, error: Exception, operation: str) -> StoreError | None:
        """Map an exception of the backend's client library.

        Args:
            error: What escaped from a verb.
            operation: The verb: ``open``, ``add``, ``get``, ``read``, ``get_size``, ...

        Returns:
            The error to raise in its place, or None: then the frame maps ``OSError`` by errno,
            timeouts and connection errors, and makes everything else a BackendError.
        """
        return None

    def add(self, image_id: str, source: Source, context: RequestContext | None = None) -> Location:
        """Store an image, all or nothing. Gate: ADD.

        Look whether the id is taken before the first ``source.read``. The commit, which makes the
        image visible, is the last thing asked of the backend.

        Args:
            image_id: The id: checked, and free of path separators.
            source: The bytes.
            context: Who asks.

        Returns:
            Where the image is.

        Raises:
            Duplicate: The id is taken.
            StoreError: Anything else. Nothing visible remains.
        """
        raise _missing("add")

    def get(
        self,
        location: Location,
        offset: int,
        length: int | None,
        context: RequestContext | None = None,
    ) -> Content:
        """Begin to read an image. Gates: GET, and GET_RANGE for anything but the whole.

        Args:
            location: An owned location.
            offset: The first byte wanted; may be past the end.
            length: How many bytes at most, 1 or more; None is all.
            context: Who asks.

        Returns:
            The size of the whole image, and the chunks. For an offset at or past the end
            ``Content(total, ())``.

        Raises:
            NotFound: There is no such image. Raised here, not at the first chunk.
        """
        raise _missing("get")

    def get_size(self, location: Location, context: RequestContext | None = None) -> int:
        """Tell the size of an image in bytes, without reading it.

        Args:
            location: An owned location.
            context: Who asks.

        Raises:
            NotFound: There is no such image.
        """
        raise _missing("get_size")

    def delete(self, location: Location, context: RequestContext | None = None) -> None:
        """Delete an image and all that belongs to it. Gate: DELETE.

        Args:
            location: An owned location.
            context: Who asks.

        Raises:
            NotFound: There is no such image.
            InUse: Somebody holds it; it is left as it is.
        """
        raise _missing("delete")

    def metadata(
        self, location: Location, context: RequestContext | None = None
    ) -> dict[str, object]:
        """Tell what the embedder should know of a stored image: dicts, lists and text.

        Args:
            location: An owned location.
            context: Who asks.
        """
        return {}

    def list(self, context: RequestContext | None = None) -> Iterator[Listing]:
        """Go through every image of the store, in any order. Gate: LIST.

        Args:
            context: Who asks.
        """
        raise _missing("list")

    def leftovers(
        self, older_than: timedelta, context: RequestContext | None = None
    ) -> Iterator[Leftover]:
        """Go through what killed processes left behind, never through what is alive.

        Args:
            older_than: The least age.
            context: Who asks.
        """
        return iter(())

    def reclaim(self, leftover: Leftover, context: RequestContext | None = None) -> None:
        """Remove one leftover, unless it turns out to be alive.

        Args:
            leftover: One that ``leftovers`` of this store gave.
            context: Who asks.

        Raises:
            NotFound: It is gone already.
            InUse: It is alive.
        """
        raise _missing("reclaim")

    def set_acls(
        self,
        location: Location,
        public: bool,
        read: Sequence[str],
        write: Sequence[str],
        context: RequestContext | None = None,
    ) -> None:
        """Set who may read and write an image. Gate: ACL.

        Args:
            location: An owned location.
            public: Whether everybody may read it.
            read: Ids of the projects that may read it.
            write: Ids of the projects that may write it.
            context: Who asks.
        """
        raise _missing("set_acls")

    def capacity(self, context: RequestContext | None = None) -> Capacity:
        """Tell how much the store holds. Gate: CAPACITY.

        Args:
            context: Who asks.
        """
        raise _missing("capacity")

    def copy_from(
        self,
        other: Driver,
        location: Location,
        image_id: str,
        context: RequestContext | None = None,
    ) -> Location | None:
        """Copy an image inside the backend, without reading it; all or nothing, as ``add``.

        Args:
            other: The driver of the store that has the image; may be this one.
            location: The image, owned by ``other``; its version is pinned for the whole copy.
            image_id: The id of the copy.
            context: Who asks.

        Returns:
            Where the copy is, or None: cannot be done, so the frame streams it.

        Raises:
            Duplicate: The id is taken.
        """
        return None


def _missing(verb: str) -> Unsupported:
    return Unsupported(f"the driver has no {verb}", operation=verb)
