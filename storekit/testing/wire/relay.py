"""Wire: the relay itself."""

from __future__ import annotations

import re
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from storekit.location import Location
from storekit.testing.wire.answering import Answer, Exchanging
from storekit.testing.wire.gate import Gate
from storekit.testing.wire.link import Link
from storekit.testing.wire.listener import Listener
from storekit.testing.wire.message import Request
from storekit.testing.wire.tls import Tls

__all__ = ["Aim", "Wire"]

Script = Callable[[Request], bytes | None]


@dataclass
class Aim:
    """Which requests something goes wrong with. Made by ``Wire.aim``."""

    fault: Exchanging
    """What goes wrong."""
    methods: Collection[str]
    """With which methods; none: with all."""
    path: re.Pattern[str]
    """Which paths, searched for."""
    nth: int
    """Which of these requests is the first, from 1."""
    times: int | None
    """How many; None: all from then on."""
    hits: list[Request] = field(default_factory=list)
    """The requests that it went wrong with."""
    _seen: int = 0

    def takes(self, request: Request) -> bool:
        """Tell whether this request is one of them, and count it.

        Args:
            request: The request.
        """
        if self.methods and request.method not in self.methods:
            return False
        if not self.path.search(request.path):
            return False
        self._seen += 1
        late = self.times is not None and self._seen >= self.nth + self.times
        if self._seen < self.nth or late:
            return False
        self.hits.append(request)
        return True


