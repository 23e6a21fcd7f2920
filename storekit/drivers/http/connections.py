"""Connections and their pools: what urllib3 does, with our dialer, our clock and our bound."""

from __future__ import annotations

import functools
import queue
import socket
import ssl
from typing import Any, cast

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from storekit.drivers.http.dialing import Dialer
from storekit.drivers.http.target import Origin
from storekit.drivers.http.wire import Response
from storekit.errors import Forbidden, StoreError, Timeout, Unavailable

__all__ = ["Pool", "Stopped", "TLSPool", "close_idle", "idle", "origin_of"]


class Stopped(Exception):
    """Carries an error of ours past urllib3, which takes an OSError for its own.

    Args:
        error: The error.
    """

    def __init__(self, error: StoreError) -> None:
        super().__init__(error.message)
        self.error = error


class _Connection(HTTPConnection):
    """A connection to the address that was checked, and whose every read is bounded."""

    def __init__(self, *args: Any, dialer: Dialer, **kwargs: Any) -> None:  # noqa: ANN401 - urllib3's
        super().__init__(*args, **kwargs)
        self._dialer = dialer
        response = functools.partial(Response, io_timeout=dialer.io_timeout)
        self.response_class = cast("type", response)

    def _new_conn(self) -> socket.socket:
        """Make the socket. The one place where urllib3 would look the name up itself."""
        try:
            return self._dialer.connect(
                self.host, self.port, cast("float", self.timeout), self.socket_options or ()
            )
        except StoreError as error:
            raise Stopped(error) from error.__cause__


class _TLSConnection(_Connection, HTTPSConnection):
    """The same, with TLS: the name of the URI is what the server is asked for and verified by."""

    def connect(self) -> None:
        try:
            super().connect()
        except ssl.SSLCertVerificationError as error:
            refused = Forbidden(
                f"the certificate of {self.host} was refused: {error.verify_message}",
                hint="ca_file names the certificates to trust",
            )
            raise Stopped(refused) from error
        except TimeoutError as error:
            late = Timeout(f"no TLS connection to {self.host} port {self.port} in time")
            raise Stopped(late) from error
        except OSError as error:
            failed = Unavailable(f"no TLS connection to {self.host} port {self.port}: {error}")
            raise Stopped(failed) from error
        # Not verifying is the operator's choice; urllib3 would warn of it at every request.
        self.is_verified = True


class _OpenFirst(queue.LifoQueue[Any]):
    """Hands out a connection that is open before one that would have to be opened again."""

    def _put(self, item: Any) -> None:  # noqa: ANN401 - the library's connections
        if _is_open(item):
            self.queue.append(item)
        else:
            self.queue.insert(0, item)


class Pool(HTTPConnectionPool):
    """The connections to one server."""

    ConnectionCls = _Connection
    QueueCls = _OpenFirst


class TLSPool(HTTPSConnectionPool):
    """The connections to one https server."""

    ConnectionCls = _TLSConnection
    QueueCls = _OpenFirst


def origin_of(pool: HTTPConnectionPool) -> Origin:
    """Tell which server a pool leads to.

    Args:
        pool: The pool.
    """
    return pool.scheme or "", pool.host, pool.port or 0


def idle(pool: HTTPConnectionPool) -> int:
    """Count the connections of a pool that are open and not in use.

    Args:
        pool: The pool.
    """
    waiting = pool.pool
    return 0 if waiting is None else sum(map(_is_open, tuple(waiting.queue)))


def close_idle(pool: HTTPConnectionPool, count: int) -> int:
    """Close idle connections.

    Args:
        pool: The pool.
        count: At most how many.

    Returns:
        How many were closed.
    """
    waiting = pool.pool
    if waiting is None:
        return 0
    closed = 0
    taken: list[Any] = []
    while closed < count:
        try:
            conn = waiting.get_nowait()
        except queue.Empty:
            break
        taken.append(conn)
        if not _is_open(conn):
            break  # the open ones came first
        conn.close()
        closed += 1
    for conn in taken:
        waiting.put_nowait(conn)
    return closed


def _is_open(conn: Any) -> bool:  # noqa: ANN401 - the library's connections
    return conn is not None and not conn.is_closed
