"""Dialogue: the HTTP of one connection: which request is whose, and what goes wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storekit.testing.wire.answering import Answer, Delay, Exchanging, Passed, shape_of
from storekit.testing.wire.message import (
    Framing,
    Request,
    framing_of_answer,
    framing_of_request,
    request_of,
    status_of,
)

if TYPE_CHECKING:
    from storekit.testing.wire.link import Link
    from storekit.testing.wire.relay import Wire

__all__ = ["Dialogue"]

_END = b"\r\n\r\n"
_FIRST_FINAL = 200  # statuses below it announce another answer


class Dialogue:
    """Follows requests and answers, one after the other.

    Args:
        link: The connections.
        wire: The relay.
    """

    def __init__(self, link: Link, wire: Wire) -> None:
        self._link = link
        self._wire = wire
        self._asked = bytearray()
        self._answered = bytearray()
        self._request: Request | None = None
        self._body = Framing(0)
        self._fault: Exchanging | None = None
        self._answer: Framing | None = None
        self._answered_early = False
        self._shape = Passed(link)

    def from_client(self, block: bytes) -> None:
        """Take what the client sent.

        Args:
            block: The bytes.
        """
        self._asked += block
        self._go_on()

    def from_server(self, block: bytes) -> None:
        """Take what the backend sent.

        Args:
            block: The bytes.
        """
        self._answered += block
        while self._answered:
            if self._answer is None:
                if not self._begin_answer():
                    return
            else:
                size = self._answer.take(self._answered)
                self._shape.body(self._wire.altered(_taken(self._answered, size)))
            if self._answer is not None and self._answer.done:
                self._end_answer()

    def server_ended(self) -> None:
        """The backend has closed: that is the end of an answer without a length."""
        if self._answer is not None:
            self._shape.end()

    def _go_on(self) -> None:
        while self._asked:
            if self._answered_early and self._body.done:
                self._forget()
            if self._request is None:
                end = self._asked.find(_END)
                if end < 0:
                    return
                self._begin(_taken(self._asked, end + len(_END)))
            elif self._body.done:
                return  # the next request waits for the answer to this one
            else:
                piece = _taken(self._asked, self._body.take(self._asked))
                if not isinstance(self._fault, Answer):
                    self._link.to_server(piece)
            if self._body.done and isinstance(self._fault, Answer):
                self._link.to_client(self._fault.data)
                self._link.finish()
                self._asked.clear()
                return

    def _begin(self, head: bytes) -> None:
        self._request = request_of(head)
        self._body = framing_of_request(self._request)
        if not self._wire.may_pass():
            self._asked.clear()
            self._link.cut()
            return
        self._fault = self._wire.fault_of(self._request)
        if isinstance(self._fault, Answer):
            return
        if isinstance(self._fault, Delay):
            self._wire.pause(self._fault.seconds)
        self._shape = shape_of(self._fault, self._link)
        self._link.dial()
        self._link.to_server(head)

    def _begin_answer(self) -> bool:
        """Read the head of an answer; False where it is not all there."""
        end = self._answered.find(_END)
        if end < 0:
            return False
        head = _taken(self._answered, end + len(_END))
        if status_of(head) >= _FIRST_FINAL:
            self._answer = framing_of_answer(self._request.method if self._request else "", head)
        self._shape.head(self._wire.altered(head))
        return True

    def _end_answer(self) -> None:
        self._shape.end()
        self._answer = None
        if self._body.done:
            self._forget()
            self._go_on()
        else:
            self._answered_early = True  # the rest of the request is still to come

    def _forget(self) -> None:
        self._request = self._fault = None
        self._answered_early = False
        self._shape = Passed(self._link)


def _taken(buffer: bytearray, size: int) -> bytes:
    """Take bytes from the beginning of a buffer."""
    taken = bytes(buffer[:size])
    del buffer[:size]
    return taken
