"""The rbd driver: the verbs."""

from __future__ import annotations

import contextlib
import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, timedelta
from functools import partial
from typing import ClassVar
from urllib.parse import unquote

from storekit import transfer
from storekit.capabilities import Capability, Limits
from storekit.context import RequestContext
from storekit.driver import Capacity, Content, Driver, DriverOptions, Leftover, Listing
from storekit.drivers.rbd import leftovers, reading, removal, upload
from storekit.drivers.rbd.bindings import rbd
from storekit.drivers.rbd.cluster import Cluster, Connection, OpenImage
from storekit.drivers.rbd.commit import RECLAIMED, TOO_SHORT, commit, see_listed
from storekit.drivers.rbd.copying import copied
from storekit.drivers.rbd.faults import FAILURES, fault_of, gone, number_of
from storekit.drivers.rbd.names import hidden_name, internal_id, is_hidden, names_in
from storekit.drivers.rbd.options import Options
from storekit.errors import Duplicate, StoreError, Unavailable, Unsupported
from storekit.location import Location
from storekit.source import Source

__all__ = ["RbdDriver"]

_log = logging.getLogger(__name__)
_MOST_OBJECTS = 256_000_000  # of an image with an object map: cls_rbd_types.h
_PLACES = 3  # pool, image and snapshot behind the cluster


