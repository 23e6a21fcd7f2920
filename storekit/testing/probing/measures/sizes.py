"""Sizes: images of unknown size, and the largest image and part within the limit of the probe."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from typing import Protocol

from storekit.capabilities import Capability, Limits
from storekit.errors import ConfigurationError, StorageFull, StoreError
from storekit.location import Location
from storekit.store import Store
from storekit.testing.probing.bench import Bench, brief
from storekit.testing.probing.measured import Row, Verdict

__all__ = ["largest_image", "largest_part", "unknown_size"]

_BLOCK = 1 << 20
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


def unknown_size(bench: Bench) -> list[Row]:
    """Measure whether images are stored whose size is not declared.

    Args:
        bench: What to work with.
    """
    declared = bench.claims(Capability.ADD_UNKNOWN_SIZE)
    store = bench.store if declared else bench.bold(bench.limits.max_id_length)
    part = bench.limits.part_size
    sizes = [size for size in (1, 70_001, part + 1) if size <= bench.longest]
    for size in (0, *sizes):
        if wrong := _wrong(bench, store, size, known=False):
            break
    verdict = Verdict.of(declared=declared, measured=not wrong)
    return [
        Row(
            name="unknown size",
            declared="yes" if declared else "no",
            measured="no" if wrong else f"up to {shown(max(sizes, default=0))}",
            verdict=verdict,
            why=wrong if verdict is Verdict.LIE else "",
            numbers={"largest": 0 if wrong else max(sizes, default=0)},
        )
    ]


def largest_image(bench: Bench) -> list[Row]:
    """Measure the largest image, within the limit of the probe.

    Args:
        bench: What to work with.
    """
    declared = bench.limits.max_image_size
    wanted = size = bench.longest
    wrong = why = _wrong(bench, bench.store, size)
    while wrong and size > 1:
        size //= 2
        wrong = _wrong(bench, bench.store, size)
    found, verdict = (0 if wrong else size), Verdict.LIE if why else Verdict.OK
    if not why and wanted == declared < bench.limit:
        bold = bench.bold(bench.limits.max_id_length)
        if not _wrong(bench, bold, bench.limit):
            found, verdict = bench.limit, Verdict.OVER
    return [
        Row(
            name="largest image",
            declared="any" if declared == Limits().max_image_size else shown(declared),
            measured=shown(found) + ("" if why or found < bench.limit else " (the limit)"),
            verdict=verdict,
            why=f"{shown(wanted)}: {why}" if why else "",
            numbers={"declared": declared, "measured": found},
        )
    ]


def largest_part(bench: Bench) -> list[Row]:
    """Measure that parts of the declared size work, and which larger ones do.

    Two whole parts and a byte are stored, so that a part is a part.

    Args:
        bench: What to work with.
    """
    declared = bench.limits.part_size
    name, told = "largest part", shown(declared)
    if 2 * declared + 1 > bench.longest:
        why = f"two parts and a byte are longer than the limit, {shown(bench.longest)}"
        return [Row(name=name, declared=told, verdict=Verdict.NOT_MEASURED, why=why)]
    if wrong := _wrong(bench, bench.store, 2 * declared + 1):
        return [
            Row(name=name, declared=told, measured="no", verdict=Verdict.LIE, why=wrong),
        ]
    found, larger = declared, 2 * declared
    while 2 * larger + 1 <= bench.longest and _takes(bench, larger):
        found, larger = larger, 2 * larger
    return [
        Row(
            name=name,
            declared=told,
            measured=shown(found),
            verdict=Verdict.OK,
            numbers={"declared": declared, "measured": found},
        )
    ]


def _takes(bench: Bench, part: int) -> bool:
    try:
        store = bench.client(part_size=part)
    except ConfigurationError:
        return False  # its parts have one size
    return store.limits.part_size == part and not _wrong(bench, store, 2 * part + 1)


def _wrong(bench: Bench, store: Store, size: int, *, known: bool = True) -> str:
    """Store an image of a size and read it back; say what is wrong, if anything."""
    seed = bench.random.getrandbits(32)
    hashed = hashlib.sha256()
    place = None
    try:
        data = _blocks(seed, size, hashed)
        place = bench.keeper.add(store, bench.new_id(), data, size if known else None)
        told = bench.seen(lambda: bench.other.get_size(place))
        if told != size:
            return f"of {size} bytes {told} are said to be there"
        count, digest = _read(bench, place)
        if (count, digest) != (size, hashed.hexdigest()):
            return f"of {size} bytes {count} come back" + (", others" if count == size else "")
    except StoreError as error:
        # More than declared may rightly be more than there is room for.
        if not (isinstance(error, StorageFull) and size > bench.longest):
            bench.blame(error)
        return f"{size} bytes: {brief(error)}"
    finally:
        if place is not None:
            bench.drop(store, place)
    return ""


def _blocks(seed: int, size: int, hashed: _Hash) -> Iterator[bytes]:
    chosen = random.Random(seed)  # noqa: S311 - repeatable, no secret
    for begin in range(0, size, _BLOCK):
        block = chosen.randbytes(min(_BLOCK, size - begin))
        hashed.update(block)
        yield block


def _read(bench: Bench, place: Location) -> tuple[int, str]:
    count, hashed = 0, hashlib.sha256()
    with bench.seen(lambda: bench.other.get(place)) as reader:
        for chunk in reader:
            count += len(chunk)
            hashed.update(chunk)
    return count, hashed.hexdigest()


def shown(size: int) -> str:
    """Write a number of bytes, exactly.

    Args:
        size: Bytes.
    """
    amount, step = size, 0
    while amount and amount % 1024 == 0 and step < len(_UNITS) - 1:
        amount, step = amount // 1024, step + 1
    return f"{amount} {_UNITS[step]}"
