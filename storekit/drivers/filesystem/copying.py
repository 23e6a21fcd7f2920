"""Copying: letting the kernel copy a file, with its holes and without its zeros."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from storekit.drivers.filesystem.kernel import FULL, clone, errno_of
from storekit.drivers.filesystem.mounts import is_remote
from storekit.drivers.filesystem.upload import Upload
from storekit.source import Source
from storekit.thin import PAGE, data_runs

__all__ = ["copy_in_kernel"]

_PIECE = 16 << 20  # bytes that are copied at once, then shown to the source
_SIGHT = 256 << 10  # bytes that are looked at for zeros at once: they stay in a processor's cache


def copy_in_kernel(source: Source, upload: Upload, *, thin: bool) -> None:
    """Copy as much as the kernel is willing to; the rest is read from the source as ever.

    Blocks are shared where the filesystem can do that, else bytes are copied. Holes stay holes,
    and zeros become some. What the source must see, its ``copied`` reads back from the copy: it
    is what is stored, even of a file that changes meanwhile.

    Args:
        source: Where from. Nothing was read of it.
        upload: Where to; empty.
        thin: Whether there may be holes.

    Raises:
        OSError: The disk is full.
        BaseException: What the source has against the bytes.
    """
    origin = source.fileno()
    if origin is None:
        return
    begin = os.lseek(origin, 0, os.SEEK_CUR)
    with upload.file as target:
        if not begin and not errno_of(clone, origin, target):
            _take_note_of_clone(source, upload, target)
            return
        # Where the bytes would come over a network to be looked at, the server copies faster.
        sees = thin and not is_remote(upload.directory.filesystem)
        try:
            _copy(source, upload, _Copy(origin, target, thin=thin, sees=sees), begin)
        finally:
            # The search for holes moved it, and a buffered file relies on its place.
            os.lseek(origin, begin, os.SEEK_SET)


def _take_note_of_clone(source: Source, upload: Upload, target: int) -> None:
    size = os.fstat(target).st_size
    for begin in range(0, size, _PIECE):
        piece = min(_PIECE, size - begin)
        upload.grew(target, piece)
        source.copied(target, piece)


def _copy(source: Source, upload: Upload, copy: _Copy, begin: int) -> None:
    position = begin
    while piece := copy.piece(position, upload.size):
        upload.grew(copy.target, piece)
        source.copied(copy.target, piece)
        position += piece


class _Copy:
    """A copy from one file to another."""

    def __init__(self, origin: int, target: int, *, thin: bool, sees: bool) -> None:
        self.origin = origin
        self.target = target
        self._thin = thin
        self._sees = sees
        self._sight = bytearray(_SIGHT if sees else 0)

    def piece(self, position: int, offset: int) -> int:
        """Copy the next bytes, and tell how many; none at the end, or if the kernel does not."""
        size = os.fstat(self.origin).st_size
        end = min(size, position + _PIECE)
        if self._thin and position < end:
            end = max(end, min(size, self._next_data(position, size)))
        for begin, stop in _merged(self._runs(position, end, offset - position)):
            reached = begin
            while reached < stop:
                copied = self._range(reached, stop - reached, offset - position)
                reached += copied
                if not copied:
                    return self._extended(position, reached, offset)
        return self._extended(position, end, offset)

    def _extended(self, position: int, end: int, offset: int) -> int:
        """Make the copy reach to where a hole ends, and tell how long the piece is."""
        length = max(end - position, 0)
        if os.fstat(self.target).st_size < offset + length:
            os.ftruncate(self.target, offset + length)
        return length

    def _range(self, position: int, length: int, shift: int) -> int:
        try:
            return os.copy_file_range(self.origin, self.target, length, position, position + shift)
        except OSError as error:
            if error.errno in FULL:
                raise
            # Who reads and writes instead meets the error where it belongs: source or store.
            return 0

    def _runs(self, begin: int, end: int, shift: int) -> Iterator[tuple[int, int]]:
        """Tell what is data in a range: not a hole, and no page of zeros in the copy."""
        if not self._thin:
            yield begin, end
            return
        while begin < end and (begin := self._next_data(begin, end)) < end:
            stop = min(end, self._next_hole(begin, end))
            yield from self._seen(begin, stop, shift) if self._sees else ((begin, stop),)
            begin = stop

    def _seen(self, begin: int, end: int, shift: int) -> Iterator[tuple[int, int]]:
        while begin < end:
            # Up to the end of a page of the copy, so that no page is seen in two halves.
            wanted = min(end - begin, _SIGHT - (begin + shift) % PAGE)
            length = os.preadv(self.origin, [memoryview(self._sight)[:wanted]], begin)
            if not length:  # it became shorter: whoever copies will see
                yield begin, end
                return
            seen = self._sight if length == _SIGHT else self._sight[:length]
            for start, stop in data_runs(seen, begin + shift):
                yield begin + start, begin + stop
            begin += length

    def _next_data(self, position: int, end: int) -> int:
        """Tell where the next data begins; ``end`` behind the last hole."""
        try:
            return os.lseek(self.origin, position, os.SEEK_DATA)
        except OSError as error:
            return end if error.errno == errno.ENXIO else position

    def _next_hole(self, position: int, end: int) -> int:
        """Tell where the data ends that is at a position."""
        try:
            return os.lseek(self.origin, position, os.SEEK_HOLE)
        except OSError:
            return end


def _merged(runs: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Make one run of those that touch."""
    begin = end = 0
    for start, stop in runs:
        if start != end:
            if begin < end:
                yield begin, end
            begin = start
        end = stop
    if begin < end:
        yield begin, end
