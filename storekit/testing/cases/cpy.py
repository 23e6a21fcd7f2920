"""CPY: copies, to this store and to others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from storekit.capabilities import Capability
from storekit.context import RequestContext
from storekit.driver import Content, Driver
from storekit.errors import DigestMismatch, NotFound, Unavailable
from storekit.location import Location
from storekit.stores import open_store
from storekit.testing.case import case
from storekit.testing.context import Context

COPY = Capability.GET | Capability.ADD
_WRONG = {"sha256": "0" * 64}


@case(
    "CPY-01",
    needs=COPY,
    sentence="A copy to this store under a new id, to another store and from one, MUST have the"
    " same bytes, size and digests, whether the digests are known or not.",
    why="Moving images is what several stores are for.",
    mistakes="A server-side copy of another version; digests carried over for other bytes.",
)
def copies(context: Context) -> None:
    """Copy to and fro."""
    data = context.payload(2 * min(context.part_size, 1 << 20) + 997)
    stored = context.store.add(context.new_id(), data, hashes=("sha256",))
    wanted = {"sha256": hashlib.sha256(data).hexdigest()}
    for digests in (None, stored.digests):
        copy = context.store.copy(
            stored.location, image_id=context.new_id(), hashes=("sha256",), digests=digests
        )
        context.same(copy.size, len(data), "the size of the copy")
        context.same(copy.digests, wanted, "the digests of the copy")
        context.check(copy.location != stored.location, "a new location", copy.location, "copy")
        context.holds(copy.location, data, context.other)
    elsewhere = context.elsewhere()
    away = context.store.copy(stored.location, elsewhere, hashes=("sha256",))
    context.same(away.digests, wanted, "the digests of the copy in another store")
    context.holds(away.location, data, elsewhere)
    back = elsewhere.copy(away.location, context.store, context.new_id(), hashes=("sha256",))
    context.same(back.digests, wanted, "the digests of the copy from another store")
    context.holds(back.location, data)
    context.holds(stored.location, data)


@case(
    "CPY-02",
    needs=COPY,
    sentence="A copy of an image that is not what was expected MUST raise DigestMismatch, and leave"
    " nothing.",
    why="A corrupt image must not spread.",
    mistakes="Comparing after the commit; a server-side copy that nobody compares.",
)
def unexpected(context: Context) -> None:
    """Copy with a wrong expectation, known digests or not."""
    data = context.payload(70_001)
    stored = context.store.add(context.new_id(), data, hashes=("sha256",))
    for digests in (None, stored.digests):
        image_id = context.new_id()
        with context.expect_error(DigestMismatch, did="a copy with a wrong expectation"):
            context.store.copy(
                stored.location, image_id=image_id, hashes=(), expect=_WRONG, digests=digests
            )
        context.nothing_stored(image_id, "a copy with a wrong expectation")
    context.holds(stored.location, data)


class _BrokenDriver(Driver):
    """A store whose one image breaks off in the middle."""

    schemes = ("broken",)
    capabilities = Capability.GET
    size = 3 << 20

    def get(
        self,
        location: Location,
        offset: int,
        length: int | None,
        context: RequestContext | None = None,
    ) -> Content:
        def chunks() -> Iterator[bytes]:
            yield b"x" * (self.size // 2)
            raise Unavailable("the backend went away")

        return Content(self.size, chunks())

    def get_size(self, location: Location, context: RequestContext | None = None) -> int:
        return self.size


@case(
    "CPY-03",
    needs=COPY,
    exclusive=True,
    sentence="A copy whose source fails in the middle, or is not there, MUST raise that error, and"
    " leave nothing.",
    why="Half a copy has the right id and the wrong bytes.",
    mistakes="The end of the source taken for the end of the image.",
)
def source_fails(context: Context) -> None:
    """Copy from a store that breaks off, and what is not there."""
    before = context.orphans()
    broken = context.adopt(open_store(_BrokenDriver))
    image_id = context.new_id()
    with context.expect_error(Unavailable, did="a copy from a store that breaks off"):
        broken.copy("broken://host/image", context.store, image_id)
    context.nothing_stored(image_id, "a copy from a store that breaks off")
    missing = context.missing()
    image_id = context.new_id()
    with context.expect_error(NotFound, did="a copy of nothing"):
        context.store.copy(missing, image_id=image_id)
    context.nothing_stored(image_id, "a copy of nothing")
    left = context.orphans() - before
    context.check(not left, "nothing left behind", f"left: {sorted(left)}", "a failed copy")
