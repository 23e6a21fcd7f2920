"""Stores: the set of configured stores that an image service embeds."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Self, TypeVar

from storekit.arguments import check_age
from storekit.config import Configuration, driver_name, make_driver, read_configuration
from storekit.context import RequestContext
from storekit.errors import (
    InvalidArgument,
    InvalidLocation,
    StoreError,
    UnknownScheme,
)
from storekit.location import Location
from storekit.reader import ChunkReader
from storekit.source import Data, Verifier
from storekit.store import DAY, DEFAULT_HASHES, Leftovers, Store
from storekit.values import Capacity, Leftover, Listing, StoredImage

if TYPE_CHECKING:
    from storekit.driver import Driver

__all__ = ["Stores", "open_store"]

T = TypeVar("T")


def open_store(driver: str | type[Driver], *, name: str | None = None, **options: object) -> Store:
    """Open one store, without a configuration file.

    Args:
        driver: A driver's name, or the class of one that is not installed.
        name: A name for the store, for its messages; by default the driver's.
        **options: The driver's options.

    Returns:
        The store, opened.

    Raises:
        ConfigurationError: The driver cannot be loaded, or an option is wrong.
        StoreError: The backend cannot be used.
    """
    store = _store(name or driver_name(driver), {"driver": driver, **options})
    _ = store.capabilities
    return store


class Stores:
    """A set of stores, one of them the default. A mapping of names to stores; thread-safe.

    Stores open when they are first used. One that cannot be opened leaves the others alone: it
    says why in its state and its errors, and is tried again.

    Args:
        stores: Options by store name; the driver's name under ``driver``.
        default: The store that ``add`` uses when none is named. One store is its own default.

    Raises:
        ConfigurationError: The set makes no sense. What is wrong with one store is raised when
            that store is used.
    """

    default: str
    """Name of the default store."""

    def __init__(
        self, stores: Mapping[str, Mapping[str, object]], default: str | None = None
    ) -> None:
        configuration = Configuration.of(stores, default)
        self.default = configuration.default
        self._stores = {
            name: _store(name, options) for name, options in configuration.stores.items()
        }

    @classmethod
    def from_config(cls, path: str | os.PathLike[str] | None = None) -> Self:
        """Make the stores of a configuration file.

        Args:
            path: The file. None: ``STOREKIT_CONFIG``, else the user's configuration, else one
                store ``local`` in the user's data directory.

        Raises:
            ConfigurationError: It cannot be read, or is wrong.
        """
        configuration = read_configuration(path)
        return cls(configuration.stores, configuration.default)

    def __getitem__(self, name: str) -> Store:
        if not isinstance(name, str) or name not in self._stores:
            raise InvalidArgument(
                f"there is no store {name!r}", hint=f"there are {', '.join(self._stores)}"
            )
        return self._stores[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._stores)

    def __len__(self) -> int:
        return len(self._stores)

    def __contains__(self, name: object) -> bool:
        return name in self._stores

    def __repr__(self) -> str:
        return f"<Stores {', '.join(self._stores)}; default {self.default}>"

    def owner(self, location: str | Location, *, store: str | None = None) -> Store:
        """Find the store that has a location, by asking the drivers; no I/O unless one must open.

        Args:
            location: The location.
            store: The name of the store, where the caller knows.

        Raises:
            InvalidLocation: The text is no location, or no store owns it.
            UnknownScheme: No store reads such locations.
            InvalidArgument: Several stores own it, or there is no store of this name.
            StoreError: The only store that may own it cannot be opened.
        """
        if store is not None:
            return self[store]
        place = Location.of(location)
        owners: list[Store] = []
        refused: list[StoreError] = []
        for candidate in self._stores.values():
            try:
                owned = candidate.owns(place)
                if owned is None:
                    _ = candidate.capabilities  # opens it: now the driver knows
                    owned = candidate.owns(place)
            except StoreError as error:
                refused.append(error)
            else:
                owners += [candidate] if owned else []
        if len(owners) == 1:
            return owners[0]
        if owners:
            names = ", ".join(store.name for store in owners)
            raise InvalidArgument(f"{place} is in {names}", hint="name the store")
        # A store that is down, or cannot be made, may be the owner: the image is not gone.
        broken = [error for error in refused if not isinstance(error, InvalidLocation)]
        if broken:
            first, *others = sorted(broken, key=lambda error: not error.retriable)
            also = [f"store {error.store!r} ({error.driver}) is down too" for error in others]
            first.hint = "; ".join(filter(None, [first.hint, *also])) or None
            raise first
        if len(refused) == 1:
            raise refused[0]
        raise self._unowned(place, refused)

    def _unowned(self, place: Location, refused: Sequence[StoreError]) -> StoreError:
        drivers = [store.opening.current for store in self._stores.values()]
        schemes = {scheme for driver in drivers if driver for scheme in driver.schemes}
        hint = "; ".join(str(error) for error in refused)
        if place.scheme in schemes or refused:
            return InvalidLocation(
                f"{place} is in none of the stores",
                hint=hint or "was it added when an option that locations name was another one?",
            )
        return UnknownScheme(
            f"no store reads {place.scheme}:// locations",
            hint=f"the stores read {', '.join(sorted(schemes))}",
        )

    def add(
        self,
        image_id: str,
        data: Data,
        size: int | None = None,
        *,
        store: str | None = None,
        hashes: Iterable[str] = DEFAULT_HASHES,
        expect: Mapping[str, str] | None = None,
        verifier: Verifier | None = None,
        context: RequestContext | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> StoredImage:
        """Store an image in the default store, or in the one that is named. See ``Store.add``.

        Args:
            image_id: As for ``Store.add``.
            data: As for ``Store.add``.
            size: As for ``Store.add``, in bytes.
            store: The name of the store.
            hashes: As for ``Store.add``.
            expect: As for ``Store.add``.
            verifier: As for ``Store.add``.
            context: As for ``Store.add``.
            progress: As for ``Store.add``.

        Raises:
            InvalidArgument: There is no such store.
            StoreError: As ``Store.add``.
        """
        return self[self.default if store is None else store].add(
            image_id,
            data,
            size,
            hashes=hashes,
            expect=expect,
            verifier=verifier,
            context=context,
            progress=progress,
        )

    def get(
        self,
        location: str | Location,
        offset: int = 0,
        length: int | None = None,
        *,
        store: str | None = None,
        expect: Mapping[str, str] | None = None,
        context: RequestContext | None = None,
    ) -> ChunkReader:
        """Read an image, or a part of it, from the store that owns it. See ``Store.get``.

        Args:
            location: Where it is.
            offset: As for ``Store.get``, in bytes.
            length: As for ``Store.get``, in bytes.
            store: The name of its store, where the caller knows.
            expect: As for ``Store.get``.
            context: As for ``Store.get``.

        Raises:
            StoreError: As ``owner`` and ``Store.get``.
        """
        found = self.owner(location, store=store)
        return found.get(location, offset, length, expect=expect, context=context)

    def get_size(
        self,
        location: str | Location,
        *,
        store: str | None = None,
        context: RequestContext | None = None,
    ) -> int:
        """Tell the size of an image in bytes. See ``Store.get_size``.

        Args:
            location: Where it is.
            store: The name of its store, where the caller knows.
            context: Who asks.

        Raises:
            StoreError: As ``owner`` and ``Store.get_size``.
        """
        return self.owner(location, store=store).get_size(location, context=context)

    def delete(
        self,
        location: str | Location,
        *,
        store: str | None = None,
        context: RequestContext | None = None,
    ) -> None:
        """Delete an image. See ``Store.delete``.

        Args:
            location: Where it is.
            store: The name of its store, where the caller knows.
            context: Who asks.

        Raises:
            StoreError: As ``owner`` and ``Store.delete``.
        """
        self.owner(location, store=store).delete(location, context=context)

    def list(
        self, store: str | None = None, *, context: RequestContext | None = None
    ) -> Iterator[Listing]:
        """Go through the images of one store, or of all. See ``Store.list``.

        Args:
            store: The name of the store; all by default.
            context: Who asks.

        Raises:
            StoreError: As ``Store.list``; also in the middle.
        """
        if store is not None:
            return self[store].list(context=context)
        return self._through_all(lambda one: one.list(context=context))

    def verify(
        self,
        location: str | Location,
        expect: Mapping[str, str],
        *,
        store: str | None = None,
        context: RequestContext | None = None,
    ) -> dict[str, str]:
        """Read a whole image and compare its digests. See ``Store.verify``.

        Args:
            location: Where it is.
            expect: As for ``Store.verify``.
            store: The name of its store, where the caller knows.
            context: Who asks.

        Raises:
            StoreError: As ``owner`` and ``Store.verify``.
        """
        return self.owner(location, store=store).verify(location, expect, context=context)

    def copy(
        self,
        location: str | Location,
        to: str,
        image_id: str | None = None,
        *,
        store: str | None = None,
        hashes: Iterable[str] = DEFAULT_HASHES,
        expect: Mapping[str, str] | None = None,
        digests: Mapping[str, str] | None = None,
        context: RequestContext | None = None,
    ) -> StoredImage:
        """Copy an image to another store. See ``Store.copy``.

        Args:
            location: Where it is.
            to: The name of the other store.
            image_id: As for ``Store.copy``.
            store: The name of its store, where the caller knows.
            hashes: As for ``Store.copy``.
            expect: As for ``Store.copy``.
            digests: As for ``Store.copy``.
            context: Who asks.

        Raises:
            StoreError: As ``owner`` and ``Store.copy``.
        """
        target = self[to]
        return self.owner(location, store=store).copy(
            location,
            target,
            image_id,
            hashes=hashes,
            expect=expect,
            digests=digests,
            context=context,
        )

    def leftovers(
        self,
        store: str | None = None,
        older_than: timedelta = DAY,
        *,
        context: RequestContext | None = None,
    ) -> Iterator[Leftover]:
        """Go through what killed processes left in one store, or in all. See ``Store.leftovers``.

        Args:
            store: The name of the store; all by default.
            older_than: The least age.
            context: Who asks.

        Raises:
            StoreError: As ``Store.leftovers``.
        """
        check_age(older_than)
        if store is not None:
            return self[store].leftovers(older_than, context=context)
        return self._through_all(lambda one: one.leftovers(older_than, context=context))

    def reclaim(
        self,
        store: str | None = None,
        older_than: timedelta = DAY,
        *,
        context: RequestContext | None = None,
    ) -> Leftovers:
        """Remove what killed processes left in one store, or in all. See ``Store.reclaim``.

        Args:
            store: The name of the store; all by default.
            older_than: The least age.
            context: Who asks.

        Raises:
            StoreError: As ``Store.reclaim``.
        """
        check_age(older_than)
        if store is not None:
            return self[store].reclaim(older_than, context=context)
        return [*self._through_all(lambda one: one.reclaim(older_than, context=context))]

    def set_acls(
        self,
        location: str | Location,
        public: bool = False,
        read: Sequence[str] = (),
        write: Sequence[str] = (),
        *,
        store: str | None = None,
        context: RequestContext | None = None,
    ) -> None:
        """Set who may read and write an image. See ``Store.set_acls``.

        Args:
            location: Where it is.
            public: As for ``Store.set_acls``.
            read: As for ``Store.set_acls``.
            write: As for ``Store.set_acls``.
            store: The name of its store, where the caller knows.
            context: Who asks.

        Raises:
            StoreError: As ``owner`` and ``Store.set_acls``.
        """
        found = self.owner(location, store=store)
        found.set_acls(location, public, read, write, context=context)

    def capacity(
        self, store: str | None = None, *, context: RequestContext | None = None
    ) -> Capacity:
        """Tell how much a store holds, by default the default one. See ``Store.capacity``.

        Args:
            store: The name of the store.
            context: Who asks.

        Raises:
            StoreError: As ``Store.capacity``.
        """
        return self[self.default if store is None else store].capacity(context=context)

    def close(self) -> None:
        """Close every store, whatever happens to one. May be called twice."""
        with ExitStack() as stack:
            for store in self._stores.values():
                stack.callback(store.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _through_all(self, verb: Callable[[Store], Iterable[T]]) -> Iterator[T]:
        """Go through all stores; one that fails holds nobody up, and is raised at the end."""
        failure: StoreError | None = None
        for store in self._stores.values():
            try:
                yield from verb(store)
            except StoreError as error:
                failure = failure or error
        if failure is not None:
            raise failure


def _store(name: str, options: Mapping[str, object]) -> Store:
    return Store(name, driver_name(options.get("driver")), partial(make_driver, name, options))
