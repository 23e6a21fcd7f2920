"""Tls: the server's side of TLS for one connection of a client, without a socket."""

from __future__ import annotations

import ssl

__all__ = ["Tls"]

_BLOCK = 16 << 10


class Tls:
    """Bytes from and to a client, and what they mean.

    Args:
        context: Has the certificate.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)
        self._shaken = False
        self._early = b""

    def opened(self, data: bytes) -> bytes:
        """Decrypt what a client sent.

        Args:
            data: As it came; empty at the end of the connection.

        Returns:
            What it means. There may be something to send: see ``due``.

        Raises:
            ssl.SSLError: The client wants no TLS, or refuses the certificate.
        """
        self._in.write(data)
        found = b""
        try:
            if not self._shaken:
                self._tls.do_handshake()
                self._shaken = True
                if self._early:
                    self._tls.write(self._early)
            while piece := self._tls.read(_BLOCK):
                found += piece
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass
        return found

    def sealed(self, data: bytes) -> bytes:
        """Encrypt what is to be sent.

        Args:
            data: The bytes.
        """
        if not self._shaken:
            self._early += data
        elif data:
            self._tls.write(data)
        return self.due()

    def due(self) -> bytes:
        """Give what TLS itself has to send."""
        return self._out.read()
