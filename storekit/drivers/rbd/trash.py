"""Trash: librbd removes an image by way of it, so a removal that was killed leaves it there.

What is on that way is neither in the list of images nor in that of the trash; ``remove`` with its
name does the rest (src/librbd/api/Image.cc and Trash.cc of Ceph 16.2). It is read as cls_rbd
writes it: ``TrashImageSpec`` in src/cls/rbd/cls_rbd_types.h.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from storekit.drivers.rbd.bindings import rados
from storekit.drivers.rbd.encoding import HEAD, U32, U64, packed, unpacked
from storekit.drivers.rbd.names import is_hidden

__all__ = ["Removed", "half_removed"]

_OBJECT = "rbd_trash"
_PAGE = 200
_MOST_ANSWER = 1 << 20  # bytes: more than so many entries have
_SOURCE = 1  # byte, behind it


class Removed(NamedTuple):
    """An image that is being removed, or was when its process was killed."""

    internal: str
    """Its internal id."""
    since: datetime
    """When that began."""


def half_removed(pool: Any) -> dict[str, Removed]:  # noqa: ANN401 - rados has no types
    """Look for hidden images that are on their way through the trash.

    Args:
        pool: The pool.

    Returns:
        What they are, by their hidden names.
    """
    found: dict[str, Removed] = {}
    after, count = "", _PAGE
    while count == _PAGE:
        asked = packed(after) + U64.pack(_PAGE)
        try:
            # Not by get_omap_vals: of that, 16.2's binding writes an answer to a place on the stack
            # that is somebody else's by then.
            _, answer = pool.execute(_OBJECT, "rbd", "trash_list", asked, _MOST_ANSWER)
        except rados.ObjectNotFound:
            break  # nothing was ever removed here
        entries = list(_entries(answer))
        found |= {name: Removed(key, since) for key, name, since in entries if is_hidden(name)}
        after, count = entries[-1][0] if entries else "", len(entries)
    return found


def _entries(answer: bytes) -> Iterator[tuple[str, str, datetime]]:
    (count,) = U32.unpack_from(answer)
    at = U32.size
    for _ in range(count):
        internal, at = unpacked(answer, at)
        *_, length = HEAD.unpack_from(answer, at)
        at += HEAD.size
        name, behind = unpacked(answer, at + _SOURCE)
        (since,) = U32.unpack_from(answer, behind)
        yield internal, name, datetime.fromtimestamp(since, UTC)
        at += length