class Wire:
    """A relay on the loopback. A context manager; other clients of the backend do not notice it.

    Args:
        endpoint: Where the backend listens, as ``Harness.endpoint``: ``http://host:port`` or
            ``host:port``.
        tls: Makes clients speak TLS to the relay; the backend still speaks plain HTTP.
    """

    def __init__(self, endpoint: str, *, tls: ssl.SSLContext | None = None) -> None:
        self.target, self._write = _address(endpoint)
        """Host and port of the backend."""
        self.speaks_http = endpoint.startswith("http://")
        """Whether requests are told apart."""
        self.up = 0
        """Bytes that went to the backend."""
        self.down = 0
        """Bytes that the client took."""
        self.opened = 0
        """How many connections were made."""
        self.spoken = 0
        """On how many connections something was asked since ``count_anew``."""
        self.era = 0
        """How often ``count_anew`` was called."""
        self.exchanges = 0
        """How many answers have begun to come back, in whatever protocol over TCP."""
        self.lost = 0
        """How many of them ``lose`` has lost."""
        self.requests: list[Request] = []
        """The HTTP requests that came, in order."""
        self.asked = Gate()
        """What goes to the backend."""
        self.answers = Gate()
        """What comes back."""
        self.script: Script | None = None
        """Answers an HTTP request in the backend's place, where it returns bytes; the connection
        is closed then."""
        self.alter: Callable[[bytes], bytes] | None = None
        """Changes what comes from the backend, block by block; the head of an answer is one."""
        self.cut_before: int | None = None
        """Cuts the connection before the next HTTP request but so many; before the next block to
        the backend where it does not speak HTTP."""
        self._tls = tls
        self._aims: list[Aim] = []
        self._losing = range(0)
        self._links: set[Link] = set()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._listener = Listener(self._accepted)
        self.port = self._listener.port
        """Where it listens."""

    @property
    def endpoint(self) -> str:
        """Its address, in the form of the backend's: for ``Harness.behind``."""
        address = self._write(f"127.0.0.1:{self.port}")
        return address if self._tls is None else _secured(address)

    @property
    def open(self) -> int:
        """How many connections of clients are open."""
        with self._lock:
            return sum(1 for link in self._links if link.is_open)

    def location(self, location: object) -> str:
        """Give a location as a client behind the relay knows it.

        Args:
            location: The location, as a client that goes straight knows it.
        """
        place = Location(str(location))
        host, port = self.target
        straight = f"{host}:{port}"
        if place.authority != straight:
            return str(place)  # the backend's address is no part of its locations
        seen = str(place).replace(f"//{straight}", f"//127.0.0.1:{self.port}", 1)
        return seen if self._tls is None else _secured(seen)

    def straight(self, location: object) -> str:
        """Give a location as a client that goes straight knows it.

        Args:
            location: The location, as a client behind the relay knows it.
        """
        host, port = self.target
        here = f"127.0.0.1:{self.port}"
        seen = str(location)
        if Location(seen).authority != here:
            return seen  # the backend's address is no part of its locations
        plain = seen if self._tls is None else seen.replace("https://", "http://", 1)
        return plain.replace(f"//{here}", f"//{host}:{port}", 1)

    def aim(
        self,
        fault: Exchanging,
        *,
        methods: Collection[str] = (),
        path: str = "",
        nth: int = 1,
        times: int | None = 1,
    ) -> Aim:
        """Make something go wrong with an HTTP request. What was aimed first is looked at first.

        Args:
            fault: What goes wrong.
            methods: Only requests with one of these methods.
            path: Only paths in which this regular expression is found; the query is part of it.
            nth: Which of these requests is the first, from 1.
            times: How many; None: all from then on.

        Returns:
            Tells which requests it went wrong with.
        """
        aimed = Aim(fault, methods, re.compile(path), nth, times)
        with self._lock:
            self._aims.append(aimed)
        return aimed

    def lose(self, nth: int, *, times: int | None = 1) -> None:
        """Break connections (RST) at the first byte of an answer: what was asked has been done.

        An answer is what comes back first after something was sent, so this works for any protocol
        over TCP; what it answers, a read or a write, is not known.

        Args:
            nth: Which answer from now on is the first to be lost, over all connections, from 1.
            times: How many; None: all from then on; 0: none.
        """
        with self._lock:
            self.lost = 0
            first = self.exchanges + nth
            self._losing = range(first, sys.maxsize if times is None else first + times)

    def count_anew(self) -> None:
        """Count from here on the connections on which something is asked, old or new."""
        with self._lock:
            self.era += 1
            self.spoken = 0

    def refuse(self) -> None:
        """Cut every connection, and refuse new ones."""
        self._listener.refuse()
        self.cut()

    def swallow(self) -> bool:
        """Cut every connection, and let nobody know what becomes of new ones: a black hole.

        Returns:
            Whether this system can do that.
        """
        self.cut()
        return self._listener.swallow()

    def heal(self) -> None:
        """Let everything pass from here on, on new connections too."""
        with self._lock:
            self._aims.clear()
            self._losing = range(0)
        for gate in (self.asked, self.answers):
            gate.arm(None)
        self.script = self.alter = self.cut_before = None
        self._listener.open()

    def say(self, data: bytes) -> None:
        """Send something to every client that nobody asked for.

        Args:
            data: The bytes.
        """
        with self._lock:
            links = tuple(self._links)
        for link in links:
            link.say(data)

    def cut(self) -> None:
        """Cut every connection. New ones can be made."""
        with self._lock:
            links = tuple(self._links)
        for link in links:
            link.stop()

    def __enter__(self) -> Self:
        self._listener.open()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._listener.close()
        self.cut()

    # For the connections

    def fault_of(self, request: Request) -> Exchanging | None:
        """Note a request, and tell what goes wrong with it.

        Args:
            request: The request.
        """
        with self._lock:
            self.requests.append(request)
            aims = tuple(self._aims)
            found = next((aim.fault for aim in aims if aim.takes(request)), None)
        if found is None and self.script is not None:
            data = self.script(request)
            found = None if data is None else Answer(data)
        return found

    def used(self) -> int:
        """Count a connection on which something is asked, and give the era."""
        with self._lock:
            self.spoken += 1
            return self.era

    def loses(self) -> bool:
        """Count an answer that begins, and tell whether it is lost."""
        with self._lock:
            self.exchanges += 1
            lost = self.exchanges in self._losing
            self.lost += lost
        return lost

    def may_pass(self) -> bool:
        """Count down to the request that is cut off; False for that one, and those after it."""
        with self._lock:
            if self.cut_before is None:
                return True
            self.cut_before -= 1
            return self.cut_before >= 0

    def altered(self, block: bytes) -> bytes:
        """Give what becomes of bytes from the backend.

        Args:
            block: The bytes.
        """
        return block if self.alter is None else self.alter(block)

    def pause(self, seconds: float) -> None:
        """Wait, unless the relay ends.

        Args:
            seconds: How long.
        """
        self._ended.wait(seconds)

    def count_up(self, size: int) -> None:
        """Count bytes that go to the backend.

        Args:
            size: How many.
        """
        with self._lock:
            self.up += size

    def count_down(self, size: int) -> None:
        """Count bytes that the client took.

        Args:
            size: How many.
        """
        with self._lock:
            self.down += size

    def _accepted(self, client: socket.socket) -> None:
        link = Link(self, client, None if self._tls is None else Tls(self._tls))
        with self._lock:
            self.opened += 1
            self._links.add(link)
        if self._ended.is_set():
            link.stop()
        threading.Thread(target=self._run, args=(link,), name="wire", daemon=True).start()

    def _run(self, link: Link) -> None:
        try:
            link.run()
        finally:
            with self._lock:
                self._links.discard(link)


def _address(endpoint: str) -> tuple[tuple[str, int], Callable[[str], str]]:
    if "://" not in endpoint:
        host, _, port = endpoint.rpartition(":")
        return (host.strip("[]"), int(port)), lambda address: address
    url = urlsplit(endpoint)
    number = url.port or {"http": 80, "https": 443}[url.scheme]
    return (url.hostname or "", number), lambda address: url._replace(netloc=address).geturl()


def _secured(address: str) -> str:
    return address.replace("http://", "https://", 1)
