"""Places: where images are: account, container and name; and the URIs that say so."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from storekit.arguments import check_id
from storekit.drivers.swift.options import Options
from storekit.errors import InvalidArgument
from storekit.location import Location

__all__ = ["LONGEST_NAME", "SCHEMES", "Place", "Places"]

SCHEMES = ("swift+config", "swift", "swift+https", "swift+http")
"""What is written, and what others wrote."""
LONGEST_NAME = 1024
"""Bytes of an object's name: https://docs.openstack.org/api-ref/object-store/"""

_PORTS = {"http": 80, "https": 443}
_OLD_PORTS = {"swift": 443, "swift+https": 443, "swift+http": 80}
_VERSION = re.compile("v?[0-9]+([.][0-9]+)?", re.ASCII)  # auth/v1.0, auth/1.0, v3
_OURS, _CALLERS = 2, 3  # parts of a path: container and name, and the account before them


@dataclass(frozen=True)
class Place:
    """Where an image is."""

    container: str
    name: str
    account: str | None = None
    """The last part of the account's URL; None is the store's own account."""


class Places:
    """Which containers a store has, and how its locations are written and read. No I/O.

    Args:
        store_name: Name of the store.
        options: Its options.
    """

    def __init__(self, store_name: str, options: Options) -> None:
        self._authority = quote(store_name, safe="")
        self._options = options
        self._servers: set[tuple[str, int]] = set()
        self._accounts: set[str] = set()
        self.is_complete = False  # until the server has said where the account is
        if options.auth_url:
            self.add_server(options.auth_url)

    @property
    def of_callers(self) -> bool:
        """Whether each image has containers of its own, in its caller's account."""
        return self._options.multi_tenant

    @property
    def images(self) -> tuple[str, ...]:
        """The containers of images of a store that is no caller's."""
        options = self._options
        if options.containers == 1:
            return (options.container,)
        return tuple(map(self._numbered, range(options.containers)))

    @property
    def segments(self) -> str:
        """The container of segments of a store that is no caller's."""
        options = self._options
        return options.segments_container or f"{options.container}_segments"

    @property
    def callers_images(self) -> str:
        """How the names of callers' containers of images begin."""
        return f"{self._options.container}_"

    @property
    def callers_segments(self) -> str:
        """How the names of callers' containers of segments begin."""
        return f"{self._options.container}-segments_"

    def add_server(self, url: str) -> None:
        """Learn that the store is at a server.

        Args:
            url: A URL of it.
        """
        parts = urlsplit(url)
        self._accounts.add(unquote(parts.path.rstrip("/").rpartition("/")[2]))
        self._servers.add(((parts.hostname or "").lower(), parts.port or _PORTS[parts.scheme]))

    def new(self, image_id: str) -> Place:
        """Tell where a new image goes.

        Args:
            image_id: Its id.
        """
        options = self._options
        if options.multi_tenant:
            return Place(f"{self.callers_images}{image_id}", image_id)
        if options.containers == 1:
            return Place(options.container, image_id)
        # By a digest, so that ids that begin alike are spread too.
        number = int.from_bytes(hashlib.sha256(image_id.encode()).digest()[:8])
        return Place(self._numbered(number % options.containers), image_id)

    def segments_of(self, place: Place) -> str:
        """Tell the container of an image's segments.

        Args:
            place: Where the image is.
        """
        if not self._options.multi_tenant:
            return self.segments
        return self.callers_segments + place.container.removeprefix(self.callers_images)

    def location(self, place: Place) -> Location:
        """Give the location of an image.

        Args:
            place: Where it is.
        """
        account = () if place.account is None else (place.account,)
        path = (*account, place.container, place.name)
        return Location.build(SCHEMES[0], self._authority, *path)

    def read(self, location: Location) -> Place | None:
        """Tell where an image is.

        Args:
            location: A location.

        Returns:
            The place; None where it is none of this store's.
        """
        segments = location.segments
        if location.scheme == SCHEMES[0]:
            named = unquote(location.authority) == unquote(self._authority)
            longest = _CALLERS if self._options.multi_tenant else _OURS
            if not named or not _OURS <= len(segments) <= longest:
                return None
        elif not self._is_server(location):
            return None
        if not self._may_be(location):
            return None
        *front, container, name = segments
        account = front[-1] if front else None
        if account is not None and not self._options.multi_tenant:
            # Others wrote the URL of the account, or that of the authentication.
            if not (account in self._accounts or _VERSION.fullmatch(account)):
                return None
            account = None
        if account is not None and not is_image(account):
            return None
        return Place(container, name, account)

    def may_become_ours(self, location: Location) -> bool:
        """Tell whether only an open store can tell whether it owns a location.

        Args:
            location: A location.
        """
        return not self.is_complete and location.scheme != SCHEMES[0] and self._may_be(location)

    def _may_be(self, location: Location) -> bool:
        """Tell whether a path is one of an image of ours, on whichever server."""
        least = _OURS if location.scheme == SCHEMES[0] else _CALLERS
        if len(location.segments) < least:
            return False
        *_, container, name = location.segments
        # They go into a URL, and so does an account: no "/" in one, no "..", and nothing of ours.
        return self._is_ours(container) and is_image(container) and is_image(name)

    def _is_server(self, location: Location) -> bool:
        host, port = location.host_port
        return (host.lower(), port or _OLD_PORTS[location.scheme]) in self._servers

    def _is_ours(self, container: str) -> bool:
        options = self._options
        if options.multi_tenant:
            return container.startswith(self.callers_images) or container == options.container
        if container == self.segments:
            return False
        # Those of another number of containers too, which the images may have been added to.
        return container == options.container or container.startswith(f"{options.container}_")

    def _numbered(self, number: int) -> str:
        return f"{self._options.container}_{number:02x}"


def is_image(name: str) -> bool:
    """Tell whether an object's name can be an image's id.

    Args:
        name: The name.
    """
    try:
        check_id(name, LONGEST_NAME)
    except InvalidArgument:
        return False
    return True
