"""OSF: the backend is away: it vanished and comes back, or it hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from storekit.capabilities import Capability
from storekit.errors import StoreError, Unavailable
from storekit.location import Location
from storekit.testing.case import Level, Violation, case
from storekit.testing.cases.osf import Place
from storekit.testing.context import Context
from storekit.testing.crowd import Deed, together
from storekit.testing.journal import Client

ADD, GET, DELETE = Capability.ADD, Capability.GET, Capability.DELETE
_LONGEST = 1.0  # seconds of a timeout that a case waits for; the client is told so
_VERBS = 2.0  # times op_budget: what a verb may take, with its clean-up

Verbs = dict[str, Callable[[], object]]


def _verbs(context: Context, client: Client, location: Location, doomed: Location) -> Verbs:
    """Give a call of each verb that the store has."""
    data = context.payload(2 * min(context.part_size, 1 << 20) + 7)
    image_id = context.new_id()
    found: Verbs = {"get_size": lambda: client.get_size(location)}
    if context.claims(GET):
        found["get"] = lambda: client.get(location).read()
    if context.claims(ADD):
        found["add"] = lambda: client.add(image_id, data)
    if context.claims(DELETE):
        found["delete"] = lambda: client.delete(doomed)
    if context.claims(Capability.LIST):
        found["list"] = lambda: list(client.list())
    if context.claims(Capability.CAPACITY):
        found["capacity"] = client.capacity
    return found


@case(
    "OSF-04",
    level=Level.ROBUST,
    needs=GET,
    hooks=("fault:gone",),
    sentence="While the backend is gone, every verb MUST raise Unavailable, and nothing MUST be"
    " made in its place; when it is back, the same store MUST work on.",
    why="A mount that is missing for a minute must not make images NotFound, and must not be"
    " replaced by an empty directory that fills the disk below.",
    mistakes="ENOENT taken for a missing image; making the directory anew; a failure that is"
    " remembered for ever.",
)
def gone(context: Context) -> None:
    """Call every verb while the backend is gone, and again when it is back."""
    place = Place(context, "gone")
    data = context.payload(8 * min(context.read_chunk, 1 << 20) + 7)
    location, doomed = place.image(data), place.image(b"to be deleted")
    before = place.left()
    opened = place.client.get(location)
    first = next(opened)
    with place.fault():
        for verb, act in _verbs(context, place.client, location, doomed).items():
            did = f"{verb} while the backend is gone"
            with context.expect_error(Unavailable, did=did):
                act()
        try:
            got = first + context.drain(opened)
        except StoreError:
            got = data
        context.same(got, data, "a read whose backend vanished midway, and that raised nothing")
    left = place.left() - before
    context.check(
        not left, "nothing left behind", f"left: {sorted(left)}", "a backend that was gone"
    )
    for client in (place.client, place.open()):
        for verb, act in _verbs(context, client, location, doomed).items():
            if verb == "delete" and client is not place.client:
                continue
            try:
                act()
            except StoreError as error:
                actual = f"{type(error).__name__}: {error}"
                raise Violation(f"{verb} works", actual, "the backend came back") from error
        context.holds(location, data, client)


@case(
    "OSF-05",
    level=Level.ROBUST,
    needs=GET,
    hooks=("fault:hung",),
    sentence="While the backend does not answer, every verb MUST raise Unavailable within its time,"
    " and close() MUST return; nothing MUST keep the interpreter from its end; afterwards the same"
    " store MUST work on.",
    why="A network mount hangs for minutes, and the service that waits for it is down with it.",
    mistakes="A call of the kernel that nobody bounds; waiting for it in the clean-up; a thread"
    " that the interpreter joins at its end.",
)
def hung(context: Context) -> None:
    """Call every verb at once while the backend hangs, and look at the clock."""
    longest = min(_LONGEST, context.limits.io_timeout)
    shorter: dict[str, object] = {
        "io_timeout": longest,
        "connect_timeout": min(longest, context.limits.connect_timeout),
        "max_attempts": 1,
    }
    place = Place(context, "hung", **shorter)
    client = place.client
    data = context.payload(max(1 << 20, 8 * min(context.read_chunk, 1 << 20)) + 7)
    location, doomed = place.image(data), place.image(b"to be deleted")
    opened, closing = client.get(location), place.open(**shorter)
    first = next(opened)
    closing.get_size(location)
    before = set(threading.enumerate())
    allowed = _VERBS * client.limits.op_budget
    with place.fault():
        verbs = _verbs(context, client, location, doomed)
        verbs["the rest of a read"] = lambda: first + context.drain(opened)
        _in_time(context, verbs, allowed, data)
        deed = together({"close": closing.close}, allowed, all_end=False)["close"]
        context.check(deed.ended, f"close() returns within {allowed:.1f} s", "it does not", "hung")
        waited = [
            thread.name
            for thread in threading.enumerate()
            if thread not in before and not thread.daemon
        ]
        expected = "no thread that the interpreter waits for at its end"
        context.check(not waited, expected, ", ".join(waited), "verbs that hang")
    for again in (client, place.open()):
        context.holds(location, data, again)
        if context.claims(ADD | DELETE):
            again.delete(again.add(context.new_id(), data).location)


def _in_time(context: Context, verbs: Verbs, allowed: float, data: bytes) -> None:
    """Call all, at once where that is promised; judge each by its error and its time."""
    took: dict[str, float] = {}

    def timed(verb: str, act: Callable[[], object]) -> Callable[[], object]:
        def run() -> object:
            begin = time.perf_counter()
            try:
                return act()
            finally:
                took[verb] = time.perf_counter() - begin

        return run

    acts = {verb: timed(verb, act) for verb, act in verbs.items()}
    crowds = [acts] if context.claims(Capability.THREAD_SAFE) else [{v: a} for v, a in acts.items()]
    for crowd in crowds:
        for verb, deed in together(crowd, allowed, all_end=False).items():
            _judge(verb, deed, allowed, data)
    context.notes["slowest"] = max(took.values())


def _judge(verb: str, deed: Deed, allowed: float, data: bytes) -> None:
    expected = f"{verb} raises Unavailable within {allowed:.1f} s"
    did = "the backend does not answer"
    if not deed.ended:
        raise Violation(expected, "it hangs", did)
    if deed.error is None:
        if verb == "the rest of a read" and deed.value == data:
            return  # the kernel, or a buffer, had it all
        raise Violation(expected, "no error", did)
    if not isinstance(deed.error, Unavailable):
        raise Violation(expected, f"{type(deed.error).__name__}: {deed.error}", did)
