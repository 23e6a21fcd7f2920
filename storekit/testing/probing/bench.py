"""Bench: what a measurement works with: clients, ids, bytes, images, and a look at failures."""

from __future__ import annotations

import hashlib
import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import TypeVar

from storekit.capabilities import Capability, Limits
from storekit.errors import (
    Forbidden,
    InvalidLocation,
    NotAuthenticated,
    NotFound,
    StorageFull,
    StoreClosed,
    StoreError,
    Unavailable,
)
from storekit.location import Location
from storekit.store import Store
from storekit.testing.harness import Harness
from storekit.testing.looks import looks
from storekit.testing.probing.keeper import Keeper, waiting

T = TypeVar("T")

__all__ = ["Bench", "Broken", "brief"]

# What says more of the backend, or of the way to it, than of the image that was asked for.
_OUTSIDE = (Unavailable, NotAuthenticated, Forbidden, StorageFull, StoreClosed)
_SHORT = 200  # characters of an error in a table
_PLAIN = 997  # bytes of a plain image
_LOOKS = 3  # that must agree, since several servers may answer
_SPARE = 4  # times the settling time that was measured
_LEAST = 10  # of ``op_budget``, where something was late or may be


class Broken(Exception):
    """The backend, or the way to it, fails: nothing can be measured any more."""


