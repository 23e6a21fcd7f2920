"""Commit: a hidden image becomes visible by taking its name, and one of several writers wins.

The name is an object that only one can make, so no lock of the id is needed: whoever is stopped
while he has one would go on when it has run out. What a lock is for is ``reclaim``. Writer and
reclaimer both lock the header of the hidden image, so what is being removed is never made visible.
"""

from __future__ import annotations

import contextlib
import math
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from storekit.capabilities import Limits
from storekit.drivers.rbd.bindings import rados
from storekit.drivers.rbd.encoding import HEAD, U32, packed
from storekit.drivers.rbd.faults import FAILURES
from storekit.drivers.rbd.names import (
    drop_name,
    finish_rename,
    header_of,
    internal_id,
    listed_id,
    still_there,
    take_name,
)
from storekit.errors import Duplicate, InUse, NotFound, OutcomeUnknown, Unavailable

__all__ = [
    "RECLAIMED",
    "SILENCE",
    "TOO_SHORT",
    "Claim",
    "claimed",
    "commit",
    "is_claimed",
    "longest",
    "see_listed",
]

_LOCK = "storekit"
_LONGEST = 10.0  # seconds that a claim is asked for, at most
# Seconds that it may last longer: the bindings leave the microseconds of a duration as they find
# them, and Ceph takes as many nanoseconds of that as go into 32 bits.
_LONGER = 5
_MUST_RENEW = 2  # LIBRADOS_LOCK_FLAG_MUST_RENEW, which the bindings do not name
RECLAIMED = "the upload was reclaimed meanwhile"
SILENCE = "no answer came, and none to the question after it"
TOO_SHORT = "add the image again; was this process stopped for long?"


class Claim:
    """The right to give an image a name, or to take it away. Made by ``claimed``.

    Args:
        pool: The pool.
        header: The name of the image's header.
        seconds: How long it holds.
    """

    def __init__(self, pool: Any, header: str, seconds: int) -> None:  # noqa: ANN401 - no types
        self._pool = pool
        self._header = header
        self._seconds = seconds
        self._cookie = secrets.token_hex(8)

    def take(self) -> None:
        """Take it.

        Raises:
            InUse: Somebody else has it.
        """
        try:
            self._lock(0)
        except rados.ObjectBusy as error:
            raise InUse("somebody else makes it visible, or removes it") from error

    def holds(self) -> bool:
        """Tell whether it is still ours, and have it hold for as long again."""
        try:
            self._lock(_MUST_RENEW)
        except rados.ObjectNotFound:
            return False
        return True

    def give_back(self) -> None:
        """Give it back; else it runs out."""
        with contextlib.suppress(*FAILURES):
            self._pool.unlock(self._header, _LOCK, self._cookie)

    def _lock(self, flags: int) -> None:
        arguments = (self._header, _LOCK, self._cookie, "", self._seconds, flags)
        self._pool.lock_exclusive(*arguments)


def longest(limits: Limits) -> int:
    """Tell for how many seconds somebody who was killed keeps a claim.

    Args:
        limits: How long a request may take.
    """
    return _asked(limits) + _LONGER


def _asked(limits: Limits) -> int:
    return math.ceil(min(2 * limits.io_timeout, _LONGEST))


@contextmanager
def claimed(pool: Any, internal: str, limits: Limits) -> Iterator[Claim]:  # noqa: ANN401 - no types
    """Have the right to give an image a name, or take it away, as long as the block lasts.

    Args:
        pool: The pool.
        internal: The internal id of the image.
        limits: How long a request may take.

    Raises:
        InUse: Somebody else has it.
        NotFound: The image is gone.
    """
    header = header_of(internal)
    claim = Claim(pool, header, _asked(limits))
    claim.take()
    try:
        if not still_there(pool, internal):
            pool.remove_object(header)  # which the lock has made
            raise NotFound("there is no such image")
        yield claim
    finally:
        claim.give_back()


def is_claimed(pool: Any, internal: str) -> bool:  # noqa: ANN401 - rados has no types
    """Tell whether somebody has the right to name an image, or died with it a moment ago.

    Args:
        pool: The pool.
        internal: The internal id of the image.

    Raises:
        rados.ObjectNotFound: The image is gone.
    """
    name = packed(_LOCK)
    asked = HEAD.pack(1, 1, len(name)) + name
    _, answer = pool.execute(header_of(internal), "lock", "get_info", asked)
    (holders,) = U32.unpack_from(answer, HEAD.size)
    return bool(holders)


def see_listed(pool: Any, hidden: str) -> None:  # noqa: ANN401 - rados has no types
    """See that an image that was just made was not reclaimed while it was listed only.

    Args:
        pool: The pool.
        hidden: The hidden name.

    Raises:
        Unavailable: It was: as an image it would be in no list.
    """
    if listed_id(pool, hidden) is None:
        raise Unavailable(RECLAIMED, hint=TOO_SHORT)


def commit(pool: Any, hidden: str, name: str, internal: str, limits: Limits) -> None:  # noqa: ANN401 - no types
    """Give an image its name.

    Args:
        pool: The pool.
        hidden: The hidden name.
        name: The name.
        internal: The internal id of the image.
        limits: How long a request may take.

    Raises:
        Duplicate: The name is taken.
        Unavailable: The image was reclaimed.
        OutcomeUnknown: The answer was lost, and cannot be found out.
    """
    try:
        with claimed(pool, internal, limits) as claim:
            _take(pool, name, internal)
            try:
                _see_claimed(claim, pool, name, internal)
            except FAILURES as error:
                raise OutcomeUnknown("it is visible, but maybe reclaimed") from error
            # The image is there. What fails now is done by whoever meets it.
            with contextlib.suppress(*FAILURES):
                finish_rename(pool, hidden, name, internal)
    except InUse as error:
        raise Unavailable(RECLAIMED, hint=TOO_SHORT) from error


def _see_claimed(claim: Claim, pool: Any, name: str, internal: str) -> None:  # noqa: ANN401 - no types
    """See that nobody could reclaim an image while it took its name.

    Raises:
        Unavailable: Somebody has.
        OutcomeUnknown: Somebody may be at it.
    """
    if not claim.holds():
        if still_there(pool, internal):
            raise OutcomeUnknown(RECLAIMED, hint=TOO_SHORT)
        drop_name(pool, name, internal)
        raise Unavailable(RECLAIMED, hint=TOO_SHORT)


def _take(pool: Any, name: str, internal: str) -> None:  # noqa: ANN401 - rados has no types
    """Take the name; where no answer comes, see whose it is.

    Raises:
        Duplicate: Another one's.
        OutcomeUnknown: It cannot be seen.
        Exception: Nobody's: what it failed with.
    """
    try:
        take_name(pool, name, internal)
    except rados.ObjectExists as error:
        raise Duplicate("the id is taken: another writer was faster") from error
    except FAILURES as error:
        try:
            winner = internal_id(pool, name)
        except FAILURES:
            raise OutcomeUnknown(SILENCE) from error
        if winner is None:
            raise
        if winner != internal:
            raise Duplicate("the id is taken: another writer was faster") from error
