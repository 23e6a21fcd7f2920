"""Data: what an embedder gives to ``add``, as something to pull pieces of bytes from."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Generator, Iterable
from typing import Protocol

from storekit.errors import InvalidArgument

__all__ = ["BLOCK", "Data", "Input"]

BLOCK = 1 << 20
"""How much is taken at once, in bytes: big enough that hashlib lets other threads run, small
enough to stay in a processor's cache."""

Buffer = bytes | bytearray | memoryview


class Readable(Protocol):
    """Anything with ``read(n)`` that gives bytes, fewer than asked at will, none at the end."""

    def read(self, n: int, /) -> Buffer:
        """Give up to n bytes."""
        ...


Data = Readable | Iterable[Buffer] | Buffer | os.PathLike[str]


class Input:
    """What the embedder gave, as something to pull pieces from."""

    def __init__(self, data: Data) -> None:
        self.size: int | None = None
        self._path: os.PathLike[str] | None = None
        self._file: Readable | None = None
        self._items: Generator[Buffer, None, None] | None = None
        self._seek: int | None = None
        if isinstance(data, str):
            raise InvalidArgument(
                "data is text", hint="encode it, or give a pathlib.Path if it names a file"
            )
        if isinstance(data, os.PathLike):
            self._path = data
            self.size = _size_of(data)
        elif callable(getattr(data, "read", None)):
            self._file = data  # type: ignore[assignment]  # a read attribute makes it Readable
        elif (view := _view_of(data)) is not None:
            self.size = view.nbytes
            self._items = _slices(view)
        elif hasattr(data, "__iter__"):
            self._items = _each(data)  # type: ignore[arg-type]  # has __iter__
        else:
            raise InvalidArgument(
                f"data is a {type(data).__name__}",
                hint="give a binary file object, an iterable of bytes, bytes, or a path",
            )

    def pull(self, n: int) -> bytes:
        """Give some bytes, about n if that is in our hands; none at the end."""
        if self._items is not None:
            for item in self._items:
                if piece := _bytes_of(item):
                    return piece
            return b""
        file = self._opened()
        if self._seek is not None:
            file.seek(self._seek)  # type: ignore[attr-defined]  # _seek is set for real files only
            self._seek = None
        return _bytes_of(file.read(n))

    def fileno(self) -> int | None:
        """Give the descriptor of a real file whose position is where reading begins, or None."""
        if self._items is not None:
            return None
        file = self._opened()
        raw = file.raw if type(file) is io.BufferedReader else file
        # A subclass, or a wrapper with a fileno(), may give other bytes than the file has.
        if type(raw) is not io.FileIO or not stat.S_ISREG(os.fstat(raw.fileno()).st_mode):
            return None
        position = os.lseek(raw.fileno(), 0, os.SEEK_CUR)
        if position != file.tell():  # type: ignore[attr-defined]  # something is in its buffer
            return None
        self._seek = position
        return raw.fileno()

    def skip(self, n: int) -> None:
        """Go on n bytes further, wherever the kernel's copy left the descriptor."""
        if self._seek is None:
            raise RuntimeError("copied() without fileno()")
        self._seek += n

    def close(self) -> None:
        """Close what was opened here, and let go of the caller's buffer."""
        if self._items is not None:
            self._items.close()
        if self._path is not None and self._file is not None:
            self._file.close()  # type: ignore[attr-defined]  # ours: opened below

    def _opened(self) -> Readable:
        if self._file is None and self._path is not None:
            self._file = open(self._path, "rb", buffering=0)  # noqa: SIM115 - closed by close()
        assert self._file is not None  # noqa: S101 - for the type checker
        return self._file


def _size_of(path: os.PathLike[str]) -> int | None:
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        raise InvalidArgument(f"{os.fspath(path)!r} cannot be read: {error}") from error
    if stat.S_ISDIR(status.st_mode):
        raise InvalidArgument(f"{os.fspath(path)!r} is a directory")
    # Devices and pipes say 0 and hold more.
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _bytes_of(piece: object) -> bytes:
    """Make bytes that nobody can change afterwards."""
    if type(piece) is bytes:
        return piece
    if isinstance(piece, str) or piece is None:
        raise InvalidArgument(f"the data gave {type(piece).__name__}, not bytes")
    try:
        return bytes(memoryview(piece))  # type: ignore[arg-type]  # TypeError says so
    except TypeError:
        raise InvalidArgument(f"the data gave {type(piece).__name__}, not bytes") from None


def _each(data: Iterable[Buffer]) -> Generator[Buffer, None, None]:
    # A generator, so that the caller's __iter__ runs at the first pull and not before; and no
    # "yield from", which would close the caller's generator with this one.
    for item in data:  # noqa: UP028 - see above
        yield item


def _view_of(data: object) -> memoryview | None:
    try:
        return memoryview(data)  # type: ignore[arg-type]  # TypeError says so
    except TypeError:
        return None
    except ValueError as error:  # released
        raise InvalidArgument(f"data cannot be read: {error}") from None


def _slices(view: memoryview) -> Generator[Buffer, None, None]:
    if type(view.obj) is bytes and view.nbytes == len(view.obj) <= BLOCK:
        yield view.obj  # whole, and no copy
        return
    if not view.nbytes:
        return
    flat = view.cast("B") if view.c_contiguous else memoryview(view.tobytes())
    for begin in range(0, len(flat), BLOCK):
        yield flat[begin : begin + BLOCK]
