"""Upload: one image on its way into its container, and its commit."""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

import requests

from storekit import transfer
from storekit.drivers.swift.account import Account
from storekit.drivers.swift.answers import TOKEN, Answer, Head
from storekit.drivers.swift.faults import status_of
from storekit.drivers.swift.places import Place
from storekit.drivers.swift.segments import Segment, mark_of, prefix_of, remove, segment_name
from storekit.errors import (
    DataError,
    Duplicate,
    NotFound,
    OutcomeUnknown,
    StoreError,
    Unavailable,
)
from storekit.source import Source

__all__ = ["OCTETS", "Containers", "Upload", "failure_of"]

_log = logging.getLogger(__name__)
OCTETS = "application/octet-stream"
"""The media type of everything that is written."""

_UNPROCESSABLE = 422
_GATEWAY_TIMEOUT = 504
_UNCERTAIN = frozenset({0, 500, 502, _GATEWAY_TIMEOUT})
_TOO_SLOW = "add the image again; is upload_idle too short for whoever reclaims?"
_SEGMENTS_GONE = frozenset({400, 404})  # what Swift says, and what radosgw does
# Seconds that a write may take before it is looked at: of two slow ones Swift says yes to both.
_SLOW = 1.0
_FRESH = 0.005  # seconds for which it is good to have looked whether a name is free


@dataclass(frozen=True)
class Containers:
    """What an upload needs to know of containers."""

    segments: str
    """Where its segments go. Ours alone, so made where it is missing."""
    made_with: Mapping[str, str]
    """Headers of a container that is made."""
    make: bool
    """Whether the container of the image is made where it is missing."""
    own: bool
    """Whether these containers are this image's alone."""


