"""Store, the frame: everything around a driver that is the same for all of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from storekit import arguments
from storekit.capabilities import Capability, Limits
from storekit.context import RequestContext
from storekit.digests import algorithms_of, compare, expectation_of
from storekit.errors import (
    InUse,
    InvalidArgument,
    NotFound,
    OutcomeUnknown,
)
from storekit.location import Location
from storekit.opening import Opening
from storekit.operation import Operation
from storekit.reader import ChunkReader
from storekit.source import Data, Source, Verifier
from storekit.values import Capacity, Content, Leftover, Listing, StoredImage

if TYPE_CHECKING:
    from storekit.driver import Driver

__all__ = ["DEFAULT_HASHES", "Store"]

_log = logging.getLogger(__name__)

DEFAULT_HASHES = ("md5", "sha512")
"""The digests of an image when the caller asks for none in particular: Glance's."""
_NO_GATE = Capability(0)
DAY = timedelta(hours=24)
Leftovers = list[Leftover]  # Store.list hides the builtin


class Store:
    """One driver with one configuration, under the name that an operator chose.

    Thread-safe. Made by ``open_store`` and by ``Stores``; opened when first used.

    Args:
        name: The operator's name for it.
        driver: The driver's name.
        make: Makes the driver instance, without I/O.
    """

    name: str
    """The operator's name for it."""
    driver: str
    """The driver's name."""

    def __init__(self, name: str, driver: str, make: Callable[[], Driver]) -> None:
        self.name = name
        self.driver = driver
        self.opening = Opening(make, Operation(self, "open").translate)
        """The driver and its life. For the frame: everybody else has the verbs."""

    def __repr__(self) -> str:
        return f"<Store {self.name!r} ({self.driver})>"

    @property
    def capabilities(self) -> Capability:
        """What it can do and promises, as configured. Opens the store.

        Raises:
            StoreError: It cannot be opened.
        """
        return self._opened().capabilities

    @property
    def withdrawn(self) -> dict[Capability, str]:
        """The capabilities that this configuration cannot have, each with its reason.

        Raises:
            StoreError: It cannot be opened.
        """
        return dict(self._opened().withdrawn)

    @property
    def limits(self) -> Limits:
        """Its numbers, as configured. Opens the store.

        Raises:
            StoreError: It cannot be opened.
        """
        return self._opened().limits

    @property
    def state(self) -> str:
        """``ready``, ``degraded: why``, ``failed: why`` or ``closed``. Opens the store."""
        return self.opening.state

    def add(
        self,
        image_id: str,
        data: Data,
        size: int | None = None,
        *,
        hashes: Iterable[str] = DEFAULT_HASHES,
        expect: Mapping[str, str] | None = None,
        verifier: Verifier | None = None,
        context: RequestContext | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> StoredImage:
        """Store an image: whole and visible when this returns, not there at all when it raises.

        Args:
            image_id: The embedder's id for it: 1 to ``limits.max_id_length`` bytes of UTF-8,
                without ``/`` and control characters.
            data: A binary file object, an iterable of bytes-like objects, one bytes-like object,
                or a path. Read once, in order; a file object is not closed.
            size: Its length in bytes, where it is known.
            hashes: Digests to compute, by hashlib's names.
            expect: Digests that it must have, hexadecimal, by algorithm.
            verifier: Sees the stored bytes in order; if it raises, nothing is stored.
            context: Who asks.
            progress: Called with the running count of bytes; if it raises, nothing is stored.

        Returns:
            Where it is, its size and its digests.

        Raises:
            InvalidArgument: The call is wrong; nothing was read.
            Duplicate: The id is taken; nothing was read.
            SizeMismatch: There are fewer or more bytes than declared.
            DigestMismatch: They are not what was expected.
            StorageFull: There are more than the store takes.
            OutcomeUnknown: The image is there or not, and it cannot be found out which.
            Unsupported: The store takes no images, or none of unknown size.
            StoreError: The store failed.
            BaseException: Whatever data, verifier or progress raised.
        """
        with Operation(self, "add") as operation:
            operation.about = arguments.check_id(image_id, operation.limits.max_id_length)
            asked = algorithms_of(hashes)
            wanted = expectation_of(expect)
            own = self.opening.instance().digests
            source = operation.source(
                lambda: Source(
                    data,
                    size,
                    hashes=(*asked, *own),
                    expect=wanted,
                    verifier=verifier,
                    progress=progress,
                )
            )
            driver = operation.driver(Capability.ADD)
            # Opening may have tightened the limits.
            arguments.check_id(image_id, driver.limits.max_id_length)
            source.bound(driver.limits.max_image_size)
            if source.size is None:
                operation.driver(Capability.ADD_UNKNOWN_SIZE)
            location = operation.stored(source, lambda: driver.add(image_id, source, context))
            digests = {name: source.digests[name] for name in dict.fromkeys((*asked, *wanted))}
            return self._stored(operation, location, source.count, digests, context)

    def get(
        self,
        location: str | Location,
        offset: int = 0,
        length: int | None = None,
        *,
        expect: Mapping[str, str] | None = None,
        context: RequestContext | None = None,
    ) -> ChunkReader:
        """Read an image, or a part of it.

        Args:
            location: Where it is.
            offset: The first byte wanted.
            length: How many bytes at most; None is all that follow.
            expect: Digests that the whole image must have; a mismatch is raised in place of the
                last chunk.
            context: Who asks.

        Returns:
            The bytes, to be read once. Close it, or read it to its end.

        Raises:
            NotFound: There is no such image.
            RangeNotSatisfiable: The offset is past its end.
            InvalidArgument: The call is wrong.
            InvalidLocation: The location is not one of this store's.
            Unsupported: The store cannot read, or not in part.
            StoreError: The store failed.
        """
        with Operation(self, "get") as operation:
            place = operation.place(location)
            offset, length = arguments.check_range(offset, length)
            wanted = expectation_of(expect)
            ranged = offset > 0 or length is not None
            if ranged and wanted:
                raise InvalidArgument("expect goes with a whole read only")
            gates = Capability.GET | (Capability.GET_RANGE if ranged else _NO_GATE)
            driver = operation.driver(gates)
            if length == 0:
                content = Content(driver.get_size(place, context), ())
            else:
                content = arguments.given(Content, driver.get(place, offset, length, context))
            return ChunkReader(
                place,
                content,
                offset,
                length,
                limits=driver.limits,
                wanted=wanted,
                translate=Operation(self, "read", operation.about).translate,
            )

    def get_size(self, location: str | Location, *, context: RequestContext | None = None) -> int:
        """Tell the size of an image.

        Args:
            location: Where it is.
            context: Who asks.

        Returns:
            Bytes.

        Raises:
            NotFound: There is no such image.
            InvalidLocation: The location is not one of this store's.
            StoreError: The store failed.
        """
        with Operation(self, "get_size") as operation:
            place = operation.place(location)
            return arguments.given_size(operation.driver().get_size(place, context))

    def delete(self, location: str | Location, *, context: RequestContext | None = None) -> None:
        """Delete an image.

        Args:
            location: Where it is.
            context: Who asks.

        Raises:
            NotFound: There is no such image.
            InUse: Somebody holds it; it is left as it is.
            InvalidLocation: The location is not one of this store's.
            Unsupported: The store cannot delete.
            StoreError: The store failed.
        """
        with Operation(self, "delete") as operation:
            place = operation.place(location)
            operation.driver(Capability.DELETE).delete(place, context)

    def list(self, *, context: RequestContext | None = None) -> Iterator[Listing]:
        """Go through every image of the store.

        Args:
            context: Who asks.

        Returns:
            The images, in no particular order.

        Raises:
            Unsupported: The store cannot list.
            StoreError: The store failed; also in the middle.
        """
        with Operation(self, "list") as operation:
            images = operation.driver(Capability.LIST).list(context)
        return operation.guard(Listing, images)

    def verify(
        self,
        location: str | Location,
        expect: Mapping[str, str],
        *,
        context: RequestContext | None = None,
    ) -> dict[str, str]:
        """Read a whole image and compare its digests.

        Args:
            location: Where it is.
            expect: Digests that it must have, hexadecimal, by algorithm.
            context: Who asks.

        Returns:
            The digests.

        Raises:
            DigestMismatch: One differs.
            StoreError: As ``get``.
        """
        with Operation(self, "verify"):
            if not expectation_of(expect):
                raise InvalidArgument("there is nothing to verify against")
        with self.get(location, expect=expect, context=context) as reader:
            for _ in reader:
                pass
            return reader.digests

    def copy(
        self,
        location: str | Location,
        to: Store | None = None,
        image_id: str | None = None,
        *,
        hashes: Iterable[str] = DEFAULT_HASHES,
        expect: Mapping[str, str] | None = None,
        digests: Mapping[str, str] | None = None,
        context: RequestContext | None = None,
    ) -> StoredImage:
        """Copy an image, inside the backend where that can be done, else through this process.

        Args:
            location: Where it is.
            to: The store to copy it to; itself by default.
            image_id: The id of the copy; the image's own by default.
            hashes: Digests that the answer must have.
            expect: Digests that the image must have.
            digests: What the caller knows from an earlier ``StoredImage``. Trusted: only when
                they hold every digest asked for can the copy be made without reading it.
            context: Who asks.

        Returns:
            Where the copy is, its size and its digests.

        Raises:
            Duplicate: The id is taken.
            DigestMismatch: The image is not what was expected; there is no copy.
            StoreError: As ``get`` and ``add``.
        """
        target = self if to is None else to
        with Operation(self, "copy") as operation:
            if not isinstance(target, Store):
                raise InvalidArgument(f"to is a {type(to).__name__}, not a Store")
            place = operation.place(location)
            known = expectation_of(digests)
            wanted = expectation_of(expect)
            asked = tuple(dict.fromkeys((*algorithms_of(hashes), *wanted)))
            driver = self.opening.instance()
            new_id = driver.image_id(place) if image_id is None else image_id
            with Operation(target, "copy") as receiving:
                arguments.check_id(new_id, receiving.limits.max_id_length)
            driver = operation.driver(Capability.GET)
            kept = None
            if known.keys() >= set(asked):
                compare(known, wanted)
                kept = {name: known[name] for name in asked}
        copied = target._copied_inside(driver, place, new_id, kept, context)  # noqa: SLF001 - same class
        if copied is not None:
            return copied
        with self.get(place, context=context) as reader:
            return target.add(
                new_id, reader, reader.size, hashes=asked, expect=wanted, context=context
            )

    def leftovers(
        self, older_than: timedelta = DAY, *, context: RequestContext | None = None
    ) -> Iterator[Leftover]:
        """Go through what killed processes left behind. Never shows a live upload.

        Args:
            older_than: The least age.
            context: Who asks.

        Raises:
            StoreError: The store failed.
        """
        with Operation(self, "leftovers") as operation:
            age = arguments.check_age(older_than)
            found = operation.driver().leftovers(age, context)
        return operation.guard(Leftover, found)

    def reclaim(
        self, older_than: timedelta = DAY, *, context: RequestContext | None = None
    ) -> Leftovers:
        """Remove what killed processes left behind. Never touches a live upload.

        Args:
            older_than: The least age.
            context: Who asks.

        Returns:
            What was removed.

        Raises:
            StoreError: The store failed. What was removed until then is removed.
        """
        removed = []
        for leftover in tuple(self.leftovers(older_than, context=context)):
            # Gone already, or alive after all: both are as they should be.
            with suppress(NotFound, InUse), Operation(self, "reclaim", leftover.name) as operation:
                operation.driver().reclaim(leftover, context)
                removed.append(leftover)
        return removed

    def set_acls(
        self,
        location: str | Location,
        public: bool = False,
        read: Sequence[str] = (),
        write: Sequence[str] = (),
        *,
        context: RequestContext | None = None,
    ) -> None:
        """Set who may read and write an image.

        Args:
            location: Where it is.
            public: Whether everybody may read it.
            read: Ids of the projects that may read it.
            write: Ids of the projects that may write it.
            context: Who asks.

        Raises:
            NotFound: There is no such image.
            Unsupported: The store has no access lists.
            StoreError: The store failed.
        """
        with Operation(self, "set_acls") as operation:
            place = operation.place(location)
            readers = arguments.check_projects("read", read)
            writers = arguments.check_projects("write", write)
            driver = operation.driver(Capability.ACL)
            driver.set_acls(place, bool(public), readers, writers, context)

    def capacity(self, *, context: RequestContext | None = None) -> Capacity:
        """Tell how much the store holds.

        Args:
            context: Who asks.

        Raises:
            Unsupported: The backend does not tell.
            StoreError: The store failed.
        """
        with Operation(self, "capacity") as operation:
            answer = operation.driver(Capability.CAPACITY).capacity(context)
            return arguments.given(Capacity, answer)

    def owns(self, location: str | Location) -> bool | None:
        """Tell whether a location is in this store. No I/O.

        Args:
            location: The location.

        Returns:
            True or False, or None where it is known only once the store is open.

        Raises:
            InvalidLocation: The text is no location.
            ConfigurationError: The driver cannot be loaded, or its options are wrong.
        """
        with Operation(self, "find") as operation:
            place = Location.of(location)
            operation.about = str(place)
            driver = self.opening.instance()
            return place.scheme in driver.schemes and driver.owns(place)

    def image_id(self, location: str | Location) -> str:
        """Tell the id that an image was added under.

        Args:
            location: Where it is.

        Raises:
            InvalidLocation: The location is not one of this store's.
            StoreError: The store cannot be opened.
        """
        with Operation(self, "image_id") as operation:
            place = operation.place(location)
            return self.opening.instance().image_id(place)

    def close(self) -> None:
        """Give everything back. May be called twice; every verb then raises StoreClosed."""
        with Operation(self, "close"):
            self.opening.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _opened(self) -> Driver:
        with Operation(self, "open") as operation:
            return operation.driver()

    def _stored(
        self,
        operation: Operation,
        location: Location,
        size: int,
        digests: dict[str, str],
        context: RequestContext | None,
    ) -> StoredImage:
        arguments.given(Location, location)
        metadata: dict[str, object] = {}
        try:
            metadata = arguments.fresh_metadata(operation.driver().metadata(location, context))
        except Exception as error:  # noqa: BLE001 - the image is stored: nothing may deny that
            _log.warning("%s is stored, without metadata: %s", location, operation.translate(error))
        return StoredImage(location, size, digests, self.name, metadata)

    def _copied_inside(
        self,
        other: Driver,
        place: Location,
        image_id: str,
        digests: dict[str, str] | None,
        context: RequestContext | None,
    ) -> StoredImage | None:
        """Copy an image without reading it, if its digests are known and our driver can.

        What would stop an add is raised here, before the image is opened to be streamed.
        """
        with Operation(self, "copy") as operation:
            operation.about = arguments.check_id(image_id, operation.limits.max_id_length)
            driver = operation.driver(Capability.ADD)
            arguments.check_id(image_id, driver.limits.max_id_length)
            if digests is None:
                return None
            location = driver.copy_from(other, place, image_id, context)
            if location is None:
                return None
            arguments.given(Location, location)
            try:
                size = arguments.given_size(driver.get_size(location, context))
            except Exception as error:
                raise OutcomeUnknown(
                    "the copy was made, and then could not be looked at", location=location
                ) from error
            return self._stored(operation, location, size, digests, context)