class RbdDriver(Driver):
    """Images as block devices in a pool."""

    interface = 1
    schemes = ("rbd",)
    options: ClassVar[type[DriverOptions]] = Options
    capabilities = (
        Capability.GET
        | Capability.GET_RANGE
        | Capability.ADD
        | Capability.ADD_UNKNOWN_SIZE
        | Capability.DELETE
        | Capability.LIST
        | Capability.CAPACITY
        | Capability.EXCLUSIVE_ADD
        | Capability.EXCLUSIVE_DELETE
        | Capability.ATOMIC_ADD
        | Capability.CRASH_SAFE
        | Capability.DURABLE
        | Capability.STRONG_CONSISTENCY
        | Capability.IN_USE_GUARD
        | Capability.THIN
        | Capability.THREAD_SAFE
        | Capability.FORK_SAFE
    )
    limits = Limits()
    example_locations = (
        "rbd://b9ef2b0e-3f1c-4a4e-9a38-2f1d6a0c7f11/images/cirros-0.6.3/snap",
        "rbd://b9ef2b0e-3f1c-4a4e-9a38-2f1d6a0c7f11/images%2Fglance/with%20a%20space/snap",
    )
    config: Options

    def __init__(self, store_name: str, options: Options) -> None:
        super().__init__(store_name, options)
        most = _MOST_OBJECTS * options.object_size
        self.limit(max_image_size=min(self.limits.max_image_size, most))
        self._cluster = Cluster(options, self.limits)
        self._fsid: str | None = None
        self._place = "/".join(filter(None, (options.pool, options.namespace)))
        if options.trash:
            self.narrow(Capability.IN_USE_GUARD, "trash = true: what is in use can be deleted")

    def open(self) -> None:
        """Connect, and see whether the pool is there, with its namespace and the pool for the data.

        Raises:
            Unavailable: One is not, or nobody answers.
            NotAuthenticated: The cluster does not accept the user.
        """
        with self._cluster.use() as connection:
            self._fsid = connection.fsid
            connection.check()
            if not connection.rados.get_cluster_stats()["kb"]:
                self.narrow(Capability.CAPACITY, "the cluster has no manager to tell it")

    def close(self) -> None:
        """Close the connection. May be called twice, and without ``open``."""
        self._cluster.forget()

    def owns(self, location: Location) -> bool | None:
        """Tell whether a location is in this pool of this cluster. No I/O.

        Args:
            location: A location.
        """
        if not location.segments:
            # A cluster without a pool is no image.
            return None if self._fsid is None else _is_short(location, self._fsid)
        if len(location.segments) != _PLACES or not all(location.segments):
            return False
        pool, name, _ = location.segments
        if pool != self._place or is_hidden(name):
            return False
        return None if self._fsid is None else location.authority == self._fsid

    def image_id(self, location: Location) -> str:
        """Tell the id that an image was added under.

        Args:
            location: A location that this store owns.
        """
        return _name_of(location)

    def translate(self, error: Exception, operation: str) -> StoreError | None:
        """Map what the libraries raise. After a blocklist, the next verb has a new connection.

        Args:
            error: What escaped from a verb.
            operation: The verb.
        """
        number = number_of(error)
        if number == errno.ESHUTDOWN:
            self._cluster.forget()
        elif number == errno.ENOENT and self._is_gone():
            self._cluster.forget()
            return gone()
        return fault_of(error, connecting=False)

    def add(self, image_id: str, source: Source, context: RequestContext | None = None) -> Location:
        """Store an image.

        Args:
            image_id: Its id.
            source: Its bytes.
            context: Not used.

        Returns:
            Where it is.

        Raises:
            Duplicate: The name is taken.
            OutcomeUnknown: The answer of the commit was lost and cannot be found out.
        """
        with self._cluster.use() as connection:
            _refuse_taken(connection, image_id)
            source.fits(self.limits.part_size)  # one that fails at once leaves nothing to remove
            with self._new(connection, image_id) as hidden:
                upload.create(connection, hidden, source.size or 0, self.config)
                with connection.writing(hidden) as image:
                    see_listed(connection.pool, hidden)
                    upload.fill(image, source, self.limits)
                    upload.seal(image, source.digests)
                    commit(connection.pool, hidden, image_id, str(image.id()), self.limits)
            return self._location(image_id)

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
            context: Not used.

        Raises:
            NotFound: There is no such image.
        """
        snapshot = _snapshot_of(location)
        opener = partial(self._opened, location)
        return reading.read(opener, _name_of(location), snapshot, offset, length, self.limits)

    def get_size(self, location: Location, context: RequestContext | None = None) -> int:
        """Tell the size of an image.

        Args:
            location: Where it is.
            context: Not used.

        Raises:
            NotFound: There is no such image.
        """
        with (
            self._cluster.use() as connection,
            connection.reading(_name_of(location), _snapshot_of(location)) as image,
        ):
            return int(image.size())

    def delete(self, location: Location, context: RequestContext | None = None) -> None:
        """Delete an image.

        Args:
            location: Where it is.
            context: Not used.

        Raises:
            NotFound: There is no such image.
            InUse: It has clones, or somebody has it open.
            OutcomeUnknown: The answer was lost and cannot be found out.
        """
        with self._cluster.use() as connection:
            name, snapshot = _name_of(location), _snapshot_of(location)
            removal.delete(connection, name, snapshot, self.limits, trash=self.config.trash)

    def list(self, context: RequestContext | None = None) -> Iterator[Listing]:
        """Go through the images: those that have a snapshot ``snap``.

        Args:
            context: Not used.
        """
        with self._cluster.use() as connection:
            connection.check()
            for name, _ in names_in(connection.pool):
                if is_hidden(name):
                    continue
                try:
                    with connection.reading(name, upload.SNAPSHOT) as image:
                        size = int(image.size())
                        number = image.snap_get_id(upload.SNAPSHOT)
                        made = image.get_snap_timestamp(number).replace(tzinfo=UTC)
                except rbd.ImageNotFound:
                    continue  # no image of ours, or deleted meanwhile
                yield Listing(name, self._location(name), size, made)

    def leftovers(
        self, older_than: timedelta, context: RequestContext | None = None
    ) -> Iterator[Leftover]:
        """Go through the hidden images on which nobody works any more.

        Args:
            older_than: The least age.
            context: Not used.
        """
        with self._cluster.use() as connection:
            connection.check()
            yield from leftovers.leftovers(connection, self.store_name, older_than, self._grace)

    def reclaim(self, leftover: Leftover, context: RequestContext | None = None) -> None:
        """Remove a hidden image, unless somebody works on it.

        Args:
            leftover: One that ``leftovers`` gave.
            context: Not used.

        Raises:
            NotFound: It is gone.
            InUse: Somebody does.
        """
        with self._cluster.use() as connection:
            leftovers.reclaim(connection, leftover.name, self._grace, self.limits)

    def capacity(self, context: RequestContext | None = None) -> Capacity:
        """Tell how much the pool holds, as its manager counts it.

        Args:
            context: Not used.

        Raises:
            Unsupported: The cluster has no manager.
            Unavailable: The manager does not know the pool yet.
        """
        with self._cluster.use() as connection:
            connection.check()
            stats = connection.pool_stats(self.config.data_pool or self.config.pool)
        if stats is None:
            raise Unsupported("the cluster has no manager that could tell it")
        return Capacity(*stats)

    def copy_from(
        self,
        other: Driver,
        location: Location,
        image_id: str,
        context: RequestContext | None = None,
    ) -> Location | None:
        """Copy an image of the same cluster.

        Args:
            other: The driver of the store that has it.
            location: Where it is.
            image_id: The id of the copy.
            context: Not used.

        Returns:
            Where the copy is; None where it is in another cluster, or our user cannot read it.

        Raises:
            Duplicate: The name is taken.
            DataError: The image was deleted while it was copied.
        """
        snapshot = _snapshot_of(location)
        if not isinstance(other, RbdDriver) or snapshot is None:
            return None
        with self._cluster.use() as connection:
            if location.authority != connection.fsid:
                return None
            _refuse_taken(connection, image_id)
            place = other.config.pool, other.config.namespace
            with self._new(connection, image_id) as hidden:
                origin = place, _name_of(location), snapshot
                if not copied(connection, origin, hidden, self.config):
                    _clear(connection, hidden, image_id)
                    return None
                with connection.writing(hidden) as image:
                    see_listed(connection.pool, hidden)
                    upload.seal(image, {})
                    commit(connection.pool, hidden, image_id, str(image.id()), self.limits)
        return self._location(image_id)

    @property
    def _grace(self) -> float:
        """Seconds that an image may take from being made to being opened."""
        return min(self.config.upload_idle, self.limits.io_timeout)

    def _opened(self, location: Location) -> OpenImage:
        with self._cluster.use() as connection:
            return connection.open_image(_name_of(location), _snapshot_of(location))

    @contextmanager
    def _new(self, connection: Connection, image_id: str) -> Iterator[str]:
        """Give a hidden name; remove what has it whatever ends the block but its end."""
        hidden = hidden_name(image_id)
        with transfer.live(hidden):
            try:
                yield hidden
            except BaseException as error:
                _clear(connection, hidden, image_id)
                if number_of(error) in (errno.ENOENT, errno.EEXIST) and not connection.is_gone():
                    raise Unavailable(RECLAIMED, hint=TOO_SHORT) from error
                raise

    def _is_gone(self) -> bool:
        """Tell whether the pool was deleted: then nothing in it is found."""
        with contextlib.suppress(*FAILURES, StoreError), self._cluster.use() as connection:
            return connection.is_gone()
        return False

    def _location(self, image_id: str) -> Location:
        fsid = str(self._fsid)
        return Location.build("rbd", fsid, self._place, image_id, upload.SNAPSHOT)


def _clear(connection: Connection, hidden: str, image_id: str) -> None:
    # What cannot be removed now is found by leftovers.
    with contextlib.suppress(*FAILURES):
        removal.discard(connection, hidden, image_id)


def _refuse_taken(connection: Connection, image_id: str) -> None:
    if internal_id(connection.pool, image_id) is not None:
        raise Duplicate("the id is taken")


def _is_short(location: Location, fsid: str) -> bool:
    name = _name_of(location)
    return name != fsid and not is_hidden(name)


def _name_of(location: Location) -> str:
    return location.segments[1] if location.segments else unquote(location.authority)


def _snapshot_of(location: Location) -> str | None:
    return location.segments[2] if location.segments else None