class Upload:
    """One object that is about to be written, and carries a token that nobody else has.

    After every commit whose answer is no clear yes, and after every one that took long or is a
    manifest, the object is looked at: the server checks whether the name is taken, and writes
    later.

    Args:
        place: Where the image goes.
        containers: Container of its segments, and what may be done about missing ones.
        conditional: Whether the server does not write over what is there if it is asked not to.
    """

    def __init__(self, place: Place, containers: Containers, *, conditional: bool) -> None:
        self._place = (place.container, place.name)
        self._containers = containers
        self._conditional = conditional
        self._looked = time.monotonic()
        self._token = secrets.token_hex(16)
        self._prefix = prefix_of(self._token, *self._place)
        self._begun: set[int] = set()
        self._committing = False
        self._failed: list[Unavailable] = []

    def put(self, account: Account, data: bytes) -> None:
        """Write the object in one request.

        Args:
            account: The account.
            data: All its bytes.

        Raises:
            Duplicate: The name is taken.
            OutcomeUnknown: No answer came, and the object is not there yet.
        """
        self._account = account
        headers = {"ETag": transfer.md5_of(data)}
        begun = time.monotonic()
        error = self._commit(headers, data, {})
        quick = time.monotonic() - begun < _SLOW
        if (error is None and quick) or self._settled(error):
            return
        self._is_not_there(error)

    def send_segments(self, account: Account, sizes: transfer.PartSizes, source: Source) -> None:
        """Write the object as segments and a manifest.

        Args:
            account: The account.
            sizes: How long the segments are.
            source: The image.

        Raises:
            Duplicate: The name is taken.
            OutcomeUnknown: The answer of the commit was lost and cannot be found out.
        """
        self._account = account
        with transfer.live(self._prefix), self._tidied():
            segments = transfer.upload(
                source,
                sizes.part_size,
                sizes.window,
                self._send,
                max_parts=sizes.max_parts,
            )
            self._complete(segments)

    def _send(self, part: transfer.Part) -> Segment:
        segment = self._segment(part.number, transfer.md5_of(part.data), len(part.data))
        self._begun.add(part.number)
        put = partial(
            self._account.call,
            "PUT",
            segment.container,
            segment.name,
            headers={"ETag": segment.etag, "Content-Type": OCTETS},
            data=part.data,
        )
        answer = self._in_container(segment.container, put, make=True)
        if answer.headers.get("ETag", "").strip('"') != segment.etag:
            raise DataError("the server has other bytes than were sent to it", hint="add it again")
        return segment

    def _segment(self, number: int, etag: str = "", size: int = 0) -> Segment:
        name = segment_name(self._prefix, number)
        return Segment(self._containers.segments, name, etag, size)

    @contextmanager
    def _tidied(self) -> Iterator[None]:
        """Remove the segments whatever ends the block, unless they may be an image's."""
        try:
            yield
        except OutcomeUnknown:
            raise  # an image may come of them; else leftovers finds them
        except BaseException as error:
            # So it is where a signal interrupts the commit.
            if isinstance(error, StoreError) or not self._committing:
                self._remove()
            raise

    def _complete(self, segments: list[Segment]) -> None:
        entries = [segment.entry() for segment in segments]
        # As UTF-8: radosgw does not put surrogate pairs together.
        manifest = json.dumps(entries, ensure_ascii=False).encode()
        error = self._commit({}, manifest, {"multipart-manifest": "put"})
        if self._settled(error):
            self._check_whole(segments[0])
            return
        status = status_of(error) if error else 0
        if error and not status and _leaves_doubt(error):
            raise OutcomeUnknown("no answer came, and the image is not there yet") from error
        if status in _SEGMENTS_GONE and not isinstance(error, Unavailable):
            gone = Unavailable("segments of the upload are gone", hint=_TOO_SLOW)
            gone.__cause__, error = error, gone
        self._is_not_there(error)

    def _commit(
        self, headers: Mapping[str, str], data: bytes, query: Mapping[str, str]
    ) -> StoreError | None:
        """Write the object, if its name is free. Returns what it failed with."""
        marked = {**headers, TOKEN: self._token, "Content-Type": OCTETS}
        if self._conditional:
            marked["If-None-Match"] = "*"
        elif time.monotonic() - self._looked > _FRESH and self._account.find(*self._place):
            raise Duplicate("the id is taken: another writer was faster")
        put = partial(
            self._account.call,
            "PUT",
            *self._place,
            query=query,
            headers=marked,
            data=data,
            failed=self._failed,
        )

        def send() -> None:
            answer = self._in_container(self._place[0], put, make=self._containers.make)
            wanted = headers.get("ETag")
            if wanted is not None and answer.headers.get("ETag", "").strip('"') != wanted:
                raise _hidden()

        self._committing = True
        return failure_of(send)

    def _in_container(self, container: str, put: Callable[[], Answer], *, make: bool) -> Answer:
        """Write into a container; make it where it is missing, if that is wanted."""
        try:
            return put()
        except NotFound as error:
            if not make:
                raise self._account.missing(container) from error
        self._account.call("PUT", container, headers=self._containers.made_with)
        return put()

    def _settled(self, error: StoreError | None) -> bool:
        """Look at what is under the name after a commit.

        Returns:
            Whether it is ours; False where nothing is, or where a look is not needed.

        Raises:
            Duplicate: It is somebody else's.
            OutcomeUnknown: It cannot be looked at.
        """
        acted = any(map(_may_have_acted, self._failed))
        if error is not None and not acted and not _leaves_doubt(error):
            return False
        there = self._look(error)
        if there is not None and there.token != self._token:
            raise Duplicate("the id is taken: another writer was faster") from error
        return there is not None

    def _is_not_there(self, error: StoreError | None) -> NoReturn:
        """Tell of a commit that was looked for, and is not there.

        Args:
            error: What the last attempt failed with.

        Raises:
            OutcomeUnknown: The server has all the data, and may act on it later than we look.
            StoreError: What it failed with.
        """
        if error is None:
            raise OutcomeUnknown("the server says that the image is stored; it is not")
        if any(map(_may_act_later, self._failed)):
            raise OutcomeUnknown("no answer came in time") from error
        raise error

    def _look(self, error: StoreError | None) -> Head | None:
        try:
            found = self._account.find(*self._place)
            # radosgw: a manifest whose first segment is gone.
            return found or self._account.find_manifest(*self._place)
        except StoreError as lost:
            raise OutcomeUnknown("no answer came, and none to the question after it") from (
                error or lost
            )

    def _check_whole(self, first: Segment) -> None:
        """See to it that nobody took the upload for dead while its manifest was written."""
        mark = mark_of(first.container, self._prefix)
        try:
            # In this order: the mark goes when the segments are gone.
            gone = (
                self._account.find(mark.container, mark.name) is not None
                or self._account.find(first.container, first.name) is None
            )
        except StoreError as lost:
            raise OutcomeUnknown("whether the image is whole cannot be found out") from lost
        if gone:
            there = self._look(None)
            ours = there is not None and there.token == self._token
            delete = partial(self._account.call, "DELETE", *self._place)
            error = failure_of(delete) if ours else None
            if error is not None and not isinstance(error, NotFound):
                raise OutcomeUnknown("an image without segments could not be removed") from error
            raise Unavailable("segments of the upload were reclaimed", hint=_TOO_SLOW)

    def _remove(self) -> None:
        try:
            remove(self._account, map(self._segment, sorted(self._begun)))
            if self._containers.own:
                self._account.drop_container(self._containers.segments)
        except StoreError as error:
            # What is left is found by leftovers.
            _log.debug("segments below %s could not be removed: %s", self._prefix, error)


def failure_of(send: Callable[[], object]) -> StoreError | None:
    """Send a request.

    Args:
        send: Sends it.

    Returns:
        What it failed with; None where the server says that it is done.
    """
    try:
        send()
    except StoreError as error:
        return error
    return None


def _may_have_acted(error: Unavailable) -> bool:
    """Tell whether the server may have done what it was asked, when an attempt failed."""
    return status_of(error) in _UNCERTAIN


def _may_act_later(error: Unavailable) -> bool:
    """Tell whether the server may still be at it: nobody waited for its answer to the end."""
    silent = isinstance(error.__cause__, requests.ReadTimeout)
    return silent or status_of(error) == _GATEWAY_TIMEOUT


def _hidden() -> Unavailable:
    # Swift's 202 (proxy/controllers/obj.py): its storage has a newer tombstone of that name.
    return Unavailable(
        "the server took the image, and does not have it: it was deleted later than it was added",
        hint="add it again; do the clocks of its proxies differ?",
    )


def _leaves_doubt(error: StoreError) -> bool:
    """Tell whether only a look can tell what became of a commit."""
    if status_of(error) == _UNPROCESSABLE:
        return False
    # What is taken may be our own, sent twice.
    return isinstance(error, Unavailable | Duplicate | DataError)
