"""Wire: requests over pooled connections of swiftclient, bounded in number and in time."""

from __future__ import annotations

import re
import threading
import traceback
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from swiftclient.client import HTTPConnection
from urllib3.exceptions import InsecureRequestWarning

from storekit.capabilities import Limits
from storekit.drivers.swift.faults import BROKEN, broken, unsendable
from storekit.drivers.swift.options import Options
from storekit.errors import DataError, StoreError, Timeout, Unavailable
from storekit.retry import Clock
from storekit.slots import Slot, Slots

__all__ = ["Reply", "Wire"]

_BLOCK = 1 << 18
# What requests and http.client take; they show the value that they refuse, and it may be a token.
_SENDABLE = re.compile(r"([^\s\ud800-\udfff][^\r\n\ud800-\udfff]*)?", re.ASCII)
_LONGEST_ANSWER = 64 << 20  # bytes of an answer that is no image


class Wire:
    """Connections to servers, each used by one request at a time. Belongs to one process.

    Args:
        options: How servers are verified.
        limits: Timeouts, and how many requests there are at once.
    """

    def __init__(self, options: Options, limits: Limits) -> None:
        self._options = options
        self._limits = limits
        self._slots = Slots(limits.max_connections)
        self._lock = threading.Lock()
        self._idle: defaultdict[str, list[Any]] = defaultdict(list)
        self._closed = False
        if options.insecure:
            # The operator has decided so; urllib3 would say it at every request.
            warnings.filterwarnings("ignore", category=InsecureRequestWarning)

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        data: bytes | None = None,
        *,
        clock: Clock,
    ) -> Reply:
        """Send one request and wait for the head of the answer. Redirects are not followed.

        Args:
            method: The method.
            url: Whose path is encoded already.
            headers: The headers.
            data: The body.
            clock: How much time there is.

        Returns:
            The answer; its body is not read yet.

        Raises:
            Timeout: There was no connection, or no answer, in time.
            Unavailable: There was none, or all connections are in use.
            Forbidden: The certificate was refused.
            NotAuthenticated: The token, or the credential, has a character that cannot be sent.
            InvalidArgument: Another header has.
        """
        for name, value in headers.items():
            if not _SENDABLE.fullmatch(value):
                raise unsendable(name)
        limits = self._limits
        slot = self._slots.take(clock.within(limits.io_timeout))
        parts = urlsplit(url)
        server = f"{parts.scheme}://{parts.netloc}"
        connection = None
        try:
            connection = self._connection(server)
            connection.requests_args["timeout"] = (
                clock.within(limits.connect_timeout),
                clock.within(limits.io_timeout),
            )
            path = f"{parts.path}?{parts.query}" if parts.query else parts.path
            body = _Blocks(data) if data else data
            response = connection.request(method, path, body, dict(headers))
        except BaseException as error:
            traceback.clear_frames(error.__traceback__)  # they hold the connection, and the data
            if connection is not None:
                connection.close()
            slot.release()
            if isinstance(error, BROKEN) and not isinstance(error, StoreError):
                raise broken(error) from error
            raise
        return Reply(self, server, connection, response, slot)

    def close(self) -> None:
        """Close the connections that are idle; one in use is closed when its reader is."""
        with self._lock:
            self._closed = True
            idle = [connection for kept in self._idle.values() for connection in kept]
            self._idle.clear()
        for connection in idle:
            connection.close()

    def put_back(self, server: str, connection: Any) -> None:  # noqa: ANN401 - swiftclient has no types
        """Keep a connection for the next request. Called by ``Reply`` alone.

        Args:
            server: Where it leads.
            connection: It.
        """
        connection.resp = None
        with self._lock:
            if not self._closed:
                self._idle[server].append(connection)
                return
        connection.close()

    def _connection(self, server: str) -> Any:  # noqa: ANN401 - swiftclient has no types
        with self._lock:
            if self._idle[server]:
                return self._idle[server].pop()
        options = self._options
        connection = HTTPConnection(
            server,
            cacert=str(options.ca_file) if options.ca_file else None,
            insecure=options.insecure,
            default_user_agent="storekit",
        )
        # A redirect would take the token elsewhere.
        connection.requests_args["allow_redirects"] = False
        return connection


class Reply:
    """The answer to a request. Gives connection and slot back at its end, or when it is closed.

    Args:
        wire: Where the connection comes from.
        server: Where it leads.
        connection: swiftclient's connection.
        response: The response of requests.
        slot: The slot.
    """

    def __init__(self, wire: Wire, server: str, connection: Any, response: Any, slot: Slot) -> None:  # noqa: ANN401 - swiftclient has no types
        self.slot = slot
        self.status = int(response.status_code)
        self.headers: Mapping[str, str] = response.headers
        self._wire = wire
        self._server = server
        self._connection = connection
        self._response: Any = response
        self._lock = threading.Lock()

    def read(self, n: int) -> bytes:
        """Give the next bytes of the body, none at its end.

        Args:
            n: At most how many.

        Raises:
            DataError: The body broke off.
            Timeout: The server stopped sending.
        """
        response = self._response
        if response is None:
            return b""
        try:
            # What has come, so that no byte is lost where the next one never comes.
            data: bytes = response.raw.read1(n)
        except BROKEN as error:
            traceback.clear_frames(error.__traceback__)
            self.close()
            raise _cut(error) from error
        if not data:
            self.close()
        return data

    def finish(self, clock: Clock) -> bytes:
        """Read the body to its end.

        Args:
            clock: How much time there is.

        Raises:
            StoreError: It broke off, comes too slowly, or is too long.
        """
        pieces = []
        left = _LONGEST_ANSWER
        while data := self.read(min(left, _BLOCK) or 1):
            if clock.left() <= 0:
                self.close()
                raise Timeout("the server's answer did not end in time")
            left -= len(data)
            if left < 0:
                self.close()
                raise DataError("the server's answer is too long")
            pieces.append(data)
        return b"".join(pieces)

    def close(self) -> None:
        """Give everything back; a body that is not at its end costs its connection."""
        with self._lock:
            response, self._response = self._response, None
        if response is None:
            return
        response.close()
        self._wire.put_back(self._server, self._connection)
        self.slot.release()

    def __del__(self) -> None:
        self.close()


class _Blocks:
    """A body that is sent block by block, so that a timeout is one of a block.

    Args:
        data: The body.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator[memoryview]:
        view = memoryview(self._data)
        for begin in range(0, len(view), _BLOCK):
            yield view[begin : begin + _BLOCK]


def _cut(error: Exception) -> StoreError:
    found = broken(error)
    if isinstance(found, Unavailable) and not isinstance(found, TimeoutError):
        return DataError("the answer broke off")
    return found
