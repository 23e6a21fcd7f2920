"""A web server that does what it is told, for faults that no real one can be made to show.

A *script* is a function that is given each request, as an ``Exchange``, and sends whatever it
likes, byte for byte. When it returns, the connection waits for the next request::

    def torn(exchange):
        exchange.send(head(200, {"Content-Length": 10}) + b"only")
        exchange.close()

    with scripted(torn) as server:
        store.get(f"{server.url}/image")
    assert server.requests[0].method == "GET"

``in_turn(a, b, c)`` is a script that uses a, then b, then c for ever, over all connections.
Everything runs in threads of this process, on a free loopback port, and ends with the block.
"""

import contextlib
import http
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

__all__ = ["Exchange", "Request", "Script", "Scripted", "black_hole", "head", "in_turn", "scripted"]

_LONGEST_HEAD = 1 << 16


@dataclass(frozen=True)
class Request:
    """The head of one request."""

    method: str
    target: str
    """What stands between the method and the version."""
    headers: Mapping[str, str]
    """By name in lower case; of a repeated one the last."""
    connection: int
    """The number of its connection, from 1."""
    raw: bytes
    """All of it."""

    @property
    def range(self) -> tuple[int, int | None] | None:
        """First and last byte of the Range that it asks for; None where it asks for all."""
        text = self.headers.get("range")
        if text is None:
            return None
        first, _, last = text.removeprefix("bytes=").partition("-")
        return int(first), int(last) if last else None


class Exchange:
    """One request, and the means to answer it.

    Args:
        request: The request.
        sock: The client's connection.
        server: The server.
    """

    def __init__(self, request: Request, sock: socket.socket, server: "Scripted") -> None:
        self.request = request
        self.server = server
        self.closed = False
        self._socket = sock

    def send(self, data: bytes) -> None:
        """Send bytes, as they are.

        Args:
            data: The bytes.
        """
        self._socket.sendall(data)
        self.server.count(len(data))

    def drip(self, data: bytes, pause: float) -> None:
        """Send byte by byte, until the client leaves.

        Args:
            data: The bytes.
            pause: Seconds between two of them.
        """
        for value in data:
            self.send(bytes([value]))
            if self.server.stopping.wait(pause):
                break

    def hang(self) -> None:
        """Send nothing until the client leaves, or the server is stopped."""
        self._socket.settimeout(None)
        while self._socket.recv(4096):
            pass
        self.closed = True

    def close(self) -> None:
        """End the connection in good order: FIN."""
        self.closed = True
        self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Break the connection: RST."""
        self.closed = True
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()


Script = Callable[[Exchange], object]


@dataclass
class Scripted:
    """A running scripted server."""

    script: Script
    """What answers; may be replaced at any time."""
    url: str
    """Its base URL, without a final slash."""
    host: str
    port: int
    stopping: threading.Event = field(default_factory=threading.Event)
    requests: list[Request] = field(default_factory=list)
    """What was asked, in order."""
    sent: int = 0
    """How many bytes were sent in all."""
    accepted: int = 0
    """How many connections there were."""
    open: int = 0
    """How many there are now."""
    most_open: int = 0
    """How many there were at once at most."""
    failures: list[BaseException] = field(default_factory=list)
    """What scripts raised, but for broken connections."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, sent: int) -> None:
        """Count bytes that were sent.

        Args:
            sent: How many.
        """
        with self._lock:
            self.sent += sent

    def wait_until_open(self, count: int, timeout: float = 5.0) -> bool:
        """Wait until so many connections are open: clients close theirs at their own pace.

        Args:
            count: How many.
            timeout: Seconds to wait.

        Returns:
            Whether it came to that.
        """
        end = time.monotonic() + timeout
        while self.open != count and time.monotonic() < end:
            time.sleep(0.002)
        return self.open == count

    def serve(self, sock: socket.socket) -> None:
        """Serve one connection to its end.

        Args:
            sock: The connection.
        """
        with self._lock:
            self.accepted += 1
            number = self.accepted
            self.open += 1
            self.most_open = max(self.most_open, self.open)
        try:
            while (request := _request(sock, number)) is not None:
                self.requests.append(request)
                exchange = Exchange(request, sock, self)
                self.script(exchange)
                if exchange.closed:
                    with contextlib.suppress(OSError):
                        while sock.recv(4096):  # a close with unread bytes would be a reset
                            pass
                    break
        except OSError:
            pass  # the client left
        except BaseException as error:
            self.failures.append(error)
        finally:
            sock.close()
            with self._lock:
                self.open -= 1


@contextlib.contextmanager
def scripted(
    script: Script,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
) -> Iterator[Scripted]:
    """Run a scripted server.

    Args:
        script: What answers each request.
        host: The loopback address to listen on.
        port: The port; a free one by default.
        tls: Makes it an https server.

    Raises:
        AssertionError: At the end, if a script raised something.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family, backlog=128) as listener:
        port = listener.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        server = Scripted(script, f"http{'s' if tls else ''}://{shown}:{port}", host, port)
        sockets: list[socket.socket] = []
        threads: list[threading.Thread] = []

        def serve(sock: socket.socket) -> None:
            try:
                wrapped = sock if tls is None else tls.wrap_socket(sock, server_side=True)
            except OSError:  # the client refused us
                sock.close()
            else:
                sockets.append(wrapped)
                server.serve(wrapped)

        def accept() -> None:
            while True:
                try:
                    sock = listener.accept()[0]
                except OSError:
                    return
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sockets.append(sock)
                threads.append(threading.Thread(target=serve, args=(sock,), daemon=True))
                threads[-1].start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield server
        finally:
            server.stopping.set()
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for sock in sockets:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()
    assert not server.failures, server.failures


@contextlib.contextmanager
def black_hole(host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Give the base URL of a server that no connection to ever comes about.

    Its queue of connections is full, so the kernel drops what knocks.

    Args:
        host: The loopback address to listen on.
        port: The port; a free one by default.
    """
    with contextlib.ExitStack() as held, socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(0)
        while True:
            filler = held.enter_context(socket.socket())
            filler.settimeout(0.2)
            try:
                filler.connect(listener.getsockname())
            except TimeoutError:
                break
        yield f"http://{host}:{listener.getsockname()[1]}"


def head(status: int, headers: Mapping[str, object] | None = None) -> bytes:
    """Make the head of an answer.

    Args:
        status: The status code.
        headers: The headers. None are added.

    Returns:
        The bytes, the empty line included.
    """
    phrase = http.HTTPStatus(status).phrase if status in set(http.HTTPStatus) else "Odd"
    lines = [f"HTTP/1.1 {status} {phrase}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def in_turn(*scripts: Script) -> Script:
    """Make a script that uses several in turn, one for each request, and the last for ever.

    Args:
        *scripts: The scripts.
    """
    lock = threading.Lock()
    left = list(scripts)

    def script(exchange: Exchange) -> object:
        with lock:
            chosen = left.pop(0) if len(left) > 1 else left[0]
        return chosen(exchange)

    return script


def _request(sock: socket.socket, number: int) -> Request | None:
    """Read the head of the next request; None at the end of the connection."""
    raw = b""
    while b"\r\n\r\n" not in raw:
        piece = sock.recv(4096)
        if not piece or len(raw) > _LONGEST_HEAD:
            return None
        raw += piece
    first, *rest = raw.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")
    method, target, _ = first.split(" ")
    pairs = (line.partition(":") for line in rest)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return Request(method, target, headers, number, raw)
