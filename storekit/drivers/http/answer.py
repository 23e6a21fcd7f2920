"""Answer: what a server answered, its headers read as RFC 9110 has them."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import requests

from storekit.drivers.http.target import Target
from storekit.errors import (
    BackendError,
    DataError,
    Forbidden,
    NotAuthenticated,
    NotFound,
    StoreError,
    Unavailable,
    Unsupported,
)
from storekit.retry import Refusal

__all__ = ["Answer", "Span"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_BUSY = frozenset({408, 425, 429})
_FINAL_SERVER_ERRORS = frozenset({501, 505})
_SERVER_ERROR = 500
_ERRORS: dict[int, tuple[type[StoreError], str]] = {
    401: (NotAuthenticated, "asks for other credentials"),
    403: (Forbidden, "forbids it"),
    404: (NotFound, "has no such image"),
    407: (NotAuthenticated, "asks for credentials of a proxy"),
    410: (NotFound, "has the image no longer"),
    405: (Unsupported, "does not let it be read"),
    451: (Forbidden, "forbids it for legal reasons"),
    501: (Unsupported, "cannot do it"),
}
_COUNT = re.compile("[0-9]+", re.ASCII)
_SPAN = re.compile(r"bytes (?:([0-9]+)-([0-9]+)|\*)/([0-9]+|\*)", re.ASCII | re.IGNORECASE)
_STRONG_ETAG = re.compile('"[\x21\x23-\x7e\x80-\xff]*"')


@dataclass(frozen=True)
class Span:
    """What a Content-Range says (RFC 9110, 14.4)."""

    first: int | None
    """The first byte that comes; None where none does."""
    last: int | None
    """The last one."""
    total: int | None
    """The size of the whole image; None where the server does not tell."""


class Answer:
    """The head of an answer, and its body, to be read or dropped.

    Args:
        response: The library's answer, not read yet.
        target: Who gave it.
    """

    def __init__(self, response: requests.Response, target: Target) -> None:
        self.status = response.status_code
        self.target = target
        self._response = response

    def header(self, name: str) -> str:
        """Give a header, empty where there is none.

        Args:
            name: Its name, in any case.
        """
        return str(self._response.headers.get(name, "")).strip()

    @property
    def length(self) -> int | None:
        """The body's length as the header has it; None where it does not tell.

        Beside a Transfer-Encoding it tells nothing (RFC 9112, 6.3).

        Raises:
            DataError: It is no number, or several.
        """
        text = self.header("Content-Length")
        if not text or self.header("Transfer-Encoding"):
            return None
        values = {part.strip() for part in text.split(",")}
        value = values.pop()
        if values or not _COUNT.fullmatch(value):
            raise DataError(f"{self.target.server} sends a Content-Length that is no number")
        return int(value)

    @property
    def span(self) -> Span:
        """What the Content-Range says.

        Raises:
            DataError: There is none, or it is none of bytes.
        """
        match = _SPAN.fullmatch(self.header("Content-Range"))
        if match is None:
            raise DataError(f"{self.target.server} sends a part and does not tell which")
        first, last, total = (None if part in (None, "*") else int(part) for part in match.groups())
        return Span(first, last, total)

    @property
    def etag(self) -> str | None:
        """The strong entity tag, which equal bytes alone share (RFC 9110, 8.8.3)."""
        tag = self.header("ETag")
        return tag if _STRONG_ETAG.fullmatch(tag) else None

    @property
    def redirect(self) -> Target | None:
        """Where the server redirects to; None where it does not.

        Raises:
            BackendError: It redirects to nowhere, or to what is no location.
            Forbidden: It leads away from http and https.
        """
        if self.status not in _REDIRECTS:
            return None
        where = self.header("Location")
        if not where:
            raise BackendError(f"{self.target.server} redirects and does not tell where to")
        return self.target.redirected(where)

    @property
    def encoded(self) -> bool:
        """Whether the body is not the image's own bytes, but, for example, compressed."""
        return self.header("Content-Encoding").lower() not in ("", "identity")

    def check_encoding(self) -> None:
        """Refuse a body that is not the image's own bytes.

        Raises:
            Unsupported: It is encoded, although only the bytes themselves were asked for.
        """
        if self.encoded:
            coding = self.header("Content-Encoding")
            raise Unsupported(f"{self.target.server} sends the image encoded as {coding!r}")

    def error(self) -> StoreError:
        """Make the error of an answer that is no image, with the status as its cause."""
        kind, what = _ERRORS.get(self.status, (BackendError, "gives an answer that is no image"))
        if self.status in _BUSY or (
            self.status >= _SERVER_ERROR and self.status not in _FINAL_SERVER_ERRORS
        ):
            kind, what = Unavailable, "cannot answer now"
        wait = self._retry_after()
        failure = kind(
            f"{self.target.server} {what} (status {self.status})",
            hint=f"it asks to wait {wait:.0f} s" if wait else None,
        )
        failure.__cause__ = Refusal(self.status, wait)
        return failure

    def read(self, n: int) -> bytes:
        """Give the next bytes of the body, as soon as there are some.

        Args:
            n: At most how many.

        Returns:
            None of them only at the end.

        Raises:
            urllib3.exceptions.HTTPError: The body broke off.
        """
        return self._response.raw.read1(n, decode_content=False) or b""

    @property
    def ended(self) -> bool:
        """Whether the last byte was read; the connection is then free for the next request."""
        return bool(self._response.raw.closed)

    def close(self) -> None:
        """Drop the body. A body that is not at its end costs its connection."""
        if self._response.request.method == "HEAD" or self.header("Content-Length") == "0":
            self._response.raw.drain_conn()
        self._response.close()

    def _retry_after(self) -> float:
        """Seconds to wait: a number of them, or a date (RFC 9110, 10.2.3)."""
        text = self.header("Retry-After")
        if _COUNT.fullmatch(text):
            return float(text)
        try:
            return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
        except (ValueError, OverflowError):
            return 0.0
