"""The filesystem driver: the verbs."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import timedelta
from itertools import islice
from typing import ClassVar

from storekit.arguments import check_id
from storekit.capabilities import Capability, Limits
from storekit.context import RequestContext
from storekit.driver import Capacity, Content, Driver, DriverOptions, Leftover, Listing
from storekit.drivers.filesystem import leftovers
from storekit.drivers.filesystem.copying import copy_in_kernel
from storekit.drivers.filesystem.directories import Directories
from storekit.drivers.filesystem.directory import Directory, modified_of
from storekit.drivers.filesystem.metadata import Metadata
from storekit.drivers.filesystem.options import Options
from storekit.drivers.filesystem.reading import FileChunks
from storekit.drivers.filesystem.upload import Upload
from storekit.drivers.filesystem.watch import Watch
from storekit.errors import (
    InvalidArgument,
    InvalidLocation,
    NotFound,
    OutcomeUnknown,
    StoreError,
    Unavailable,
)
from storekit.location import Location
from storekit.source import Source
from storekit.thin import PAGE

__all__ = ["FilesystemDriver"]

_BATCH = 256  # files that a listing looks at in one watched call


class FilesystemDriver(Driver):
    """Images as files in one directory, or in several."""

    interface = 1
    schemes = ("file", "filesystem")
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
        | Capability.THIN
        | Capability.THREAD_SAFE
        | Capability.FORK_SAFE
    )
    limits = Limits()
    example_locations = (
        "file:///srv/images/cirros-0.6.3",
        "file:///srv/images/with%20a%20space",
    )
    config: Options

    def __init__(self, store_name: str, options: Options) -> None:
        super().__init__(store_name, options)
        self._watch = Watch(self.limits.io_timeout, self.limits.max_connections)
        self._directories = Directories(options, self._watch, self.limits.io_timeout)
        self._metadata = Metadata()

    def open(self) -> None:
        """Open the directories, and find out what their filesystems can do.

        Raises:
            Unavailable: One is missing.
            ConfigurationError: One is no directory, or is there twice, or the metadata file is
                not as it should be.
            Timeout: One hangs, or the metadata file does.
            OSError: One cannot be opened.
        """
        self._metadata = self._metadata_read()
        self._directories.open()
        longest = self._directories.longest_name()
        if 0 < longest < self.limits.max_id_length:
            self.limit(max_id_length=longest)
        for capability, reason in self._directories.shortcomings():
            self.narrow(capability, reason)

    def close(self) -> None:
        """Close the directories."""
        self._directories.close()

    @property
    def degraded(self) -> str | None:  # type: ignore[override]  # found out whenever it is asked
        """Which directories are gone, and how many calls hang."""
        reasons = [*self._directories.missing()]
        if stuck := self._watch.stuck:
            reasons.append(f"calls that hang in the filesystem: {stuck}")
        return "; ".join(reasons) or None

    def owns(self, location: Location) -> bool:
        """Tell whether a location is an image's place directly in one of the directories.

        Args:
            location: The location.
        """
        return self._place(location) is not None

    def translate(self, error: Exception, operation: str) -> StoreError | None:
        """Map what the errno alone does not say.

        Args:
            error: What escaped from a verb.
            operation: The verb.
        """
        if not isinstance(error, OSError):
            return None
        if operation == "open" and error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
            path = f"{error.filename}: " if isinstance(error.filename, str) else ""
            return Unavailable(
                f"a directory cannot be opened: {path}{error.strerror}",
                hint="is a mount missing that a symbolic link leads to?",
            )
        if error.errno == errno.ELOOP:
            return NotFound("what has this name is a symbolic link, and so no image")
        if error.errno == errno.ENOTDIR or (error.errno == errno.ENOENT and operation == "add"):
            return Unavailable(
                "the directory, or the upload in it, was removed meanwhile", hint="add it again"
            )
        if error.errno in {errno.EINVAL, errno.EILSEQ} and operation == "add":
            return InvalidArgument("the filesystem cannot have a file of this name")
        return None

    def add(self, image_id: str, source: Source, context: RequestContext | None = None) -> Location:
        """Store an image.

        Args:
            image_id: Its id, and the name of its file.
            source: Its bytes.
            context: Not used.

        Returns:
            Where it is.

        Raises:
            Duplicate: The name is taken, in whichever directory.
            StorageFull: It cannot fit, or did not.
            OutcomeUnknown: The commit, or its way to the disk, failed unseen.
            Unavailable: A directory is gone or hangs.
        """
        name = image_id.encode()
        self._directories.refuse_taken(name)
        directory = self._directories.choose(source.size)
        thin, durable = self.config.thin, self.config.durable
        with Upload.into(directory, thin=thin, durable=durable) as upload:
            if not directory.watched:  # the source reads the copy back, in the caller's thread
                copy_in_kernel(source, upload, thin=thin)
            # Whole pages, for only those can be holes.
            for chunk in source.chunks(max(PAGE, self.limits.write_chunk // PAGE * PAGE)):
                directory.run(upload.write, chunk)
            directory.run(upload.finish, self.config.file_mode)
            with self._directories.excluding(directory, name) as lock:
                directory.commit(upload.publish, name, lock)
            self._sync(directory)
        return directory.location(image_id)

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
            Unavailable: The directory is gone or hangs.
        """
        directory, name = self._found(location)
        chunks = directory.run(FileChunks.open, directory, name)
        if offset >= chunks.total:
            chunks.close()
            return Content(chunks.total, ())
        part = chunks.part(offset, length, self.limits.read_chunk)
        return Content(chunks.total, part, fileno=part.fileno())

    def get_size(self, location: Location, context: RequestContext | None = None) -> int:
        """Tell the size of an image.

        Args:
            location: Where it is.
            context: Not used.

        Raises:
            NotFound: There is no such image.
            Unavailable: The directory is gone or hangs.
        """
        directory, name = self._found(location)
        return directory.run(directory.status, name).st_size

    def delete(self, location: Location, context: RequestContext | None = None) -> None:
        """Delete an image.

        Args:
            location: Where it is.
            context: Not used.

        Raises:
            NotFound: There is no such image.
            OutcomeUnknown: It hangs, or its way to the disk failed.
            Unavailable: The directory is gone or hangs.
        """
        directory, name = self._found(location)
        directory.run(directory.status, name)
        directory.commit(directory.remove, name)
        self._sync(directory)

    def metadata(
        self, location: Location, context: RequestContext | None = None
    ) -> dict[str, object]:
        """Give what the metadata file says of the image's directory.

        Args:
            location: Where the image is.
            context: Not used.
        """
        return self._metadata.of(self._found(location)[0].path)

    def list(self, context: RequestContext | None = None) -> Iterator[Listing]:
        """Go through the images: the regular files whose names are ids.

        Args:
            context: Not used.

        Raises:
            Unavailable: A directory is gone or hangs.
        """
        for directory in self._directories:
            ids = {
                name: image_id
                for name in directory.run(directory.names)
                if (image_id := self._id_of(name)) is not None
            }
            left = iter(ids)
            while batch := tuple(islice(left, _BATCH)):
                for name, status in directory.run(directory.statuses, batch):
                    place = directory.location(ids[name])
                    yield Listing(ids[name], place, status.st_size, modified_of(status))

    def leftovers(
        self, older_than: timedelta, context: RequestContext | None = None
    ) -> Iterator[Leftover]:
        """Go through the hidden files of uploads that are dead.

        Args:
            older_than: The least age.
            context: Not used.

        Raises:
            Unavailable: A directory is gone or hangs.
        """
        for directory in self._directories:
            for name in filter(leftovers.is_hidden, directory.run(directory.names)):
                found = None
                with suppress(FileNotFoundError):  # gone meanwhile, or no file: NotFound is one too
                    found = directory.run(
                        leftovers.look_at, directory, name, self.store_name, self.config.upload_idle
                    )
                if found is not None and leftovers.is_older(found, older_than):
                    yield found

    def reclaim(self, leftover: Leftover, context: RequestContext | None = None) -> None:
        """Remove a hidden file, unless it is alive.

        Args:
            leftover: One that ``leftovers`` gave.
            context: Not used.

        Raises:
            NotFound: It is gone, or not one of ours.
            InUse: It is alive.
        """
        path, name = leftovers.place_of(leftover)
        for directory in self._directories:
            if directory.path == path and leftovers.is_hidden(name):
                directory.run(leftovers.reclaim, directory, name, self.config.upload_idle)
                return
        raise NotFound("there is no such leftover in this store")

    def capacity(self, context: RequestContext | None = None) -> Capacity:
        """Tell the space of the directories' filesystems, each counted once.

        Args:
            context: Not used.

        Raises:
            Unavailable: A directory is gone or hangs.
        """
        spaces = {
            directory.device: directory.run(directory.space) for directory in self._directories
        }
        return Capacity(
            total=sum(space.f_blocks * space.f_frsize for space in spaces.values()),
            free=sum(space.f_bavail * space.f_frsize for space in spaces.values()),
        )

    def copy_from(
        self,
        other: Driver,
        location: Location,
        image_id: str,
        context: RequestContext | None = None,
    ) -> Location | None:
        """Copy an image of a filesystem store in the kernel, sharing its blocks where it can.

        Args:
            other: The driver that has it.
            location: Where it is.
            image_id: The id of the copy.
            context: Not used.

        Returns:
            Where the copy is, or None if it is elsewhere, or where it could hang.

        Raises:
            StoreError: As ``add``.
        """
        if not isinstance(other, FilesystemDriver):
            return None
        directory, name = other._found(location)  # noqa: SLF001 - the same class
        if directory.watched:
            return None
        # The open file is the version that is copied, whatever becomes of its name.
        with (
            closing(FileChunks.open(directory, name)) as image,
            open(f"/proc/self/fd/{image.fileno()}", "rb", buffering=0) as file,
        ):
            return self.add(image_id, Source(file, image.total), context)

    def _place(self, location: Location) -> tuple[Directory, bytes] | None:
        """Tell where an image is, from the location's text alone."""
        foreign = location.authority or location.userinfo is not None or "?" in str(location)
        if location.scheme not in self.schemes or foreign or not location.segments:
            return None
        *prefix, image_id = location.segments
        directory = self._directories.at_prefix(prefix)
        if directory is None or not self._is_id(image_id):
            return None
        return directory, image_id.encode()

    def _found(self, location: Location) -> tuple[Directory, bytes]:
        place = self._place(location)
        if place is None:
            raise InvalidLocation("it is not directly in one of the store's directories")
        return place

    def _is_id(self, text: str) -> bool:
        with suppress(InvalidArgument):
            return bool(check_id(text, self.limits.max_id_length))
        return False

    def _id_of(self, name: bytes) -> str | None:
        with suppress(UnicodeDecodeError):
            text = name.decode()
            return text if self._is_id(text) else None
        return None

    def _sync(self, directory: Directory) -> None:
        """Make a commit durable. It is done, whatever happens here."""
        if not self.config.durable or (directory.traits and not directory.traits.syncs):
            return
        try:
            directory.run(directory.sync)
        except OSError as error:
            raise OutcomeUnknown(
                "it was done, but the disk did not confirm it", hint="look whether it is there"
            ) from error

    def _metadata_read(self) -> Metadata:
        path = self.config.metadata_file
        if path is None or self.config.watch == "never":
            return Metadata(path)
        return self._watch.call(Metadata, path)
