"""Transfer: parts of an image sent in parallel, within a window. For network drivers."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TypeVar

from storekit.source import Source

__all__ = ["Part", "upload"]

Result = TypeVar("Result")


@dataclass(frozen=True)
class Part:
    """One part of an image."""

    number: int
    """Its place, from 1."""
    offset: int
    """The offset of its first byte in the image."""
    data: bytes
    """Its bytes."""


def upload(
    source: Source,
    part_size: int,
    window: int,
    send: Callable[[Part], Result],
    *,
    first: bytes = b"",
) -> list[Result]:
    """Send a source in parts, several at once.

    The source is read by the calling thread alone. No more than ``window`` parts are in memory.
    After the first failure nothing more is read or sent; the parts in flight are waited for, so
    that the driver can abort an upload that nobody writes to any more.

    Args:
        source: The image.
        part_size: Bytes of a part; the last may be shorter.
        window: How many parts are in flight at once.
        send: Sends one part; called by several threads.
        first: Bytes that were read already to see whether one request is enough; sent as part 1.

    Returns:
        What ``send`` returned, in the order of the parts. An empty image has no part.

    Raises:
        BaseException: What the source, or the first ``send`` that failed, raised.
    """
    results: list[Future[Result]] = []
    flying: set[Future[Result]] = set()
    with ThreadPoolExecutor(window, thread_name_prefix="storekit-part") as workers:
        try:
            offset = 0
            data = first or source.read(part_size)
            while data:
                future = workers.submit(send, Part(len(results) + 1, offset, data))
                offset += len(data)
                del data  # the window is counted in parts that somebody holds
                results.append(future)
                flying.add(future)
                flying = _still_flying(flying, full=len(flying) == window)
                data = source.read(part_size)
                flying = _still_flying(flying, full=False)
        except BaseException:
            workers.shutdown(wait=True, cancel_futures=True)
            raise
    return [future.result() for future in results]


def _still_flying(flying: set[Future[Result]], *, full: bool) -> set[Future[Result]]:
    landed, still = wait(flying, None if full else 0, FIRST_COMPLETED)
    for future in landed:
        future.result()  # raises what send raised
    return still
