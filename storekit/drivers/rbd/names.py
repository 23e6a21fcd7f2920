"""Names: which image has which name, as librbd writes it down, and the names that are ours.

librbd keeps, of every image: an object ``rbd_id.NAME`` that holds its internal id, a header
``rbd_header.ID``, and its name and id in ``rbd_directory``. An image is opened by the object, and
listed by the directory.

A rename is done here in librbd's steps, and not by librbd's own (RenameRequest.cc of Ceph 16.2):
make the object of the new name, which only one can; change the directory, likewise; remove the
object of the old name. librbd's takes "there is one already" for its own step that was repeated, so
that it says yes to several; and it opens the image once more. One that was killed leaves an image
with two names.
"""

from __future__ import annotations

import contextlib
import errno
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from storekit.arguments import RESERVED_PREFIX
from storekit.drivers.rbd.bindings import rados, rbd
from storekit.drivers.rbd.encoding import U64, packed, unpacked
from storekit.drivers.rbd.faults import FAILURES, number_of

__all__ = [
    "change_directory",
    "directory_name",
    "drop_name",
    "finish_rename",
    "header_of",
    "hidden_name",
    "id_behind",
    "internal_id",
    "is_hidden",
    "listed_id",
    "made_at",
    "names_in",
    "remove_listed",
    "still_there",
    "take_name",
]

_DIRECTORY = "rbd_directory"
_DIFFERS = 4095  # MAX_ERRNO of rados.h: from here on, where compared data begin to differ
_NO_SNAPSHOT = (1 << 64) - 2  # CEPH_NOSNAP: the image as it is now


def hidden_name(image_id: str) -> str:
    """Make a name that no verb shows, and nobody else has. It tells when.

    Args:
        image_id: The id that the image shall have, or had.
    """
    return f"{RESERVED_PREFIX}{int(time.time()):x}-{secrets.token_hex(8)}.{image_id}"


def made_at(name: str) -> datetime | None:
    """Tell when a hidden name was made.

    Args:
        name: The hidden name.

    Returns:
        The time by the clock of whoever made it; None where it tells none.
    """
    try:
        seconds = int(name.removeprefix(RESERVED_PREFIX).partition("-")[0], 16)
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def is_hidden(name: str) -> bool:
    """Tell whether an image is being written, or deleted.

    Args:
        name: Its name.
    """
    return name.startswith(RESERVED_PREFIX)


def id_behind(name: str) -> str:
    """Tell the id that an image with a hidden name shall have, or had.

    Args:
        name: The hidden name.
    """
    return name.removeprefix(RESERVED_PREFIX).partition(".")[2]


def internal_id(pool: Any, name: str) -> str | None:  # noqa: ANN401 - rados has no types
    """Tell the internal id of the image that is opened by a name.

    Args:
        pool: The pool.
        name: The name.

    Returns:
        The id, or None where the name is free.
    """
    try:
        return unpacked(pool.read(f"rbd_id.{name}"))[0]
    except rados.ObjectNotFound:
        return None


def header_of(internal: str) -> str:
    """Give the name of an image's header.

    Args:
        internal: Its internal id.
    """
    return f"rbd_header.{internal}"


