"""Leftovers: hidden images that killed processes left behind, told from those that are alive."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from storekit.capabilities import Limits
from storekit.drivers.rbd.bindings import rados, rbd
from storekit.drivers.rbd.cluster import Connection
from storekit.drivers.rbd.commit import claimed, is_claimed
from storekit.drivers.rbd.names import (
    finish_rename,
    id_behind,
    internal_id,
    is_hidden,
    listed_id,
    made_at,
    names_in,
    remove_listed,
    still_there,
)
from storekit.drivers.rbd.removal import destroy, drop_own_lock
from storekit.drivers.rbd.trash import Removed, half_removed
from storekit.errors import InUse, NotFound
from storekit.transfer import is_live
from storekit.values import Leftover

__all__ = ["leftovers", "reclaim"]


def leftovers(
    connection: Connection, store: str, least: timedelta, idle: float
) -> Iterator[Leftover]:
    """Go through the hidden images on which nobody works any more.

    Args:
        connection: Where.
        store: Name of the store.
        least: The least age.
        idle: Seconds after which one that no watcher tells about counts as dead.
    """
    now = datetime.now(UTC)
    hidden = {name for shown, name in names_in(connection.pool) if is_hidden(shown)}
    removed = half_removed(connection.pool)
    for name in sorted(hidden | set(removed)):
        try:
            found = _look_at(connection, name, removed.get(name), store, idle)
        except (rados.ObjectNotFound, rbd.ImageNotFound):
            continue  # finished meanwhile
        modified = found and found.modified
        if found and modified and now - modified >= least:
            yield found


def reclaim(connection: Connection, name: str, idle: float, limits: Limits) -> None:
    """Remove a hidden image, unless somebody works on it.

    Args:
        connection: Where.
        name: Its name.
        idle: As of ``leftovers``.
        limits: How long a request may take.

    Raises:
        NotFound: It is gone, or has become an image.
        InUse: Somebody works on it.
    """
    pool = connection.pool
    if not is_hidden(name):
        raise NotFound("there is no such upload")
    internal = internal_id(pool, name)
    removed = None if internal else half_removed(pool).get(name)
    try:
        if _look_at(connection, name, removed, "", idle) is None:
            raise InUse("the upload is under way")
        if internal is None and removed is None:
            remove_listed(pool, name)
            return
    except rados.ObjectNotFound:
        raise NotFound("there is no such upload") from None
    except rados.ObjectExists:
        raise InUse("the upload is under way") from None
    if internal is None or not still_there(pool, internal):
        rbd.RBD().remove(pool, name)  # killed while it was made, or removed
        return
    with claimed(pool, internal, limits):
        if internal_id(pool, id_behind(name)) == internal:
            finish_rename(pool, name, id_behind(name), internal)
            raise NotFound("the upload has become an image")
        drop_own_lock(connection, name)
        destroy(connection, name)


def _look_at(
    connection: Connection, name: str, removed: Removed | None, store: str, idle: float
) -> Leftover | None:
    """Look at a hidden image, which may be on its way through the trash; None if it is alive."""
    internal, made = _identity(connection, name, removed)
    modified = made
    size, busy = 0, False
    try:
        with connection.reading(name, internal=internal) as image:
            modified = max(modified, image.modify_timestamp().replace(tzinfo=UTC))
            size = int(image.size())
            busy = bool(list(image.watchers_list())) or is_claimed(connection.pool, image.id())
    except rbd.ImageNotFound:
        pass  # it is half made, or half removed
    # Whoever makes an image opens it at once, and is seen from then on.
    young = (datetime.now(UTC) - made).total_seconds() < idle
    if busy or is_live(name) or young:
        return None
    return Leftover(name, store, size, modified)


def _identity(
    connection: Connection, name: str, removed: Removed | None
) -> tuple[str | None, datetime]:
    """Tell since when a hidden image is there; with its internal id if its name opens nothing."""
    try:
        _, made = connection.pool.stat(f"rbd_id.{name}")
    except rados.ObjectNotFound:
        if removed is not None:
            return removed
        # librbd lists an image before it makes the object (CreateRequest.h of Ceph 16.2).
        named, listed = made_at(name), listed_id(connection.pool, name)
        if named is None or listed in (None, internal_id(connection.pool, id_behind(name))):
            raise  # or it has become an image, and the directory did not take its name
        return None, named
    return None, datetime.fromtimestamp(calendar.timegm(made), UTC)
