"""Copying: an image that the server writes, from another one of the account."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from storekit import transfer
from storekit.drivers.swift.account import Account
from storekit.drivers.swift.faults import not_whole, status_of
from storekit.drivers.swift.places import Place
from storekit.drivers.swift.segments import Segment, segments_of
from storekit.drivers.swift.upload import OCTETS, Upload
from storekit.errors import DataError, NotFound

__all__ = ["Copy", "Original", "original"]

_FAILED_PRECONDITION = 412


@dataclass(frozen=True)
class Original:
    """What is copied."""

    place: Place
    etag: str
    """Its version; this one is copied or none."""
    segments: Sequence[Segment]
    """What its manifest names, if it has one."""


def original(account: Account, place: Place) -> Original | None:
    """Look at what is to be copied.

    Args:
        account: The account.
        place: Where it is.

    Returns:
        It; None where the server cannot copy it as it is.

    Raises:
        NotFound: There is no such image.
    """
    head = account.head(place.container, place.name)
    if head.dynamic is not None or not head.etag:
        return None
    if not head.is_static:
        return Original(place, head.etag, ())
    segments = segments_of(account, place.container, place.name)
    return None if segments is None else Original(place, head.etag, segments)


class Copy(Upload):
    """An upload whose bytes are at the server already."""

    def make(self, account: Account, source: Original, window: int) -> None:
        """Have the server write the object.

        Args:
            account: The account.
            source: What is copied.
            window: How many segments are copied at once.

        Raises:
            Duplicate: The name is taken.
            DataError: What is copied changed meanwhile.
            OutcomeUnknown: The answer of the commit was lost and cannot be found out.
        """
        self._account = account
        segments = source.segments
        if not segments:
            place = source.place
            self._copy_whole(Segment(place.container, place.name, source.etag))
            return
        with transfer.live(self._prefix), self._tidied():
            with ThreadPoolExecutor(window, thread_name_prefix="storekit-part") as workers:
                copied = list(workers.map(self._copied, range(1, len(segments) + 1), segments))
            self._complete(copied)

    def _copy_whole(self, source: Segment) -> None:
        # What is asked of a copy is asked of its source, so the name cannot be a condition.
        self._conditional = False
        error = self._commit(source.copied_from(), b"", {})
        if self._settled(error):
            return
        if error is not None and status_of(error) == _FAILED_PRECONDITION:
            raise _changed() from error
        self._is_not_there(error)

    def _copied(self, number: int, source: Segment) -> Segment:
        copy = self._segment(number, source.etag, source.size)
        self._begun.add(number)
        headers = {**source.copied_from(), "Content-Type": OCTETS}
        put = partial(self._account.call, "PUT", copy.container, copy.name, headers=headers)
        try:
            answer = self._in_container(copy.container, put, make=True)
        except NotFound as error:
            raise not_whole() from error
        if answer.headers.get("ETag", "").strip('"') != copy.etag:
            raise _changed()
        return copy


def _changed() -> DataError:
    return DataError("the image changed while it was copied", hint="copy it again")