class Bench:
    """The clients of a probe, and the images that it made. Thread-safe.

    Args:
        harness: How to get at the store; set up.
        seed: The same one makes the same choices.
        limit: The longest image that may be tried, in bytes.
    """

    def __init__(self, harness: Harness, *, seed: int, limit: int) -> None:
        self.harness = harness
        self.limit = limit
        """The longest image that may be tried, in bytes."""
        self.random = random.Random(seed)  # noqa: S311 - repeatable, no secret
        """The only source of choices."""
        self.exit = ExitStack()
        """Closed before the images are removed."""
        self.keeper = Keeper()
        """Adds and deletes images; what it added is removed at the end."""
        self._token = secrets.token_hex(4)
        self._ids = 0
        self._lock = threading.Lock()
        try:
            self.store = self.client()
            """The store that is measured."""
            self.other = self.client()
            """A second client of the same images."""
        except BaseException:
            self.exit.close()
            raise
        self.capabilities: Capability = self.store.capabilities
        self.limits: Limits = self.store.limits
        self.longest = min(limit, self.limits.max_image_size)
        """The longest image that may be tried, and that the store takes, in bytes."""
        self.settling: float | None = None
        """The longest time that an image took to be seen or gone, in seconds, once measured."""

    # Clients

    def client(self, harness: Harness | None = None, **overrides: object) -> Store:
        """Open one more client of the same images. Closed at the end.

        Args:
            harness: By what way; straight by default.
            **overrides: Options, as of ``Harness.make_store``.
        """
        store = (harness or self.harness).make_store(**overrides)
        self.exit.callback(store.close)
        return store

    def bold(self, longest: int) -> Store:
        """Open a client whose frame lets through what the store does not declare.

        Args:
            longest: The longest id that it lets through, in bytes.
        """
        store = self.client()
        driver = store.opening.ready()
        driver.limits = replace(
            driver.limits, max_id_length=longest, max_image_size=Limits().max_image_size
        )
        driver.capabilities |= Capability.GET_RANGE | Capability.ADD_UNKNOWN_SIZE
        return store

    def claims(self, capability: Capability) -> bool:
        """Tell whether the store declares all of these.

        Args:
            capability: One flag or several.
        """
        return capability in self.capabilities

    # Ids and bytes

    def new_id(self, length: int | None = None, filler: str = "x") -> str:
        """Make an id that nobody else has.

        Args:
            length: Its length in bytes of UTF-8; a short one by default.
            filler: The character that makes it long.
        """
        with self._lock:
            self._ids += 1
            begin = f"probe-{self._token}-{self._ids}-"
        most = self.limits.max_id_length if length is None else length
        if len(begin) > most:
            begin = hashlib.sha256(begin.encode()).hexdigest()[:most]
        many, rest = divmod((length or len(begin)) - len(begin), len(filler.encode()))
        return begin + filler * many + "x" * rest

    def payload(self, size: int) -> bytes:
        """Make random bytes.

        Args:
            size: How many.
        """
        return self.random.randbytes(size)

    # Images

    def owned(self, store: Store, image_id: str) -> bool:
        """Tell whether a store would know where an image is, and so could delete it again.

        Args:
            store: The client.
            image_id: The id of the image, which need not be there.
        """
        try:
            place = self.keeper.beside(image_id)
            return place is not None and bool(store.owns(place))
        except InvalidLocation:
            return False

    def drop(self, store: Store, location: Location) -> None:
        """Delete an image; what cannot be deleted now is tried again at the end.

        Args:
            store: By which client.
            location: Where it is.
        """
        with suppress(StoreError):
            self.keeper.delete(store, location)

    @contextmanager
    def image(self, data: bytes) -> Iterator[Location]:
        """Have an image for a while.

        Args:
            data: Its bytes.
        """
        location = self.keeper.add(self.store, self.new_id(), data)
        yield location
        self.keeper.delete(self.store, location)

    def read(self, location: Location, store: Store | None = None) -> bytes:
        """Read a whole image, as soon as it can be seen.

        Args:
            location: Where it is.
            store: By which client; the second one by default.

        Raises:
            StoreError: As ``Store.get``.
        """

        def whole() -> bytes:
            with (store or self.other).get(location) as reader:
                return b"".join(reader)

        return self.seen(whole)

    def seen(self, act: Callable[[], T]) -> T:
        """Do something with an image as soon as it can be seen.

        Args:
            act: What to do.

        Returns:
            What it returned.

        Raises:
            StoreError: What it raised.
        """
        return waiting(act, self.patience)

    @property
    def patience(self) -> float:
        """How long to wait for what is not seen, in seconds."""
        budget = self.limits.op_budget
        if self.settling is None:
            return budget
        if self.settling == 0 and self.claims(Capability.STRONG_CONSISTENCY):
            return 0.0
        return min(budget, max(_SPARE * self.settling, budget / _LEAST))

    def settled(self, look: Callable[[], bool], times: int = _LOOKS) -> float | None:
        """Measure how long it takes until something is so for good.

        Args:
            look: Looks.
            times: How many looks one after the other must say so.

        Returns:
            When it was last not so, in seconds from now; 0 if it is so at once, None if it is
            not so within ``limits.op_budget``.
        """
        begin = time.perf_counter()
        late = 0.0
        for _ in looks(self.limits.op_budget):
            if all(look() for _ in range(times)):
                return late
            late = time.perf_counter() - begin
        return None

    def until(self, look: Callable[[], bool]) -> None:
        """Look until something is so, as long as it takes to be seen.

        Args:
            look: Looks.
        """

        def once() -> None:
            if not look():
                raise NotFound("not so yet")

        with suppress(NotFound):
            waiting(once, self.patience)

    # What goes wrong

    def plain(self) -> None:
        """Add, read and delete an image that nothing is special about.

        Raises:
            StoreError: The store cannot do that.
        """
        data = self.payload(_PLAIN)
        with self.image(data) as location:
            if self.read(location) != data:
                raise StoreError("a plain image comes back with other bytes")

    def blame(self, error: BaseException) -> None:
        """Find out whether an error is about what was asked for, or about the backend.

        Args:
            error: What a verb raised.

        Raises:
            Broken: It is about the backend: a plain image cannot be stored either, or there is no
                room.
        """
        if isinstance(error, StorageFull):
            raise Broken(f"{brief(error)} (a lower --limit may do)") from error
        if isinstance(error, _OUTSIDE):
            try:
                self.plain()
            except StoreError as again:
                raise Broken(brief(again)) from error

    # The end

    def clean(self) -> tuple[str, ...]:
        """Remove every image of the probe, once what runs beside it has ended.

        Returns:
            The ids of those that are still there.
        """
        self.keeper.end(self.limits.op_budget)
        with suppress(StoreError, OSError):  # what cannot be closed is no image
            self.exit.close()
        if self.keeper.empty:
            return ()
        strong = self.claims(Capability.STRONG_CONSISTENCY)
        wait = 0.0 if strong and self.settling is None else self.patience
        try:
            with self.harness.make_store() as store:
                return self.keeper.remove(store, wait, lists=self.claims(Capability.LIST))
        except (StoreError, OSError):
            return self.keeper.left


def brief(error: BaseException) -> str:
    """Say what was raised, on one line.

    Args:
        error: The exception.
    """
    said = error.message if isinstance(error, StoreError) else str(error)
    text = f"{type(error).__name__}: {' '.join(said.split())}"
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}..."
