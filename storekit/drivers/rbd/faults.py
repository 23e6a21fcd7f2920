"""What the errors of librados and librbd mean. Both are told by their errno."""

from __future__ import annotations

import errno
import os

from storekit.drivers.rbd.bindings import rados, rbd
from storekit.errors import (
    BackendError,
    ConfigurationError,
    DataError,
    Duplicate,
    Forbidden,
    InUse,
    NotAuthenticated,
    NotFound,
    StorageFull,
    StoreError,
    Timeout,
    Unavailable,
    Unsupported,
)

__all__ = ["FAILURES", "fault_of", "gone", "number_of", "refusal"]

FAILURES = (rados.Error, rbd.Error)
"""What the libraries raise."""

_Meaning = tuple[type[StoreError], str, str | None]
_CAPS = "the user needs: mon 'profile rbd', osd 'profile rbd pool=POOL'"
_BUSY: _Meaning = (InUse, "somebody has the image open, or cloned it", None)
_MEANINGS: dict[int, _Meaning] = {
    errno.ENOENT: (NotFound, "there is no such image", None),
    errno.EEXIST: (Duplicate, "the id is taken", None),
    errno.EBUSY: _BUSY,
    errno.ENOTEMPTY: _BUSY,
    errno.EPERM: (Forbidden, "the cluster does not let this user do this", _CAPS),
    errno.EACCES: (Forbidden, "the cluster does not let this user do this", _CAPS),
    # Of an image that was opened for writing: its lock is lost, and cannot be had again.
    errno.EROFS: (
        Unavailable,
        "the cluster does not give the lock of the image",
        "it does not answer, or somebody else has taken the lock",
    ),
    errno.ENOSPC: (
        StorageFull,
        "the cluster is full",
        "add OSDs; to delete something, raise its full ratio for a moment: osd set-full-ratio",
    ),
    errno.EDQUOT: (StorageFull, "the quota of the pool is used up", "raise it"),
    errno.EFBIG: (StorageFull, "the image is larger than the cluster takes", None),
    errno.EIO: (DataError, "the cluster cannot read the image", "see ceph health detail"),
    errno.EILSEQ: (DataError, "the image is damaged", "see ceph health detail"),
    errno.ETIMEDOUT: (Timeout, "the cluster did not answer in time", None),
    errno.ESHUTDOWN: (
        Unavailable,
        "the cluster has shut this client out",
        "it was blocklisted: what is done next has a new connection",
    ),
    errno.ENOTCONN: (Unavailable, "there is no connection to the cluster", None),
    errno.EOPNOTSUPP: (Unsupported, "the cluster cannot do it", None),
}
_OPENING: dict[int, _Meaning] = {
    errno.ENOENT: (
        Unavailable,
        "the pool, or a file of the configuration, is not there",
        "check pool, data_pool, conf_file and keyring",
    ),
    errno.EACCES: (
        NotAuthenticated,
        "the cluster does not accept the user",
        "check user and keyring",
    ),
    errno.EPERM: (
        NotAuthenticated,
        "the cluster does not accept the user",
        "check user and keyring",
    ),
    errno.EINVAL: (
        ConfigurationError,
        "Ceph cannot work with this configuration",
        "check conf_file",
    ),
    errno.ETIMEDOUT: (Timeout, "no monitor of the cluster answered in time", None),
}


def number_of(error: BaseException | None) -> int:
    """Tell the errno of an error of the libraries; 0 where it has none.

    Args:
        error: The error.
    """
    number = getattr(error, "errno", None)
    return abs(number) if isinstance(error, FAILURES) and isinstance(number, int) else 0


def fault_of(error: Exception, *, connecting: bool) -> StoreError | None:
    """Map what escaped from a verb.

    Args:
        error: Any exception.
        connecting: Whether there was no connection yet.

    Returns:
        The error to raise, or None where it is none of the libraries'.
    """
    if not isinstance(error, FAILURES):
        return None
    number = number_of(error)
    meaning = (_OPENING.get(number) if connecting else None) or _MEANINGS.get(number)
    if meaning is None:
        return None
    kind, what, hint = meaning
    return kind(what, hint=hint)


def refusal(number: int) -> StoreError:
    """Make the error of an errno.

    Args:
        number: The errno.
    """
    kind, what, hint = _MEANINGS.get(number) or (BackendError, os.strerror(number), None)
    return kind(what, hint=hint)


def gone() -> Unavailable:
    """Make the error that says that the pool was deleted."""
    return Unavailable("the pool is gone", hint="check pool")
