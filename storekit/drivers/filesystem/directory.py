"""Directory: one data directory, opened once; every name is looked up relative to it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import ParamSpec, TypeVar

from storekit.drivers.filesystem.descriptor import Descriptor
from storekit.drivers.filesystem.kernel import FULL
from storekit.drivers.filesystem.mounts import filesystem_of, is_remote, still_open
from storekit.drivers.filesystem.probing import Traits, probe
from storekit.drivers.filesystem.watch import Watch
from storekit.errors import ConfigurationError, InvalidLocation, NotFound, StoreClosed, Unavailable
from storekit.location import Location

__all__ = ["DENIED", "Directory", "modified_of", "regular"]

P = ParamSpec("P")
T = TypeVar("T")
DENIED = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
"""The directory, or the file, cannot be written."""


class Directory:
    """A data directory.

    It is opened once, and from then on names in it are looked up relative to its descriptor. An
    image id is one component of a path and symbolic links are not followed, so nothing outside
    can be reached. Methods that ask the filesystem block; ``run`` runs them with a deadline where
    the filesystem may hang.

    Args:
        path: Where it is, as configured; may be, or lead through, symbolic links.
        weight: The operator's weight.
        watch: Runs what may hang.
    """

    filesystem: str = ""
    """The type of its filesystem."""
    device: str = ""
    """Which filesystem it is, among those of this machine."""
    watched: bool = False
    """Whether its calls have a deadline."""
    traits: Traits | None = None
    """What it can do; None as long as that cannot be found out because it is full."""
    identity: tuple[int, int] = (0, 0)
    """Device and inode."""

    def __init__(self, path: Path, weight: int, watch: Watch) -> None:
        self.path = path.absolute()
        self.weight = weight
        self._watch = watch
        self._descriptor: Descriptor | None = None

    @property
    def prefixes(self) -> tuple[tuple[str, ...], ...]:
        """The segments of its path in a location: as written, and as read too."""
        forms = (os.fspath(self.path), os.path.normpath(self.path))
        return tuple(tuple(form.rstrip("/").split("/")[1:]) for form in dict.fromkeys(forms))

    def location(self, image_id: str) -> Location:
        """Make the location of an image in it.

        Args:
            image_id: The image's id.
        """
        return Location.build("file", "", *self.prefixes[0], image_id)

    def open(self, *, watch: str, create_mode: int | None, durable: bool) -> None:
        """Open it and find out what it can do.

        Args:
            watch: ``auto``, ``always`` or ``never``.
            create_mode: Mode to make it with if it is missing; None leaves that an error.
            durable: Whether the making must survive a power failure.

        Raises:
            Unavailable: It is not there.
            ConfigurationError: It is no directory, or its path has a control character.
            OSError: It cannot be opened.
        """
        try:
            self.location("image")
        except InvalidLocation as error:
            raise ConfigurationError(f"path: no location can have {str(self.path)!r}") from error
        self.traits = None
        self.watched = watch != "never"  # the mount may hang already, whatever it is
        if create_mode is not None:
            self.run(_make, self.path, create_mode, durable=durable)
        self._descriptor = self.run(self._opened)
        with self._descriptor as fd:
            self.filesystem, device = filesystem_of(fd)
            self.identity = self.run(_identity, fd)
            self.device = device or str(self.identity[0])
        self.watched = watch == "always" or (watch == "auto" and is_remote(self.filesystem))
        self.run(self._probe)

    def close(self) -> None:
        """Close it. May be called twice."""
        if self._descriptor is not None:
            self.release(self._descriptor.close)

    def run(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Run a function that asks the filesystem, with a deadline where it may hang.

        Args:
            function: What to call.
            *arguments: With what.
            **named: With what.

        Raises:
            Unavailable: As ``Watch.call``.
        """
        if not self.watched:
            return function(*arguments, **named)
        return self._watch.call(function, *arguments, **named)

    def commit(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Run a function that changes what others see.

        Args:
            function: What to call.
            *arguments: With what.
            **named: With what.

        Raises:
            OutcomeUnknown: It did not return in time.
            Unavailable: As ``Watch.commit``.
        """
        if not self.watched:
            return function(*arguments, **named)
        return self._watch.commit(function, *arguments, **named)

    def release(self, function: Callable[P, object], *arguments: P.args, **named: P.kwargs) -> None:
        """Run a function that gives something back, without failing.

        Args:
            function: What to call.
            *arguments: With what.
            **named: With what.
        """
        if self.watched:
            self._watch.release(function, *arguments, **named)
            return
        with suppress(OSError):
            function(*arguments, **named)

    def check(self) -> None:
        """Check that the path still leads here.

        Raises:
            Unavailable: The directory was moved or removed, or something is mounted over it.
        """
        try:
            found = _identity(self.path)
        except OSError as error:
            raise Unavailable(
                f"the directory {self.path} is gone: {error.strerror}",
                hint="is a mount missing?",
            ) from error
        if found != self.identity:
            raise Unavailable(
                f"{self.path} is another directory than when the store was opened",
                hint="bring the old one back, or open the store again if the new one is right",
            )

    @property
    def opened(self) -> Descriptor:
        """The descriptor, unchecked: what is held stays open even while the store is closed.

        Raises:
            StoreClosed: The directory was not opened.
        """
        if self._descriptor is None:
            raise StoreClosed("the store is not open")
        return self._descriptor

    @contextmanager
    def at(self) -> Iterator[int]:
        """Give the descriptor to look names up with, the path being checked.

        A missing file is reported as that only while the directory is where it should be.

        Raises:
            Unavailable: As ``check``.
        """
        with self.opened as fd:
            self.check()
            try:
                yield fd
            except FileNotFoundError:
                self.check()
                raise

    def holds(self, name: bytes) -> bool:
        """Tell whether a name is taken, by whatever.

        Args:
            name: The file's name.

        Raises:
            Unavailable: As ``check``.
        """
        with self.at() as fd, suppress(FileNotFoundError):
            os.stat(name, dir_fd=fd, follow_symlinks=False)
            return True
        return False

    def status(self, name: bytes) -> os.stat_result:
        """Look at an image's file.

        Args:
            name: The file's name.

        Raises:
            NotFound: It is something else than a regular file.
            FileNotFoundError: It is not there.
            Unavailable: As ``check``.
        """
        with self.at() as fd:
            status = os.stat(name, dir_fd=fd, follow_symlinks=False)
        return regular(status)

    def statuses(self, names: Iterable[bytes]) -> list[tuple[bytes, os.stat_result]]:
        """Look at several names.

        Args:
            names: The names.

        Returns:
            Those that are regular files, with their status.

        Raises:
            Unavailable: As ``check``.
        """
        found = []
        with self.at() as fd:
            for name in names:
                with suppress(FileNotFoundError):  # NotFound is one too
                    status = os.stat(name, dir_fd=fd, follow_symlinks=False)
                    found.append((name, regular(status)))
            self.check()
        return found

    def remove(self, name: bytes) -> None:
        """Remove an image's name.

        Args:
            name: The file's name.

        Raises:
            FileNotFoundError: It is not there.
            Unavailable: As ``check``.
        """
        with self.at() as fd:
            os.unlink(name, dir_fd=fd)

    def names(self) -> list[bytes]:
        """Give the names of all that is in it.

        Raises:
            Unavailable: As ``check``.
        """
        with self.at() as fd:
            # A descriptor of its own: the position in a directory is shared otherwise.
            with Descriptor.open_at(fd, b".", os.O_RDONLY | os.O_DIRECTORY) as own:
                names = os.listdir(own)
            self.check()
        encoded = map(os.fsencode, names)
        return [name for name in encoded if not still_open(self.filesystem, name)]

    def sync(self) -> None:
        """Write its entries to the disk."""
        with self.at() as fd:
            os.fsync(fd)

    def space(self) -> os.statvfs_result:
        """Ask for the space of its filesystem.

        Raises:
            Unavailable: As ``check``.
        """
        with self.at() as fd:
            return os.statvfs(fd)

    def free(self) -> int:
        """Tell how many bytes are free, with the deadline of ``run``.

        Raises:
            Unavailable: As ``run`` and ``check``.
        """
        space = self.run(self.space)
        return space.f_bavail * space.f_frsize

    def known_traits(self) -> Traits:
        """Tell what it can do, finding it out now if it was too full before.

        Raises:
            OSError: It still is.
        """
        if self.traits is None:
            with self.at() as fd:
                self.traits = probe(fd)
        return self.traits

    def _probe(self) -> None:
        try:
            self.known_traits()
        except OSError as error:
            if error.errno in DENIED:
                self.traits = Traits(None, os.strerror(error.errno))
            elif error.errno not in FULL:
                raise

    def _opened(self) -> Descriptor:
        try:
            return Descriptor.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError as error:
            raise Unavailable(
                f"the directory {self.path} does not exist",
                hint="is a mount missing? Else make it, or set create = true",
            ) from error
        except NotADirectoryError as error:
            raise ConfigurationError(f"path: {self.path} is no directory") from error


def regular(status: os.stat_result) -> os.stat_result:
    """Refuse everything that is no regular file: links, directories, pipes, devices.

    Args:
        status: What stat said.

    Returns:
        The same.

    Raises:
        NotFound: It is no regular file.
    """
    if not stat.S_ISREG(status.st_mode):
        raise NotFound("what has this name is no regular file, and so no image")
    return status


def modified_of(status: os.stat_result) -> datetime | None:
    """Tell when a file was changed last.

    Args:
        status: What stat said.

    Returns:
        The time, or None for one that a datetime cannot have.
    """
    with suppress(ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(status.st_mtime, UTC)
    return None


def _identity(place: Path | int) -> tuple[int, int]:
    status = os.stat(place)
    return status.st_dev, status.st_ino


def _make(path: Path, mode: int, *, durable: bool) -> None:
    """Make a directory and those above it, whatever the umask is."""
    if path.is_dir():
        return
    _make(path.parent, mode, durable=durable)
    with suppress(FileExistsError):  # somebody else was faster, or it is no directory
        path.mkdir(mode)
        # What was made, not what a link has put in its place. O_PATH: the umask may leave it shut.
        with Descriptor.open(path, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW) as made:
            Path(f"/proc/self/fd/{made}").chmod(mode)
    if durable:
        with Descriptor.open(path.parent, os.O_RDONLY | os.O_DIRECTORY) as fd:
            os.fsync(fd)
