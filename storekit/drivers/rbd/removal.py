"""Removal: an image loses its name first, and then its data: nothing half deleted is visible."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import Any

from storekit.capabilities import Limits
from storekit.drivers.rbd.bindings import rados, rbd
from storekit.drivers.rbd.cluster import Connection
from storekit.drivers.rbd.commit import SILENCE, claimed, longest
from storekit.drivers.rbd.encoding import packed
from storekit.drivers.rbd.faults import FAILURES
from storekit.drivers.rbd.names import (
    change_directory,
    directory_name,
    drop_name,
    finish_rename,
    header_of,
    hidden_name,
    internal_id,
    still_there,
    take_name,
)
from storekit.errors import InUse, NotFound, OutcomeUnknown

__all__ = ["delete", "destroy", "discard", "drop_own_lock"]

_log = logging.getLogger(__name__)
# Seconds. Whoever deletes the same image has it open for a moment; and the watch of a client that
# was killed is there for as long as the option osd_client_watch_timeout says: 30 s. Not less than
# the claim of one who was killed when he had just made it visible.
_PATIENCE = 35.0
_PAUSE = 0.05
_LOCK = "rbd_lock"  # RBD_LOCK_NAME: of whoever writes to the image
_USER_SNAPSHOT = 0  # RBD_SNAP_NAMESPACE_TYPE_USER


def delete(
    connection: Connection, name: str, snapshot: str | None, limits: Limits, *, trash: bool
) -> None:
    """Delete an image.

    Args:
        connection: Where.
        name: Its name.
        snapshot: The snapshot that makes it an image; None where the location names none.
        limits: How long a request may take.
        trash: Whether one that has clones goes to the trash.

    Raises:
        NotFound: There is no such image.
        InUse: It has clones, or somebody has it open. It is left as it is.
        OutcomeUnknown: The answer was lost, and cannot be found out.
    """
    pool, hidden = connection.pool, hidden_name(name)
    patience = max(min(_PATIENCE, limits.io_timeout), longest(limits) + 1)
    end = time.monotonic() + patience
    while True:
        internal, clones = _at_rest(connection, name, snapshot, end)
        if clones and not trash:
            raise InUse(
                f"the image has clones: {clones}",
                hint="flatten or delete them, or set trash = true",
            )
        try:
            with claimed(pool, internal, limits):
                listed = _listed_name(pool, name, internal)
                if clones:
                    rbd.RBD().trash_move(pool, name)
                    return
                _hide(pool, name, listed, hidden, internal)
            break
        except InUse:
            if time.monotonic() > end:
                raise
        time.sleep(_PAUSE)
    try:
        with connection.reading(hidden, snapshot) as image:
            clones = _clones_of(connection, image)
        if not clones:
            destroy(connection, hidden)
    except FAILURES as error:
        # It is gone for everybody; leftovers finds what is left of it.
        _log.debug("%s is deleted, but its data is not gone yet: %s", name, error)
        return
    if clones:
        take_name(pool, name, internal)
        finish_rename(pool, hidden, name, internal)
        raise InUse("somebody cloned the image meanwhile")


def destroy(connection: Connection, name: str) -> None:
    """Remove an image with its snapshots.

    Args:
        connection: Where.
        name: Its name.
    """
    with connection.writing(name) as image:
        for snapshot in list(image.list_snaps()):
            if snapshot["namespace"] != _USER_SNAPSHOT:
                continue
            if image.is_protected_snap(snapshot["name"]):
                image.unprotect_snap(snapshot["name"])
            image.remove_snap(snapshot["name"])
    rbd.RBD().remove(connection.pool, name)


def discard(connection: Connection, hidden: str, name: str) -> None:
    """Remove what an add that failed has made, unless it became visible before it failed.

    Args:
        connection: Where.
        hidden: Its hidden name.
        name: The name that it should have had.
    """
    internal = internal_id(connection.pool, hidden)
    if internal is not None and internal_id(connection.pool, name) != internal:
        drop_own_lock(connection, hidden)
        destroy(connection, hidden)


def drop_own_lock(connection: Connection, name: str) -> None:
    """Give a lock back that an image of this connection had when it was closed.

    It stays where the cluster did not answer then, and librbd breaks no lock of its own client.

    Args:
        connection: Where.
        name: The name of the image.
    """
    own = f"client.{connection.rados.get_instance_id()}"
    with connection.reading(name) as image:
        held = image.list_lockers()
        if not held or list(image.watchers_list()):
            return
        for client, cookie, _ in held["lockers"]:
            if client == own:
                connection.pool.unlock(header_of(str(image.id())), _LOCK, cookie)


def _at_rest(
    connection: Connection, name: str, snapshot: str | None, end: float
) -> tuple[str, str]:
    """Wait until nobody has the image open.

    Returns:
        Its internal id, and the names of its clones.

    Raises:
        InUse: Somebody goes on to have it open.
    """
    while True:
        with connection.reading(name, snapshot) as image:
            internal = str(image.id())
            clones = _clones_of(connection, image)
            watchers = [watcher["addr"] for watcher in image.watchers_list()]
        if clones or not watchers:
            return internal, clones
        if time.monotonic() > end:
            raise InUse(f"the image is open at {', '.join(watchers)}")
        time.sleep(_PAUSE)


def _clones_of(connection: Connection, image: Any) -> str:  # noqa: ANN401 - rbd has no types
    """Name the clones of all snapshots of an image, whichever one it was opened at.

    Raises:
        rados.PermissionError: The user may not ask for them.
    """
    clones = []
    for snapshot in list(image.list_snaps()):
        if snapshot["namespace"] == _USER_SNAPSHOT:
            image.set_snap(snapshot["name"])
            try:
                clones += [_told(clone) for clone in image.list_children2()]
            except (rbd.PermissionError, rbd.ImageNotFound):
                if not still_there(connection.pool, str(image.id()), snapshot["id"]):
                    raise  # somebody else deletes it
                _see_right_to_ask(connection)
                # librbd looks up the name of each: in its pool, which may be closed to us, and
                # where one that is half removed has none.
                clones.append("of unknown name, maybe in a pool that this user cannot read")
    return ", ".join(clones)


def _see_right_to_ask(connection: Connection) -> None:
    """See that the user may ask every pool for clones: librbd does that before it finds any.

    Raises:
        rados.PermissionError: It may not.
    """
    nothing = bytes(8) + packed("") + bytes(8)  # no pool, image and snapshot
    for name in connection.rados.list_pools():
        with contextlib.suppress(rados.ObjectNotFound), connection.other_pool(name, "") as pool:
            pool.execute("rbd_children", "rbd", "get_children", nothing)


def _told(clone: dict[str, Any]) -> str:
    names = clone["pool"], clone["pool_namespace"], clone["image"]
    return "/".join(filter(None, names)) + (" (in the trash)" if clone["trash"] else "")


def _listed_name(pool: Any, name: str, internal: str) -> str:  # noqa: ANN401 - rados has no types
    """Tell by which name the directory lists an image; finish a rename of it.

    Raises:
        NotFound: The name is not its any more: somebody else was faster.
    """
    if internal_id(pool, name) != internal:
        raise NotFound("there is no such image")
    listed = directory_name(pool, internal)
    if listed is not None and listed != name:
        finish_rename(pool, listed, name, internal)
        # Still another one, where the removal of another tool was killed.
        listed = directory_name(pool, internal)
    return listed or name


def _hide(pool: Any, name: str, listed: str, hidden: str, internal: str) -> None:  # noqa: ANN401 - no types
    """Take an image's name away. Of several who do so one succeeds.

    Raises:
        NotFound: Somebody else was faster.
        OutcomeUnknown: It cannot be seen who was.
    """
    take_name(pool, hidden, internal)
    try:
        change_directory(pool, listed, hidden, internal)
    except FAILURES as error:
        _see_whether(pool, hidden, internal, error)
    try:
        drop_name(pool, name, internal)
    except FAILURES as error:
        try:
            hidden_by_now = internal_id(pool, name) != internal
        except FAILURES:
            raise OutcomeUnknown(SILENCE) from error
        if not hidden_by_now:
            raise


def _see_whether(pool: Any, hidden: str, internal: str, error: Exception) -> None:  # noqa: ANN401 - no types
    """See whether it was done after all.

    Raises:
        NotFound: Somebody else was faster.
        OutcomeUnknown: It cannot be seen.
        Exception: It was not done: what it failed with.
    """
    try:
        listed = directory_name(pool, internal)
        if listed == hidden:
            return
        drop_name(pool, hidden, internal)
    except FAILURES:
        raise OutcomeUnknown(SILENCE) from error
    if isinstance(error, rados.ObjectNotFound):
        raise NotFound("there is no such image") from error
    raise error
