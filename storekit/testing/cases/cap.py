"""CAP: how much there is room for."""

from __future__ import annotations

from storekit.capabilities import Capability
from storekit.errors import StorageFull
from storekit.testing.case import case
from storekit.testing.context import Context
from storekit.testing.sources import Tap
from storekit.values import Capacity


@case(
    "CAP-01",
    needs=Capability.CAPACITY,
    sentence="Capacity MUST be total >= free >= 0 in bytes; an add of a known size above it MUST be"
    " refused with StorageFull before the data is read, unless the store is thin.",
    why="An upload that cannot fit must not fill the disk first.",
    mistakes="Blocks or kilobytes for bytes; free above total; finding out at the end.",
)
def capacity(context: Context) -> None:
    """Ask for the capacity, and add more than it."""
    told = _told(context)
    if context.claims(Capability.ADD):
        context.image(context.payload(min(70_001, told.free)))
        told = _told(context)
    if not context.claims(Capability.ADD) or context.claims(Capability.THIN):
        return
    image_id = context.new_id()
    source = Tap(b"never read")
    size = told.total + 1
    with context.expect_error(StorageFull, did=f"an add of {size} bytes"):
        context.store.add(image_id, source, size)
    context.same(source.reads, 0, "reads of data that cannot fit")
    context.nothing_stored(image_id, "an add that cannot fit")


def _told(context: Context) -> Capacity:
    told = context.store.capacity()
    for name, value in (("total", told.total), ("free", told.free)):
        context.check(type(value) is int, f"{name} as an int", type(value).__name__, "capacity")
    context.check(told.total >= told.free >= 0, "total >= free >= 0", told, "capacity")
    return told
