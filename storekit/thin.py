"""Thin: which bytes of a chunk must be written, and which may stay a hole."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["PAGE", "data_runs"]

PAGE = 4096
"""Bytes: the smallest hole. Most filesystems have blocks of this size."""

_ZEROS = bytes(PAGE)


def data_runs(chunk: bytes | bytearray, offset: int) -> Iterator[tuple[int, int]]:
    """Leave out the pages of zeros.

    Only the first byte of each page is looked at, unless it is zero: data that has no zeros costs
    next to nothing.

    Args:
        chunk: Some bytes of an image.
        offset: Where in the image they begin: pages are counted from the image's begin.

    Yields:
        Begin and end, within the chunk, of what is not a page of zeros.
    """
    length = len(chunk)
    first = -offset % PAGE
    heads = chunk[first::PAGE]
    begin = 0
    head = heads.find(0)
    while head >= 0:
        page = first + head * PAGE
        size = min(PAGE, length - page)
        if chunk.startswith(_ZEROS[:size], page):
            if begin < page:
                yield begin, page
            begin = page + size
        head = heads.find(0, head + 1)
    if begin < length:
        yield begin, length
