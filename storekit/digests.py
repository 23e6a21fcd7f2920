"""Digests of an image's bytes, computed beside the reading and the writing."""

from __future__ import annotations

import hashlib
import os
import queue
import sys
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING

from storekit.errors import DigestMismatch, InvalidArgument, Unavailable

__all__ = ["Digests", "algorithms_of", "compare", "expectation_of"]

# Blocks that wait for one slow algorithm; the caller waits when there are more.
_DEPTH = 4


if TYPE_CHECKING:
    from hashlib import _Hash


def _new(name: str) -> _Hash:
    return hashlib.new(name, usedforsecurity=False)


@lru_cache
def _hex_length(name: str) -> int:
    # shake_128 is in hashlib's list, and its digest() wants a length that nobody declared.
    if not isinstance(name, str):
        raise InvalidArgument(f"{name!r} is not the name of a digest")
    try:
        size = _new(name).digest_size
    except ValueError:
        size = 0
    if not size:
        raise InvalidArgument(
            f"{name!r} is not a digest of fixed length that hashlib knows",
            hint=f"it knows {', '.join(sorted(hashlib.algorithms_guaranteed))}",
        )
    return 2 * size


def algorithms_of(hashes: Iterable[str]) -> tuple[str, ...]:
    """Check the names of digests.

    Args:
        hashes: Names that hashlib knows, of digests of fixed length.

    Returns:
        The names, each once, in their order.

    Raises:
        InvalidArgument: A name is unknown, or ``hashes`` is a text instead of several.
    """
    if isinstance(hashes, str | bytes):
        raise InvalidArgument(f"hashes is the text {hashes!r}", hint="give a tuple of names")
    try:
        names = tuple(dict.fromkeys(hashes))
        for name in names:
            _hex_length(name)
    except TypeError:
        raise InvalidArgument(f"hashes is {hashes!r}, not names of digests") from None
    return names


def expectation_of(expect: Mapping[str, str] | None) -> dict[str, str]:
    """Check what a caller expects.

    Args:
        expect: Hexadecimal digests, in either case, by algorithm.

    Returns:
        The same, in lower case.

    Raises:
        InvalidArgument: It is no mapping, an algorithm is unknown, or a digest is not one of its.
    """
    if expect is None:
        return {}
    if not isinstance(expect, Mapping):
        raise InvalidArgument(
            "expect is no mapping", hint='write expect={"sha256": "the digest in hexadecimal"}'
        )
    wanted = {}
    for name in algorithms_of(expect):
        digest = expect[name]
        length = _hex_length(name)
        if (
            not isinstance(digest, str)
            or len(digest) != length
            or set(digest.lower()) - set("0123456789abcdef")
        ):
            raise InvalidArgument(f"expect: a {name} digest is {length} hexadecimal digits")
        wanted[name] = digest.lower()
    return wanted


def compare(digests: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    """Compare digests with what was expected.

    Args:
        digests: What was computed.
        wanted: What ``expectation_of`` returned.

    Raises:
        DigestMismatch: One differs.
    """
    for name, digest in wanted.items():
        if digests[name] != digest:
            raise DigestMismatch(f"expected {name} {digest}, the data has {digests[name]}")


class Digests:
    """Several digests of one stream.

    From the second block on each algorithm has a thread of its own, fed through a short queue.
    hashlib lets other threads run only while it is busy with a big buffer: give it blocks of
    about 1 MiB.

    Args:
        algorithms: What ``algorithms_of`` returned.
    """

    def __init__(self, algorithms: Iterable[str]) -> None:
        self._workers = [_Worker(name) for name in algorithms]
        self._first: bytes | None = None
        self._parallel = False
        self._process = os.getpid()

    def update(self, block: bytes) -> None:
        """Add the next block. Waits while the slowest algorithm is several blocks behind.

        Args:
            block: Bytes, which must not change.
        """
        if not self._workers:
            return
        if self._first is None:
            self._first = block
            return
        if not self._parallel:
            self._parallel = True
            for worker in self._workers:
                _start(worker)
                worker.hand_over(self._first)
            self._first = b""
        for worker in self._workers:
            worker.hand_over(block)

    def finish(self) -> dict[str, str]:
        """Wait for the threads.

        Returns:
            Hexadecimal digests by algorithm.
        """
        if self._parallel:
            self.close(hurry=False)
        elif self._first:
            for worker in self._workers:
                worker.digest.update(self._first)
        return {worker.algorithm: worker.digest.hexdigest() for worker in self._workers}

    def close(self, *, hurry: bool = True) -> None:
        """End the threads. May be called twice.

        Args:
            hurry: Leave out what still waits: nobody wants the digests.
        """
        started = [worker for worker in self._workers if worker.begun]
        # In a forked child there are no threads, and at the interpreter's end none that runs.
        if self._process != os.getpid() or sys.is_finalizing():
            return
        for worker in started:
            worker.hurry = hurry
            worker.waiting.put(None)
        for worker in started:
            if worker is threading.current_thread():  # the garbage collector ran in it
                continue
            worker.wait()
        self._parallel = False


def _start(worker: _Worker) -> None:
    worker.begun = True  # before: Ctrl-C may come when it runs already
    try:
        worker.start()
    except RuntimeError as error:
        worker.begun = False
        raise Unavailable(f"no thread for a digest: {error}") from error


class _Worker(threading.Thread):
    def __init__(self, algorithm: str) -> None:
        super().__init__(name=f"storekit-{algorithm}", daemon=True)
        self.algorithm = algorithm
        self.digest = _new(algorithm)
        # SimpleQueue alone survives an exception out of a signal handler in the middle of a call;
        # what queue.Queue, Event and Semaphore are made of can lose a wake-up.
        self.waiting: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.finished: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self.begun = False
        self.hurry = False
        self._room: queue.SimpleQueue[bool] = queue.SimpleQueue()
        for _ in range(_DEPTH):
            self._room.put(True)  # noqa: FBT003 - a token

    def hand_over(self, block: bytes) -> None:
        """Give the next block; waits for room."""
        self._room.get()
        self.waiting.put(block)

    def wait(self) -> None:
        """Wait for the end, also when Ctrl-C interrupted this once already."""
        while self.is_alive():
            with suppress(queue.Empty):
                self.finished.get(timeout=0.1)
                self.join()  # no sooner: a join() that Ctrl-C interrupts takes it for ended

    def run(self) -> None:
        while (block := self.waiting.get()) is not None:
            self._room.put(True)  # noqa: FBT003 - a token
            if not self.hurry:
                self.digest.update(block)
        self.finished.put(True)  # noqa: FBT003 - a token
