"""Source: what ``add`` reads from. Checked, counted and hashed here, whatever the embedder gave."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

from storekit.data import BLOCK, Data, Input
from storekit.digests import Digests, algorithms_of, compare, expectation_of
from storekit.errors import DataError, InvalidArgument, SizeMismatch, StorageFull

__all__ = ["Data", "Source", "Verifier"]


class Verifier(Protocol):
    """Anything that wants to see the stored bytes, for example to check a signature."""

    def update(self, data: bytes, /) -> object:
        """See the next bytes. Raising stops the add, and nothing is stored."""
        ...


class Source:
    """The bytes of one image on their way into a store.

    Read by the thread that made it, once, in order. The last bytes are handed out only when the
    size, the digests and the end of the data are settled, so that a driver that commits after the
    last chunk never commits a wrong image. After a failure every later read raises the same
    exception object.

    Args:
        data: What the embedder gave: a binary file object, an iterable of bytes-like objects, one
            bytes-like object, or a path.
        size: The declared size in bytes, or None.
        hashes: Names of digests to compute.
        expect: Digests that the data must have.
        verifier: Sees the bytes in order.
        progress: Called with the running count of bytes.
        max_image_size: The most bytes that are taken; see ``bound``.

    Raises:
        InvalidArgument: One of them is not what it should be. Nothing was read.
        SizeMismatch: The declared size is not that of the bytes or the file.
    """

    size: int | None
    """The size in bytes, where it is known beforehand."""

    def __init__(
        self,
        data: Data,
        size: int | None = None,
        *,
        hashes: Iterable[str] = (),
        expect: Mapping[str, str] | None = None,
        verifier: Verifier | None = None,
        progress: Callable[[int], object] | None = None,
        max_image_size: int | None = None,
    ) -> None:
        self._wanted = expectation_of(expect)
        algorithms = algorithms_of((*algorithms_of(hashes), *self._wanted))
        self._input = Input(data)
        self.size = _checked_size(size, self._input.size)
        self._max = max_image_size
        self._observers = _Observers(algorithms, verifier, progress)
        self._thread = threading.get_ident()
        self._count = 0
        self._spare = memoryview(b"")
        self._ended = False
        self._settled = False
        self._block = b""
        self._position = 0
        self._ahead: bytes | None = None
        self._kept = b""
        self._asked = 0
        self._drained = False
        self._digests: dict[str, str] = {}
        self.error: BaseException | None = None

    def bound(self, max_image_size: int) -> None:
        """Set the most that the store takes. For the frame, before the first read.

        Args:
            max_image_size: Bytes.

        Raises:
            StorageFull: More are declared.
        """
        self._max = max_image_size
        if self.size is not None and self.size > max_image_size:
            raise StorageFull(
                f"the image has {self.size} bytes, the store takes at most {max_image_size}"
            )

    @property
    def count(self) -> int:
        """How many bytes there were so far; the image's size once ``done`` is true."""
        return self._count

    @property
    def done(self) -> bool:
        """Whether the last byte has been handed out."""
        return self._drained and not self._kept

    @property
    def digests(self) -> dict[str, str]:
        """Hexadecimal digests by algorithm; complete once ``done`` is true."""
        return dict(self._digests)

    def read(self, n: int) -> bytes:
        """Give the next bytes.

        Args:
            n: How many, 1 or more.

        Returns:
            Exactly n bytes, fewer only at the end, none after it.

        Raises:
            SizeMismatch: The data is shorter or longer than declared.
            DigestMismatch: It is not what was expected.
            StorageFull: It is more than the store takes.
            InvalidArgument: What the embedder gave yields no bytes.
            BaseException: Whatever the embedder's data, verifier or progress raised.
        """
        if n < 1 or threading.get_ident() != self._thread:
            raise RuntimeError("a source is read by the thread that called add, n >= 1 at a time")
        if self.error is not None:
            raise self.error
        if self._kept:
            if n != self._asked:
                raise RuntimeError("what fits(n) has read is given by read(n)")
            kept, self._kept = self._kept, b""
            return kept
        try:
            return self._read(n)
        except BaseException as error:
            self.error = error
            raise

    def fits(self, n: int) -> bool:
        """Tell whether what is left is no longer than that: one part or many?

        What is read to find out is kept for the next ``read``, which must be of as many bytes.

        Args:
            n: How many bytes, 1 or more.

        Raises:
            BaseException: As ``read``.
        """
        self._kept, self._asked = self.read(n), n
        return self._drained

    def chunks(self, n: int) -> Iterator[bytes]:
        """Give all that is left, n bytes at a time.

        Args:
            n: Length of a chunk in bytes; only the last one is shorter.
        """
        while chunk := self.read(n):
            yield chunk

    def fileno(self) -> int | None:
        """Give a descriptor that the kernel may copy from, positioned at the first byte.

        Returns:
            The descriptor of a regular file of which nothing was read, else None. After each copy
            ``copied`` must be called, and ``read`` until it gives nothing.
        """
        if self.error is not None or self._count or self._ahead is not None:
            return None
        try:
            return self._input.fileno()
        except BaseException as error:
            self.error = error
            raise

    def copied(self, fd: int, n: int) -> None:
        """Take note of what the kernel copied, and read it back where somebody wants to see it.

        Args:
            fd: Where it was copied to; the image begins at its offset 0.
            n: How many bytes were copied, behind those of earlier calls.

        Raises:
            SizeMismatch: They are more than declared.
            DigestMismatch: Never here, but in the ``read`` that follows.
            BaseException: As ``read``.
        """
        if self.error is not None:
            raise self.error
        begin = self._count
        self._input.skip(n)
        try:
            self._counted(n)
            for offset in range(begin, begin + n, BLOCK) if self._observers else ():
                end = min(offset + BLOCK, begin + n)
                self._observers.see(_read_back(fd, offset, end - offset), end)
        except BaseException as error:
            self.error = error
            raise

    def close(self) -> None:
        """Give everything back. For the frame; the embedder's own file stays open."""
        self._observers.close()
        self._input.close()

    def _read(self, n: int) -> bytes:
        if self._ahead is None:
            self._ahead = self._next_block()
        chunk = io.BytesIO()  # its getvalue() is the only copy
        missing = n
        while missing and self._has_more():
            piece = memoryview(self._block)[self._position : self._position + missing]
            self._position += len(piece)
            missing -= len(piece)
            if len(piece) == n == len(self._block):
                return self._handed_out(self._block)
            chunk.write(piece)
        return self._handed_out(chunk.getvalue())

    def _handed_out(self, chunk: bytes) -> bytes:
        if self._position == len(self._block):
            self._block = b""
            self._position = 0
            self._drained = self._settled
        return chunk

    def _has_more(self) -> bool:
        """Make the current block one with bytes left, if there are any."""
        if self._position < len(self._block):
            return True
        if not self._settled:
            self._block = self._ahead or b""
            self._position = 0
            self._ahead = self._next_block()
            if not self._ahead:
                self._settle()
        else:
            self._block = b""
            self._position = 0
        return bool(self._block)

    def _settle(self) -> None:
        self._digests = self._observers.finish()
        compare(self._digests, self._wanted)
        self._settled = True

    def _next_block(self) -> bytes:
        """Assemble a block; a short one is the last, an empty one is the end."""
        pieces: list[bytes] = []
        length = 0
        while length < BLOCK and not self._ended:
            piece = self._next_piece(BLOCK - length)
            pieces.append(piece)
            length += len(piece)
        block = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if block:
            self._observers.see(block, self._count - len(self._spare))
        return block

    def _next_piece(self, room: int) -> bytes:
        """Give up to ``room`` bytes; none only at the end."""
        piece = self._spare
        if not piece:
            ask = room if self.size is None else min(room, self.size - self._count + 1)
            whole = self._input.pull(ask)
            self._counted(len(whole))
            if 0 < len(whole) <= room:
                return whole
            piece = memoryview(whole)
            if not piece:
                self._ended = True
                if self.size is not None and self._count < self.size:
                    raise SizeMismatch(
                        f"the data ends after {self._count} of {self.size} declared bytes"
                    )
        self._spare = piece[room:]
        return bytes(piece[:room])

    def _counted(self, n: int) -> None:
        self._count += n
        if self.size is not None and self._count > self.size:
            raise SizeMismatch(f"the data goes on after the declared {self.size} bytes")
        if self._max is not None and self._count > self._max:
            raise StorageFull(f"the image is larger than {self._max} bytes, the store's limit")


