"""Keeper: writes down what a probe adds, so that all of it can be removed.

An id is written down before its add begins, and its location as soon as it is known: nothing is
lost to a failure, to a signal, or to a driver that stores and raises.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from storekit.errors import (
    Duplicate,
    InvalidArgument,
    NotFound,
    OutcomeUnknown,
    StoreError,
    Unsupported,
)
from storekit.location import Location
from storekit.source import Data
from storekit.store import Store
from storekit.testing.looks import looks

__all__ = ["Ended", "Keeper", "waiting"]

T = TypeVar("T")

_REFUSALS = (Duplicate, InvalidArgument, Unsupported)
_GIVES_UP = 2  # deletes that fail one after the other


class Ended(Exception):
    """The probe is over; raised in what still runs beside it."""


class Keeper:
    """The images that a probe has added and not deleted. Thread-safe."""

    def __init__(self) -> None:
        self._running: set[tuple[int, str]] = set()  # adds that have not ended: thread and id
        self._places: dict[str, str] = {}  # ids of what was stored, by location
        self._unsure: set[str] = set()  # ids of adds whose end is not known
        self._failed: set[str] = set()  # ids of adds that should have stored nothing
        self._known: tuple[str, str] | None = None
        self._over = False
        self._changed = threading.Condition()

    def add(
        self,
        store: Store,
        image_id: str,
        data: Data,
        size: int | None = None,
        straight: Callable[[object], str] = str,
    ) -> Location:
        """Add an image, which is removed at the end.

        Args:
            store: By which client.
            image_id: Its id.
            data: Its bytes.
            size: How many, where that is known.
            straight: Gives its location as a client knows it that goes by no relay.

        Returns:
            Where it is.

        Raises:
            Ended: The probe is over.
            StoreError: As ``Store.add``.
        """
        running = (threading.get_ident(), image_id)
        with self._changed:
            if self._over:
                raise Ended
            self._running.add(running)
        try:
            location = store.add(image_id, data, size, hashes=()).location
            place = straight(location)
            self._places[place] = image_id
            self._known = self._known or (place, image_id)
        except BaseException as error:
            if isinstance(error, OutcomeUnknown) or not isinstance(error, Exception):
                self._unsure.add(image_id)
            elif not isinstance(error, _REFUSALS):
                self._failed.add(image_id)
            raise
        finally:
            with self._changed:
                self._running.discard(running)
                self._changed.notify_all()
        return location

    def delete(
        self, store: Store, location: Location, straight: Callable[[object], str] = str
    ) -> None:
        """Delete an image.

        Args:
            store: By which client.
            location: Where it is.
            straight: As of ``add``.

        Raises:
            StoreError: As ``Store.delete``.
        """
        store.delete(location)
        self._places.pop(straight(location), None)

    def beside(self, image_id: str) -> Location | None:
        """Tell where an image would be: beside one that is known, if ids end the locations.

        Args:
            image_id: Its id.
        """
        text, known_id = self._known or ("", "")
        known = Location(text) if text else None
        if known is None or not known.segments or known.segments[-1] != known_id:
            return None
        parts = (*known.segments[:-1], image_id)
        return Location.build(known.scheme, known.authority, *parts, query=known.query or None)

    def end(self, seconds: float) -> None:
        """Let no add begin any more, and wait for those that other threads have begun.

        Args:
            seconds: How long to wait at most.
        """
        own = threading.get_ident()
        with self._changed:
            self._over = True
            self._changed.wait_for(
                lambda: all(thread == own for thread, _ in self._running), seconds
            )
            # Our own has ended too: a signal came.
            self._unsure.update(image_id for _, image_id in self._running)

    @property
    def empty(self) -> bool:
        """Whether nothing can be there."""
        return not (self._places or self._unsure or self._failed)

    @property
    def left(self) -> tuple[str, ...]:
        """The ids of what was stored, or may have been."""
        return tuple(sorted({*self._places.values(), *self._unsure}))

    def remove(self, store: Store, wait: float, *, lists: bool) -> tuple[str, ...]:
        """Delete all that is there.

        Args:
            store: By which client.
            wait: How long an image may take to be seen, in seconds.
            lists: Whether the store can list.

        Returns:
            The ids of what stays.
        """
        left: set[str] = set()
        try:
            found, maybe = self._found(store, lists=lists)
        except StoreError:
            found, maybe = {}, {}
            left |= self._unsure
        failures = 0
        for place, image_id in {**self._places, **found, **maybe}.items():
            try:
                if failures < _GIVES_UP:
                    _delete(store, place, wait if place in self._places else 0.0)
                    self._places.pop(place, None)
                    failures = 0
                    continue
            except StoreError:
                failures += 1
            if place not in maybe or image_id in self._unsure:
                left.add(image_id)
        return tuple(sorted(left))

    def _found(self, store: Store, *, lists: bool) -> tuple[dict[str, str], dict[str, str]]:
        """Find where the images are, and where they may be, of adds that did not return."""
        wanted = self._unsure | self._failed
        if not wanted:
            return {}, {}
        if lists:
            images = [image for image in store.list() if image.image_id in wanted]
            return {str(image.location): image.image_id for image in images}, {}
        places = {name: self.beside(name) for name in wanted}
        if None in places.values():
            raise NotFound("no location is known beside which they could be")
        return {}, {str(place): name for name, place in places.items()}


def _delete(store: Store, place: str, wait: float) -> None:
    """Delete, also what cannot be seen yet; what is gone already is fine."""
    with suppress(NotFound):
        waiting(lambda: store.delete(place), wait)


def waiting(act: Callable[[], T], seconds: float) -> T:
    """Do something as soon as the image is there.

    Args:
        act: What to do.
        seconds: How long to wait at most.

    Returns:
        What it returned.

    Raises:
        NotFound: The image is still not there.
    """
    for _ in looks(seconds):
        try:
            return act()
        except NotFound as error:
            missing = error
    raise missing
