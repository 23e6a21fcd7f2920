"""CON: of several adds of one id one wins, among threads and among processes."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

from storekit.capabilities import Capability
from storekit.errors import Duplicate, NotFound, StoreError
from storekit.testing.case import Level, Violation, case
from storekit.testing.children import Child, Line
from storekit.testing.context import Context
from storekit.testing.crowd import Deed, Meeting, Story, together
from storekit.testing.harness import Harness
from storekit.testing.journal import Client
from storekit.testing.sources import Tap
from storekit.values import StoredImage

__all__ = ["Racer", "overtaken"]

ONE_WINNER = Capability.ADD | Capability.EXCLUSIVE_ADD
_LONGEST = 3.0  # seconds that a case waits for a store that makes one add wait for another
_RACERS = 6
_CHILDREN = 4
_ROUNDS = 3
_POINTS = ("has its store open", "has its first byte read", "has no more bytes")
_ADVICE = (
    "What to do: let the backend refuse a taken id in the commit itself (create only if absent: an"
    " exclusive link or rename, If-None-Match: *), for a look before the write is out of date when"
    " the write comes; or take EXCLUSIVE_ADD out of the driver's capabilities"
)


@dataclass
class Racer:
    """One of several adds of one id."""

    name: str
    """What a report calls it."""
    data: bytes
    """What it adds."""
    location: str | None = None
    """Where that is, if it won."""
    size: int = -1
    """The size that it was told."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """The digests that it was told."""
    error: str = "nothing"
    """What it raised."""
    duplicate: bool = False
    """Whether that was Duplicate."""

    def take(self, deed: Deed) -> None:
        """Take note of what the add returned or raised."""
        if isinstance(deed.value, StoredImage):
            self.location, self.size = str(deed.value.location), deed.value.size
            self.digests = deed.value.digests
        elif deed.error is not None:
            self.error = f"{type(deed.error).__name__}: {deed.error}"
            self.duplicate = isinstance(deed.error, Duplicate)


def _patience(context: Context) -> float:
    return min(context.budget(0.5), _LONGEST)


def _judge(context: Context, racers: list[Racer], story: Story) -> None:
    """Demand one winner, its bytes and its digests, and Duplicate for all others."""
    promise = (
        f"exactly one of {len(racers)} adds of one id succeeds, the others raise Duplicate, as"
        " EXCLUSIVE_ADD promises"
    )
    winners = [racer for racer in racers if racer.location is not None]
    if len(winners) != 1:
        names = " and ".join(racer.name for racer in winners) or "none"
        raise Violation(promise, f"{names} succeeded. In this order: {story}. {_ADVICE}")
    winner = winners[0]
    for racer in racers:
        if racer is not winner and not racer.duplicate:
            raise Violation(promise, f"{racer.name} raised {racer.error}. In this order: {story}")
    context.same(winner.size, len(winner.data), f"the size that {winner.name} was told")
    for algorithm, digest in winner.digests.items():
        right = hashlib.new(algorithm, winner.data).hexdigest()
        context.same(digest, right, f"the {algorithm} that {winner.name} was told")
    if not context.claims(Capability.GET):
        return
    expected = f"the bytes of {winner.name}, which was told that they are stored"
    try:
        there = context.read(str(winner.location), context.client())
    except NotFound as error:
        advice = "What to do: whoever loses must not clean up what is the winner's"
        actual = f"NotFound. In this order: {story}. {advice}"
        raise Violation(expected, actual) from error
    if there != winner.data:
        whose = [racer.name for racer in racers if racer.data == there] or ["nobody"]
        raise Violation(expected, f"those of {whose[0]}. In this order: {story}. {_ADVICE}")


def overtaken(context: Context, size: int, *, late: bool) -> tuple[list[Racer], Story]:
    """Let a second add of an id run from its begin to its end in the middle of a first one.

    Args:
        context: The context of the case.
        size: Of the first image; the second one has a byte more.
        late: Whether the first one has read all its bytes by then, or none.

    Returns:
        What became of the two, and in which order.

    Raises:
        Violation: One of them did not end.
    """
    image_id = context.new_id()
    racers = [Racer(name, context.payload(size + n)) for n, name in enumerate(("add A", "add B"))]
    story, go, ended = Story(), threading.Event(), threading.Event()
    first, second = racers
    point = len(first.data) if late else 0
    patience = _patience(context)

    def at(position: int) -> None:
        if position == point and not go.is_set():
            story.tell(f"add A, begun before, has given {position} of its {len(first.data)} bytes")
            go.set()
            ended.wait(patience)

    def begin() -> object:
        try:
            return context.store.add(image_id, Tap(first.data, at), len(first.data))
        finally:
            go.set()

    def overtake() -> object:
        go.wait()
        story.tell("add B of the same id begins")
        try:
            return other.add(image_id, second.data)
        finally:
            ended.set()

    other = context.other
    deeds = together({first.name: begin, second.name: overtake}, context.budget(2), story)
    for racer in racers:
        racer.take(deeds[racer.name])
    return racers, story


@case(
    "CON-03",
    level=Level.ROBUST,
    needs=ONE_WINNER,
    sentence="Of concurrent adds of one id exactly one MUST succeed, and its bytes and digests MUST"
    " be those that are there; the others MUST raise Duplicate.",
    why="Two that were told yes, and one image: one of the two boots the other's system.",
    mistakes="Looking whether the id is free, then writing; a rename that replaces; a hasher or"
    " a buffer that two adds share.",
)
def one_winner(context: Context) -> None:
    """Overtake an add by another, early and late; then race many, from two starting lines."""
    for size in (997, 2 * context.part_size + 7):
        for late in (False, True):
            _judge(context, *overtaken(context, size, late=late))
    shared = context.claims(Capability.THREAD_SAFE)
    clients = [context.store if shared else context.client() for _ in range(_RACERS)]
    for _ in range(_ROUNDS):
        _race(context, clients)


def _race(context: Context, clients: list[Client]) -> None:
    image_id = context.new_id()
    count = len(clients)
    racers = [Racer(f"add {n + 1}", context.payload(10_007 + n)) for n in range(count)]
    story = Story()
    first, last = (Meeting(count, _patience(context)) for _ in range(2))

    def run(racer: Racer, client: Client) -> object:
        missing = {0: (_POINTS[1], first), len(racer.data): (_POINTS[2], last)}

        def at(position: int) -> None:
            if position in missing:
                what, meeting = missing.pop(position)
                story.tell(f"{racer.name} {what}")
                meeting.come()

        try:
            return client.add(image_id, Tap(racer.data, at), len(racer.data))
        finally:
            for _, meeting in missing.values():
                meeting.leave()

    acts: dict[str, Callable[[], object]] = {
        racer.name: partial(run, racer, client)
        for racer, client in zip(racers, clients, strict=True)
    }
    deeds = together(acts, context.budget(2), story)
    for racer in racers:
        racer.take(deeds[racer.name])
    _judge(context, racers, story)


@case(
    "CON-04",
    level=Level.ROBUST,
    needs=ONE_WINNER,
    exclusive=True,
    sentence="Of adds of one id by several processes exactly one MUST succeed; the others MUST"
    " raise Duplicate.",
    why="An image service has many workers, and each is a process.",
    mistakes="A lock of the process; a table of ids in memory.",
)
def one_winner_of_processes(context: Context) -> None:
    """Race children that each have a store of their own."""
    store = context.store
    for number in range(_ROUNDS):
        image_id = context.new_id()
        size = 997 if number else 2 * context.part_size + 7
        racers = [Racer(f"process {n + 1}", context.payload(size + n)) for n in range(_CHILDREN)]
        story = Story()
        with ExitStack() as stack:
            crew = {
                racer.name: stack.enter_context(
                    Child(partial(_add_in_child, context.harness, image_id, racer.data, seconds))
                )
                for racer in racers
                for seconds in (context.budget(2),)
            }
            answers = _conducted(context, crew, story)
        for racer in racers:
            racer.take(answers[racer.name])
            if racer.location is not None:
                context.journal.live[racer.location] = store
        _judge(context, racers, story)


def _add_in_child(
    harness: Harness, image_id: str, data: bytes, seconds: float, line: Line
) -> object:
    """Add, and stop at each point until the parent says to go on."""
    ready, first, last = _POINTS
    points = {0: first, len(data): last}

    def at(position: int) -> None:
        if position in points:
            line.say(points.pop(position))
            line.hear(seconds)

    with harness.make_store() as store:
        line.say(ready)
        line.hear(seconds)
        try:
            return store.add(image_id, Tap(data, at), len(data))
        except StoreError as error:
            return error


def _conducted(context: Context, crew: Mapping[str, Child], story: Story) -> dict[str, Deed]:
    """Let all come to each point before one goes on; give what each returned or raised."""
    answers: dict[str, Deed] = {}
    for point in (*_POINTS, None):
        there = []
        for name, child in crew.items():
            while name not in answers:
                if point and not child.connection.poll(_patience(context)):
                    break  # it waits for another one
                word = child.hear(context.budget(2))
                if isinstance(word, str):
                    story.tell(f"{name} {word}")
                    if word == point:
                        there.append(child)
                        break
                    child.say("go on")  # it is late, the others are past that point
                else:
                    deed = answers[name] = _answer(word)
                    story.tell(f"{name} {deed.shown}")
        for child in there:
            child.say("go on")
    return answers


def _answer(word: tuple[bool, object]) -> Deed:
    ok, value = word
    if not ok:
        raise Violation("a process that adds, or is told Duplicate", value)
    return Deed(None, value) if isinstance(value, Exception) else Deed(value)