class _Observers:
    """Those who see every block: digests, verifier, progress."""

    def __init__(
        self,
        algorithms: tuple[str, ...],
        verifier: Verifier | None,
        progress: Callable[[int], object] | None,
    ) -> None:
        if verifier is not None and not callable(getattr(verifier, "update", None)):
            raise InvalidArgument("the verifier has no update(bytes)")
        if progress is not None and not callable(progress):
            raise InvalidArgument("progress cannot be called")
        self._digests = Digests(algorithms)
        self._verifier = verifier
        self._progress = progress
        self._any = bool(algorithms or verifier or progress)
        self.finish = self._digests.finish
        self.close = self._digests.close

    def __bool__(self) -> bool:
        return self._any

    def see(self, block: bytes, count: int) -> None:
        self._digests.update(block)
        if self._verifier is not None:
            self._verifier.update(block)
        if self._progress is not None:
            self._progress(count)


def _read_back(fd: int, offset: int, n: int) -> bytes:
    try:
        block = os.pread(fd, n, offset)
    except OSError as error:
        raise DataError(f"what was just copied cannot be read back: {error}") from error
    if len(block) != n:
        raise DataError("what was just copied cannot be read back: the file is shorter")
    return block


def _checked_size(declared: int | None, own: int | None) -> int | None:
    if declared is None:
        return own
    if isinstance(declared, bool) or not isinstance(declared, int) or declared < 0:
        raise InvalidArgument(f"size is {declared!r}", hint="a number of bytes, or None if unknown")
    if own is not None and own != declared:
        raise SizeMismatch(f"size is declared as {declared} bytes, the data has {own}")
    return declared
