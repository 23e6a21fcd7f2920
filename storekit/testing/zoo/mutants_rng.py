"""Mutants of random reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from storekit.context import RequestContext
from storekit.driver import Content
from storekit.errors import RangeNotSatisfiable
from storekit.location import Location
from storekit.store import Store
from storekit.testing.reference import MemoryDriver
from storekit.testing.reference import memory as memory_module
from storekit.testing.zoo.mutants import mutant
from storekit.testing.zoo.parts import WrappedReader, cut, with_chunks

Context = RequestContext | None


def _wanted(total: int, offset: int, length: int | None) -> int:
    rest = max(total - offset, 0)
    return rest if length is None else min(rest, length)


@mutant(kills="RNG-02")
class OffByOneOffset(MemoryDriver):
    """A read begins one byte too early."""

    def get(
        self, location: Location, offset: int, length: int | None, context: Context = None
    ) -> Content:
        """Begin at the byte before."""
        if offset == 0:
            return super().get(location, offset, length, context)
        content = super().get(location, offset - 1, None, context)
        size = _wanted(content.total, offset, length)
        return with_chunks(content, lambda chunks: cut(chunks, size))


@mutant(kills="RNG-02")
class IgnoreOffset(MemoryDriver):
    """A read begins at the first byte, whatever was asked for."""

    def get(
        self, location: Location, offset: int, length: int | None, context: Context = None
    ) -> Content:
        """Begin at the beginning."""
        content = super().get(location, 0, None, context)
        size = _wanted(content.total, offset, length)
        return with_chunks(content, lambda chunks: cut(chunks, size))


@mutant(kills="RNG-03")
class PassesOn416(MemoryDriver):
    """The backend's refusal of an offset at the end is passed on."""

    def get(
        self, location: Location, offset: int, length: int | None, context: Context = None
    ) -> Content:
        """Raise at the end."""
        content = super().get(location, offset, length, context)
        if offset >= content.total:
            raise RangeNotSatisfiable("416")
        return content


@mutant(kills="RNG-05")
class IgnoreLength(MemoryDriver):
    """A read goes on to the end, whatever length was asked for."""

    def get(
        self, location: Location, offset: int, length: int | None, context: Context = None
    ) -> Content:
        """Read to the end."""
        return super().get(location, offset, None, context)


@mutant(kills="RNG-07")
class NotClamped(MemoryDriver):
    """A length past the end is refused."""

    def get(
        self, location: Location, offset: int, length: int | None, context: Context = None
    ) -> Content:
        """Refuse what is too long."""
        content = super().get(location, offset, length, context)
        if length is not None and offset + length > content.total:
            raise RangeNotSatisfiable("the length is past the end")
        return content


@mutant(kills="RNG-11")
class WrongNowAndThen(MemoryDriver):
    """One offset in sixteen is read from the byte before."""

    def get(
        self, location: Location, offset: int, length: int | None, context: Context = None
    ) -> Content:
        """Be wrong where no example looks."""
        if offset % 16 != 11:  # noqa: PLR2004 - any number will do
            return super().get(location, offset, length, context)
        content = super().get(location, offset - 1, None, context)
        size = _wanted(content.total, offset, length)
        return with_chunks(content, lambda chunks: cut(chunks, size))


@mutant(kills="RNG-12")
class SkipsFromTheBeginning(MemoryDriver):
    """A range is read from the first byte on, and what is not wanted thrown away."""

    def get(
        self, location: Location, offset: int, length: int | None, context: Context = None
    ) -> Content:
        """Read all, give a part."""
        content = super().get(location, 0, None, context)
        size = _wanted(content.total, offset, length)

        def skipped(chunks: Iterable[bytes]) -> Iterator[bytes]:
            data = b"".join(chunks)
            yield data[offset : offset + size]

        return with_chunks(content, skipped)


@mutant(kills="RNG-12")
class TrustsTheAnswer(MemoryDriver):
    """A range is taken for what was asked for, whatever the answer says."""

    def get(
        self, location: Location, offset: int, length: int | None, context: Context = None
    ) -> Content:
        """Do not look at Content-Range."""
        path = self._path("images", self.image_id(location))
        body = self._pool.open(path, memory_module._range_header(offset, length))  # noqa: SLF001
        if body.status in {200, 206}:
            return Content(memory_module._total_of(body), body)  # noqa: SLF001
        body.close()
        return super().get(location, offset, length, context)


@mutant(kills="RNG-04")
class EmptyPastTheEnd(Store):
    """A read past the end gives nothing, and no error."""

    def get(self, location: Any, offset: Any = 0, length: Any = None, **more: Any) -> Any:  # noqa: ANN401
        """Begin at the end instead."""
        try:
            return super().get(location, offset, length, **more)
        except RangeNotSatisfiable:
            return super().get(location, self.get_size(location), length, **more)


@mutant(kills="RNG-06")
class ZeroLengthIsAll(Store):
    """A length of 0 is taken for none."""

    def get(self, location: Any, offset: Any = 0, length: Any = None, **more: Any) -> Any:  # noqa: ANN401
        """Take 0 for None."""
        return super().get(location, offset, length or None, **more)


class _TotalSize(WrappedReader):
    pass


@mutant(kills="RNG-08")
class SizeIsTotalForRange(Store):
    """A reader of a part reports the size of the whole image."""

    def get(self, location: Any, *args: Any, **more: Any) -> Any:  # noqa: ANN401
        """Report the whole size."""
        reader = _TotalSize(super().get(location, *args, **more))
        reader.size = self.get_size(location)
        return reader


@mutant(kills="RNG-09")
class NegativeOffsetClamped(Store):
    """A negative offset is taken for 0."""

    def get(self, location: Any, offset: Any = 0, length: Any = None, **more: Any) -> Any:  # noqa: ANN401
        """Clamp."""
        if isinstance(offset, int) and offset < 0:
            offset = 0
        return super().get(location, offset, length, **more)


@mutant(kills="RNG-10")
class KeywordsOnly(Store):
    """Offset and length by position are ignored."""

    def get(self, location: Any, *_: Any, **more: Any) -> Any:  # noqa: ANN401
        """Pass on the keywords."""
        return super().get(location, **more)
