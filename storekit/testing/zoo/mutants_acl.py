"""Mutants of access lists."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from storekit.context import RequestContext
from storekit.location import Location
from storekit.store import Store
from storekit.testing.reference import MemoryDriver
from storekit.testing.reference.connection import Refusal
from storekit.testing.zoo.mutants import mutant

Context = RequestContext | None


@mutant(kills="ACL-01")
class ListsForNothing(MemoryDriver):
    """Setting the access lists of an image that is not there succeeds."""

    def set_acls(
        self,
        location: Location,
        public: bool,
        read: Sequence[str],
        write: Sequence[str],
        context: Context = None,
    ) -> None:
        """Overlook the answer."""
        with suppress(Refusal):
            super().set_acls(location, public, read, write, context)


@mutant(kills="ACL-01")
class LettersForProjects(Store):
    """One project in place of a list is taken for a list of its letters."""

    def set_acls(
        self,
        location: str | Location,
        public: bool = False,
        read: Sequence[str] = (),
        write: Sequence[str] = (),
        *,
        context: Context = None,
    ) -> None:
        """Make a list of what is none."""
        super().set_acls(location, public, list(read), list(write), context=context)


@mutant(kills="ACL-01")
class AddsAnewForLists(MemoryDriver):
    """The image is stored anew with its lists, and without its bytes."""

    def set_acls(
        self,
        location: Location,
        public: bool,
        read: Sequence[str],
        write: Sequence[str],
        context: Context = None,
    ) -> None:
        """Replace the image."""
        self.delete(location)
        self._commit("PUT", self._path("images", self.image_id(location)), 201)
        super().set_acls(location, public, read, write, context)


@mutant(kills="ACL-02")
class ListsInWord(MemoryDriver):
    """Setting access lists looks whether the image is there, and does nothing more."""

    def set_acls(
        self,
        location: Location,
        public: bool,
        read: Sequence[str],
        write: Sequence[str],
        context: Context = None,
    ) -> None:
        """Look."""
        self._head(location)


@mutant(kills="ACL-02")
class ReadersMayWrite(MemoryDriver):
    """Who may read may write."""

    def set_acls(
        self,
        location: Location,
        public: bool,
        read: Sequence[str],
        write: Sequence[str],
        context: Context = None,
    ) -> None:
        """Make one list of two."""
        both = sorted({*read, *write})
        super().set_acls(location, public, both, both, context)


@mutant(kills="ACL-02")
class EmptyListsKeepTheOld(MemoryDriver):
    """Nobody is ever taken off the lists by an empty one."""

    def set_acls(
        self,
        location: Location,
        public: bool,
        read: Sequence[str],
        write: Sequence[str],
        context: Context = None,
    ) -> None:
        """Set only what is given."""
        if public or read or write:
            super().set_acls(location, public, read, write, context)


@mutant(kills="ACL-02")
class ListsForAll(MemoryDriver):
    """The access lists are those of all images."""

    def set_acls(
        self,
        location: Location,
        public: bool,
        read: Sequence[str],
        write: Sequence[str],
        context: Context = None,
    ) -> None:
        """Set them everywhere."""
        super().set_acls(location, public, read, write, context)
        for listing in self.list():
            super().set_acls(listing.location, public, read, write, context)
