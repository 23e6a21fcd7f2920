"""CRS: what is there after the power failed, or the backend was restarted."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial

from storekit.capabilities import Capability
from storekit.errors import OutcomeUnknown, StoreError
from storekit.location import Location
from storekit.store import Store
from storekit.testing.case import Level, NotApplicable, Violation, case
from storekit.testing.cases.crs import swept
from storekit.testing.cases.osf import Place
from storekit.testing.children import in_child
from storekit.testing.context import Context
from storekit.testing.journal import Client
from storekit.testing.sources import Stops, Trickle
from storekit.testing.trials import met
from storekit.values import StoredImage

ADD, GET = Capability.ADD, Capability.GET
_MIB = 1 << 20

Verb = Callable[[Store], StoredImage]


@case(
    "CRS-05",
    level=Level.HARD,
    needs=ADD | GET,
    hooks=("fault:power",),
    budget=12.0,
    sentence="When the power fails after add has returned, so that all that was not synced is lost,"
    " the image MUST still be there, whole, if DURABLE is promised.",
    why="The caller threw its own copy away when add returned.",
    mistakes="No fsync of the file; none of the directory, so that the bytes are there and the name"
    " is not; a copy in the kernel that nobody syncs.",
)
def power_fails(context: Context) -> None:
    """Add each kind of data in a child, cut the power, and read with a fresh client."""
    place = Place(context, "power")
    others = _listed(context, place.client)
    place.client.close()
    if Capability.DURABLE not in place.client.capabilities:
        raise NotApplicable("the store does not promise DURABLE")
    with place.fault():  # before anything is stored where it cannot be
        pass
    # Twice: whatever else runs on the machine may have everything synced at any moment.
    for _ in range(2):
        for size in (1, 10_007, 2 * min(context.part_size, 4 * _MIB) + 7):
            data = context.payload(size)
            for kind, verb in _verbs(context, place, data).items():
                did = f"an add of {size} bytes from {kind}, then a power failure"
                _lasts(context, place, verb, data, did)
                _make_room(context, place, others)


def _verbs(context: Context, place: Place, data: bytes) -> dict[str, Verb]:
    """Give the ways to have an image in a store, by their names."""
    half = len(data) // 2
    # Chosen here: what a child has counted, its parent does not know of.
    a, b, c, d, e = (context.new_id() for _ in range(5))

    def add_file(store: Store) -> StoredImage:
        path = place.harness.directory / "source"  # lost as well
        path.write_bytes(data)
        return store.add(b, path)

    found: dict[str, Verb] = {
        "bytes": lambda store: store.add(a, data),
        "a file beside the images": add_file,
        "a copy": lambda store: store.copy(store.add(c, data).location, None, d),
    }
    if context.claims(Capability.ADD_UNKNOWN_SIZE):
        found["chunks"] = lambda store: store.add(e, Trickle(data[:half], data[half:]))
    return found


def _lasts(context: Context, place: Place, verb: Verb, data: bytes, did: str) -> None:
    def act() -> str:
        # The store stays open: closing it might sync what adding did not.
        return str(verb(place.harness.make_store()).location)

    location = in_child(act, context.budget(2))
    with place.fault():
        pass
    client = place.open()
    try:
        context.holds(location, data, client)
    except (StoreError, Violation) as error:
        lost = error.actual if isinstance(error, Violation) else f"{type(error).__name__}: {error}"
        raise Violation(f"all {len(data)} bytes, as DURABLE promises", lost, did) from error
    finally:
        client.close()


def _make_room(context: Context, place: Place, others: set[Location]) -> None:
    """Delete what is there by now, for there may not be much room."""
    if context.claims(Capability.DELETE):
        client = place.open()
        for location in _listed(context, client) - others:
            client.delete(location)
        client.close()


def _listed(context: Context, client: Client) -> set[Location]:
    listing = client.list() if context.claims(Capability.LIST) else ()
    return {image.location for image in listing}


@case(
    "CRS-06",
    level=Level.HARD,
    needs=ADD | Capability.ATOMIC_ADD,
    hooks=("restart",),
    budget=20.0,
    sentence="When the backend is restarted in the middle of an add, the image MUST be stored"
    " whole, or add MUST raise one of storekit's errors and nothing be visible; never a part.",
    why="Backends are upgraded while images come in.",
    mistakes="An upload that goes on where the new server begins; a part whose answer was lost,"
    " left out.",
)
def restarted(context: Context) -> None:
    """Restart the backend at several bytes of an add, the last time beside the commit."""
    before = context.orphans()
    shots: list[tuple[int, int, bool]] = []
    # The frame is a block ahead of the driver, which is to be in the middle of its parts as well.
    for size in (997, 4 * min(max(context.part_size, _MIB), 4 * _MIB) + 7):
        points = sorted({0, context.random.randint(1, size - 1), size // 2, size})
        shots += [(size, point, False) for point in points] + [(size, size, True)]
    ends = [
        _restarted_at(context, context.payload(size), point, beside=beside)
        for size, point, beside in shots
    ]
    context.notes |= {"stored": ends.count(True), "refused": ends.count(False)}
    swept(context, before)


def _restarted_at(context: Context, data: bytes, point: int, *, beside: bool) -> bool:
    """Add, and restart at a byte; tell whether it was stored."""
    client, image_id = context.client(), context.new_id()
    restarts: list[Future[None]] = []
    at = partial(_restart, context, point, restarts, beside)
    did = f"a restart at byte {point} of an add of {len(data)} bytes"
    stored, unknown = None, False
    try:
        stored = client.add(image_id, Stops(data, [point], at), len(data))
    except OutcomeUnknown:
        unknown = True
    except StoreError as error:
        context.journal.calls.append(f"{did}: {type(error).__name__}")
    met(restarts, did)
    restarts[0].result()
    fresh = context.client()
    location = None if stored is None else stored.location
    if unknown:
        if not context.claims(Capability.LIST):
            return False  # absent or whole: nobody can look
        found = [listing.location for listing in fresh.list() if listing.image_id == image_id]
        location = found[0] if found else None
    if location is None:
        context.nothing_stored(image_id, did)
        return False
    if context.claims(GET):
        context.holds(location, data, fresh)
    if context.claims(Capability.DELETE):
        fresh.delete(location)
    return True


def _restart(
    context: Context, point: int, restarts: list[Future[None]], beside: bool, position: int
) -> None:
    """Restart once, at a byte; beside what comes then, or before it."""
    if position == point and not restarts:
        pool = ThreadPoolExecutor(1, thread_name_prefix="restart")
        restarts.append(pool.submit(context.harness.restart))
        pool.shutdown(wait=False)
        if not beside:
            wait(restarts)  # what it raises is no error of the add
