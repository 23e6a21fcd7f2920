"""Upload: an image under its hidden name, from its creation to its protected snapshot."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from storekit import transfer
from storekit.capabilities import Limits
from storekit.drivers.rbd.bindings import rbd
from storekit.drivers.rbd.cluster import Connection
from storekit.drivers.rbd.options import FEATURES, Options
from storekit.source import Source
from storekit.thin import data_runs

__all__ = ["SNAPSHOT", "create", "fill", "layout_of", "seal"]

SNAPSHOT = "snap"
"""The snapshot that an image is read by, and cloned from."""

_DIGEST = "storekit."
_LEAST_GAP = 64 << 10  # bytes of zeros that are worth a request less
_MOST_GROWTH = 64 << 30  # bytes: what is too much is trimmed, object by object


def layout_of(options: Options) -> dict[str, Any]:
    """Give what librbd's create, clone and copy want to know of a new image.

    Args:
        options: The options of the store.
    """
    features = options.features
    return {
        "order": options.object_size.bit_length() - 1,
        "features": None if features is None else sum(FEATURES[name] for name in features),
        "data_pool": options.data_pool,
    }


def create(connection: Connection, name: str, size: int, options: Options) -> None:
    """Make an image of zeros.

    Args:
        connection: Where.
        name: Its hidden name.
        size: Bytes.
        options: The options of the store.
    """
    rbd.RBD().create(connection.pool, name, size, old_format=False, **layout_of(options))


def fill(image: Any, source: Source, limits: Limits) -> None:  # noqa: ANN401 - rbd has no types
    """Write an image. Zeros are left out: they are what a new image reads as.

    Args:
        image: The image; grows as needed where the source's size is unknown.
        source: The image.
        limits: Part size and window.
    """
    room = _Room(image)

    def send(part: transfer.Part) -> None:
        room.reach(part.offset + len(part.data))
        for begin, end in _runs(part.data, part.offset):
            whole = end - begin == len(part.data)
            image.write(part.data if whole else part.data[begin:end], part.offset + begin)

    transfer.upload(source, limits.part_size, limits.window, send)
    room.trim(source.count)


def seal(image: Any, digests: dict[str, str]) -> None:  # noqa: ANN401 - rbd has no types
    """Note the digests of an image, and make its protected snapshot.

    Args:
        image: The image.
        digests: Hexadecimal digests by algorithm.
    """
    for name, hexa in digests.items():
        image.metadata_set(f"{_DIGEST}{name}", hexa)
    image.create_snap(SNAPSHOT)
    image.protect_snap(SNAPSHOT)


class _Room:
    """The size of an image that is being written: it doubles, and is cut at the end."""

    def __init__(self, image: Any) -> None:  # noqa: ANN401 - rbd has no types
        self._image = image
        self._size = int(image.size())
        self._lock = threading.Lock()

    def reach(self, end: int) -> None:
        """Make it long enough.

        Args:
            end: The offset behind the last byte that is to be written.
        """
        with self._lock:
            if end > self._size:
                size = end + min(end, _MOST_GROWTH)
                self._image.resize(size)
                self._size = size

    def trim(self, size: int) -> None:
        """Cut it to its length.

        Args:
            size: Bytes.
        """
        if self._size != size:
            self._image.resize(size)


def _runs(data: bytes, offset: int) -> Iterator[tuple[int, int]]:
    """Give what must be written of a part; short runs of zeros with it."""
    begin = end = 0
    for start, stop in data_runs(data, offset):
        if start - end >= _LEAST_GAP:
            if end > begin:
                yield begin, end
            begin = start
        end = stop
    if end > begin:
        yield begin, end
