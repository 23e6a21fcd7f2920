"""LST: what is there, and nothing else."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

from storekit.capabilities import Capability
from storekit.location import Location
from storekit.testing.case import NotApplicable, Violation, case
from storekit.testing.context import Context
from storekit.testing.looks import looks
from storekit.testing.sources import Tap
from storekit.values import Listing

LIST = Capability.LIST
_ADDERS = 8


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
    exclusive=True,
    budget=12.0,
    sentence="A listing MUST be complete where it fills a page of the backend exactly, is longer"
    " than one, and fills two.",
    why="The second page is forgotten until somebody has so many images.",
    mistakes="One page; the last of a page twice; a full page taken for one that has another"
    " behind it, or the last image of it for a marker; a marker that is not encoded.",
)
def pages(context: Context) -> None:
    """List as many images as fill one page of the backend, one more, and as fill two."""
    page = context.harness.page_size
    # Whoever has images there too: it is all of them that fill a page.
    others = context.listed()
    doomed: list[Location] = []
    whole = (len(others) // page + 1) * page
    wanted = set(others)
    with _adders(context) as pool:
        for count in (whole, whole + 1, whole + page):
            ids = [context.new_id(f" {number}&?") for number in range(len(wanted), count)]
            wanted.update(ids)
            locations = list(pool.map(partial(context.image, b"page"), ids))
            missing = wanted - set(_mine(context, wanted))
            did = f"a listing of {count} images, in pages of {page}"
            context.check(not missing, f"{count} images", f"{len(missing)} are missing", did)
            doomed += locations
        if context.claims(Capability.DELETE):
            list(pool.map(context.store.delete, doomed))


@case(
    "LST-04",
    needs=LIST | Capability.ADD | Capability.DELETE,
    budget=12.0,
    sentence="While images are added and deleted, a listing MUST give each that is there"
    " throughout, exactly once.",
    why="A service does not stop for a listing.",
    mistakes="Pages counted by number: each delete moves the next page by one.",
)
def while_changing(context: Context) -> None:
    """Add and delete between the items of a listing."""
    ids = [context.new_id() for _ in range(context.harness.page_size + 1)]
    with _adders(context) as pool:
        locations = list(pool.map(partial(context.image, b"list"), ids))
    doomed = locations[::3]
    throughout = set(ids) - set(ids[::3])
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


def _adders(context: Context) -> ThreadPoolExecutor:
    """Give threads that add images: a page may be a thousand."""
    threads = min(_ADDERS, context.limits.max_connections)
    threads = threads if context.claims(Capability.THREAD_SAFE) else 1
    return ThreadPoolExecutor(threads, thread_name_prefix="adder")


@case(
    "LST-05",
    needs=LIST | Capability.ADD,
    sentence="Where a listing tells a time, it MUST be in UTC, that at which the image was stored"
    " (as near as limits.op_budget, for there are two clocks), the same in every listing, and a"
    " later one for an image that is stored later.",
    why="Who tidies up by age deletes what is new, or keeps what is old, by a time that is wrong.",
    mistakes="The time of the listing, or that at which the store was opened; 1970 for what is not"
    " known, which is None; milliseconds for seconds; the time of another zone.",
)
def times(context: Context) -> None:
    """Add an image, and others until one has another time; compare with the clock."""
    early, begin = context.new_id(), datetime.now(UTC)
    context.image(context.payload(997), early)
    end = datetime.now(UTC)
    told = _time_of(context, early)
    if told is None:
        raise NotApplicable("the listing tells no time")
    # The backend's clock is not ours. Further off than one request may take with all its attempts,
    # it is wrong in a way that whoever goes by the age of images has to know of.
    apart = timedelta(seconds=context.budget())
    plausible = begin - apart <= told <= end + apart
    context.check(plausible, f"a time between {begin - apart} and {end + apart}", told, "an add")
    waited = time.perf_counter()
    later: datetime | None = None
    for _ in looks(context.budget()):
        late = context.new_id()
        context.image(b"later", late)
        later = _time_of(context, late)
        context.same(_time_of(context, early), told, "the time of an image in another listing")
        seconds = time.perf_counter() - waited
        if later is not None and later > told:
            context.notes["times differ after"] = seconds
            return
    raise Violation(f"a later time than {told}", later, f"an add {seconds:.1f} s later")


def _time_of(context: Context, image_id: str) -> datetime | None:
    """Give the time that a listing has for an image; in UTC."""
    found = _mine(context, {image_id})
    context.check(image_id in found, f"{image_id} listed", "it is not", "list")
    told = found[image_id].modified
    utc = told is None or told.utcoffset() == timedelta(0)
    context.check(utc, "a time in UTC, or None", repr(told), "list")
    return told
