"""Operation: one call of a verb, and what becomes of the errors in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Self, TypeVar

from storekit.arguments import given
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
from storekit.secrecy import blot
from storekit.source import Source

if TYPE_CHECKING:
    from storekit.driver import Driver
    from storekit.store import Store

__all__ = ["Operation"]

T = TypeVar("T")
_NO_GATE = Capability(0)


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
        self._passing: BaseException | None = None

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
        if error is self._passing:
            if isinstance(error, StoreError):
                self._complete(error)
            return
        failure = self.translate(error)
        if failure is not error:
            raise failure from error

    def source(self, make: Callable[[], Source]) -> Source:
        """Make the source; what the caller's own objects raise meanwhile passes through.

        Args:
            make: Makes it.
        """
        try:
            return make()
        except StoreError:
            raise
        except Exception as error:
            self._passing = error
            raise

    def stored(self, source: Source, add: Callable[[], Location]) -> Location:
        """Run the driver's ``add``: what the source failed with is what comes out.

        Args:
            source: What the driver reads; closed afterwards.
            add: The driver's ``add``.
        """
        try:
            location = add()
        except BaseException:
            self._raise_error_of(source)
            raise
        finally:
            source.close()
        self._raise_error_of(source)
        if not source.done:
            raise BackendError("the driver stored the image without reading it to its end")
        return location

    def guard(self, kind: type[T], items: Iterable[T]) -> Iterator[T]:
        """Go through a driver's listing.

        Args:
            kind: What it lists.
            items: What the driver gave.
        """
        with self:
            for item in items:
                yield given(kind, item)

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
            if failure is not None and not isinstance(failure, StoreError):
                failure = BackendError(f"translate() of the driver gave {type(failure).__name__}")
        return self._complete(failure or from_exception(error))

    def _raise_error_of(self, source: Source) -> None:
        if source.error is not None:
            self._passing = source.error
            raise source.error

    def _complete(self, failure: StoreError) -> StoreError:
        failure.complete(
            store=self._store.name,
            driver=self._store.driver,
            operation=self._name,
            location=self.about,
        )
        current = self._store.opening.current
        if current is not None and current.secrets:
            failure.message = blot(failure.message, current.secrets)
            failure.args = (failure.message,)  # what repr() shows
            failure.hint = failure.hint and blot(failure.hint, current.secrets)
            failure.location = failure.location and blot(failure.location, current.secrets)
        return failure
