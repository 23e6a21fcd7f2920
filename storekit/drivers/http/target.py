"""Target: what is asked of which server. Made of a location, and of a redirect."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote, urljoin

from storekit.drivers.http.policy import canonical_host
from storekit.errors import BackendError, Forbidden, InvalidLocation
from storekit.location import Location

__all__ = ["PORTS", "Origin", "Target"]

PORTS = {"http": 80, "https": 443}
Origin = tuple[str, str, int]

# What a request target may hold as it is (RFC 3986, 3.3 and 3.4). A percent sign stays: what an
# owner encoded, or did not, is how the server knows the image.
_SAFE = "%/?:@!$&'()*+,;=~"
_LONE_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True)
class Target:
    """One resource of one server, in the form in which it is asked for."""

    scheme: str
    """``http`` or ``https``."""
    host: str
    """The host in canonical form, IPv6 without brackets."""
    port: int
    """The port, also where the URI names none."""
    path: str
    """Path and query as they are sent."""

    @classmethod
    def of(cls, location: Location) -> Target:
        """Read a location. No I/O.

        Args:
            location: An http or https location. Its user info is not looked at.

        Raises:
            InvalidLocation: It has no host, a bad port, leads above the server's root, or names
                no image.
        """
        text, port = location.host_port
        if location.authority.startswith("[") and ":" not in text:
            raise InvalidLocation("only an IPv6 address stands in brackets")
        host = canonical_host(text)
        path = str(location)[len(f"{location.scheme}://{location.authority}") :]
        if path in ("", "/"):
            raise InvalidLocation("the location has a host and no path", hint="add the image's")
        if _climbs(location.segments):
            raise InvalidLocation("the location leads above the root of its server")
        path = path if path.startswith("/") else f"/{path}"
        return cls(location.scheme, host, port or PORTS[location.scheme], _encoded(path))

    @property
    def origin(self) -> Origin:
        """Scheme, host and port: where a credential may go, and no further (RFC 6454, 4)."""
        return self.scheme, self.host, self.port

    @cached_property
    def server(self) -> str:
        """The origin as text, for messages and as the beginning of ``url``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"

    @property
    def url(self) -> str:
        """The whole of it, as the HTTP library takes it."""
        return self.server + self.path

    def redirected(self, where: str) -> Target:
        """Follow a redirect (RFC 9110, 10.2.2). No I/O.

        Args:
            where: The header ``Location``: a URI or a part of one, relative to this target.

        Raises:
            BackendError: It is no URI of an image.
            Forbidden: It leads away from http and https.
        """
        try:
            # A header is bytes, which the library reads as Latin-1.
            there = quote(where.strip().encode("latin-1"), safe=f"{_SAFE}#[]").partition("#")[0]
            location = Location(urljoin(self.url, there))
            if location.scheme in PORTS:
                return self.of(location)
        except ValueError as error:  # InvalidLocation among them
            raise BackendError(f"{self.server} redirects to what is no location") from error
        raise Forbidden(f"{self.server} redirects to {location.scheme}://, not to http or https")


def _encoded(path: str) -> str:
    return quote(_LONE_PERCENT.sub("%25", path), safe=_SAFE, errors="surrogateescape")


def _climbs(segments: tuple[str, ...]) -> bool:
    """Whether dot segments lead above the root, which servers refuse or guess at."""
    depth = 0
    for segment in segments:
        depth += {"..": -1, ".": 0}.get(segment, 1)
        if depth < 0:
            return True
    return False
