"""DEL: an image goes, whole, and nothing else does."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from functools import partial

from storekit.capabilities import Capability
from storekit.errors import Forbidden, InUse, NotFound, StoreError, Unsupported
from storekit.location import Location
from storekit.testing.case import Violation, case
from storekit.testing.context import Context
from storekit.testing.journal import Client
from storekit.testing.trials import unlisted

DELETE = Capability.DELETE
_MOST_REQUESTS = 8  # of one delete


def _gone(location: Location, client: Client) -> bool:
    try:
        client.get_size(location)
    except NotFound:
        return True
    return False


@case(
    "DEL-01",
    needs=DELETE,
    sentence="A deleted image MUST be gone for every client, from every verb and at rest.",
    why="Deleted means that nobody can read it any more.",
    mistakes="A cache; a marker that only one verb looks at; bytes left at rest.",
)
def gone(context: Context) -> None:
    """Delete, and look from two clients and past the driver."""
    image_id = context.new_id()
    location = context.image(context.payload(10_007), image_id)
    other = context.other
    other.get_size(location)
    context.store.delete(location)
    for client in (context.store, other, context.client()):
        context.eventually(partial(_gone, location, client), "NotFound from get_size", "delete")
        if context.claims(Capability.GET):
            with context.expect_error(NotFound, did="get after delete"):
                client.get(location)
        if context.claims(Capability.LIST):
            listed = context.listed(client)
            context.check(image_id not in listed, "not listed", "it is listed", "delete")
    if context.harness.offers("peek"):
        context.same(context.harness.peek(str(location)), None, "the bytes at rest after delete")


@case(
    "DEL-02",
    needs=DELETE,
    sentence="A delete of what is not there MUST raise NotFound.",
    why="Whoever deletes by a wrong name must learn it.",
    mistakes="An idempotent DELETE of the backend passed on as success.",
)
def missing(context: Context) -> None:
    """Delete nothing."""
    location = context.missing()
    with context.expect_error(NotFound, did="a delete of nothing") as caught:
        context.store.delete(location)
    context.check(str(location) in caught.text, "an error that names it", caught.text, "delete")


@case(
    "DEL-03",
    needs=DELETE,
    sentence="A second delete of one image MUST raise NotFound, by whichever client.",
    why="Two clean-ups that meet must both know who did it.",
    mistakes="A client that remembers having deleted; a cached listing.",
)
def twice(context: Context) -> None:
    """Delete twice, by one client and by two."""
    for second in (context.store, context.other):
        location = context.image(context.payload(997))
        context.store.delete(location)
        with context.expect_error(NotFound, did="a second delete"):
            second.delete(location)


@case(
    "DEL-04",
    needs=DELETE | Capability.ADD,
    sentence="After a delete the id MUST be free for other bytes.",
    why="Retries use the same id.",
    mistakes="A tombstone; a marker of the old image; the old bytes from a cache.",
)
def again(context: Context) -> None:
    """Delete, and add other bytes under the id."""
    image_id = context.new_id()
    for size in (70_001, 997, 10_007):
        data = context.payload(size)
        location = context.store.add(image_id, data).location
        for client in (context.store, context.other):
            context.same(client.get_size(location), size, "get_size of the new image")
            context.holds(location, data, client)
        context.store.delete(location)


@case(
    "DEL-05",
    needs=DELETE,
    sentence="A delete MUST leave images alone whose ids begin or end alike, or differ in case.",
    why="One image's end must not be another's.",
    mistakes="Deleting by prefix, as segments are; a pattern in the name.",
)
def neighbours(context: Context) -> None:
    """Delete in the middle of ids that are alike."""
    base = context.new_id()
    others = {}
    alike = (f"{base}0", f"{base}-1", f"{base}.part", base[:-1], f"x{base}", f"{base}*")
    for image_id in (*alike, base.upper()):
        if len(image_id.encode()) <= context.limits.max_id_length:
            data = context.payload(997)
            others[image_id] = context.image(data, image_id), data
    context.store.delete(context.image(context.payload(997), base))
    for image_id, (location, data) in others.items():
        context.same(context.store.get_size(location), len(data), f"the size of {image_id!r}")
        if context.claims(Capability.GET):
            context.same(context.read(location), data, f"the image {image_id!r}")


@case(
    "DEL-06",
    needs=DELETE,
    exclusive=True,
    sentence="A delete MUST leave nothing behind: no segment, manifest, snapshot, volume or"
    " upload.",
    why="What nobody can find is paid for, for ever.",
    mistakes="Deleting the manifest and not the segments.",
)
def nothing_left(context: Context) -> None:
    """Delete small and large images, and ask what belongs to none."""
    before = context.orphans()
    for size in (1, 2 * context.part_size + 997):
        context.store.delete(context.image(context.payload(size)))
    left = context.orphans() - before
    context.check(not left, "nothing left behind", f"left: {sorted(left)}", "delete")


@case(
    "DEL-07",
    needs=DELETE,
    hooks=("in_use",),
    sentence="A delete of an image that is in use MUST raise InUse and leave the image as it is.",
    why="A clone or an attachment without its image is broken for good.",
    mistakes="Deleting the part that can be deleted; BackendError for a busy image.",
)
def in_use(context: Context) -> None:
    """Delete while somebody uses the image."""
    data = context.payload(10_007)
    location = context.image(data)
    with context.harness.in_use(str(location)):
        with context.expect_error(InUse, did="a delete of an image in use"):
            context.store.delete(location)
        context.holds(location, data, context.other)
    context.store.delete(location)


@case(
    "DEL-08",
    needs=DELETE,
    hooks=("denied_backend",),
    sentence="A delete that the backend denies MUST raise Forbidden (Unsupported where the store"
    " knew it when it was opened), and leave the image as it is.",
    why="Denied is not missing: the image is still there, and still costs.",
    mistakes="NotFound for a 403; success for an ignored one.",
)
def denied(context: Context) -> None:
    """Delete as a user who may only read."""
    data = context.payload(10_007)
    location = context.image(data)
    client = context.adopt(context.harness.denied_backend())
    known = DELETE not in client.capabilities
    with context.expect_error(Unsupported if known else Forbidden, did="a denied delete"):
        client.delete(location)
    context.holds(location, data)


@case(
    "DEL-09",
    needs=DELETE,
    hooks=("endpoint",),
    exclusive=True,
    sentence="An image whose delete was cut off MUST be whole or gone, or be deletable all the"
    " same; what is left of it then MUST be listed by leftovers and removed by reclaim.",
    why="A delete that failed halfway is tried again, until it is done.",
    mistakes="NotFound because the first half is gone, so that the second never goes; a clean-up"
    " that is cut, of which leftovers knows nothing.",
)
def half_deleted(context: Context) -> None:
    """Cut deletes off after each of their requests, then delete again."""
    before = context.orphans()
    for requests in range(_MOST_REQUESTS):
        location = context.image(context.payload(2 * context.part_size + 997))
        wire = context.wire()
        client = context.client_behind(wire, max_attempts=1)
        wire.cut_before = requests
        did = f"a delete cut off after {requests} requests"
        try:
            client.delete(wire.location(location))
            done = True
        except StoreError:
            done = False
        with suppress(NotFound) if done else nullcontext():
            _again(context, location)
        context.check(_gone(location, context.client()), "gone", "still there", did)
        if left := unlisted(context, before):
            how = "the delete succeeded" if done else "it was deleted again"
            got = f"{how}, and left {', '.join(sorted(left))}, which leftovers does not list"
            raise Violation("nothing left but what leftovers lists", got, did)
        if done:
            return


def _again(context: Context, location: Location) -> None:
    """Delete again, unless the image is gone although the answer was lost."""
    fresh = context.client()
    if _gone(location, fresh):
        context.journal.live.pop(str(location), None)
        return
    fresh.delete(location)
