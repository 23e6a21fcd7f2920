"""HTTP messages on the wire: their heads, and where they end (RFC 9112)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = [
    "READS",
    "WRITES",
    "Framing",
    "Request",
    "fields_of",
    "framing_of_answer",
    "framing_of_request",
    "http_answer",
    "request_of",
    "status_of",
]

READS = frozenset({"GET", "HEAD"})
"""Methods that change nothing."""
WRITES = frozenset({"PUT", "POST", "PATCH", "DELETE"})
"""Methods that do."""

_NO_BODY = frozenset({204, 304})


@dataclass(frozen=True)
class Request:
    """The head of an HTTP request on the wire."""

    method: str
    """The method."""
    path: str
    """Path and query, as sent."""
    headers: Mapping[str, str]
    """The headers, their names in lower case."""
    at: float = field(default_factory=time.monotonic, compare=False)
    """When it came, on the monotonic clock."""

    @property
    def kind(self) -> tuple[str, str]:
        """Method and path without the query: what a repeated request has in common."""
        return self.method, self.path.partition("?")[0]


class Framing:
    """Finds the end of a body.

    Args:
        length: Its length in bytes; None: it ends with the connection.
        chunked: Whether it comes in chunks, which tell themselves when they end.
    """

    def __init__(self, length: int | None = None, *, chunked: bool = False) -> None:
        self.done = length == 0 and not chunked
        """Whether the end was seen."""
        self._chunked = chunked
        self._missing = length
        self._line = b""
        self._in_trailer = False
        if chunked:
            self._missing = 0

    def take(self, data: bytes | bytearray) -> int:
        """Look at the next bytes.

        Args:
            data: The bytes.

        Returns:
            How many of them belong to the body.
        """
        at = 0
        while at < len(data) and not self.done:
            if self._missing is None:
                return len(data)
            if self._missing:
                step = min(self._missing, len(data) - at)
                self._missing -= step
                at += step
                self.done = not self._missing and not self._chunked
            else:
                self._line += data[at : at + 1]
                at += 1
                if self._line.endswith(b"\r\n"):
                    self._end_of_line()
        return at

    def _end_of_line(self) -> None:
        line, self._line = self._line[:-2], b""
        if self._in_trailer:
            self.done = not line
            return
        size = int(line.partition(b";")[0], 16)
        self._in_trailer = not size
        self._missing = size + 2 if size else 0  # two for the end of the line


def request_of(head: bytes) -> Request:
    """Read the head of a request.

    Args:
        head: All of it.
    """
    method, path, *_ = [*head.partition(b"\r\n")[0].decode("latin-1").split(" "), "", ""]
    return Request(method, path, fields_of(head))


def status_of(head: bytes) -> int:
    """Read the status of an answer.

    Args:
        head: Its head.
    """
    return int(head.split(None, 2)[1])


def fields_of(head: bytes) -> dict[str, str]:
    """Read the headers.

    Args:
        head: The head of a request or an answer.
    """
    found = {}
    for line in head.decode("latin-1").split("\r\n")[1:]:
        name, colon, value = line.partition(":")
        if colon:
            found[name.strip().lower()] = value.strip()
    return found


def framing_of_request(request: Request) -> Framing:
    """Tell where the body of a request ends.

    Args:
        request: Its head.
    """
    if "chunked" in request.headers.get("transfer-encoding", ""):
        return Framing(chunked=True)
    return Framing(int(request.headers.get("content-length", "0")))


def framing_of_answer(method: str, head: bytes) -> Framing:
    """Tell where the body of an answer ends.

    Args:
        method: The method of the request.
        head: The head of the answer.
    """
    fields = fields_of(head)
    if method == "HEAD" or status_of(head) in _NO_BODY:
        return Framing(0)
    if "chunked" in fields.get("transfer-encoding", ""):
        return Framing(chunked=True)
    length = fields.get("content-length")
    return Framing(None if length is None else int(length))


def http_answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    """Make an HTTP answer.

    Args:
        status: The status.
        body: The body.
        **headers: More headers, with ``_`` for ``-``.

    Returns:
        The bytes of the answer, which closes the connection.
    """
    lines = [
        f"HTTP/1.1 {status} Scripted",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body
