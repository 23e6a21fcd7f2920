"""Parts that several mutants are made of."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from storekit.context import RequestContext
from storekit.driver import Content
from storekit.errors import Duplicate
from storekit.location import Location
from storekit.reader import ChunkReader
from storekit.source import Source
from storekit.testing.reference import DirectoryDriver

__all__ = ["Careless", "Chunks", "WrappedReader", "cut", "refuse_taken", "with_chunks"]


def refuse_taken(path: Path) -> None:
    """Look whether an id is free.

    Args:
        path: Where its image would be.

    Raises:
        Duplicate: It is not.
    """
    if os.path.lexists(path):
        raise Duplicate("there is an image of this id")


class Careless(DirectoryDriver):
    """Looks whether the id is free, writes, and renames; nothing is synced, nobody kept out.

    For mutants to be wrong in one of the steps.
    """

    def add(self, image_id: str, source: Source, context: RequestContext | None = None) -> Location:
        """As ``DirectoryDriver.add``."""
        final = self._root / image_id
        refuse_taken(final)
        with self._upload() as (descriptor, upload):
            for chunk in source.chunks(self.limits.write_chunk):
                self.write(descriptor, chunk)
            self.publish(descriptor, upload, final)
        return self._location(image_id)

    def write(self, descriptor: int, chunk: bytes) -> None:
        """Write a piece of an upload.

        Args:
            descriptor: Of the upload.
            chunk: The piece.
        """
        os.write(descriptor, chunk)

    def publish(self, descriptor: int, upload: Path, final: Path) -> None:
        """Give an upload the name of its image.

        Args:
            descriptor: Of the upload.
            upload: The path of the upload.
            final: That of the image.
        """
        upload.rename(final)


class Chunks:
    """Chunks made by a generator; closes what they came from.

    Args:
        made: The generator.
        origin: What is closed with it.
    """

    def __init__(self, made: Iterator[bytes], origin: object) -> None:
        self._made = made
        self._origin = origin

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        return next(self._made)

    def close(self) -> None:
        """Close the origin."""
        close = getattr(self._origin, "close", None)
        if close is not None:
            close()


def with_chunks(
    content: Content, change: Callable[[Iterable[bytes]], Iterator[bytes]], total: int | None = None
) -> Content:
    """Change the chunks of an answer.

    Args:
        content: The answer.
        change: Gives other chunks for those that come.
        total: Another size of the image.
    """
    chunks = Chunks(change(content.chunks), content.chunks)
    size = content.total if total is None else total
    return replace(content, total=size, chunks=chunks, resume=None, fileno=None)


def cut(chunks: Iterable[bytes], length: int) -> Iterator[bytes]:
    """Give the first bytes of some chunks.

    Args:
        chunks: The chunks.
        length: How many bytes.
    """
    for chunk in chunks:
        if length <= 0:
            return
        yield chunk[:length]
        length -= len(chunk)


class WrappedReader:
    """A reader around the frame's own, for mutants to be wrong in one method.

    Args:
        inner: The frame's reader.
    """

    def __init__(self, inner: ChunkReader) -> None:
        self.inner = inner
        self.size = inner.size
        self.location = inner.location

    def __iter__(self) -> Self:
        iter(self.inner)
        return self

    def __next__(self) -> bytes:
        return next(self.inner)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, n: int = -1) -> Any:  # noqa: ANN401 - some mutants give text
        """As ``ChunkReader.read``."""
        return self.inner.read(n)

    def readinto(self, buffer: bytearray) -> int:
        """As ``ChunkReader.readinto``."""
        return self.inner.readinto(buffer)

    def close(self) -> None:
        """As ``ChunkReader.close``."""
        self.inner.close()
