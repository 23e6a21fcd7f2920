"""Location: the URI under which a backend holds one image."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from urllib.parse import parse_qsl, quote, unquote

from storekit.errors import InvalidLocation

__all__ = ["Location", "redact"]

_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)(/[^?#]*)?(?:\?([^#]*))?", re.ASCII)
_AUTHORITY = re.compile(r"[^/?#@\s]*")
# Control characters, and surrogates but those that stand for a byte that is no UTF-8: there are
# http URIs with such bytes.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udc7f\udd00-\udfff]")
_HOST_PORT = re.compile(r"(\[[^\[\]]+\]|[^\[\]:]+)(?::([0-9]{1,5}))?", re.ASCII)
# RFC 3986, 3.3: what a path segment may hold as it is, less "@", which could be taken for the
# end of a credential.
_SEGMENT_SAFE = "!$&'()*+,;=:~"
_MAX_PORT = 65535
_LINE = 200  # characters of a text that go into a message


def redact(text: object) -> str:
    """Make a text that may be a URI fit for a message.

    Args:
        text: Anything that a caller gave as a location.

    Returns:
        A printable form, shortened, in which whatever might be a credential is ``***``.
    """
    if not isinstance(text, str):
        return f"a {type(text).__name__}"
    shown = text
    if "@" in text:
        scheme = re.match("[A-Za-z][A-Za-z0-9+.-]*://", text)
        shown = f"{scheme[0] if scheme else ''}***@{text.rpartition('@')[2]}"
    return repr(shown if len(shown) <= _LINE else f"{shown[:_LINE]}...")


class Location:
    """A parsed URI. Immutable, hashable, and equal to another with the same text.

    The text is kept as it was written, so that an image is always asked for under the very URI
    that its owner stored; what is behind percent signs is decoded in ``segments`` and ``query``.
    Where an old URI carries a credential, it is in ``userinfo`` and nowhere else: ``str`` and
    ``repr`` do not show it.

    Args:
        text: ``scheme://authority/segments?query``.

    Raises:
        InvalidLocation: The text is not such a URI, or holds control characters.
    """

    scheme: str
    """The scheme, in lower case."""
    authority: str
    """Host and port, or whatever the scheme puts there; as written, without user info."""
    userinfo: str | None
    """The credential of an old URI, as written. Never shown."""

    def __init__(self, text: str) -> None:
        match = _URI.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise InvalidLocation(
                f"{redact(text)} is not a location", hint="a location is scheme://authority/path"
            )
        scheme, authority, path, query = match.groups()
        userinfo, authority, path = _split_userinfo(scheme.lower(), authority, path or "")
        fields = {
            "scheme": scheme.lower(),
            "authority": authority,
            "userinfo": userinfo,
            "_path": path,
            "_query": query,
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)
        if not (authority or path.strip("/")):
            raise InvalidLocation(f"{redact(text)} names no image")
        parts = (userinfo or "", authority, *self.segments, query or "")
        if "@" in (userinfo or "") + authority or any(map(_holds_forbidden, parts)):
            raise InvalidLocation(f"{redact(text)} has a character that no location may have")

    @classmethod
    def build(
        cls,
        scheme: str,
        authority: str,
        *segments: str,
        query: Mapping[str, str] | None = None,
    ) -> Location:
        """Make a location from its parts.

        Args:
            scheme: The scheme.
            authority: Host and port, or whatever the scheme puts there; taken as it is.
            *segments: The path, undecoded; each becomes one segment, whatever is in it.
            query: Names and values behind the question mark.

        Returns:
            The location. Parsing its text gives an equal one.

        Raises:
            InvalidLocation: The parts make no location.
        """
        if not _AUTHORITY.fullmatch(authority):
            raise InvalidLocation(f"{redact(authority)} cannot be the authority of a location")
        path = "".join("/" + _encoded(segment, _SEGMENT_SAFE) for segment in segments)
        pairs = [f"{_encoded(name)}={_encoded(value)}" for name, value in (query or {}).items()]
        behind = f"?{'&'.join(pairs)}" if pairs else ""
        return cls(f"{scheme}://{authority}{path}{behind}")

    @classmethod
    def of(cls, value: str | Location) -> Location:
        """Take what every verb takes: a text, or a location.

        Args:
            value: The text or the location.

        Raises:
            InvalidLocation: The text is no location.
        """
        return value if isinstance(value, Location) else cls(value)

    @cached_property
    def segments(self) -> tuple[str, ...]:
        """The path, split at ``/`` and decoded. A trailing slash gives an empty last one."""
        return tuple(unquote(part, errors="surrogateescape") for part in self._path.split("/")[1:])

    @cached_property
    def query(self) -> Mapping[str, str]:
        """What is behind the question mark, decoded; of a repeated name the last value."""
        return MappingProxyType(dict(parse_qsl(self._query or "", keep_blank_values=True)))

    @property
    def host_port(self) -> tuple[str, int | None]:
        """The authority as a host, IPv6 without its brackets, and a port or None.

        Raises:
            InvalidLocation: The authority is not ``host`` or ``host:port``.
        """
        match = _HOST_PORT.fullmatch(self.authority)
        port = int(match[2]) if match and match[2] else None
        if match is None or (port is not None and not 0 < port <= _MAX_PORT):
            raise InvalidLocation(f"{self} has no host, or a bad port")
        return match[1].strip("[]"), port

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Location cannot be changed: {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a Location cannot be changed: {name}")

    def __str__(self) -> str:
        behind = "" if self._query is None else f"?{self._query}"
        return f"{self.scheme}://{self.authority}{self._path}{behind}"

    def __repr__(self) -> str:
        return f"Location({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Location):
            return NotImplemented
        return (str(self), self.userinfo) == (str(other), other.userinfo)

    def __hash__(self) -> int:
        return hash((str(self), self.userinfo))

    def __reduce__(self) -> tuple[object, ...]:
        credential = "" if self.userinfo is None else f"{self.userinfo}@"
        return Location, (str(self).replace("://", f"://{credential}", 1),)

    # Set by __init__ past __setattr__; declared for the type checker.
    _path: str
    _query: str | None


def _split_userinfo(scheme: str, authority: str, path: str) -> tuple[str | None, str, str]:
    """Take the credential off, also one with a raw slash in it, as old Glance wrote them.

    Only in http URLs may a path have an "@" of its own: in all others it is percent-encoded.
    """
    if "@" in authority:
        userinfo, _, authority = authority.rpartition("@")
        return userinfo, authority, path
    is_url = scheme in {"http", "https"} and _HOST_PORT.fullmatch(authority)
    if authority and "@" in path and not is_url:
        userinfo, _, rest = (authority + path).partition("@")
        host, slash, tail = rest.partition("/")
        return userinfo, host, slash + tail
    return None, authority, path


def _encoded(segment: str, safe: str = "") -> str:
    try:
        return quote(segment, safe=safe, errors="surrogateescape")
    except UnicodeEncodeError:
        raise InvalidLocation("a segment is not text that UTF-8 can hold") from None


def _holds_forbidden(part: str) -> bool:
    return _FORBIDDEN.search(part) is not None
