"""What the answers of Swift servers, and the exceptions of their client, mean.

The statuses are those of https://docs.openstack.org/api-ref/object-store/; 498 is what Swift's
rate limit says, 507 what it says of a full disk.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import requests
import urllib3
from keystoneauth1 import exceptions as keystone

from storekit.errors import (
    BackendError,
    ConfigurationError,
    DataError,
    Duplicate,
    Forbidden,
    InvalidArgument,
    NotAuthenticated,
    NotFound,
    StorageFull,
    StoreError,
    Timeout,
    Unavailable,
    Unsupported,
)
from storekit.retry import Refusal

__all__ = [
    "BROKEN",
    "KEYSTONE",
    "broken",
    "clock_of",
    "refused",
    "status_of",
    "unknown_to_keystone",
    "unsendable",
]

BROKEN = (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError)
"""What the client raises where there was no answer, or none that it can read."""
KEYSTONE = (keystone.ClientException,)
"""What keystoneauth1 raises."""

_UNKNOWN_USER = "check username, password and project, or the application credential"
_Meaning = tuple[type[StoreError], str, str | None]
"""The error, what it says, and its hint."""
_STATUSES: dict[int, _Meaning] = {
    400: (BackendError, "the server does not understand the request", "is it a Swift server?"),
    401: (NotAuthenticated, "the server does not know us", _UNKNOWN_USER),
    403: (
        Forbidden,
        "the server denies access",
        "the user needs a role that the server trusts with the account, or ACLs of the containers",
    ),
    404: (NotFound, "there is no such image", None),
    405: (Unsupported, "the server does not allow it", None),
    408: (Timeout, "the server waited too long for the data", None),
    409: (Unavailable, "another operation on the same object is under way", "try again later"),
    411: (
        BackendError,
        "the server misses the length of the request",
        "does a proxy before it take Content-Length away?",
    ),
    412: (Duplicate, "the id is taken", None),
    413: (
        StorageFull,
        "a quota is used up, or the image has longer parts than the server takes",
        "raise the quota of account or container, free space, or lower part_size",
    ),
    422: (DataError, "the data changed on its way to the server", "add it again"),
    429: (Unavailable, "the server asks to slow down", "lower window or max_connections"),
    498: (Unavailable, "the server limits our rate", "lower window or max_connections"),
    501: (Unsupported, "the server cannot do it", None),
    503: (Unavailable, "the server cannot answer now", "try again later"),
    507: (StorageFull, "the server has no space left", "add disks, or free space"),
}
_CONFLICT, _FAILED_PRECONDITION = 409, 412
_SERVER_ERROR = 500
_NOT_WHOLE = "the image is not whole: a segment of it is gone"
_RESTORE = "delete it, and restore it from elsewhere"
_READS = frozenset({"GET", "HEAD"})
_LONGEST = 200  # characters of a server's text that go into a message
_LONGEST_WAIT = 3600.0


def status_of(error: BaseException | None) -> int:
    """Tell the status of the answer that an error came from, 0 where there was none.

    Args:
        error: An error of ours.
    """
    while error is not None:
        if isinstance(error, Refusal):
            return error.status
        error = error.__cause__
    return 0


def not_whole() -> DataError:
    """Say that an image has lost a segment."""
    return DataError(_NOT_WHOLE, hint=_RESTORE)


def refused(method: str, status: int, headers: Mapping[str, str], body: bytes) -> StoreError:
    """Say what an answer means that is no success.

    Args:
        method: The method of the request.
        status: The status of the answer.
        headers: Its headers.
        body: Its body.

    Returns:
        The error to raise, whose cause is a Refusal.
    """
    kind, what, hint = _STATUSES.get(status) or (BackendError, "", None)
    if not what:
        what = f"the server refuses it with status {status}"
        if status >= _SERVER_ERROR:
            kind, what, hint = Unavailable, "the server failed", "see the server's log"
    if method in _READS and status == _FAILED_PRECONDITION:
        kind, what, hint = DataError, "the image changed while it was read", "read it again"
    if method in _READS and status == _CONFLICT:
        kind, what, hint = DataError, _NOT_WHOLE, _RESTORE
    said = "" if b"<html" in body.lower() else _line(body.decode(errors="replace"))
    error = kind(f"{what} ({status}: {said})" if said else f"{what} ({status})", hint=hint)
    error.__cause__ = Refusal(status, _seconds(headers.get("Retry-After", ""), headers))
    return error


def broken(error: Exception) -> StoreError:
    """Say what it means that there was no answer, or that it broke off.

    Args:
        error: One of ``BROKEN``.
    """
    root = _root(error)
    if isinstance(root, ssl.SSLCertVerificationError):
        return _certificate("the server")
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
        return Timeout("the server did not answer in time", hint="is it overloaded?")
    if isinstance(error, requests.exceptions.InvalidHeader | ValueError) and not isinstance(
        error, requests.ConnectionError
    ):
        return DataError(f"the server's answer is not as it should be: {_line(root)}")
    return Unavailable(
        f"the server cannot be reached: {_line(getattr(root, 'strerror', None) or root)}",
        hint="is it running, and is auth_url right?",
    )


def unsendable(header: str) -> StoreError:
    """Say that a header has a value that cannot be sent. Which one may be a secret.

    Args:
        header: Its name.
    """
    what = f"the value for {header} cannot be sent: has it a line break, or a space before it?"
    if header.startswith("X-Auth-"):
        return NotAuthenticated(what, hint="check token, username and password")
    return InvalidArgument(what, hint="check storage_policy, and the ids of projects")


def unknown_to_keystone(error: keystone.ClientException) -> StoreError:
    """Say what an exception of keystoneauth1 means.

    Args:
        error: It.
    """
    if isinstance(error, keystone.ConnectTimeout):
        return Timeout("Keystone did not answer in time", hint="is it overloaded?")
    if isinstance(error, keystone.SSLError):
        return _certificate("Keystone")
    if isinstance(error, keystone.ConnectionError):
        return Unavailable("Keystone cannot be reached", hint="is auth_url right?")
    if isinstance(error, keystone.CatalogException):
        return ConfigurationError(
            "the catalog has no such object store", hint="check region and interface"
        )
    status = int(getattr(error, "http_status", 0) or 0)
    if status in {401, 404}:
        # Keystone says 404 of an application credential that it does not know.
        known: StoreError = NotAuthenticated("Keystone does not know us", hint=_UNKNOWN_USER)
    elif status:
        known = refused("POST", status, {}, str(error).encode())
    else:
        known = NotAuthenticated(f"no token can be had: {_line(error)}", hint=_UNKNOWN_USER)
    known.__cause__ = Refusal(status, float(getattr(error, "retry_after", 0) or 0))
    return known


def clock_of(headers: Mapping[str, str]) -> float | None:
    """Tell the server's time, in seconds since 1970, where an answer has it.

    Args:
        headers: The headers of an answer.
    """
    try:
        return parsedate_to_datetime(headers.get("Date", "")).timestamp()
    except ValueError:
        return None


def _certificate(whose: str) -> StoreError:
    return Forbidden(
        f"the certificate of {whose} was refused",
        hint="ca_file names the certificates to trust",
    )


def _seconds(retry_after: str, headers: Mapping[str, str]) -> float:
    """Read the header ``Retry-After`` (RFC 9110, 10.2.3): seconds or a date."""
    if retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after), _LONGEST_WAIT)
    try:
        then = parsedate_to_datetime(retry_after).timestamp()
    except ValueError:
        return 0.0
    now = clock_of(headers)
    return 0.0 if now is None else min(max(then - now, 0.0), _LONGEST_WAIT)


def _root(error: BaseException) -> BaseException:
    """Find what happened at the bottom. The texts above it name whole URLs."""
    while True:
        inner = getattr(error, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((arg for arg in error.args if isinstance(arg, BaseException)), None)
        inner = inner or error.__cause__
        if inner is None or inner is error:
            return error
        error = inner


def _line(said: object) -> str:
    text = " ".join(str(said).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
