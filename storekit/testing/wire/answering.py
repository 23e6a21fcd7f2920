"""What can go wrong with one HTTP request, and how its answer is given then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from storekit.testing.wire.message import fields_of

if TYPE_CHECKING:
    from storekit.testing.wire.link import Link

__all__ = ["Answer", "Append", "Delay", "Exchanging", "Lose", "Passed", "shape_of"]


@dataclass(frozen=True)
class Answer:
    """The request does not reach the backend: this is the answer, and the connection ends."""

    data: bytes
    """All of it, as ``http_answer`` makes it."""


@dataclass(frozen=True)
class Delay:
    """The request is passed on later."""

    seconds: float
    """How much later."""


@dataclass(frozen=True)
class Lose:
    """The backend does what was asked, and its answer is lost: the connection breaks (RST)."""


@dataclass(frozen=True)
class Rechunk:
    """The answer comes in chunks (RFC 9112, 7.1) without a length, and is cut off in the middle."""

    after: int
    """How many bytes of the body come; then FIN."""


@dataclass(frozen=True)
class Append:
    """More comes than the answer declares."""

    extra: bytes
    """What comes after it, on the same connection."""


Exchanging = Answer | Delay | Lose | Rechunk | Append


class Passed:
    """Gives an answer as the backend gave it.

    Args:
        link: The client's connection.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    def head(self, head: bytes) -> None:
        """Give the head.

        Args:
            head: All of it.
        """
        self._link.to_client(head)

    def body(self, data: bytes) -> None:
        """Give some of the body.

        Args:
            data: The bytes.
        """
        self._link.to_client(data)

    def end(self) -> None:
        """The answer is over."""


class _Lost(Passed):
    def head(self, head: bytes) -> None:
        pass

    def body(self, data: bytes) -> None:
        pass

    def end(self) -> None:
        self._link.reset()


class _Longer(Passed):
    def __init__(self, link: Link, extra: bytes) -> None:
        super().__init__(link)
        self._extra = extra

    def end(self) -> None:
        self._link.to_client(self._extra)


class _Chunked(Passed):
    def __init__(self, link: Link, after: int) -> None:
        super().__init__(link)
        self._left = after

    def head(self, head: bytes) -> None:
        if not int(fields_of(head).get("content-length", "0")):
            self._left = -1  # nothing to break
        if self._left < 0:
            super().head(head)
            return
        lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
        kept = [line for line in lines if not line.lower().startswith(b"content-length:")]
        super().head(b"\r\n".join([*kept, b"Transfer-Encoding: chunked", b"", b""]))

    def body(self, data: bytes) -> None:
        if self._left < 0:
            super().body(data)
            return
        piece = data[: self._left]
        self._left -= len(piece)
        # A chunk is announced whole: what is cut off is its own end, not the list of chunks.
        self._link.to_client(b"%x\r\n" % len(data) + piece)
        if self._left:
            self._link.to_client(b"\r\n")
        else:
            self._link.cut()

    def end(self) -> None:
        if self._left > 0:
            self._link.cut()


def shape_of(fault: Exchanging | None, link: Link) -> Passed:
    """Make what gives the answer to one request.

    Args:
        fault: What goes wrong with it.
        link: The client's connection.
    """
    match fault:
        case Lose():
            return _Lost(link)
        case Append(extra):
            return _Longer(link, extra)
        case Rechunk(after):
            return _Chunked(link, after)
    return Passed(link)
