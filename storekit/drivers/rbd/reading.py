"""Reading: an image by requests for a part each, several at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Self

from storekit.capabilities import Limits
from storekit.drivers.rbd.cluster import OpenImage
from storekit.drivers.rbd.names import still_there
from storekit.errors import DataError
from storekit.transfer import Download
from storekit.values import Content

__all__ = ["read"]

Open = Callable[[], OpenImage]
"""Opens the image, on a connection that works."""


def read(
    open_image: Open, snapshot: str | None, offset: int, length: int | None, limits: Limits
) -> Content:
    """Begin to read an image.

    Args:
        open_image: Opens it.
        snapshot: The snapshot that is read.
        offset: The first byte wanted.
        length: How many bytes; None is all.
        limits: Part size, window and chunk.
    """
    opened = open_image()
    try:
        image = opened.image
        total = int(image.size())
        if offset >= total:
            opened.release()
            return Content(total, ())
        end = total if length is None else min(total, offset + length)
        version = str(image.id()), int(image.snap_get_id(snapshot)) if snapshot else None
        chunks = _Chunks(opened, version, offset, end, limits)
    except BaseException:
        opened.release()
        raise

    def resume(at: int) -> _Chunks:
        again = open_image()
        return _Chunks(again, version, at, end, limits)

    return Content(total, chunks, resume=resume)


class _Chunks:
    """The chunks of a part of an image, in order."""

    def __init__(
        self,
        opened: OpenImage,
        version: tuple[str, int | None],
        begin: int,
        end: int,
        limits: Limits,
    ) -> None:
        self._opened: OpenImage | None = opened
        self._reader = _Reader(opened, version, limits.read_chunk)
        self._download = Download(begin, end, limits.part_size, limits.window, self._reader.fetch)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._download)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the image back, once the requests that are under way are done."""
        opened, self._opened = self._opened, None
        if opened is not None:
            self._download.close()
            opened.release()

    def __del__(self) -> None:
        self.close()


class _Reader:
    """Reads parts of an image. Called by several threads."""

    def __init__(self, opened: OpenImage, version: tuple[str, int | None], chunk: int) -> None:
        self._opened = opened
        self._version = version
        self._chunk = chunk

    def fetch(self, begin: int, end: int, closed: threading.Event) -> list[bytes]:
        """Read from one offset up to another.

        Raises:
            DataError: The image is gone.
        """
        pieces: list[bytes] = []
        with self._opened.using() as image:
            for offset in range(begin, end, self._chunk):
                if closed.is_set():
                    return []
                pieces.append(self._piece(image, offset, min(self._chunk, end - offset)))
            self._check()
        return pieces

    def _piece(self, image: Any, offset: int, length: int) -> bytes:  # noqa: ANN401 - no types
        data: bytes = image.read(offset, length)
        if len(data) != length:
            raise DataError("the image is shorter than it was")
        return data

    def _check(self) -> None:
        """See that what was read was there: what is deleted reads as zeros."""
        internal, snapshot = self._version
        number = {} if snapshot is None else {"snapshot": snapshot}
        if not still_there(self._opened.pool, internal, **number):
            raise DataError("the image was deleted while it was read")
