"""Operation: one call of a verb, and what becomes of the errors in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self, TypeVar

from storekit.capabilities import Capability, Limits
from storekit.errors import (
    BackendError,
    InvalidLocation,
    StoreError,
    UnknownScheme,
    Unsupported,
    from_exception,
)
from storekit.location import Location
from storekit.source import Source

if TYPE_CHECKING:
    from storekit.driver import Driver
    from storekit.store import Store

__all__ = ["Operation"]

T = TypeVar("T")
_NO_GATE = Capability(0)
_SHORTEST_SECRET = 4  # a shorter one would blot out half of every message


class Operation:
    """A ``with`` block out of which only storekit's errors come, complete and without secrets.

    The exceptions of the caller's own data pass through untouched, and so does what is no
    ``Exception``: KeyboardInterrupt, SystemExit.

    Args:
        store: The store.
        name: The verb.
        about: The location or image id, once it is known to be printable.
    """

    def __init__(self, store: Store, name: str, about: str | None = None) -> None:
        self._store = store
        self._name = name
        self.about = about
        self._source: Source | None = None

    @property
    def limits(self) -> Limits:
        """The store's limits, as far as they are known without opening it."""
        return self._store.opening.instance().limits

    def driver(self, gates: Capability = _NO_GATE) -> Driver:
        """Give the driver, opened.

        Args:
            gates: What it must be able to do.

        Raises:
            Unsupported: It cannot: says why.
            StoreError: It cannot be opened.
        """
        driver = self._store.opening.ready()
        if missing := gates & ~driver.capabilities:
            names = ", ".join(flag.name or "" for flag in missing)
            reasons = [driver.withdrawn[flag] for flag in missing if flag in driver.withdrawn]
            raise Unsupported(
                f"the store does not have the capability {names}",
                hint="; ".join(reasons) or "its driver never has it",
            )
        return driver

    def place(self, location: str | Location) -> Location:
        """Check that a location is one of the store's, before any I/O.

        Args:
            location: What the caller gave.

        Raises:
            UnknownScheme: The driver reads no such locations.
            InvalidLocation: It is no location, or in another store.
        """
        place = Location.of(location)
        self.about = str(place)
        driver = self._store.opening.instance()
        if place.scheme not in driver.schemes:
            raise UnknownScheme(
                f"the driver does not read {place.scheme}:// locations",
                hint=f"it reads {', '.join(scheme + '://' for scheme in driver.schemes)}",
            )
        owned = driver.owns(place)
        if owned is None:
            owned = self.driver().owns(place)
        if not owned:
            raise InvalidLocation(f"{place} is not in this store")
        return place

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, Exception):
            return
        if self._source is not None and error is self._source.error:
            if isinstance(error, StoreError):
                self._complete(error)
            return
        failure = self.translate(error)
        if failure is not error:
            raise failure from error

    @contextmanager
    def reading(self, source: Source) -> Iterator[None]:
        """Run the driver's ``add``: what the source failed with is what comes out.

        Args:
            source: What the driver reads; closed afterwards.
        """
        self._source = source
        try:
            yield
            if source.error is None and not source.done:
                raise BackendError("the driver stored the image without reading it to its end")
        finally:
            source.close()
            if source.error is not None:
                raise source.error

    def guard(self, items: Iterable[T]) -> Iterator[T]:
        """Go through a driver's listing.

        Args:
            items: What the driver gave.
        """
        with self:
            yield from items

    def translate(self, error: Exception) -> StoreError:
        """Make storekit's error of any exception.

        Args:
            error: What was raised.

        Returns:
            The error to raise: the same object where it is a StoreError already.
        """
        driver = self._store.opening.current
        failure = error if isinstance(error, StoreError) else None
        if failure is None and driver is not None:
            try:
                failure = driver.translate(error, self._name)
            except Exception as broken:  # noqa: BLE001 - an error must come out, and a storekit one
                failure = BackendError(f"translate() of the driver failed: {broken!r}")
        return self._complete(failure or from_exception(error))

    def _complete(self, failure: StoreError) -> StoreError:
        failure.complete(
            store=self._store.name,
            driver=self._store.driver,
            operation=self._name,
            location=self.about,
        )
        for secret in _secrets_of(self._store.opening.current):
            failure.message = failure.message.replace(secret, "***")
            failure.hint = failure.hint and failure.hint.replace(secret, "***")
        return failure


def _secrets_of(driver: Driver | None) -> Iterator[str]:
    for value in dict(driver.config if driver is not None else {}).values():
        # Told by its method, so that the frame need not import pydantic.
        reveal = getattr(value, "get_secret_value", None)
        secret = reveal() if reveal is not None else None
        if isinstance(secret, str) and len(secret) >= _SHORTEST_SECRET:
            yield secret
