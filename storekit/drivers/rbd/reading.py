"""Reading: an image by requests for a part each, several at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from storekit.capabilities import Limits
from storekit.drivers.rbd.bindings import rbd
from storekit.drivers.rbd.cluster import OpenImage
from storekit.drivers.rbd.names import internal_id, still_there
from storekit.errors import DataError
from storekit.transfer import Download
from storekit.values import Content

__all__ = ["read"]

Open = Callable[[], OpenImage]
"""Opens the image, on a connection that works."""


def read(
    open_image: Open,
    name: str,
    snapshot: str | None,
    offset: int,
    length: int | None,
    limits: Limits,
) -> Content:
    """Begin to read an image.

    Args:
        open_image: Opens it.
        name: Its name.
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
        version = _Version.of(image, name, snapshot)
        chunks = _Chunks(opened, version, offset, end, limits)
    except BaseException:
        opened.release()
        raise

    def resume(at: int) -> _Chunks:
        try:
            again = open_image()
        except rbd.ImageNotFound as error:
            raise _gone() from error
        try:
            # The name may have become another image's.
            if _Version.of(again.image, name, snapshot) != version:
                raise _gone()
            return _Chunks(again, version, at, end, limits)
        except BaseException:
            again.release()
            raise

    return Content(total, chunks, resume=resume)


@dataclass(frozen=True)
class _Version:
    """What is read: an image, and one of its snapshots or the image as it is."""

    name: str
    internal: str
    snapshot: int | None

    @classmethod
    def of(cls, image: Any, name: str, snapshot: str | None) -> Self:  # noqa: ANN401 - no types
        number = int(image.snap_get_id(snapshot)) if snapshot else None
        return cls(name, str(image.id()), number)

    def is_there(self, pool: Any) -> bool:  # noqa: ANN401 - rados has no types
        if self.snapshot is not None:
            return still_there(pool, self.internal, snapshot=self.snapshot)
        # Whoever deletes it takes its name away before its data.
        return internal_id(pool, self.name) == self.internal


class _Chunks:
    """The chunks of a part of an image, in order."""

    def __init__(
        self,
        opened: OpenImage,
        version: _Version,
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

    def __init__(self, opened: OpenImage, version: _Version, chunk: int) -> None:
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
        if not self._version.is_there(self._opened.pool):
            raise _gone()


def _gone() -> DataError:
    return DataError("the image was deleted while it was read")
