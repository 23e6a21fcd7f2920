"""CON: recorded histories, and whether anything explains them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from storekit.capabilities import Capability
from storekit.errors import NotFound
from storekit.location import Location
from storekit.testing.case import Level, Violation, case
from storekit.testing.context import Context
from storekit.testing.crowd import together
from storekit.testing.history import History, named_place
from storekit.testing.journal import Client
from storekit.testing.linear import Rules, contradiction
from storekit.testing.sources import Tap
from storekit.testing.timeline import drawn

__all__ = ["recorded"]

_THREADS = 5
_IMAGES = 2
_CALLS = 6  # of one thread in one round
_ROUNDS = 80
_LEAST = 6  # rounds, however slow the backend is
_VERBS = ("add", "add", "add", "get", "get", "get_size", "get_size", "delete", "delete")
_LONGEST = 0.1  # seconds that one call waits in its middle for others to end


@dataclass(frozen=True)
class _Image:
    """One image id, and the location that its image has each time."""

    name: str
    place: Location


@dataclass(frozen=True)
class _Plan:
    """One call that is to be made."""

    verb: str
    image: _Image
    data: bytes
    waits: bool


@case(
    "CON-08",
    level=Level.HARD,
    needs=Capability.ADD | Capability.GET | Capability.DELETE,
    sentence="Whatever several threads and clients add, read and delete at once, there MUST be an"
    " order of these calls that explains every answer, and in which a call stands before those that"
    " began after its end.",
    why="What was told can be relied on only if it was true at some instant of the call.",
    mistakes="A cache of sizes, bytes or names that others make out of date; a read from a copy"
    " that lags; an add that is told done before it can be seen.",
)
def histories(context: Context) -> None:
    """Make calls at random, record them, and look for an order; then begin anew."""
    clients = [context.store, context.other]
    rules = Rules.of(context.capabilities)
    begin, rounds, calls = time.perf_counter(), 0, 0
    doubts: list[str] = []
    for rounds in range(1, _ROUNDS + 1):
        history, names = recorded(context, clients, rounds)
        calls += len(history.moves)
        doubts += history.doubts
        for name in names:
            wrong = contradiction(history.of(name), rules)
            if wrong:
                raise Violation(
                    "an order of the calls that explains every answer",
                    f"none explains these {len(wrong)} of {len(history.of(name))} calls",
                    f"{len(clients)} clients used one image at once, round {rounds}",
                    evidence=drawn(wrong, history.sizes),
                )
        if rounds >= _LEAST and time.perf_counter() - begin > context.budget():
            break
    context.notes.update({"rounds": rounds, "calls": calls, "unknown outcomes": len(doubts)})
    if doubts:
        context.notes["of which one"] = doubts[-1]


def recorded(context: Context, clients: Sequence[Client], number: int) -> tuple[History, list[str]]:
    """Record a history: several threads of several clients make calls of two images at once.

    Args:
        context: Where the choices come from.
        clients: Clients of the same images.
        number: Which of several it is, from 1 on; the images of every fourth are large.

    Returns:
        The history, and the ids of the images. Nothing of them is left in the store.

    Raises:
        Violation: A call did not end in time, or raised what is no error of a store.
        NotApplicable: An image that is added again has another location.
    """
    history, images = History(), [_Image(*named_place(context)) for _ in range(_IMAGES)]
    _play(context, history, clients, images, large=number % 4 == 0)
    return history, [image.name for image in images]


def _play(
    context: Context,
    history: History,
    clients: Sequence[Client],
    images: Sequence[_Image],
    *,
    large: bool,
) -> None:
    """Make the calls of one round, and remove what is there after it."""
    shared = context.claims(Capability.THREAD_SAFE)
    count = max(2, min(_THREADS, context.limits.max_connections - 2))
    acts: dict[str, Callable[[], object]] = {}
    number = 0
    for n in range(count):
        client = clients[n % len(clients)] if shared else context.client()
        lane = f"client {n % len(clients) + 1}, thread {n + 1}" if shared else f"client {n + 1}"
        plans = []
        for _ in range(_CALLS):
            number += 1  # makes every size another one
            size = (2 * min(context.part_size, 1 << 18) if large else 997) + number
            plans.append(_plan(context, images, size))
        acts[lane] = partial(_walk, context, history, lane, client, plans)
    for name, deed in together(acts, context.budget()).items():
        if deed.error is not None:
            actual = f"{name}: {type(deed.error).__name__}: {deed.error}"
            raise Violation("only storekit's own errors", actual) from deed.error
    for image in images:
        for n, client in enumerate(clients, 1):
            _look(context, history, f"client {n}, afterwards", client, image)
        with suppress(NotFound):
            context.store.delete(image.place)


def _plan(context: Context, images: Sequence[_Image], size: int) -> _Plan:
    choose = context.random
    verb, image = choose.choice(_VERBS), choose.choice(images)
    data = context.payload(size) if verb == "add" else b""
    return _Plan(verb, image, data, choose.random() < 1 / 3)


def _walk(
    context: Context, history: History, lane: str, client: Client, plans: Sequence[_Plan]
) -> None:
    """Make the calls of one thread, until one may still be under way when the next would begin."""
    for plan in plans:
        move = history.record(
            lane, plan.verb, plan.image.name, *_act(context, history, client, plan)
        )
        if move.end is None:
            return


def _look(context: Context, history: History, lane: str, client: Client, image: _Image) -> None:
    for verb in ("get_size", "get"):
        plan = _Plan(verb, image, b"", waits=False)
        history.record(lane, verb, image.name, *_act(context, history, client, plan))


def _act(
    context: Context, history: History, client: Client, plan: _Plan
) -> tuple[Callable[[], str], str]:
    """Give what makes a call, and what an add writes."""
    place, data = plan.image.place, plan.data

    def pause(_: int = 0) -> None:
        if plan.waits:
            history.wait(2, min(context.budget(0.01), _LONGEST))

    def add() -> str:
        client.add(plan.image.name, Tap(data, pause), len(data))
        return ""

    def get() -> str:
        with client.get(place) as reader:
            pieces = [next(reader)]
            pause()
            return history.seen(b"".join([*pieces, *reader]))

    def get_size() -> str:
        return history.sized(client.get_size(place))

    def delete() -> str:
        client.delete(place)
        return ""

    acts = {"add": add, "get": get, "get_size": get_size, "delete": delete}
    return acts[plan.verb], history.value(data) if plan.verb == "add" else ""
