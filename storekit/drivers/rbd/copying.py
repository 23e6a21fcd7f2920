"""Copying: an image of the same cluster becomes another one, without being read by us."""

from __future__ import annotations

import errno

from storekit.drivers.rbd.bindings import rbd
from storekit.drivers.rbd.cluster import Connection
from storekit.drivers.rbd.faults import FAILURES, number_of
from storekit.drivers.rbd.names import still_there
from storekit.drivers.rbd.options import Options
from storekit.drivers.rbd.upload import layout_of
from storekit.errors import DataError, NotFound

__all__ = ["copied"]

_CANNOT = frozenset({errno.EPERM, errno.EACCES, errno.EOPNOTSUPP, errno.EINVAL})


def copied(
    connection: Connection,
    origin: tuple[tuple[str, str], str, str],
    name: str,
    options: Options,
) -> bool:
    """Copy an image: its digests, which are metadata, go with it.

    Args:
        connection: Where the copy shall be.
        origin: Pool and namespace, image and snapshot.
        name: The hidden name of the copy.
        options: The options of the store.

    Returns:
        False where the user cannot read the image, or the cluster cannot copy it.

    Raises:
        NotFound: There is no such image, or pool.
        DataError: It was deleted meanwhile.
    """
    (pool, namespace), image, snapshot = origin
    layout = layout_of(options)
    try:
        with connection.other_pool(pool, namespace) as theirs:
            if options.copy_mode == "clone":
                rbd.RBD().clone(theirs, image, snapshot, connection.pool, name, **layout)
                return True
            with rbd.Image(theirs, image, snapshot=snapshot, read_only=True) as opened:
                internal, number = str(opened.id()), int(opened.snap_get_id(snapshot))
                opened.copy(connection.pool, name, **layout)
            # What is deleted reads as zeros.
            if not still_there(theirs, internal, number):
                raise DataError("the image was deleted while it was copied")
    except FAILURES as error:
        if number_of(error) in _CANNOT:
            return False
        if number_of(error) == errno.ENOENT:
            raise NotFound("there is no such image") from error
        raise
    return True
