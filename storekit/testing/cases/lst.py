"""LST: what is there, and nothing else."""

from __future__ import annotations

from datetime import timedelta

from storekit.capabilities import Capability
from storekit.location import Location
from storekit.testing.case import Violation, case
from storekit.testing.context import Context
from storekit.testing.sources import Tap
from storekit.values import Listing

LIST = Capability.LIST


def _mine(context: Context, ids: set[str]) -> dict[str, Listing]:
    """List, and demand that none of these comes twice."""
    found: dict[str, Listing] = {}
    for listing in context.store.list():
        if listing.image_id in ids:
            again = listing.image_id in found
            context.check(not again, "each image once", f"{listing.image_id} twice", "list")
            found[listing.image_id] = listing
    return found


@case(
    "LST-01",
    needs=LIST,
    sentence="A listing MUST give every image once, with its id, location and size, and a time in"
    " UTC or none.",
    why="It is how an operator finds what a database has lost.",
    mistakes="Names in place of ids; a location that get does not take; a naive time.",
)
def every_image(context: Context) -> None:
    """List some images, and compare."""
    images: dict[str, tuple[Location, int]] = {}
    for size in (0, 1, 997, 70_001):
        image_id = context.new_id()
        images[image_id] = context.image(context.payload(size), image_id), size
    found = _mine(context, set(images))
    context.same(sorted(found), sorted(images), "the ids listed")
    for image_id, (location, size) in images.items():
        listing = found[image_id]
        context.same(listing.location, location, f"the location of {image_id}")
        context.same(listing.size, size, f"the size of {image_id}")
        context.same(context.store.get_size(listing.location), size, "get_size of what is listed")
        modified = listing.modified
        aware = modified is None or modified.utcoffset() == timedelta(0)
        context.check(aware, "a time in UTC, or None", modified, "list")


@case(
    "LST-02",
    needs=LIST | Capability.ADD,
    exclusive=True,
    sentence="A listing MUST NOT show what is being added, what failed, or what a crash left.",
    why="What is listed is taken for an image.",
    mistakes="Uploads under the final name; segments and temporary files listed.",
)
def nothing_partial(context: Context) -> None:
    """List during an add, after a failed one, and beside a leftover."""
    image_id = context.new_id()
    before = {listing.image_id for listing in context.store.list()}
    data = context.payload(3 * min(context.part_size, 1 << 20))

    def look(position: int) -> None:
        now = {listing.image_id for listing in context.other.list()}
        more = now - before
        context.check(not more, "nothing more listed", sorted(more), f"{position} bytes of an add")

    context.store.add(image_id, Tap(data, at=look), len(data))
    error = context.own(ValueError("boom"))

    def fail(position: int) -> None:
        if position:
            raise error

    with context.expect_error(ValueError, did="an add that fails"):
        context.store.add(context.new_id(), Tap(data, at=fail), 2 * len(data))
    if context.harness.offers("plant_leftover"):
        context.harness.plant_leftover()
    now = {listing.image_id for listing in context.store.list()}
    context.same(sorted(now), sorted(before | {image_id}), "the ids listed")
    context.harness.clean(context.store.store)


@case(
    "LST-03",
    needs=LIST,
    sentence="A listing longer than one page of the backend MUST be complete.",
    why="The second page is forgotten until somebody has so many images.",
    mistakes="One page; the last of a page twice; a marker that is not encoded.",
)
def pages(context: Context) -> None:
    """List more images than one page of the backend has."""
    ids = {context.new_id(f" {number}&?") for number in range(context.harness.page_size + 1)}
    for image_id in ids:
        context.image(b"page", image_id)
    missing = ids - set(_mine(context, ids))
    context.check(not missing, f"{len(ids)} images", f"{len(missing)} are missing", "list")


@case(
    "LST-04",
    needs=LIST | Capability.ADD | Capability.DELETE,
    sentence="While images are added and deleted, a listing MUST give each that is there"
    " throughout, exactly once.",
    why="A service does not stop for a listing.",
    mistakes="Pages counted by number: each delete moves the next page by one.",
)
def while_changing(context: Context) -> None:
    """Add and delete between the items of a listing."""
    count = context.harness.page_size + 1
    throughout, doomed = set(), []
    for number in range(count):
        image_id = context.new_id()
        location = context.image(b"list", image_id)
        if number % 3 == 0:
            doomed.append(location)
        else:
            throughout.add(image_id)
    seen: list[str] = []
    for listing in context.store.list():
        if listing.image_id in throughout:
            seen.append(listing.image_id)
        if doomed:
            context.other.delete(doomed.pop(0))
            context.other.add(context.new_id(), b"more")
    missing = throughout - set(seen)
    context.check(not missing, f"{len(throughout)} images", f"{len(missing)} are missing", "list")
    if len(seen) != len(set(seen)):
        raise Violation("each image once", f"{len(seen) - len(set(seen))} came twice", "list")
