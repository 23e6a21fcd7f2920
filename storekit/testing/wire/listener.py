"""Listener: a port on the loopback that can refuse, or swallow, whoever knocks."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

__all__ = ["Listener"]

_HOST = "127.0.0.1"
_KNOCK = 0.1  # seconds after which a connection to the loopback that was not made never will be
_MOST_KNOCKS = 8


class Listener:
    """Listens, until it is told otherwise. The port stays ours whatever it does.

    Args:
        accepted: Called with each connection, in a thread of its own.
    """

    def __init__(self, accepted: Callable[[socket.socket], None]) -> None:
        self._accepted = accepted
        # Bound and not listening: keeps the port, and the kernel refuses who knocks.
        self._held = self._bound(0)
        self.port: int = self._held.getsockname()[1]
        """The port."""
        self._listening: socket.socket | None = None
        self._accepting = False
        self._knocking: list[socket.socket] = []

    def open(self) -> None:
        """Accept connections."""
        if self._accepting:
            return
        self.refuse()
        self._listening = sock = self._bound(self.port)
        self._accepting = True
        sock.listen(128)
        threading.Thread(target=self._accept, args=(sock,), name="wire", daemon=True).start()

    def refuse(self) -> None:
        """Refuse connections."""
        sock, self._listening = self._listening, None
        self._accepting = False
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            sock.close()
        while self._knocking:
            self._knocking.pop().close()

    def swallow(self) -> bool:
        """Answer nothing to who wants to connect: a queue that is full makes the kernel do that.

        Returns:
            False where this system cannot be brought to it; connections are refused then.
        """
        self.refuse()
        self._listening = self._bound(self.port)
        self._listening.listen(0)
        for _ in range(_MOST_KNOCKS):
            knock = socket.socket()
            self._knocking.append(knock)
            knock.settimeout(_KNOCK)
            try:
                knock.connect((_HOST, self.port))
            except TimeoutError:
                return True
            except OSError:
                break
        self.refuse()
        return False

    def close(self) -> None:
        """Give the port back."""
        self.refuse()
        self._held.close()

    def _accept(self, sock: socket.socket) -> None:
        while True:
            try:
                client, _ = sock.accept()
            except OSError:
                return  # closed
            self._accepted(client)

    def _bound(self, port: int) -> socket.socket:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((_HOST, port))
        return sock