def names_in(pool: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - rados has no types
    """Go through the images of a pool.

    Args:
        pool: The pool.

    Yields:
        The name by which an image is opened, and the one in the directory: they differ where a
        rename was killed.
    """
    for name in rbd.RBD().list(pool):
        target = id_behind(name) if is_hidden(name) else ""
        internal = internal_id(pool, target) if target else None
        half_done = internal is not None and internal == internal_id(pool, name)
        yield (target if half_done else name), name


def take_name(pool: Any, name: str, internal: str) -> None:  # noqa: ANN401 - rados has no types
    """Have an image be opened by a name as well. Of several who take one name one succeeds.

    Args:
        pool: The pool.
        name: The name.
        internal: The internal id of the image.

    Raises:
        rados.ObjectExists: The name is taken.
    """
    with rados.WriteOpCtx() as operation:
        operation.new(rados.LIBRADOS_CREATE_EXCLUSIVE)
        operation.write_full(packed(internal))
        pool.operate_write_op(operation, f"rbd_id.{name}")


def change_directory(pool: Any, old: str, new: str, internal: str) -> None:  # noqa: ANN401 - no types
    """Have an image be listed by another name. Of several who do so one succeeds.

    Args:
        pool: The pool.
        old: The name that the directory has.
        new: The name that it shall have.
        internal: The internal id of the image.

    Raises:
        rados.ObjectNotFound: It has another one.
    """
    words = b"".join(map(packed, (old, new, internal)))
    pool.execute(_DIRECTORY, "rbd", "dir_rename_image", words)


def finish_rename(pool: Any, old: str, name: str, internal: str) -> None:  # noqa: ANN401 - no types
    """Do the rest of a rename, once its image is opened by the new name.

    Args:
        pool: The pool.
        old: The old name.
        name: The name by which the image is opened.
        internal: The internal id of the image.
    """
    # Somebody else may have done either.
    with contextlib.suppress(rados.ObjectNotFound, rados.ObjectExists):
        change_directory(pool, old, name, internal)
    drop_name(pool, old, internal)


def drop_name(pool: Any, name: str, internal: str) -> None:  # noqa: ANN401 - rados has no types
    """Have an image not be opened by a name any more; one that it does not have stays as it is.

    Args:
        pool: The pool.
        name: A name that the directory does not have.
        internal: The internal id of the image.
    """
    # In one operation: whoever is stopped before it may go on when another image has the name.
    try:
        with rados.WriteOpCtx() as operation:
            operation.cmpext(packed(internal), 0)
            operation.remove()
            pool.operate_write_op(operation, f"rbd_id.{name}")
    except FAILURES as error:
        if number_of(error) < _DIFFERS:
            raise


def directory_name(pool: Any, internal: str) -> str | None:  # noqa: ANN401 - rados has no types
    """Tell the name that an image has in the directory.

    Args:
        pool: The pool.
        internal: The internal id of the image.
    """
    return _told_by_directory(pool, "dir_get_name", internal)


def listed_id(pool: Any, name: str) -> str | None:  # noqa: ANN401 - rados has no types
    """Tell the internal id of the image that the directory lists by a name.

    Args:
        pool: The pool.
        name: The name.
    """
    return _told_by_directory(pool, "dir_get_id", name)


def remove_listed(pool: Any, name: str) -> None:  # noqa: ANN401 - rados has no types
    """Take an image off the directory that is listed only: its writer was killed, or stopped there.

    Args:
        pool: The pool.
        name: The hidden name.

    Raises:
        rados.ObjectExists: It is made now.
        rados.ObjectNotFound: It is not listed any more.
    """
    internal = listed_id(pool, name)
    if internal is None:
        raise rados.ObjectNotFound("it is not listed", errno.ENOENT)
    take_name(pool, name, internal)  # which is the next step of whoever makes it
    try:
        pool.execute(_DIRECTORY, "rbd", "dir_remove_image", packed(name) + packed(internal))
    finally:
        drop_name(pool, name, internal)


def still_there(pool: Any, internal: str, snapshot: int = _NO_SNAPSHOT) -> bool:  # noqa: ANN401 - no types
    """Tell whether an image, or a snapshot of it, is there.

    Args:
        pool: The pool.
        internal: The internal id of the image.
        snapshot: The number of the snapshot.
    """
    try:
        pool.execute(header_of(internal), "rbd", "get_size", U64.pack(snapshot))
    except rados.ObjectNotFound:
        return False
    return True


def _told_by_directory(pool: Any, question: str, key: str) -> str | None:  # noqa: ANN401 - no types
    try:
        # Not by get_omap_vals_by_keys: of that, 16.2's binding writes an answer to a place on the
        # stack that is somebody else's by then.
        _, answer = pool.execute(_DIRECTORY, "rbd", question, packed(key))
    except rados.ObjectNotFound:
        return None
    return unpacked(answer)[0]
