"""Directories: all data directories of a store, and what concerns more than one of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from storekit.capabilities import Capability
from storekit.drivers.filesystem.descriptor import Descriptor
from storekit.drivers.filesystem.directory import Directory
from storekit.drivers.filesystem.exclusion import locked
from storekit.drivers.filesystem.mounts import forgets, is_remote, locks_are_local
from storekit.drivers.filesystem.options import Options
from storekit.drivers.filesystem.probing import Road
from storekit.drivers.filesystem.watch import Watch
from storekit.errors import ConfigurationError, Duplicate, StorageFull, Unavailable

__all__ = ["Directories"]


class Directories:
    """The data directories of one store.

    Args:
        options: The store's options.
        watch: Runs what may hang.
        lock_timeout: Seconds to wait at most for another commit.
    """

    def __init__(self, options: Options, watch: Watch, lock_timeout: float) -> None:
        self._options = options
        self._lock_timeout = lock_timeout
        self._all = [Directory(path, weight, watch) for path, weight in options.directories.items()]
        self._by_prefix = {
            prefix: directory for directory in reversed(self._all) for prefix in directory.prefixes
        }

    def __iter__(self) -> Iterator[Directory]:
        return iter(self._all)

    def at_prefix(self, segments: Sequence[str]) -> Directory | None:
        """Find the directory that a location names. No I/O.

        Args:
            segments: The location's segments without the last.
        """
        return self._by_prefix.get(tuple(segments))

    def open(self) -> None:
        """Open all of them.

        Raises:
            ConfigurationError: One is no directory, or is there twice.
            Unavailable: One is missing.
            OSError: One cannot be opened.
        """
        options = self._options
        for directory in self._all:
            directory.open(
                watch=options.watch,
                create_mode=options.dir_mode if options.create else None,
                durable=options.durable,
            )
        if len({directory.identity for directory in self._all}) < len(self._all):
            raise ConfigurationError("paths: two of them are one directory")

    def close(self) -> None:
        """Close all of them. May be called twice."""
        for directory in self._all:
            directory.close()

    def missing(self) -> Iterator[str]:
        """Tell which are not where they were, and why. Asks no filesystem that may hang."""
        for directory in self._all:
            if directory.watched:
                continue
            try:
                directory.check()
            except Unavailable as error:
                yield error.message

    def longest_name(self) -> int:
        """Tell how long a file name may be, in bytes."""
        return min(directory.run(directory.space).f_namemax for directory in self._all)

    def refuse_taken(self, name: bytes) -> None:
        """Look for a name in all of them.

        Args:
            name: An image's file name.

        Raises:
            Duplicate: It is taken, by whatever.
            Unavailable: A directory is gone or hangs.
        """
        for directory in self._all:
            if directory.run(directory.holds, name):
                raise Duplicate(f"the name is taken in {directory.path}")

    def choose(self, size: int | None) -> Directory:
        """Choose the directory of a new image: by weight, then by free space.

        Args:
            size: The image's size in bytes, if known.

        Raises:
            StorageFull: It fits into none. Not where images are thin: they may take less.
            Unavailable: A directory is gone or hangs.
        """
        places = self._writable
        if len(places) == 1 and (self._options.thin or size is None):
            return places[0]
        free = {place: place.free() for place in places}
        fitting = [place for place in places if free[place] >= (1 if size is None else size)]
        if fitting:
            return max(fitting, key=lambda place: (place.weight, free[place]))
        roomiest = max(places, key=free.__getitem__)
        if size is not None and not self._options.thin:
            raise StorageFull(
                f"the image has {size} bytes, {free[roomiest]} are free in {roomiest.path}"
            )
        return roomiest

    @contextmanager
    def excluding(self, directory: Directory, name: bytes) -> Iterator[Descriptor | None]:
        """Exclude other commits, where the naming of a file does not do so by itself.

        The lock is always that of the first directory: which ones can be written is not the same
        for all processes, nor at all times.

        Args:
            directory: Where the image is to be.
            name: The image's file name.

        Yields:
            The lock that is held, if one is needed.

        Raises:
            Duplicate: The name was taken meanwhile.
            Forbidden: This process may not take the lock.
            Timeout: Somebody else kept it.
        """
        if not self._needs_lock(directory):
            yield None
            return
        with locked(self._all[0], self._lock_timeout) as lock:
            self.refuse_taken(name)
            yield lock

    def shortcomings(self) -> Iterator[tuple[Capability, str]]:
        """Tell what they cannot do, and why."""
        writing = Capability.ADD | Capability.ADD_UNKNOWN_SIZE
        first = self._all[0]
        refusal = first.traits.refusal if first.traits else ""
        if not self._writable:
            yield writing | Capability.DELETE, f"{first.path}: {refusal}"
        elif refusal and is_remote(first.filesystem):
            yield writing, f"{first.path}, whose lock is needed: {refusal}"
        if not self._options.durable:
            yield Capability.DURABLE, "durable = false"
        if not self._options.thin:
            yield Capability.THIN, "thin = false"
        for directory in self._all:
            traits, place = directory.traits, f"{directory.path} ({directory.filesystem})"
            if forgets(directory.filesystem) or (traits and not traits.syncs):
                yield Capability.DURABLE, f"{place} does not outlive a power failure"
            if traits and not traits.sparse:
                yield Capability.THIN, f"{place} has no holes in files"
            if traits and traits.folds_case:
                yield writing, f"{place} does not tell upper from lower case"
            if (
                directory in self._writable
                and self._needs_lock(directory)
                and locks_are_local(self._all[0].filesystem)
            ):
                yield Capability.EXCLUSIVE_ADD, f"{place}: its locks may be this machine's only"

    @property
    def _writable(self) -> list[Directory]:
        return [place for place in self._all if place.traits is None or place.traits.road]

    def _needs_lock(self, directory: Directory) -> bool:
        traits = directory.traits
        return len(self._all) > 1 or bool(traits and traits.road is Road.LOCKED)
