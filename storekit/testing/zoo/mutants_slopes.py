"""Mutants of long runs: a little more of something with every cycle, and stores that do not end."""

from __future__ import annotations

import ctypes
import itertools
import mmap
import os
import threading

from storekit.context import RequestContext
from storekit.errors import StoreClosed
from storekit.location import Location
from storekit.opening import Opening
from storekit.store import Store
from storekit.testing.reference import DirectoryDriver
from storekit.testing.zoo.mutants import mutant

Context = RequestContext | None
_SELDOM = 20  # cycles: so few that a count after some calls does not show it
_LONG = 60.0  # seconds that a forgotten thread is there


@mutant(kills="RES-08")
class RemembersEveryImage(DirectoryDriver):
    """The size of each image is kept in a table, also when the image is gone."""

    def open(self) -> None:
        """Begin with none."""
        super().open()
        self._sizes: dict[Location, int] = {}

    def get_size(self, location: Location, context: Context = None) -> int:
        """Look, and remember."""
        self._sizes[location] = super().get_size(location, context)
        return self._sizes[location]


class _Seldom(DirectoryDriver):
    """Forgets something at each twentieth delete."""

    def open(self) -> None:
        super().open()
        self._deletes = itertools.count(1)

    def delete(self, location: Location, context: Context = None) -> None:
        super().delete(location, context)
        if not next(self._deletes) % _SELDOM:
            self._forget()

    def _forget(self) -> None:
        raise NotImplementedError


@mutant(kills="RES-08")
class ForgetsADescriptor(_Seldom):
    """Each twentieth delete leaves a descriptor open."""

    def _forget(self) -> None:
        os.open(self._root, os.O_RDONLY | os.O_CLOEXEC)


@mutant(kills="RES-08")
class ForgetsAThread(_Seldom):
    """Each twentieth delete starts a thread that nobody ends."""

    def _forget(self) -> None:
        threading.Thread(target=threading.Event().wait, args=(_LONG,), daemon=True).start()


@mutant(kills="RES-08")
class KeepsALog(DirectoryDriver):
    """A line for each image in one buffer, which never ends: not an object more, and many bytes."""

    def open(self) -> None:
        """Begin with none."""
        super().open()
        self._log = bytearray()

    def delete(self, location: Location, context: Context = None) -> None:
        """Delete, and write it down."""
        super().delete(location, context)
        self._log += b"%1023s\n" % str(location).encode()


@mutant(kills="RES-08")
class ForgetsAPage(DirectoryDriver):
    """Each delete maps a page past all allocators, and forgets it."""

    def delete(self, location: Location, context: Context = None) -> None:
        """Delete, and take a page."""
        super().delete(location, context)
        give = ctypes.CDLL(None).mmap
        give.restype, give.argtypes = ctypes.c_void_p, [ctypes.c_void_p, *[ctypes.c_long] * 5]
        kind = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        rights = mmap.PROT_READ | mmap.PROT_WRITE
        ctypes.memset(give(None, mmap.PAGESIZE, rights, kind, -1, 0), 1, 1)


@mutant(kills="RES-08")
class OpensItselfAgain(Store):
    """A store that was closed opens itself at its next use."""

    def close(self) -> None:
        """Close, and be as new."""
        old = self.opening
        old.close()
        self.opening = Opening(old._make, old._translate)  # noqa: SLF001 - what is wrong


@mutant(kills="RES-08")
class ClosesOnce(Store):
    """The second close raises."""

    def close(self) -> None:
        """Refuse to close what is closed."""
        if self.opening.state == "closed":
            raise StoreClosed("the store is closed")
        super().close()
