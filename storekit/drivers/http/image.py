"""WebImage: how the size and the bytes of one image are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from storekit.capabilities import Limits
from storekit.drivers.http.answer import Answer, Span
from storekit.drivers.http.asker import Asker
from storekit.drivers.http.body import Body
from storekit.drivers.http.ranging import RangeMemory
from storekit.drivers.http.target import Origin, Target
from storekit.errors import DataError, StoreError, Unsupported
from storekit.retry import Clock
from storekit.slots import Slot
from storekit.values import Content

__all__ = ["WebImage"]

_OK, _PARTIAL, _UNSATISFIABLE = 200, 206, 416
# A HEAD may be refused where a GET is not: a signed URL is signed for one method.
_HEAD_REFUSED = frozenset({400, 403, 405, 501})
_LARGEST = (1 << 63) - 1
_EXPIRED = frozenset({401, 403, 404, 410})


@dataclass(frozen=True)
class WebImage:
    """One image of a web server, for the length of one verb."""

    asker: Asker
    """What asks for it."""
    limits: Limits
    """The numbers of the store."""
    ranging: RangeMemory
    """Which servers honour ranges."""

    def size(self, clock: Clock) -> int:
        """Tell its size, without its bytes.

        Args:
            clock: How much time there is.

        Returns:
            Bytes.

        Raises:
            NotFound: There is no such image.
            Unsupported: The server does not tell.
            StoreError: Whatever else the server answered.
        """
        answer = self.asker.ask("HEAD", {}, clock)
        answer.close()
        if answer.status == _OK and not answer.encoded:
            # Not so a 0: there are servers that answer so to every HEAD.
            if length := answer.length:
                return length
        elif answer.status != _OK and answer.status not in _HEAD_REFUSED:
            raise answer.error()
        answer = self.asker.ask("GET", _range(0, 1), clock)
        answer.close()
        size = _size_in(answer)
        if size is None:
            raise _no_size(answer)
        return size

    def open(self, offset: int, length: int | None, clock: Clock, slot: Slot) -> Content:
        """Begin to read.

        Args:
            offset: The first byte wanted.
            length: How many bytes, 1 or more; None is all.
            clock: How much time there is.
            slot: The right to a connection. The content has it if this returns.

        Raises:
            NotFound: There is no such image.
            Unsupported: The server does not tell the size, or sends no parts.
            DataError: It sent another part than was asked for.
            StoreError: Whatever else the server answered.
        """
        whole = offset == 0 and length is None
        with ExitStack() as undo:
            answer = self.asker.ask("GET", {} if whole else _range(offset, length), clock)
            undo.callback(answer.close)
            if whole and answer.status == _PARTIAL:
                raise DataError(f"{answer.target.server} sends a part, asked for the whole")
            if whole and answer.status == _OK and answer.length is None:
                # A server that does not know the length of all may know that of a part.
                answer.close()
                answer = self.asker.ask("GET", _range(0, None), clock)
                undo.callback(answer.close)
                whole = False
            if answer.status == _UNSATISFIABLE and not whole:
                content = self._past_end(answer, offset, clock)
            else:
                content = self._content(answer, whole, offset, length, slot)
            if isinstance(content.chunks, Body):
                undo.pop_all()
            else:
                undo.callback(slot.release)
            return content

    def _past_end(self, answer: Answer, offset: int, clock: Clock) -> Content:
        total = _size_in(answer)
        if total is None:
            answer.close()
            total = self.size(clock)
        if total > offset:
            raise DataError(f"{answer.target.server} refuses a part of the image that exists")
        return Content(total, ())

    def _content(
        self, answer: Answer, whole: bool, offset: int, length: int | None, slot: Slot
    ) -> Content:
        total = _size_in(answer)
        if total is None:
            raise _no_size(answer)
        if not total:
            return Content(0, ())
        end = total if length is None else min(total, offset + length)
        if not whole:
            if answer.status == _OK:
                raise self._ignored(answer)
            _check_part(answer, Span(offset, end - 1, total))
            self.ranging.add(answer.target.origin)
        body = Body(answer, slot, end - offset, self.limits.read_chunk)
        tag = answer.etag
        if tag is None or answer.header("Accept-Ranges").lower() == "none":
            return Content(total, body)
        pin = _Pin(answer.target, tag, end, total)
        return Content(total, body, resume=lambda at: self._resume(pin, at))

    def _resume(self, pin: _Pin, at: int) -> Iterator[bytes]:
        """Go on where a read was cut, if the server still has the same bytes (RFC 9110, 13.1.5)."""
        clock = Clock(self.limits.op_budget)
        with ExitStack() as undo:
            slot = self.asker.transport.slot()
            undo.callback(slot.release)
            answer = self._ask_again(pin, at, clock)
            undo.callback(answer.close)
            _size_in(answer)
            if answer.status == _OK and answer.etag == pin.tag:
                raise DataError(f"{answer.target.server} cannot go on where the read was cut")
            if answer.status in (_OK, _UNSATISFIABLE) or answer.etag not in (pin.tag, None):
                raise DataError(
                    f"the image on {answer.target.server} changed while it was read",
                    hint="read it again",
                )
            _check_part(answer, Span(at, pin.end - 1, pin.total))
            undo.pop_all()
            return Body(answer, slot, pin.end - at, self.limits.read_chunk)

    def _ask_again(self, pin: _Pin, at: int, clock: Clock) -> Answer:
        """Ask the server that the bytes came from; its tag means nothing to another."""
        headers = _range(at, pin.end - at) | {"If-Range": pin.tag}
        answer = self.asker.ask("GET", headers, clock, pin.target)
        if pin.target == self.asker.target or answer.status not in _EXPIRED:
            return answer
        # What a redirect led to may hold for a while only. The location itself knows where now.
        answer.close()
        answer = self.asker.ask("GET", headers, clock)
        if _resource(answer.target) != _resource(pin.target):
            answer.close()
            raise DataError(
                f"{self.asker.target.server} leads to another server than when the read began",
                hint="read it again",
            )
        return answer

    def _ignored(self, answer: Answer) -> StoreError:
        server = answer.target.server
        if answer.target.origin in self.ranging:
            return DataError(f"{server} sends the whole image where a part was asked for")
        return Unsupported(
            f"{server} ignores that only a part of the image was asked for",
            hint="read the whole image, without offset and length",
        )


@dataclass(frozen=True)
class _Pin:
    """Which bytes a read began with."""

    target: Target
    tag: str
    end: int
    total: int


def _range(offset: int, length: int | None) -> dict[str, str]:
    last = None if length is None else offset + length - 1
    # Servers refuse a number that does not fit into 63 bits. No image ends behind it.
    shown = "" if last is None or last > _LARGEST else last
    return {"Range": f"bytes={offset}-{shown}"}


def _check_part(answer: Answer, wanted: Span) -> None:
    length = answer.length
    expected = (wanted.last or 0) - (wanted.first or 0) + 1
    if answer.span != wanted or length not in (None, expected):
        raise DataError(f"{answer.target.server} sends another part than was asked for")


def _resource(target: Target) -> tuple[Origin, str]:
    """What a URL is about; a signature in its query may differ from time to time."""
    return target.origin, target.path.partition("?")[0]


def _size_in(answer: Answer) -> int | None:
    """The size of the whole image, as far as an answer tells it; an error if it is none."""
    if answer.status == _UNSATISFIABLE:
        return answer.span.total if answer.header("Content-Range") else None
    if answer.status not in (_OK, _PARTIAL):
        raise answer.error()
    answer.check_encoding()
    return answer.length if answer.status == _OK else answer.span.total


def _no_size(answer: Answer) -> Unsupported:
    return Unsupported(f"{answer.target.server} does not tell the size of the image")
