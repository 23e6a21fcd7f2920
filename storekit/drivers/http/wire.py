"""What comes over a connection: the answer's head in time as a whole, its body read by read."""

from __future__ import annotations

import http.client
import io
import socket
import time
from typing import Any

__all__ = ["Response"]

_FIRST_INTERIM, _LAST_INTERIM = 102, 199  # of answers that another one follows


class Response(http.client.HTTPResponse):
    """An answer whose head must be there in time as a whole, and its body read by read.

    Args:
        sock: The connection; the timeout that it has is that of the head.
        debuglevel: As for ``http.client.HTTPResponse``.
        method: Likewise.
        url: Likewise.
        io_timeout: Seconds that one read of the body may take.
    """

    def __init__(
        self,
        sock: socket.socket,
        debuglevel: int = 0,
        method: str | None = None,
        url: str | None = None,
        *,
        io_timeout: float,
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        self.fp.close()
        self._wire = _Wire(sock, io_timeout)
        self.fp = io.BufferedReader(self._wire)

    def begin(self) -> None:
        """Read the head."""
        super().begin()
        self._wire.head_is_read()

    def _read_status(self) -> tuple[str, int, str]:
        """Skip interim answers (RFC 9110, 15.2), of which the library knows 100 alone."""
        while True:
            line: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]  # not in the stubs
            if not _FIRST_INTERIM <= line[1] <= _LAST_INTERIM:
                return line
            http.client.parse_headers(self.fp)


class _Wire(io.RawIOBase):
    """What comes over a socket, each read with its own timeout.

    Until the head is read, the timeout that the socket has is one for all of it: a server that
    sends a header byte by byte must not hold us for ever.
    """

    def __init__(self, sock: socket.socket, io_timeout: float) -> None:
        self._sock = sock
        self._file = sock.makefile("rb", buffering=0)
        self._io_timeout = io_timeout
        limit = sock.gettimeout()
        self._head_end = None if limit is None else time.monotonic() + limit

    def head_is_read(self) -> None:
        """From here on the timeout is that of one read."""
        self._head_end = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 - Buffer is in typing from 3.12
        if self._head_end is None:
            self._sock.settimeout(self._io_timeout)
            return self._file.readinto(buffer)
        timeout = self._head_end - time.monotonic()
        if timeout <= 0:
            raise TimeoutError("the head of the answer took too long")
        self._sock.settimeout(timeout)
        count = self._file.readinto(buffer)
        if count == 0:
            # The library would take what there is for all, half a Content-Length too.
            raise http.client.RemoteDisconnected("the head of the answer is not whole")
        return count

    def close(self) -> None:
        self._file.close()
        super().close()
