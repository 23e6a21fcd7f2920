"""What a store can do and promises (``Capability``), and its numbers (``Limits``)."""

from __future__ import annotations

import enum
from dataclasses import dataclass, fields

from storekit.errors import ConfigurationError

__all__ = ["GATES", "Capability", "Limits"]


class Capability(enum.Flag):
    """A flag: something a driver lets you ask for (a gate), or a promise that it keeps."""

    GET = enum.auto()
    """Gate: read an image."""
    GET_RANGE = enum.auto()
    """Gate: read from an offset, or a given length."""
    ADD = enum.auto()
    """Gate: store an image."""
    ADD_UNKNOWN_SIZE = enum.auto()
    """Gate: store an image whose size is not known beforehand."""
    DELETE = enum.auto()
    """Gate: delete an image."""
    LIST = enum.auto()
    """Gate: list the images of the store."""
    ACL = enum.auto()
    """Gate: set who may read and write an image."""
    CAPACITY = enum.auto()
    """Gate: tell total and free space."""

    EXCLUSIVE_ADD = enum.auto()
    """Of concurrent adds of one id exactly one succeeds."""
    EXCLUSIVE_DELETE = enum.auto()
    """Of concurrent deletes of one image exactly one succeeds."""
    ATOMIC_ADD = enum.auto()
    """An image appears whole, at one instant, or not at all."""
    CRASH_SAFE = enum.auto()
    """A killed process leaves nothing visible, and the id can be added again."""
    DURABLE = enum.auto()
    """What was added survives a power failure from the moment that ``add`` returns."""
    STRONG_CONSISTENCY = enum.auto()
    """What was added or deleted is so for every client from the moment the verb returns."""
    IN_USE_GUARD = enum.auto()
    """An image that somebody uses cannot be deleted."""
    THIN = enum.auto()
    """Runs of zeros take no space."""
    DETECTS_CORRUPTION = enum.auto()
    """Bytes that changed on the way or at rest are an error, never data."""
    THREAD_SAFE = enum.auto()
    """One store may be used by many threads at once."""
    FORK_SAFE = enum.auto()
    """A store that is open and quiet works on in parent and child after a fork."""


GATES = (
    Capability.GET
    | Capability.GET_RANGE
    | Capability.ADD
    | Capability.ADD_UNKNOWN_SIZE
    | Capability.DELETE
    | Capability.LIST
    | Capability.ACL
    | Capability.CAPACITY
)
"""The capabilities that the frame enforces. All others are promises."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The numbers of a store. Sizes are bytes, times are seconds.

    Raises:
        ConfigurationError: A value is not a positive number.
    """

    read_chunk: int = 1 << 20
    """The longest chunk that a reader yields."""
    write_chunk: int = 1 << 20
    """How much a driver writes at once."""
    part_size: int = 8 << 20
    """How long one part of a multipart upload is."""
    max_parts: int = 10_000
    """How many parts an upload may have."""
    window: int = 4
    """How many parts, or requests of one image, are in flight at once."""
    max_image_size: int = (1 << 63) - 1
    """The largest image."""
    max_id_length: int = 255
    """The longest image id, in bytes of UTF-8."""
    max_connections: int = 16
    """How many connections, or stuck calls, a store has at once."""
    connect_timeout: float = 10.0
    """How long a connection may take."""
    io_timeout: float = 60.0
    """How long one answer, or one read or write of the backend, may take."""
    max_attempts: int = 3
    """How often one request is tried, the first time included."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            whole = field.type == "int"
            if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
                raise ConfigurationError(f"limit {field.name} is {value!r}, not a number")
            if not 0 < value < float("inf"):
                raise ConfigurationError(f"limit {field.name} is {value!r}, not above 0")

    @property
    def op_budget(self) -> float:
        """The longest that one request may take with all its attempts, in seconds."""
        return self.max_attempts * (self.connect_timeout + self.io_timeout)
