"""Link: one connection of a client, and the one to the backend that belongs to it."""

from __future__ import annotations

import select
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

from storekit.testing.wire.dialogue import Dialogue
from storekit.testing.wire.gate import Cut, Drip, Gate, Reset, Stall
from storekit.testing.wire.tls import Tls

if TYPE_CHECKING:
    from storekit.testing.wire.relay import Wire

__all__ = ["Link", "shut"]

_BLOCK = 16 << 10
_QUEUE = 64 << 10  # bytes that wait to be sent; while there are more, none are read
_SEND_BUFFER = 64 << 10  # of the kernel: few, so that what is counted was asked for
_PATIENCE = 30.0  # seconds that the backend may take to accept a connection


class Link:
    """Carries bytes between a client and the backend, until both are done. One thread runs it.

    Args:
        wire: The relay.
        client: The client's connection.
        tls: The server's side of TLS, where the client speaks it and the backend does not.
    """

    def __init__(self, wire: Wire, client: socket.socket, tls: Tls | None) -> None:
        self._wire = wire
        self._client = client
        self._server: socket.socket | None = None
        self._tls = tls
        self._dialogue = Dialogue(self, wire) if wire.speaks_http else None
        self._up = bytearray()
        self._down = bytearray()
        self._client_ended = False
        self._server_ended = False
        self._finish = False
        self._finished = False
        self._reset = False
        self._asking = False
        self._era = -1
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    # For the relay

    def run(self) -> None:
        """Carry bytes to the end."""
        try:
            with suppress(OSError):
                if self._dialogue is None:
                    self.dial()
                while not self._reset and self._step():
                    pass
            if self._reset:
                self._break()
        finally:
            self._client.close()
            self._hang_up()

    def stop(self) -> None:
        """End both connections. For another thread."""
        shut(self._client)
        if (server := self._server) is not None:
            shut(server)

    @property
    def is_open(self) -> bool:
        """Whether the client still has its end, also if we have not been told yet."""
        poll = select.poll()
        try:
            poll.register(self._client, select.POLLRDHUP)
        except ValueError:
            return False  # ours is closed
        return not poll.poll(0)

    def say(self, data: bytes) -> None:
        """Send to a client that waits for nothing. For another thread.

        Args:
            data: The bytes.
        """
        with suppress(OSError):
            self._client.sendall(data)

    # For the dialogue

    def dial(self) -> None:
        """Connect to the backend, unless that is done."""
        if self._server is None:
            self._server = socket.create_connection(self._wire.target, timeout=_PATIENCE)
            self._server.settimeout(None)
            self._server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def to_server(self, block: bytes) -> None:
        """Send to the backend, as far as the gate lets it.

        Args:
            block: The bytes.
        """
        self._asking = True
        for piece in self._let_through(self._wire.asked, block):
            self._wire.count_up(len(piece))
            self._up += piece

    def to_client(self, block: bytes) -> None:
        """Send to the client, as far as the gate lets it.

        Args:
            block: The bytes.
        """
        begins, self._asking = self._asking, False
        if begins and self._wire.loses():
            self.reset()
            return
        for piece in self._let_through(self._wire.answers, block):
            self._down += piece if self._tls is None else self._tls.sealed(piece)

    def finish(self) -> None:
        """End the client's connection (FIN), once all is sent."""
        self._finish = True

    def cut(self) -> None:
        """End both connections; what was sent until now arrives."""
        self._up.clear()
        self._hang_up()
        self.finish()

    def reset(self) -> None:
        """Break the client's connection (RST), and end the backend's."""
        self._reset = True
        self._up.clear()
        self._hang_up()

    # The rest is our own

    def _let_through(self, gate: Gate, block: bytes) -> list[bytes]:
        passing = []
        while block and not self._reset and not self._finish:
            piece, fault, block = gate.take(block)
            if piece:
                passing.append(piece)
            match fault:
                case Stall():
                    break
                case Cut():
                    # What passed before goes out first.
                    self._pass_on(gate, passing)
                    self.cut()
                    return []
                case Reset():
                    self._pass_on(gate, passing)
                    self.reset()
                    return []
                case Drip(pause=pause):
                    self._pass_on(gate, passing)
                    passing = []
                    self._flush()
                    self._wire.pause(pause)
        return passing

    def _pass_on(self, gate: Gate, pieces: list[bytes]) -> None:
        if gate is self._wire.answers:
            for piece in pieces:
                self._down += piece if self._tls is None else self._tls.sealed(piece)
            return
        for piece in pieces:
            self._wire.count_up(len(piece))
            self._up += piece
        if self._server is not None:
            with suppress(OSError):
                self._server.sendall(self._up)
            self._up.clear()

    def _step(self) -> bool:
        """Wait for something to happen, and do what it asks for; False at the end."""
        if self._finish and not self._down and not self._finished:
            shut(self._client, how=socket.SHUT_WR)
            self._finished = True
        if self._client_ended and (self._finished or self._server is None):
            return False
        readable, writable = self._wait()
        if self._client in writable:
            # Counted first: the client may look at the count as soon as it has the bytes.
            self._wire.count_down(len(self._down))
            del self._down[: self._client.send(self._down, socket.MSG_DONTWAIT)]
            self._wire.count_down(-len(self._down))
        if self._server is not None and self._server in writable:
            del self._up[: self._server.send(self._up, socket.MSG_DONTWAIT)]
            if self._client_ended and not self._up:
                shut(self._server, how=socket.SHUT_WR)
        if self._client in readable:
            self._from_client()
        if self._server is not None and self._server in readable:
            self._from_server()
        return True

    def _wait(self) -> tuple[set[socket.socket], set[socket.socket]]:
        wanted: dict[socket.socket, int] = {}
        if not self._client_ended and len(self._up) < _QUEUE:
            wanted[self._client] = select.POLLIN
        if self._down:
            wanted[self._client] = wanted.get(self._client, 0) | select.POLLOUT
        if self._server is not None:
            events = 0 if self._server_ended or len(self._down) >= _QUEUE else select.POLLIN
            events |= select.POLLOUT if self._up else 0
            if events:
                wanted[self._server] = events
        poll = select.poll()
        for sock, events in wanted.items():
            poll.register(sock, events)
        by_number = {sock.fileno(): sock for sock in wanted}
        happened = [(by_number[number], events) for number, events in poll.poll()]
        gone = select.POLLHUP | select.POLLERR
        return (
            {sock for sock, events in happened if events & (select.POLLIN | gone)},
            {sock for sock, events in happened if events & select.POLLOUT},
        )

    def _from_client(self) -> None:
        block = self._client.recv(_BLOCK)
        ended = not block
        if block and self._era != self._wire.era:
            self._era = self._wire.used()
        if self._tls is not None:
            block = self._tls.opened(block)
            self._down += self._tls.due()
        if ended:
            self._client_ended = True
            if self._server is not None and not self._up:
                shut(self._server, how=socket.SHUT_WR)
        elif block and not self._finish:
            if self._dialogue is not None:
                self._dialogue.from_client(block)
            elif self._wire.may_pass():
                self.to_server(block)
            else:
                self.cut()

    def _from_server(self) -> None:
        assert self._server is not None  # noqa: S101 - for the type checker
        block = self._server.recv(_BLOCK)
        if not block:
            self._server_ended = True
            if self._wire.answers.stalled:
                self._hang_up()  # the end of the answer does not pass either
                return
            if self._dialogue is not None:
                self._dialogue.server_ended()
            self.finish()
            return
        if self._dialogue is not None:
            self._dialogue.from_server(block)
        else:
            self.to_client(self._wire.altered(block))

    def _flush(self) -> None:
        """Send what waits for the client, now."""
        self._wire.count_down(len(self._down))
        self._client.sendall(self._down)
        self._down.clear()

    def _break(self) -> None:
        with suppress(OSError):
            self._flush()
        linger = struct.pack("ii", 1, 0)  # makes the kernel send RST when it closes
        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    def _hang_up(self) -> None:
        server, self._server = self._server, None
        self._server_ended = True
        if server is not None:
            server.close()


def shut(sock: socket.socket, *, how: int = socket.SHUT_RDWR) -> None:
    """End a connection, unless it is over.

    Args:
        sock: The connection.
        how: Which direction.
    """
    with suppress(OSError):
        sock.shutdown(how)
