"""Listing: the images of a container."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote

from storekit.drivers.swift.account import Account
from storekit.drivers.swift.places import Places, is_image
from storekit.drivers.swift.segments import when
from storekit.transfer import md5_of

__all__ = ["Item", "all_images", "images_of", "segments_containers"]

_OF_NOTHING = md5_of(b"")


@dataclass(frozen=True)
class Item:
    """An image in a container."""

    container: str
    name: str
    size: int
    """Bytes."""
    modified: datetime


def all_images(account: Account, places: Places) -> Iterator[Item]:
    """Go through the images of a store.

    Args:
        account: The account.
        places: Which containers it has.

    Raises:
        Unavailable: A container is missing that must be there.
    """
    for container in places.images:
        yield from images_of(account, container, must_exist=not places.of_callers)
    if places.of_callers:
        for container in account.containers(places.callers_images):
            name = container.removeprefix(places.callers_images)
            found = images_of(account, container, name, must_exist=False)
            yield from (item for item in found if item.name == name)


def segments_containers(account: Account, places: Places) -> Iterator[str]:
    """Go through the containers of segments of a store.

    Args:
        account: The account.
        places: Which containers it has.
    """
    yield places.segments
    if places.of_callers:
        yield from account.containers(places.callers_segments)


def images_of(
    account: Account, container: str, prefix: str = "", *, must_exist: bool = True
) -> Iterator[Item]:
    """Go through the images of a container.

    The listing has the size of an object, and where the server says so that of what a manifest
    names. Whatever it does not settle is looked at.

    Args:
        account: The account.
        container: The container.
        prefix: How the names of the images begin.
        must_exist: Whether a missing container is an error.

    Raises:
        Unavailable: There is no container.
    """
    numbered: re.Pattern[str] | None = None
    for item, _ in account.objects(container, prefix, must_exist=must_exist):
        name, size = str(item["name"]), int(item.get("bytes", 0))
        if not is_image(name) or (numbered and numbered.fullmatch(name)):
            continue
        # Of no bytes, or a manifest, of which radosgw tells neither its own checksum nor the size
        # of the image.
        if not size or item.get("hash") == _OF_NOTHING:
            head = account.find(container, name)
            if head is None:
                continue  # deleted meanwhile
            size = head.size
            if head.dynamic is not None:
                # What others keep their segments under, beside their images.
                prefix = unquote(head.dynamic).partition("/")[2]
                numbered = re.compile(re.escape(prefix) + "[0-9]+", re.ASCII)
        yield Item(container, name, size, when(item))
