"""The measurements of a probe: what is measured, and what a store must have for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from storekit.testing.probing.bench import Bench
from storekit.testing.probing.measured import Row
from storekit.testing.probing.measures import ids, races, ranges, sight, sizes, wire

__all__ = ["MEASURES", "Measure"]


@dataclass(frozen=True)
class Measure:
    """One measurement, which makes one row or several."""

    names: tuple[str, ...]
    """The names of its rows."""
    act: Callable[[Bench], list[Row]]
    """Measures."""


MEASURES = (
    Measure(("a plain image",), sight.plain),
    Measure(("visible after add", "gone after delete"), sight.visibility),
    Measure(("longest id", "longest id of 3-byte characters"), ids.longest),
    Measure(tuple(f"id: {name}" for name in ids.CLASSES), ids.characters),
    Measure(("unknown size",), sizes.unknown_size),
    Measure(("largest image",), sizes.largest_image),
    Measure(("largest part",), sizes.largest_part),
    Measure(("range reads",), ranges.reads),
    Measure(("exclusive add",), races.exclusive_add),
    Measure(("exclusive delete",), races.exclusive_delete),
    Measure(tuple(f"requests: {name}" for name in wire.OPERATIONS), wire.requests),
)
"""All of them, in order: the first ones tell how long the later ones must wait."""
