"""CON: what many do at once comes out as if they had done it one after the other."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from functools import partial

from storekit.capabilities import Capability
from storekit.errors import InUse, NotFound, StoreError
from storekit.location import Location
from storekit.testing.case import Level, Violation, case
from storekit.testing.context import Context
from storekit.testing.crowd import Meeting, Story, together
from storekit.testing.journal import Client
from storekit.testing.sources import Tap
from storekit.values import StoredImage

ADD, GET, DELETE = Capability.ADD, Capability.GET, Capability.DELETE
_LONGEST = 3.0  # seconds that a case waits for a store that makes one call wait for another
_THREADS = 6
_ROUNDS = 6

Acts = dict[str, Callable[[], object]]


def _patience(context: Context) -> float:
    return min(context.budget(0.5), _LONGEST)


def _threads(context: Context) -> int:
    return max(2, min(_THREADS, context.limits.max_connections - 2))


@case(
    "CON-01",
    level=Level.ROBUST,
    needs=ADD | Capability.THREAD_SAFE,
    sentence="Images that several threads add at once through one store MUST each be stored as if"
    " alone: its bytes, its size, its digests.",
    why="A service has one store, and a thread for every request.",
    mistakes="State of a call kept in the driver; a client or a buffer that all share.",
)
def distinct_ids(context: Context) -> None:
    """Add at once, each stopped in the middle until all others are there too."""
    sizes = [997, 10_007, 2 * min(context.part_size, 1 << 20) + 7]
    count = _threads(context)
    for size in sizes:
        meeting = Meeting(count, _patience(context))
        images = {context.new_id(): context.payload(size + n) for n in range(count)}
        acts: Acts = {
            image_id: partial(_add_meeting, context.store, image_id, data, meeting)
            for image_id, data in images.items()
        }
        deeds = together(acts, context.budget(2))
        for image_id, data in images.items():
            stored = deeds[image_id].value
            if not isinstance(stored, StoredImage):
                error = deeds[image_id].error
                did = f"{count} adds of different ids at once"
                raise Violation("every add succeeds", f"{type(error).__name__}: {error}", did)
            context.same(stored.size, len(data), "the size of one of several images")
            for algorithm, digest in stored.digests.items():
                right = hashlib.new(algorithm, data).hexdigest()
                context.same(digest, right, f"the {algorithm} of one of several images")
            try:
                context.holds(stored.location, data)
            except NotFound as error:
                raise Violation("every image is where its add said", str(error)) from error


def _add_meeting(client: Client, image_id: str, data: bytes, meeting: Meeting) -> object:
    came: list[bool] = []

    def at(_: int) -> None:
        if not came:
            came.append(True)
            meeting.come()

    try:
        return client.add(image_id, Tap(data, at), len(data))
    finally:
        if not came:
            meeting.leave()


@case(
    "CON-02",
    level=Level.ROBUST,
    needs=GET | Capability.THREAD_SAFE,
    sentence="Readers that several threads have of one image MUST each get their own bytes, in"
    " order.",
    why="The most wanted image is read by everybody at once.",
    mistakes="One file position, one buffer or one connection for all readers.",
)
def many_readers(context: Context) -> None:
    """Read at random offsets, in step, so that every chunk of one falls between two of another."""
    data = context.payload(6 * min(context.read_chunk, 1 << 20) + 7)
    location = context.image(data)
    count = _threads(context)
    ranged = context.claims(Capability.GET_RANGE)
    for _ in range(_ROUNDS):
        steps = [Meeting(count, _patience(context)) for _ in range(3)]
        acts: Acts = {}
        for number in range(count):
            offset = context.random.randrange(len(data) // 2) if ranged else 0
            length = context.random.randrange(1, len(data) - offset) if ranged else None
            acts[f"reader {number + 1}"] = partial(
                _read_in_step, context, location, data, (offset, length), steps
            )
        for name, deed in together(acts, context.budget(2)).items():
            if deed.error is not None:
                raise Violation("every reader gets its bytes", f"{name}: {deed.error!r}")


def _read_in_step(
    context: Context,
    location: Location,
    data: bytes,
    part: tuple[int, int | None],
    steps: list[Meeting],
) -> None:
    offset, length = part
    wanted = data[offset:] if length is None else data[offset : offset + length]
    left = list(steps)
    try:
        given = {"offset": offset, "length": length} if length is not None else {}
        with context.store.get(location, **given) as reader:
            pieces = []
            for chunk in reader:
                pieces.append(chunk)
                if left:
                    left.pop(0).come()
    finally:
        for meeting in left:
            meeting.leave()
    what = f"what one of several readers got from byte {offset} on"
    context.same(b"".join(pieces), wanted, what)


@case(
    "CON-05",
    level=Level.ROBUST,
    needs=ADD | GET | DELETE | Capability.ATOMIC_ADD,
    sentence="A get beside an add of the image MUST raise NotFound or give the whole image.",
    why="Whoever waits for an image begins to read the instant that it appears.",
    mistakes="An empty file that reserves the name; bytes copied after the name is there.",
)
def add_beside_get(context: Context) -> None:
    """Read without a pause while the image is added, at every point and at the commit."""
    image_id = context.new_id()
    before = [b"to learn the location"]
    location = context.image(before[0], image_id)
    context.store.delete(location)
    readers = [context.client() for _ in range(2)]
    for _ in range(_ROUNDS):
        data = context.payload(2 * min(context.part_size, 1 << 20) + 7)
        looks = _Looks(context, data)
        acts: Acts = {
            f"reader {n}": partial(looks.look, client, location) for n, client in enumerate(readers)
        }
        acts["add"] = partial(looks.beside, context.store, image_id)
        deeds = together(acts, context.budget(2))
        looks.judge()
        stored = deeds["add"].value
        if not isinstance(stored, StoredImage):
            raise Violation("an add beside readers succeeds", repr(deeds["add"].error))
        context.holds(stored.location, data, readers[0])
        context.store.delete(stored.location)


class _Looks:
    """Readers that look again and again while something else goes on."""

    def __init__(self, context: Context, data: bytes, stale: Sequence[bytes] = ()) -> None:
        self._context = context
        self._data = data
        # What was there before may still be seen where nobody promised otherwise.
        self._stale = () if context.claims(Capability.STRONG_CONSISTENCY) else tuple(stale)
        self._changed = threading.Condition()
        self._count = 0
        self._over = False
        self._wrong: Violation | None = None

    def look(self, client: Client, location: Location) -> None:
        """Read until it is over."""
        while not self._over and self._wrong is None:
            self._look_once(client, location)
            with self._changed:
                self._count += 1
                self._changed.notify_all()

    def beside(self, client: Client, image_id: str) -> StoredImage:
        """Add, and wait at each point until somebody has looked."""
        try:
            return client.add(image_id, Tap(self._data, lambda _: self.wait()), len(self._data))
        finally:
            self._over = True

    def during(self, act: Callable[[], object]) -> object:
        """Do something once somebody has looked."""
        try:
            self.wait()
            return act()
        finally:
            self._over = True

    def wait(self) -> None:
        """Wait until somebody has looked from now on."""
        with self._changed:
            wanted = self._count + 2  # the first of them may have begun before
            self._changed.wait_for(lambda: self._count >= wanted, _patience(self._context))

    def judge(self) -> None:
        """Raise what was seen and must not be."""
        if self._wrong is not None:
            raise self._wrong

    def _look_once(self, client: Client, location: Location) -> None:
        try:
            there = self._context.read(location, client)
        except StoreError:
            return  # NotFound, or one that says that there is no whole image
        if there != self._data and there not in self._stale:
            self._wrong = Violation(
                f"NotFound, or the whole image of {len(self._data)} bytes",
                f"{len(there)} bytes, {'the first' if self._data[: len(there)] == there else 'not'}"
                " of them, and no error",
                "a get beside an add or a delete of the image",
            )


@case(
    "CON-06",
    level=Level.ROBUST,
    needs=ADD | GET | DELETE,
    sentence="A get beside a delete of the image, or beside its replacement, MUST give the whole"
    " image or raise an error; never less, never the bytes of another one.",
    why="A reader that began before the end of an image must not end with half of it.",
    mistakes="Truncating or wiping before unlinking; a request for each chunk, not tied to the"
    " version that the first one saw.",
)
def delete_beside_get(context: Context) -> None:
    """Delete and replace under an open reader; then delete while others read without a pause."""
    size = 6 * min(context.read_chunk, 1 << 20) + 7
    for replaced in (False, True):
        _under_reader(context, size, replaced=replaced)
    readers = [context.client() for _ in range(2)]
    for _ in range(_ROUNDS):
        data = context.payload(size)
        location = context.image(data)
        looks = _Looks(context, data)
        acts: Acts = {
            f"reader {n}": partial(looks.look, client, location) for n, client in enumerate(readers)
        }
        acts["delete"] = partial(looks.during, partial(_delete, context.store, location))
        error = together(acts, context.budget(2))["delete"].error
        looks.judge()
        if error is not None:
            raise Violation("a delete beside readers succeeds, or InUse", repr(error))


def _delete(client: Client, location: Location) -> bool:
    try:
        client.delete(location)
    except InUse:
        return False
    return True


def _under_reader(context: Context, size: int, *, replaced: bool) -> None:
    image_id = context.new_id()
    data, other = context.payload(size), context.payload(size)
    location = context.store.add(image_id, data).location
    did = f"a reader whose image was {'replaced' if replaced else 'deleted'} after its first chunk"
    with context.store.get(location) as reader:
        pieces = [next(reader)]
        if _delete(context.other, location) and replaced:
            context.other.add(image_id, other)
        try:
            pieces.extend(reader)
        except StoreError:
            return
    got = b"".join(pieces)
    if got != data:
        mixed = got[-1:] == other[-1:] or got[-997:] == other[-997:]
        what = "bytes of both images" if mixed else f"{len(got)} bytes, others than those stored"
        raise Violation("the whole image as it was, or an error", what, did)


@case(
    "CON-07",
    level=Level.ROBUST,
    needs=ADD | DELETE,
    sentence="Of concurrent deletes of one image at least one MUST succeed, exactly one with"
    " EXCLUSIVE_DELETE; the others MUST succeed or raise NotFound.",
    why="Two clean-ups meet, and each must know what it did.",
    mistakes="Looking, then deleting what may be gone; a loser told of an internal error.",
)
def delete_beside_delete(context: Context) -> None:
    """Delete one image by several clients at once."""
    clients = [context.client() for _ in range(4)]
    for number in range(_ROUNDS):
        size = 997 if number % 2 else 2 * min(context.part_size, 1 << 20) + 7
        location = context.image(context.payload(size))
        story = Story()
        acts: Acts = {
            f"delete {n + 1}": partial(client.delete, location) for n, client in enumerate(clients)
        }
        deeds = together(acts, context.budget(2), story)
        for name, deed in deeds.items():
            if deed.error is not None and not isinstance(deed.error, NotFound):
                raise Violation("success or NotFound", f"{name} {deed.error!r}", str(story))
        done = [name for name, deed in deeds.items() if deed.error is None]
        if not done:
            raise Violation("at least one delete succeeds", "none", str(story))
        if context.claims(Capability.EXCLUSIVE_DELETE) and len(done) > 1:
            raise Violation(
                "exactly one delete succeeds, as EXCLUSIVE_DELETE promises",
                f"{' and '.join(done)} succeeded. In this order: {story}. What to do: tell who"
                " deleted from the backend's own answer, not from a look before; or take"
                " EXCLUSIVE_DELETE out of the driver's capabilities",
            )
        did = "get_size after concurrent deletes"
        context.eventually(partial(_gone, context.store, location), "NotFound", did)


def _gone(client: Client, location: Location) -> bool:
    try:
        client.get_size(location)
    except NotFound:
        return True
    return False
