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
Ids = Sequence[str]


class _Lists(MemoryDriver):
    """Sets access lists without a context, which no mutant here minds."""

    def set_acls(
        self, location: Location, public: bool, read: Ids, write: Ids, context: Context = None
    ) -> None:
        self.lists(location, public, read, write)

    def lists(self, location: Location, public: bool, read: Ids, write: Ids) -> None:
        """As ``MemoryDriver.set_acls``."""
        super().set_acls(location, public, read, write)


@mutant(kills="ACL-01")
class ListsForNothing(_Lists):
    """Setting the access lists of an image that is not there succeeds."""

    def lists(self, location: Location, public: bool, read: Ids, write: Ids) -> None:
        """Overlook the answer."""
        with suppress(Refusal):
            super().lists(location, public, read, write)


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
class AddsAnewForLists(_Lists):
    """The image is stored anew with its lists, and without its bytes."""

    def lists(self, location: Location, public: bool, read: Ids, write: Ids) -> None:
        """Replace the image."""
        self.delete(location)
        self._commit("PUT", self._path("images", self.image_id(location)), 201)
        super().lists(location, public, read, write)


@mutant(kills="ACL-02")
class ListsInWord(_Lists):
    """Setting access lists looks whether the image is there, and does nothing more."""

    def lists(self, location: Location, public: bool, read: Ids, write: Ids) -> None:
        """Look."""
        self._head(location)


@mutant(kills="ACL-02")
class ReadersMayWrite(_Lists):
    """Who may read may write."""

    def lists(self, location: Location, public: bool, read: Ids, write: Ids) -> None:
        """Make one list of two."""
        both = sorted({*read, *write})
        super().lists(location, public, both, both)


@mutant(kills="ACL-02")
class EmptyListsKeepTheOld(_Lists):
    """Nobody is ever taken off the lists by an empty one."""

    def lists(self, location: Location, public: bool, read: Ids, write: Ids) -> None:
        """Set only what is given."""
        if public or read or write:
            super().lists(location, public, read, write)


@mutant(kills="ACL-02")
class ListsForAll(_Lists):
    """The access lists are those of all images."""

    def lists(self, location: Location, public: bool, read: Ids, write: Ids) -> None:
        """Set them everywhere."""
        super().lists(location, public, read, write)
        for listing in self.list():
            super().lists(listing.location, public, read, write)
