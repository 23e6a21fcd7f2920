"""Mutants of transport faults: drivers that retry wrongly, forget, or trust."""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from dataclasses import replace
from http.client import HTTPConnection, HTTPResponse
from typing import NamedTuple

from storekit.capabilities import Limits
from storekit.errors import StoreError, Unavailable
from storekit.testing.reference import MemoryDriver, MemoryHarness
from storekit.testing.reference.connection import Pool, Refusal
from storekit.testing.zoo.mutants import mutant

_EXPIRED = 401
_BROKEN = 500


class _Asked(NamedTuple):
    """A request, and the connection that it goes over."""

    connection: HTTPConnection
    method: str
    path: str
    body: bytes
    headers: Mapping[str, str] | None


class _Pool(Pool):
    """A pool that can be wrong around the sending of a request."""

    def around(self, asked: _Asked) -> HTTPResponse:
        """Send it, wrongly."""
        raise NotImplementedError

    def sent(self, asked: _Asked) -> HTTPResponse:
        """Send it rightly."""
        return super()._send(*asked)

    def _send(
        self,
        connection: HTTPConnection,
        method: str,
        path: str,
        body: bytes,
        headers: Mapping[str, str] | None,
    ) -> HTTPResponse:
        return self.around(_Asked(connection, method, path, body, headers))


class _BodyIsSpent(_Pool):
    def around(self, asked: _Asked) -> HTTPResponse:
        seen: set[tuple[str, str]] = self.__dict__.setdefault("seen", set())
        if (asked.method, asked.path) in seen:
            asked = asked._replace(body=b"")
        seen.add((asked.method, asked.path))
        return self.sent(asked)


@mutant(kills="FLT-11")
class RetriesWithTheRest(MemoryDriver):
    """A request that is sent again has what is left of its body: nothing."""

    pool = _BodyIsSpent


class _Once(Pool):
    def __init__(
        self, host: str, port: int, token: str, limits: Limits, tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(host, port, token, replace(limits, max_attempts=1), tls)


@mutant(kills="FLT-11")
class GivesUpAtOnce(MemoryDriver):
    """Nothing is tried twice."""

    pool = _Once


class _Endless(_Pool):
    def around(self, asked: _Asked) -> HTTPResponse:
        while True:
            response = self.sent(asked)
            if response.status < _BROKEN or self._closed:
                return response
            asked.connection.close()
            time.sleep(0.02)
            asked.connection.connect()


@mutant(kills="FLT-12")
class RetryForever(MemoryDriver):
    """A backend that cannot now is asked until it can."""

    pool = _Endless


class _Twice(_Pool):
    def around(self, asked: _Asked) -> HTTPResponse:
        response = self.sent(asked)
        if response.status < _BROKEN:
            return response
        asked.connection.close()
        return self.sent(asked)


@mutant(kills="FLT-12")
class RetriesMultiply(MemoryDriver):
    """Two layers retry, so that their attempts multiply."""

    pool = _Twice


class _Hasty(_Pool):
    def around(self, asked: _Asked) -> HTTPResponse:
        response = self.sent(asked)
        del response.headers["Retry-After"]
        return response


@mutant(kills="FLT-13")
class IgnoresRetryAfter(MemoryDriver):
    """The backend's wish to be left alone is overheard."""

    pool = _Hasty


class _Obedient(_Pool):
    def around(self, asked: _Asked) -> HTTPResponse:
        response = self.sent(asked)
        until = time.monotonic() + float(response.headers.get("Retry-After", 0))
        while time.monotonic() < until and not self._closed:
            time.sleep(0.02)
        return response


@mutant(kills="FLT-13")
class WaitsForADay(MemoryDriver):
    """The backend is obeyed, however long it asks to wait."""

    pool = _Obedient


class _NeverAborts(_Pool):
    def around(self, asked: _Asked) -> HTTPResponse:
        if asked.method == "DELETE" and "/uploads/" in asked.path:
            raise ConnectionResetError
        return self.sent(asked)


@mutant(kills="FLT-14")
class LeavesBrokenUploads(MemoryDriver):
    """An upload that broke is not aborted."""

    pool = _NeverAborts


class _NewKeys(_Pool):
    methods: frozenset[str]

    def around(self, asked: _Asked) -> HTTPResponse:
        headers = asked.headers or {}
        if asked.method in self.methods and "Idempotency-Key" in headers:
            fresh = {**headers, "Idempotency-Key": str(time.monotonic_ns())}
            asked = asked._replace(headers=fresh)
        return self.sent(asked)


class _NewKeysForAdds(_NewKeys):
    methods = frozenset({"PUT", "POST"})


class _NewKeysForDeletes(_NewKeys):
    methods = frozenset({"DELETE"})


@mutant(kills="FLT-15")
class RetryReportsDuplicate(MemoryDriver):
    """A commit that is sent again meets itself: the id is taken."""

    pool = _NewKeysForAdds


@mutant(kills="FLT-15")
class RetryReportsNotFound(MemoryDriver):
    """A delete that is sent again meets itself: nothing is there."""

    pool = _NewKeysForDeletes


@mutant(kills="FLT-15")
class LostIsUnavailable(MemoryDriver):
    """A commit whose answer was lost counts as not done."""

    def _commit(self, method: str, path: str, status: int, body: bytes = b"") -> None:
        key = str(time.monotonic_ns())
        answer = self._pool.request(method, path, body, {"Idempotency-Key": key})
        if answer.status != status:
            raise Refusal(answer.status, "")


@mutant(kills="FLT-16a")
class ExpiredIsUnavailable(MemoryDriver):
    """Credentials that expire in the middle of a read are taken for something that passes."""

    def translate(self, error: Exception, operation: str) -> StoreError | None:
        """Take 401 for 503."""
        if isinstance(error, Refusal) and error.status == _EXPIRED and operation == "read":
            return Unavailable("not now")
        return super().translate(error, operation)


@mutant(kills="FLT-16b")
class TrustsAnybody(MemoryDriver):
    """No certificate is looked at."""

    def open(self) -> None:
        """Trust everybody."""
        self.config = self.config.model_copy(update={"insecure": True})
        super().open()


class _AnyName(Pool):
    def __init__(
        self, host: str, port: int, token: str, limits: Limits, tls: ssl.SSLContext | None = None
    ) -> None:
        if tls is not None:
            tls.check_hostname = False
        super().__init__(host, port, token, limits, tls)


@mutant(kills="FLT-16b")
class TrustsAnyName(MemoryDriver):
    """A good certificate is good for every host."""

    pool = _AnyName


class NoHttp(MemoryHarness):
    """The server, of which the kit is told no more than where it listens."""

    def setup(self) -> None:
        """Say nothing of HTTP."""
        super().setup()
        self.endpoint = str(self.endpoint).removeprefix("http://")

    def options(self) -> dict[str, object]:
        """Tell the driver all the same."""
        return {**super().options(), "endpoint": f"http://{self.endpoint}"}


@mutant(kills=("FLT-15", "STA-03"))
class RetryReportsDuplicateOffHttp(NoHttp):
    """A commit that is sent again meets itself, in a protocol unknown to the kit."""

    driver = RetryReportsDuplicate


@mutant(kills=("FLT-15", "STA-03"))
class RetryReportsNotFoundOffHttp(NoHttp):
    """A delete that is sent again meets itself, in a protocol unknown to the kit."""

    driver = RetryReportsNotFound


@mutant(kills="FLT-15")
class LostIsUnavailableOffHttp(NoHttp):
    """A commit whose answer was lost counts as not done, in a protocol unknown to the kit."""

    driver = LostIsUnavailable
