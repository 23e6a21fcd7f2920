"""Body: the chunks of one answer."""

from __future__ import annotations

from collections.abc import Iterator

import urllib3

from storekit.drivers.http.answer import Answer
from storekit.drivers.http.faults import cut_of
from storekit.errors import DataError
from storekit.slots import Slot

__all__ = ["Body"]

_READ_AT_ONCE = 1 << 18  # more is hardly ever waiting in a socket


class Body:
    """The chunks of one answer. Gives connection and slot back at the end, closed or dropped.

    Args:
        answer: An answer whose body is the image, or a part of it.
        slot: The right to the connection.
        expected: How many bytes must come.
        read_chunk: The longest chunk, in bytes.
    """

    def __init__(self, answer: Answer, slot: Slot, expected: int, read_chunk: int) -> None:
        self._answer: Answer | None = answer
        self._slot = slot
        self._expected = expected
        self._received = 0
        self._read_chunk = min(read_chunk, _READ_AT_ONCE)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._answer is None:
            raise StopIteration
        try:
            chunk = self._answer.read(self._read_chunk)
        except urllib3.exceptions.HTTPError as error:
            self.close()
            raise cut_of(error, self._received) from error
        self._received += len(chunk)
        if not chunk or self._answer.ended:
            self.close()
        if chunk:
            return chunk
        if self._received < self._expected:
            raise DataError(f"the server sent {self._received} of {self._expected} bytes")
        raise StopIteration

    def close(self) -> None:
        """Give everything back; what was not read is not waited for."""
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.close()
            self._slot.release()

    def __del__(self) -> None:
        self.close()
