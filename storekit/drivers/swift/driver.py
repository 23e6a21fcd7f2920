"""The swift driver: the verbs."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import chain
from typing import ClassVar

from storekit.capabilities import Capability, Limits
from storekit.context import RequestContext
from storekit.driver import Content, Driver, DriverOptions, Leftover, Listing
from storekit.drivers.swift.account import Account
from storekit.drivers.swift.answers import Facts
from storekit.drivers.swift.connection import Connection
from storekit.drivers.swift.copying import Copy, Original, original
from storekit.drivers.swift.deleting import delete
from storekit.drivers.swift.listing import all_images, segments_containers
from storekit.drivers.swift.options import LONGEST_CONTAINER, LONGEST_PART, Options
from storekit.drivers.swift.places import SCHEMES, Place, Places
from storekit.drivers.swift.reading import read
from storekit.drivers.swift.segments import Unfinished, unfinished
from storekit.drivers.swift.upload import Containers, Upload
from storekit.errors import (
    Duplicate,
    Forbidden,
    InvalidLocation,
    NotFound,
    StoreError,
    Unavailable,
    Unsupported,
)
from storekit.location import Location
from storekit.perprocess import PerProcess
from storekit.source import Source
from storekit.transfer import PartSizes

__all__ = ["SwiftDriver"]

_log = logging.getLogger(__name__)


class SwiftDriver(Driver):
    """Images as objects in containers."""

    interface = 1
    schemes = SCHEMES
    options: ClassVar[type[DriverOptions]] = Options
    capabilities = (
        Capability.GET
        | Capability.GET_RANGE
        | Capability.ADD
        | Capability.ADD_UNKNOWN_SIZE
        | Capability.DELETE
        | Capability.LIST
        | Capability.ACL
        | Capability.ATOMIC_ADD
        | Capability.CRASH_SAFE
        | Capability.DURABLE
        | Capability.THREAD_SAFE
        | Capability.FORK_SAFE
    )
    # Swift's own default of max_manifest_segments is 1,000.
    limits = Limits(part_size=32 << 20, max_parts=1000)
    example_locations = (
        "swift+config://objects/images/cirros-0.6.3",
        "swift+config://objects/images_07/with%20a%20space",
    )
    config: Options

    def __init__(self, store_name: str, options: Options) -> None:
        super().__init__(store_name, options)
        self._places = Places(store_name, options)
        self._take_in(Facts())
        if not options.multi_tenant:
            self.narrow(Capability.ACL, "multi_tenant = false: images share their containers")
        else:
            room = LONGEST_CONTAINER - len(self._places.callers_segments.encode())
            self.limit(max_id_length=min(self.limits.max_id_length, room))
        self._connection = PerProcess(lambda: Connection(self.config, self.limits))

    def open(self) -> None:
        """Authenticate, and see whether the containers are there.

        Raises:
            Unavailable: One is not.
        """
        if not self.config.has_credentials:
            self._places.is_complete = True
            return
        account = self._account(None)
        self._places.add_server(account.url())
        self._places.is_complete = True
        self._take_in(self._connection.get().facts(account))
        if self.config.multi_tenant:
            return
        for container in self._places.images:
            if account.has_container(container):
                continue
            if not self.config.create_container:
                raise Unavailable(
                    f"there is no container {container}",
                    hint="check container and project, or set create_container = true",
                )
            account.call("PUT", container, headers=self._made_with)

    def close(self) -> None:
        """Close the connections. May be called twice, and without ``open``."""
        if connection := self._connection.take():
            connection.close()

    def owns(self, location: Location) -> bool | None:
        """Tell whether a location is an object of this store. No I/O.

        Args:
            location: A location.
        """
        if self._places.read(location) is not None:
            return True
        return None if self._places.may_become_ours(location) else False

    def add(self, image_id: str, source: Source, context: RequestContext | None = None) -> Location:
        """Store an image.

        Args:
            image_id: Its id.
            source: Its bytes.
            context: Who asks.

        Returns:
            Where it is.

        Raises:
            Duplicate: The name is taken.
            OutcomeUnknown: The answer of the commit was lost and cannot be found out.
            StorageFull: It takes more segments than there may be.
        """
        account, connection = self._account(context), self._connection.get()
        name = self._account_name(account, context)
        place = replace(self._places.new(image_id), account=name)
        conditional = connection.facts(account).is_swift
        if account.find(place.container, place.name) is not None:
            raise Duplicate("the id is taken")
        limits = self.limits
        sizes = PartSizes(limits.part_size, limits.window, limits.max_parts, source.size)
        upload = Upload(place, self._containers(place), conditional=conditional)
        if source.fits(sizes[1]):
            upload.put(account, source.read(sizes[1]))
        else:
            with connection.lasting(account, context) as lasting:
                upload.send_segments(lasting, sizes, source)
        return self._places.location(place)

    def get(
        self,
        location: Location,
        offset: int,
        length: int | None,
        context: RequestContext | None = None,
    ) -> Content:
        """Begin to read an image.

        Args:
            location: Where it is.
            offset: The first byte.
            length: How many bytes at most.
            context: Who asks.

        Raises:
            NotFound: There is no such image.
            DataError: The server sent something else than was asked for, or a segment is gone.
        """
        account, place = self._found(location, context)
        pinned = self._connection.get().facts(account).is_swift
        return read(account, place, offset, length, self.limits, pinned=pinned)

    def get_size(self, location: Location, context: RequestContext | None = None) -> int:
        """Tell the size of an image.

        Args:
            location: Where it is.
            context: Who asks.

        Raises:
            NotFound: There is no such image.
        """
        account, place = self._found(location, context)
        return account.head(place.container, place.name).size

    def delete(self, location: Location, context: RequestContext | None = None) -> None:
        """Delete an image: first what makes it one, then its segments.

        Args:
            location: Where it is.
            context: Who asks.

        Raises:
            NotFound: There is no such image.
            OutcomeUnknown: The answer was lost and cannot be found out.
        """
        account, place = self._found(location, context)
        segments = self._places.segments_of(place)
        delete(account, place, segments)
        if self.config.multi_tenant:
            self._drop(account, place.container, segments)

    def list(self, context: RequestContext | None = None) -> Iterator[Listing]:
        """Go through the images: the objects whose names can be ids.

        Args:
            context: Who asks.
        """
        account = self._account(context)
        name = self._account_name(account, context)
        for item in all_images(account, self._places):
            place = Place(item.container, item.name, name)
            yield Listing(item.name, self._places.location(place), item.size, item.modified)

    def leftovers(
        self, older_than: timedelta, context: RequestContext | None = None
    ) -> Iterator[Leftover]:
        """Go through the segments that no manifest names and nobody sends any more.

        Args:
            older_than: The least age.
            context: Who asks.
        """
        account = self._account(context)
        uploads = chain.from_iterable(
            unfinished(account, container)
            for container in segments_containers(account, self._places)
        )
        for upload in uploads:
            if upload.age >= older_than and upload.is_dead(account, self.config.upload_idle):
                yield upload.leftover(self.store_name)

    def reclaim(self, leftover: Leftover, context: RequestContext | None = None) -> None:
        """Remove the segments of an upload, unless somebody works on it.

        Args:
            leftover: One that ``leftovers`` gave.
            context: Who asks.

        Raises:
            NotFound: It is gone.
            InUse: Somebody does.
        """
        account = self._account(context)
        upload = Unfinished.of(account, leftover)
        upload.check_dead(account, self.config.upload_idle)
        upload.remove(account)
        if self.config.multi_tenant:
            self._drop(account, upload.segments_container)

    def set_acls(
        self,
        location: Location,
        public: bool,
        read: Sequence[str],
        write: Sequence[str],
        context: RequestContext | None = None,
    ) -> None:
        """Set who may read and write the containers of an image.

        Args:
            location: Where it is.
            public: Whether everybody may read it, without a token too.
            read: Ids of the projects that may read it.
            write: Ids of the projects that may write it.
            context: Who asks.

        Raises:
            NotFound: There is no such image.
            Unsupported: It shares its container with others, as glance_store's may. No I/O.
        """
        account, place = self._found(location, context)
        if place.container != self._places.new(place.name).container:
            raise Unsupported(
                f"the container {place.container} is not this image's alone",
                hint="add the image again, so that it gets a container of its own",
            )
        account.head(place.container, place.name)
        readers = [".r:*"] if public else []
        lists = {
            "X-Container-Read": ",".join([*readers, *(f"{project}:*" for project in read)]),
            "X-Container-Write": ",".join(f"{project}:*" for project in write),
        }
        with suppress(NotFound):  # a short image has no segments
            account.call("POST", self._places.segments_of(place), headers=lists)
        account.call("POST", place.container, headers=lists)

    def copy_from(
        self,
        other: Driver,
        location: Location,
        image_id: str,
        context: RequestContext | None = None,
    ) -> Location | None:
        """Have the server copy an image of the same account.

        Args:
            other: The driver of the store that has it.
            location: Where it is.
            image_id: The id of the copy.
            context: Not used.

        Returns:
            Where the copy is; None where the server, or our user, cannot copy it.

        Raises:
            Duplicate: The name is taken.
            DataError: The image changed meanwhile.
        """
        account = self._account(context)
        source = self._copyable(account, other, location, context)
        if source is None:
            return None
        place = self._places.new(image_id)
        if account.find(place.container, place.name) is not None:
            raise Duplicate("the id is taken")
        copy = Copy(place, self._containers(place), conditional=True)
        try:
            copy.make(account, source, self.limits.window)
        except Forbidden:
            return None
        return self._places.location(place)

    def _copyable(
        self, account: Account, other: Driver, location: Location, context: RequestContext | None
    ) -> Original | None:
        """Tell what is to be copied; None where it is not the server's to copy."""
        if not isinstance(other, SwiftDriver) or self.config.multi_tenant:
            return None
        place = other._places.read(location)  # noqa: SLF001 - same class
        if place is None or other.config.multi_tenant:
            return None
        theirs = other._account(context)  # noqa: SLF001 - same class
        is_swift = self._connection.get().facts(account).is_swift
        return original(theirs, place) if is_swift and theirs.url() == account.url() else None

    def _take_in(self, facts: Facts) -> None:
        """Tighten the limits to what the server says of itself."""
        limits = self.limits
        most_parts = min(limits.max_parts, facts.max_manifest_segments or limits.max_parts)
        longest = facts.max_file_size or LONGEST_PART
        part = min(limits.part_size, longest)
        reach = most_parts * min(limits.window * part, longest)
        most = min(limits.max_image_size, reach)
        self.limit(max_parts=most_parts, part_size=part, max_image_size=most)

    @property
    def _made_with(self) -> dict[str, str]:
        """The headers of a container that has to be made."""
        policy = self.config.storage_policy
        return {} if policy is None else {"X-Storage-Policy": policy}

    def _containers(self, place: Place) -> Containers:
        own = self.config.multi_tenant
        return Containers(
            self._places.segments_of(place),
            self._made_with,
            make=own or self.config.create_container,
            own=own,
        )

    def _account(self, context: RequestContext | None) -> Account:
        return self._connection.get().account(context)

    def _account_name(self, account: Account, context: RequestContext | None) -> str | None:
        """Tell what locations call an account: nothing where it is the store's own."""
        is_callers = self.config.multi_tenant and self._connection.get().is_caller(context)
        return account.name() if is_callers else None

    def _found(self, location: Location, context: RequestContext | None) -> tuple[Account, Place]:
        place = self._places.read(location)
        if place is None:
            raise InvalidLocation(f"{location} is not in this store")
        own = self.config.multi_tenant and self.config.has_credentials
        account = self._account(None if place.account is None and own else context)
        return account if place.account is None else account.named(place.account), place

    def _drop(self, account: Account, *containers: str) -> None:
        """Delete containers that were an image's alone; what is in them still keeps them."""
        for container in containers:
            if container in {self.config.container, self._places.segments}:
                continue
            try:
                account.drop_container(container)
            except StoreError as error:
                _log.debug("the container %s stays: %s", container, error)
