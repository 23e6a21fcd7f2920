"""Mutants of the frame's add: what a frame, and not a driver, can get wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import takewhile
from typing import Any

from storekit.errors import SizeMismatch, StoreError
from storekit.source import Source
from storekit.store import Store
from storekit.testing.reference import DirectoryHarness
from storekit.testing.zoo.mutants import mutant
from storekit.values import StoredImage

Given = Any  # whatever a caller gives: the mutants pass it on


def _is_iterable(data: Given) -> bool:
    return not hasattr(data, "read") and not isinstance(data, bytes | bytearray | memoryview | str)


@mutant(kills="ADD-01")
class SharedHasher(Store):
    """All adds share one hash object."""

    shared = hashlib.sha256()

    def add(self, image_id: Given, data: Given, *args: Given, **options: Given) -> StoredImage:
        """Report what the shared object says."""
        if isinstance(data, bytes):
            self.shared.update(data)
        stored = super().add(image_id, data, *args, **options)
        return replace(stored, digests=stored.digests | {"sha256": self.shared.hexdigest()})


@mutant(kills="ADD-08")
class EmptyChunkEnds(Store):
    """An empty chunk is taken for the end."""

    def add(self, image_id: Given, data: Given, *args: Given, **options: Given) -> StoredImage:
        """Stop at an empty chunk."""
        if _is_iterable(data) and hasattr(data, "__next__"):
            data = takewhile(len, data)
        return super().add(image_id, data, *args, **options)


@mutant(kills="ADD-09")
class RetainsBuffer(Store):
    """Buffers are kept, and sent later."""

    def add(self, image_id: Given, data: Given, *args: Given, **options: Given) -> StoredImage:
        """Collect first."""
        if _is_iterable(data) and hasattr(data, "__next__"):
            data = list(data)
        return super().add(image_id, data, *args, **options)


@mutant(kills="ADD-10")
class EncodesText(Store):
    """Text is stored as UTF-8."""

    def add(self, image_id: Given, data: Given, *args: Given, **options: Given) -> StoredImage:
        """Encode."""
        if isinstance(data, str):
            return super().add(image_id, data.encode(), **options)
        return super().add(image_id, data, *args, **options)


@mutant(kills="ADD-12")
class NoShortCheck(Store):
    """An image may end before its declared size."""

    def add(
        self, image_id: Given, data: Given, size: Given = None, **options: Given
    ) -> StoredImage:
        """Take no notice of the size."""
        return super().add(image_id, data, None, **options)


@mutant(kills="ADD-13")
class NoLongCheck(Store):
    """What comes after the declared size is cut off."""

    def add(
        self, image_id: Given, data: Given, size: Given = None, **options: Given
    ) -> StoredImage:
        """Cut."""
        if size is None or not _is_iterable(data):
            return super().add(image_id, data, size, **options)
        return super().add(image_id, _first(data, size), size, **options)


def _first(data: Iterable[bytes], size: int) -> Iterator[bytes]:
    for chunk in data:
        yield chunk[:size]
        size -= len(chunk)
        if size <= 0:
            return


@mutant(kills="ADD-13")
class DrainsExcess(Store):
    """What comes after the declared size is read to its end."""

    def add(self, image_id: Given, data: Given, *args: Given, **options: Given) -> StoredImage:
        """Read the rest."""
        try:
            return super().add(image_id, data, *args, **options)
        except SizeMismatch:
            if _is_iterable(data):
                for _ in data:
                    pass
            raise


@mutant(kills="ADD-14")
class TakesAnyNumber(Store):
    """A size may be whatever int() takes."""

    def add(
        self, image_id: Given, data: Given, size: Given = None, **options: Given
    ) -> StoredImage:
        """Convert."""
        if isinstance(size, bool | float | str):
            size = None
        return super().add(image_id, data, size, **options)


@mutant(kills="ADD-16")
class WrongAlgo(Store):
    """blake2s is computed as sha256."""

    def add(
        self, image_id: Given, data: Given, size: Given = None, **options: Given
    ) -> StoredImage:
        """Give one digest for another."""
        stored = super().add(image_id, data, size, **options)
        digests = dict(stored.digests)
        if "blake2s" in digests:
            digests["blake2s"] = digests["sha256"]
        return replace(stored, digests=digests)


@mutant(kills="ADD-16")
class LateAlgoCheck(Store):
    """An unknown digest is found out after the image was stored."""

    def add(self, *args: Given, hashes: Given = ("md5", "sha512"), **options: Given) -> StoredImage:
        """Store, then look at the names."""
        if set(hashes) <= hashlib.algorithms_guaranteed - {"shake_128", "shake_256"}:
            return super().add(*args, hashes=hashes, **options)
        super().add(*args, hashes=(), **options)
        return super().add("again", b"", hashes=hashes)


class _Behind:
    """A verifier that is one block behind."""

    def __init__(self, inner: Given) -> None:
        self._inner = inner
        self._held: bytes | None = None

    def update(self, data: bytes, /) -> None:
        if self._held is not None:
            self._inner.update(self._held)
        self._held = data


@mutant(kills="ADD-17")
class VerifierSkipsLast(Store):
    """The verifier does not see the last block."""

    def add(self, *args: Given, verifier: Given = None, **options: Given) -> StoredImage:
        """Stay behind."""
        return super().add(*args, verifier=verifier and _Behind(verifier), **options)


@mutant(kills="ADD-20", over=DirectoryHarness)
class Traversal(Store):
    """An id with a path in it is taken as it is."""

    def add(
        self, image_id: Given, data: Given, size: Given = None, **options: Given
    ) -> StoredImage:
        """Hand it to the driver."""
        if image_id != "../x":
            return super().add(image_id, data, size, **options)
        source = Source(data, size)
        location = self.opening.instance().add(image_id, source)
        return StoredImage(location, size or 0, {}, self.name)


@mutant(kills="ADD-22")
class AliasedMetadata(Store):
    """All answers share one dict."""

    shared: dict[str, object]

    def add(self, *args: Given, **options: Given) -> StoredImage:
        """Hand out the same dict."""
        stored = super().add(*args, **options)
        self.shared = getattr(self, "shared", stored.metadata)
        return replace(stored, metadata=self.shared)


@mutant(kills="ADD-22")
class ClosesSource(Store):
    """The caller's file is closed."""

    def add(self, image_id: Given, data: Given, *args: Given, **options: Given) -> StoredImage:
        """Close it."""
        stored = super().add(image_id, data, *args, **options)
        if hasattr(data, "close"):
            data.close()
        return stored


@mutant(kills="CPY-02")
class TrustsKnownDigests(Store):
    """A copy is not compared with what was expected."""

    def copy(self, *args: Given, expect: Given = None, **options: Given) -> StoredImage:
        """Drop the expectation."""
        return super().copy(*args, **options)


@mutant(kills="CPY-03")
class EndOfSourceIsEnd(Store):
    """A source that fails is taken for one that ends."""

    def add(
        self, image_id: Given, data: Given, size: Given = None, **options: Given
    ) -> StoredImage:
        """Stop at an error of a store."""
        if not hasattr(data, "location"):
            return super().add(image_id, data, size, **options)
        return super().add(image_id, _swallowing(data), None, **options)


def _swallowing(data: Iterable[bytes]) -> Iterator[bytes]:
    try:
        yield from data
    except StoreError:
        return
