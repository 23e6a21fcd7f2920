"""Transfer: an image in parts, several at once, within a window of memory. For network drivers."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self, TypeVar

from storekit.errors import StorageFull
from storekit.source import Source

__all__ = ["Download", "Part", "PartSizes", "is_live", "live", "md5_of", "upload"]

Result = TypeVar("Result")

_STAGES = 10  # parts of one length are at most one in so many of all that an upload may have

_living: set[tuple[int, str]] = set()
_lock = threading.Lock()


@contextmanager
def live(name: str) -> Iterator[None]:
    """Have an upload count as alive, for every store of this process.

    Args:
        name: A name for it that no other upload has.
    """
    mark = (os.getpid(), name)
    with _lock:
        _living.add(mark)
    try:
        yield
    finally:
        with _lock:
            _living.discard(mark)


def is_live(name: str) -> bool:
    """Tell whether an upload is under way in this process.

    Args:
        name: As of ``live``.
    """
    return (os.getpid(), name) in _living


def md5_of(data: bytes) -> str:
    """Give the checksum by which object stores tell that a part arrived as it was sent.

    Args:
        data: The part.

    Returns:
        Its MD5, hexadecimal.
    """
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Part:
    """One part of an image."""

    number: int
    """Its place, from 1."""
    offset: int
    """The offset of its first byte in the image."""
    data: bytes
    """Its bytes."""


@dataclass(frozen=True)
class PartSizes:
    """How long each part of an upload is, so that ``max_parts`` are enough.

    Where the image's size is known, all parts are of one length. Else they grow: a tenth of all
    parts have ``part_size``, the next tenth twice as much, and so on; no part is longer than
    ``window`` times ``part_size``. Because no more bytes than that are in memory at once, fewer
    parts are in flight as they grow.
    """

    part_size: int
    """Bytes of the first part, if nothing demands longer ones."""
    window: int
    """How many parts of this length may be in memory."""
    max_parts: int | None = None
    """How many parts there may be; None is any number."""
    size: int | None = None
    """Bytes of the image, where they are known."""

    @property
    def budget(self) -> int:
        """How many bytes may be in memory."""
        return self.part_size * self.window

    def __getitem__(self, number: int) -> int:
        """Tell the length of a part in bytes.

        Args:
            number: Its place, from 1.

        Raises:
            StorageFull: There may not be so many parts.
        """
        if self.max_parts is None:
            return self.part_size
        if number > self.max_parts:
            raise StorageFull(
                f"the image has more than {self.max_parts} parts, which is all the store takes",
                hint="declare its size, or raise part_size",
            )
        if self.size is not None:
            return max(self.part_size, -(-self.size // self.max_parts))
        stage = (number - 1) // max(1, self.max_parts // _STAGES)
        return self.part_size * min(1 << stage, self.window)


def upload(
    source: Source,
    part_size: int,
    window: int,
    send: Callable[[Part], Result],
    *,
    max_parts: int | None = None,
) -> list[Result]:
    """Send a source in parts, several at once.

    The source is read by the calling thread alone. No more than ``window`` times ``part_size``
    bytes are in memory. After the first failure nothing more is read or sent; the parts in flight
    are waited for, so that the driver can abort an upload that nobody writes to any more.

    Args:
        source: The image.
        part_size: Bytes of a part; the last may be shorter.
        window: How many parts are in flight at once.
        send: Sends one part; called by several threads.
        max_parts: How many parts there may be. With it parts may be longer than ``part_size``:
            see ``PartSizes``, which also tells how long the first one is.

    Returns:
        What ``send`` returned, in the order of the parts. An empty image has no part.

    Raises:
        StorageFull: The image has more bytes than fit into so many parts.
        BaseException: What the source, or the first ``send`` that failed, raised.
    """
    sizes = PartSizes(part_size, window, max_parts, source.size)
    results: list[Future[Result]] = []
    flying: dict[Future[Result], int] = {}

    def land(room: int) -> None:
        """Wait until there is room for so many more bytes."""
        _land(flying, None)
        while flying and sum(flying.values()) + room > sizes.budget:
            _land(flying, FIRST_COMPLETED)

    with ThreadPoolExecutor(window, thread_name_prefix="storekit-part") as workers:
        try:
            offset = 0
            data = source.read(sizes[1])
            while data:
                future = workers.submit(send, Part(len(results) + 1, offset, data))
                offset += len(data)
                flying[future] = len(data)
                results.append(future)
                del data  # the window is counted in bytes that somebody holds
                if source.done:
                    break
                length = sizes[len(results) + 1]
                land(length)
                data = source.read(length)
                _land(flying, None)
            land(sizes.budget)
        except BaseException:
            workers.shutdown(wait=True, cancel_futures=True)
            raise
    return [future.result() for future in results]


def _land(flying: dict[Future[Result], int], until: str | None) -> None:
    """Forget the parts that arrived, and raise what ``send`` raised."""
    landed = wait(flying, None if until else 0, until or FIRST_COMPLETED).done
    for future in landed:
        del flying[future]
        future.result()


class Download:
    """Parts of an image, fetched several at once; their pieces are given in order.

    Not more than ``window`` parts are in memory, the one that was given last included. Nothing is
    fetched before the first part is asked for, or ``prefetch`` was called.

    Args:
        begin: The offset of the first byte.
        end: The offset behind the last one.
        part_size: Bytes of a part.
        window: How many parts are in memory at once.
        fetch: Gives all bytes from one offset up to another, in pieces as they came: joining them
            would cost a copy. Called by several threads. It may give up with any exception once
            the event is set: nobody wants the bytes any more.
    """

    def __init__(
        self,
        begin: int,
        end: int,
        part_size: int,
        window: int,
        fetch: Callable[[int, int, threading.Event], Sequence[bytes]],
    ) -> None:
        self._next = begin
        self._end = end
        self._part_size = part_size
        self._window = window
        self._fetch = fetch
        self._closed = threading.Event()
        self._pieces: deque[bytes] = deque()
        self._flying: deque[Future[Sequence[bytes]]] = deque()
        self._workers = ThreadPoolExecutor(window, thread_name_prefix="storekit-part")

    def prefetch(self) -> None:
        """Begin, as far as the window allows beside a part that is read elsewhere."""
        self._submit(self._window - 1)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        while not self._pieces:
            self._submit(self._window)
            if not self._flying or self._closed.is_set():
                self.close()
                raise StopIteration
            try:
                self._pieces.extend(self._flying.popleft().result())
            except BaseException:
                self.close()
                raise
        return self._pieces.popleft()

    def close(self) -> None:
        """Stop. What is being fetched is dropped as soon as its thread sees it."""
        self._closed.set()
        self._flying.clear()
        self._pieces.clear()
        self._workers.shutdown(wait=False, cancel_futures=True)

    def __del__(self) -> None:
        self.close()

    def _submit(self, count: int) -> None:
        while len(self._flying) < count and self._next < self._end and not self._closed.is_set():
            end = min(self._next + self._part_size, self._end)
            self._flying.append(self._workers.submit(self._fetch, self._next, end, self._closed))
            self._next = end
