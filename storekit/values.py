"""The values that verbs return and drivers hand over. Frozen, and they pickle."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from storekit.location import Location

__all__ = ["Capacity", "Content", "InstalledDriver", "Leftover", "Listing", "StoredImage"]


@dataclass(frozen=True)
class StoredImage:
    """What ``add`` and ``copy`` return: an image that is stored, whole and visible."""

    location: Location
    """Where it is. ``str()`` gives the URI to keep."""
    size: int
    """Its length in bytes."""
    digests: dict[str, str]
    """Hexadecimal digests by algorithm, of exactly the stored bytes."""
    store: str
    """Name of the store that holds it."""
    metadata: dict[str, object] = field(default_factory=dict)
    """What the driver adds for the embedder: dicts, lists and text, fresh each time."""


@dataclass(frozen=True)
class Listing:
    """One image in a listing."""

    image_id: str
    """The id under which it was added."""
    location: Location
    """Where it is."""
    size: int
    """Its length in bytes."""
    modified: datetime | None = None
    """When it was stored, in UTC, where the backend knows."""


@dataclass(frozen=True)
class Leftover:
    """What a killed process left behind: invisible to every other verb, and ours."""

    name: str
    """The backend's name for it. Only its driver reads it."""
    store: str
    """Name of the store that it was found in."""
    size: int
    """Bytes that it takes, as far as the backend tells."""
    modified: datetime | None = None
    """When it was last written to, in UTC, where the backend knows."""


@dataclass(frozen=True)
class Capacity:
    """How much a store holds, in bytes."""

    total: int
    """All of it."""
    free: int
    """What can still be written."""


@dataclass(frozen=True)
class Content:
    """A driver's answer to ``get``.

    The frame clamps, counts and checks; a driver passes on what the backend sends.
    """

    total: int
    """The length of the whole image in bytes, whatever part of it was asked for."""
    chunks: Iterable[bytes]
    """The asked part, in order. Closed by the frame if it has a ``close``."""
    fileno: int | None = None
    """A descriptor of the whole image, for sendfile; open as long as ``chunks`` is."""
    resume: Callable[[int], Iterable[bytes]] | None = None
    """Gives the chunks from that absolute offset to the end of the asked part, of the same
    version of the image, or raises DataError. None: a read that was cut cannot go on."""


@dataclass(frozen=True)
class InstalledDriver:
    """A driver that is installed, whether it can be loaded or not."""

    name: str
    """The name that a configuration uses."""
    distribution: str
    """The distribution that offers it; several, with commas, if they conflict."""
    version: str
    """The version of the distribution."""
    loadable: bool
    """Whether it can be used."""
    reason: str | None = None
    """Why not."""
    hint: str | None = None
    """What to do about it."""
