"""Reading: an object by ranged requests."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from storekit import ranged
from storekit.capabilities import Limits
from storekit.drivers.swift.account import Account
from storekit.drivers.swift.faults import not_whole, status_of
from storekit.drivers.swift.places import Place
from storekit.drivers.swift.segments import segments_of
from storekit.errors import NotFound, StoreError, Unavailable
from storekit.values import Content

__all__ = ["read"]

_UNSATISFIABLE = 416
_NOT_FOUND = 404
_OF_A_SEGMENT = frozenset({_NOT_FOUND, 500})


def read(
    account: Account,
    place: Place,
    offset: int,
    length: int | None,
    limits: Limits,
    *,
    pinned: bool,
) -> Content:
    """Begin to read an object.

    Args:
        account: The account.
        place: Container and name.
        offset: The first byte wanted.
        length: How many bytes, 1 or more; None is all.
        limits: Part size, window and chunk.
        pinned: Whether the server knows ``If-Match`` of every object. Else what it sends is looked
            at alone.

    Raises:
        NotFound: There is no such image.
        DataError: The server sent something else than was asked for, or a segment is gone.
    """
    # Of a range that is a whole segment Swift computes the MD5 twice, and is half as fast.
    limits = replace(limits, part_size=limits.part_size - limits.part_size // 16)
    try:
        return ranged.read(partial(_open, account, place, pinned), offset, length, limits)
    except NotFound as error:
        raise account.missing(place.container) from error
    except StoreError as error:
        if status_of(error) != _UNSATISFIABLE:
            raise
        return Content(account.head(place.container, place.name).size, ())


def _open(
    account: Account, place: Place, pinned: bool, begin: int, end: int, etag: str | None
) -> ranged.Opened:
    headers = {"Range": ranged.part_asked(begin, end)}
    if etag is not None and pinned:
        headers["If-Match"] = etag
    try:
        reply = account.open(place.container, place.name, headers=headers)
    except (NotFound, Unavailable) as error:
        if not _is_broken(account, place, begin, end, error):
            raise
        raise not_whole() from error
    try:
        span = ranged.span_of(reply.status, reply.headers.get("Content-Range", ""), begin, end)
    except BaseException:
        reply.close()
        raise
    return ranged.Opened(reply, reply.slot, begin, span, reply.headers.get("ETag"))


def _is_broken(account: Account, place: Place, begin: int, end: int, error: StoreError) -> bool:
    """Tell whether a read failed for want of a segment that a range of an image has bytes of.

    Swift fails where it is the second one of an answer; radosgw says 404 as of a missing image.
    """
    if status_of(error) not in _OF_A_SEGMENT:
        return False
    try:
        head = account.find_manifest(place.container, place.name)
        if head is None or not head.is_static:
            return False
        if status_of(error) == _NOT_FOUND:
            return True
        offset = 0
        for segment in segments_of(account, place.container, place.name) or ():
            wanted = offset < end and offset + segment.size > begin
            if wanted and account.find(segment.container, segment.name) is None:
                return True
            offset += segment.size
    except StoreError:
        return False
    return False
