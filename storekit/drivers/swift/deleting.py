"""Deleting: an image of one object, of segments that a manifest names, or of a prefix."""

from __future__ import annotations

import logging
import re
from functools import partial
from urllib.parse import unquote

from storekit.drivers.swift.account import Account
from storekit.drivers.swift.answers import Head
from storekit.drivers.swift.places import Place
from storekit.drivers.swift.segments import Segment, prefix_of, remove, segments_of
from storekit.drivers.swift.upload import failure_of
from storekit.errors import NotFound, OutcomeUnknown, StoreError, Unavailable

__all__ = ["delete"]

_log = logging.getLogger(__name__)
_NUMBER = re.compile("[0-9]+", re.ASCII)


def delete(account: Account, place: Place, segments_container: str) -> None:
    """Delete an image. First goes what makes it one, then what it was made of.

    Args:
        account: The account.
        place: Where it is.
        segments_container: Where its segments are, if they are ours.

    Raises:
        NotFound: There is no such image.
        OutcomeUnknown: The answer was lost and cannot be found out.
    """
    head = account.find(place.container, place.name)
    head = head or account.find_manifest(place.container, place.name)
    if head is None:
        raise account.missing(place.container)
    segments, query = _segments(account, place, head, segments_container)
    send = partial(account.call, "DELETE", place.container, place.name, query=query)
    error = failure_of(send)
    if isinstance(error, NotFound):
        error = None  # sent twice, or somebody else was faster
    if error is not None and not (isinstance(error, Unavailable) and _is_gone(account, place)):
        raise error
    try:
        remove(account, segments)
    except StoreError as left:
        # The image is gone, which is what was asked for; ours are found by leftovers.
        _log.warning("segments of %s could not be removed: %s", place.name, left)


def _is_gone(account: Account, place: Place) -> bool:
    try:
        return account.find(place.container, place.name) is None
    except StoreError as lost:
        raise OutcomeUnknown("no answer came, and none to the question after it") from lost


def _segments(
    account: Account, place: Place, head: Head, segments_container: str
) -> tuple[list[Segment], dict[str, str]]:
    """Find what an image is made of, and how the server is told to take it away."""
    if head.dynamic is not None:
        container, _, prefix = unquote(head.dynamic).partition("/")
        return _below(account, container, prefix, place), {}
    if not head.is_static:
        return [], {}
    named = segments_of(account, place.container, place.name)
    ours = head.token and prefix_of(head.token, place.container, place.name)
    if named is not None:
        # Somebody else's copy of our manifest names segments that are another image's.
        return [each for each in named if not ours or each.name.startswith(ours)], {}
    if ours:
        return _below(account, segments_container, ours, place), {}
    # What others wrote and cannot be seen through, the server can remove.
    return [], {"multipart-manifest": "delete"}


def _below(account: Account, container: str, prefix: str, place: Place) -> list[Segment]:
    """List the segments below a prefix: among images only those that are numbered."""
    names = (str(item["name"]) for item, _ in account.objects(container, prefix))
    among = container == place.container
    return [
        Segment(container, name)
        for name in names
        if not among or _NUMBER.fullmatch(name.removeprefix(prefix))
    ]
