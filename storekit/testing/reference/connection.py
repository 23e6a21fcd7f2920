"""HTTP of the memory driver: a pool of connections, and one layer of retries."""

from __future__ import annotations

import json
import os
import select
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any

from storekit.capabilities import Limits
from storekit.errors import DataError, Forbidden, Unavailable
from storekit.testing.reference.retrying import Refusal, attempts

__all__ = ["Answer", "Body", "Pool", "Refusal", "tls_of"]

_RETRIED = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever the server sends
        """The body, parsed."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise DataError("the server sent no JSON") from error


class Pool:
    """Connections to one server. Thread-safe, and at home in a forked child.

    Args:
        host: The server's host.
        port: Its port.
        token: The user's token.
        limits: Timeouts, attempts, and how many connections.
        tls: Which certificates to trust, where TLS is spoken.
    """

    def __init__(
        self,
        host: str,
        port: int,
        token: str,
        limits: Limits,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._address = host, port
        self._tls = tls
        self._token = token
        self._limits = limits
        self._fresh()

    def close(self) -> None:
        """Close the idle connections; those in use are closed when they come back."""
        self._check_fork()
        with self._lock:
            self._closed = True
            while self._idle:
                self._idle.pop().close()

    def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        sent: threading.Event | None = None,
    ) -> Answer:
        """Ask, and read the whole answer. Tried again where that may help.

        Args:
            method: The method. Whatever changes something carries an Idempotency-Key, or may be
                repeated anyway.
            path: Path and query.
            body: What to send.
            headers: More headers.
            sent: Set as soon as the server may have the request.

        Returns:
            The answer, whatever its status, but for those that were tried again in vain.

        Raises:
            Refusal: The last answer was that the server cannot now.
            OSError: No answer could be had. The request may have had its effect.
        """
        for attempt in attempts(self._limits):
            with attempt, self._connection() as connection:
                if sent is not None:
                    sent.set()
                response = self._send(connection, method, path, body, headers)
                answer = Answer(
                    response.status, dict(response.headers.items()), _whole(response, method)
                )
                if answer.status in _RETRIED:
                    wait_for = answer.headers.get("Retry-After")
                    raise Refusal(answer.status, response.reason, wait_for)
                return answer
        raise Unavailable("no attempt was made")

    def open(self, path: str, headers: Mapping[str, str]) -> Body:
        """Ask for a body that is read bit by bit.

        Args:
            path: Path and query.
            headers: Range, If-Match.

        Returns:
            The body; closed, or read to its end, it gives its connection back.

        Raises:
            Refusal: The last answer was that the server cannot now.
            OSError: No answer could be had.
        """
        for attempt in attempts(self._limits):
            with attempt:
                connection = self._acquire()
                try:
                    response = self._send(connection, "GET", path, b"", headers)
                    if response.status in _RETRIED:
                        wait_for = response.headers.get("Retry-After")
                        response.close()
                        raise Refusal(response.status, response.reason, wait_for)
                    return Body(self, connection, response)
                except BaseException:
                    self.release(connection, reusable=False)
                    raise
        raise Unavailable("no attempt was made")

    def hold(self, path: str) -> Callable[[], None]:
        """Open a connection that stays open, and tells the server that we live.

        Args:
            path: The path.

        Returns:
            Closes it.

        Raises:
            Refusal: The last answer was that the server cannot now.
            OSError: No answer could be had.
        """
        for attempt in attempts(self._limits):
            with attempt:
                connection = self._connect()
                try:
                    response = self._send(connection, "GET", path, b"", None)
                    if response.status != 200:  # noqa: PLR2004 - HTTP
                        response.close()
                        raise Refusal(response.status, response.reason)
                except BaseException:
                    connection.close()
                    raise
                return _Held(connection, response).close
        raise Unavailable("no attempt was made")

    def release(self, connection: HTTPConnection, *, reusable: bool) -> None:
        """Take a connection back.

        Args:
            connection: The connection.
            reusable: Whether its last answer was read to its end.
        """
        with self._lock:
            kept = reusable and connection.sock is not None and not self._closed
            if kept:
                self._idle.append(connection)
        if not kept:
            connection.close()
        self._places.release()

    @contextmanager
    def _connection(self) -> Iterator[HTTPConnection]:
        connection = self._acquire()
        done = False
        try:
            yield connection
            done = True
        except Refusal:
            done = True
            raise
        finally:
            self.release(connection, reusable=done)

    def _acquire(self) -> HTTPConnection:
        self._check_fork()
        self._places.acquire()
        try:
            with self._lock:
                idle = self._idle.pop() if self._idle else None
            if idle is not None and self._reusable(idle):
                return idle
            if idle is not None:
                idle.close()
            return self._connect()
        except BaseException:
            self._places.release()
            raise

    def _connect(self) -> HTTPConnection:
        timeout = self._limits.connect_timeout
        if self._tls is None:
            connection = HTTPConnection(*self._address, timeout=timeout)
        else:
            connection = HTTPSConnection(*self._address, timeout=timeout, context=self._tls)
        try:
            connection.connect()
        except socket.gaierror as error:
            raise ConnectionError(f"the host is unknown: {error.strerror}") from error
        except ssl.SSLCertVerificationError as error:
            refused = f"the certificate of the server is refused: {error.verify_message}"
            raise Forbidden(refused, hint="ca_file names the certificates to trust") from error
        connection.sock.settimeout(self._limits.io_timeout)
        return connection

    def _reusable(self, connection: HTTPConnection) -> bool:
        """Tell whether an idle connection is open, and nothing came that nobody asked for."""
        if connection.sock is None:
            return False
        poll = select.poll()
        poll.register(connection.sock, select.POLLIN)
        return not poll.poll(0)

    def _send(
        self,
        connection: HTTPConnection,
        method: str,
        path: str,
        body: bytes,
        headers: Mapping[str, str] | None,
    ) -> HTTPResponse:
        more = dict(headers or {})
        if body:
            more["X-CRC32"] = str(zlib.crc32(body))
        try:
            connection.request(method, path, body or None, self._headers(more))
            return connection.getresponse()
        except HTTPException as error:
            raise ConnectionError(f"no HTTP answer: {error!r}") from error

    def _headers(self, more: Mapping[str, str]) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}", **more}

    def _check_fork(self) -> None:
        if self._pid != os.getpid():
            inherited = self._idle
            self._fresh()
            for connection in inherited:
                connection.close()  # the child's copy of the descriptor only

    def _fresh(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._idle: list[HTTPConnection] = []
        # One more is held open, to tell the server that we live.
        self._places = threading.BoundedSemaphore(self._limits.max_connections - 1)
        self._closed = False


class Body:
    """The body of one answer, on its way: an iterator of chunks.

    Args:
        pool: Where the connection goes back to.
        connection: The connection.
        response: The answer, its headers read.
    """

    def __init__(self, pool: Pool, connection: HTTPConnection, response: HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self._pool = pool
        self._connection: HTTPConnection | None = connection
        self._response = response
        self.corrupt = False
        """Whether what came is not what was sent: what was given out until then cannot be used."""
        length = response.headers.get("Content-Length")
        self._missing = int(length or 0)
        self._crc = 0
        self._chunk = pool._limits.read_chunk  # noqa: SLF001 - they are one thing
        if not self._missing:
            self._end(reusable=length is not None)  # the server tells the length of all it sends

    def __iter__(self) -> Body:
        return self

    def __next__(self) -> bytes:
        if self._connection is None:
            raise StopIteration
        try:
            chunk = self._response.read(min(self._chunk, self._missing))
        except HTTPException as error:
            raise ConnectionError(f"no HTTP body: {error!r}") from error
        if not chunk:
            raise DataError(f"the connection was cut, {self._missing} bytes are missing")
        self._missing -= len(chunk)
        self._crc = zlib.crc32(chunk, self._crc)
        if not self._missing:
            self._check()
            self._end(reusable=True)
        return chunk

    def close(self) -> None:
        """Give the connection back; closed, where there is something left to read."""
        self._end(reusable=False)

    def __del__(self) -> None:
        self.close()

    def _check(self) -> None:
        sent = self.headers.get("X-CRC32")
        if sent is not None and int(sent) != self._crc:
            self.corrupt = True
            self._end(reusable=False)
            raise DataError("the checksum of what was received is wrong")

    def _end(self, *, reusable: bool) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            if reusable:
                self._response.read()  # tells http.client that the connection is free
            else:
                self._response.close()
            self._pool.release(connection, reusable=reusable)


@dataclass(frozen=True)
class _Held:
    """A connection that stays open."""

    connection: HTTPConnection
    response: HTTPResponse

    def close(self) -> None:
        self.response.close()
        self.connection.close()


def _whole(response: HTTPResponse, method: str) -> bytes:
    try:
        body = response.read()
    except HTTPException as error:
        raise ConnectionError(f"no HTTP body: {error!r}") from error
    sent = response.headers.get("X-CRC32")
    if method != "HEAD" and sent is not None and int(sent) != zlib.crc32(body):
        raise ConnectionError("the checksum of the answer is wrong")
    return body


def tls_of(ca_file: Path | None, insecure: bool) -> ssl.SSLContext:
    """Tell whom to trust.

    Args:
        ca_file: The certificates to trust; the system's by default.
        insecure: Whether to trust everybody.
    """
    context = ssl.create_default_context(cafile=ca_file)
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
