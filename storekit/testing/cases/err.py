"""ERR: how failures look to the caller."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from contextlib import suppress

from storekit.capabilities import Capability
from storekit.errors import (
    Duplicate,
    InvalidArgument,
    NotFound,
    RangeNotSatisfiable,
    StoreError,
    Unavailable,
)
from storekit.testing.case import Violation, case
from storekit.testing.context import Context
from storekit.testing.journal import Client

Provoked = list[tuple[str, StoreError]]


@case(
    "ERR-01",
    last=True,
    sentence="Nothing but StoreError, or the caller's own exception, MUST leave a public method,"
    " and no BackendError that a case does not ask for.",
    why="A caller can only handle what it knows of.",
    mistakes="A library's exception passed on; KeyError for an answer that misses a field.",
)
def only_ours(context: Context) -> None:
    """Call everything once, also wrongly; then judge all that came out of this run."""
    client = context.store
    location = str(somewhere_to_look(context))
    calls: list[Callable[[], object]] = [
        lambda: client.get_size(location),
        lambda: client.get_size(location + "-missing"),
        lambda: client.get(location + "-missing"),
        lambda: client.delete(location + "-missing"),
        lambda: client.get_size("no location"),
        lambda: client.add("a/b", b""),
        lambda: client.add(context.new_id(), b"tour"),
        lambda: list(client.list()),
        client.capacity,
        lambda: list(client.leftovers()),
        client.reclaim,
        lambda: client.copy(location, image_id=context.new_id()),
        lambda: client.verify(location, {"sha256": "0" * 64}),
        lambda: client.set_acls(location, public=False),
        lambda: client.set_acls(location + "-missing", public=False),
    ]
    for call in calls:
        with suppress(StoreError):
            call()
    closed = context.client()
    closed.close()
    for call in (lambda: closed.get_size(location), lambda: closed.add("x", b"")):
        with context.expect_error(StoreError, did="a call of a closed store"):
            call()
    escapes = [*context.escapes_of_run, *context.journal.escapes]
    context.journal.escapes.clear()
    if escapes:
        raise Violation("only storekit's own errors leave a verb", "; ".join(escapes[:5]))


def somewhere_to_look(context: Context) -> object:
    """Give a location of the store, with an image where that can be had.

    Args:
        context: The context of the case.
    """
    if context.claims(Capability.ADD) or context.harness.offers("plant"):
        return context.image(context.payload(997))
    return context.missing()


def _provoke(context: Context) -> Provoked:
    """Raise every error that a caller alone can cause."""
    found: Provoked = []
    client = context.store

    def provoke(kind: type[StoreError], verb: str, act: Callable[[], object]) -> None:
        with context.expect_error(kind, did=verb) as caught:
            act()
        if not isinstance(caught.error, StoreError):
            raise Violation("a StoreError", repr(caught.error), verb)
        found.append((verb, caught.error))

    missing = context.missing()
    provoke(NotFound, "get_size", lambda: client.get_size(missing))
    if context.claims(Capability.GET):
        provoke(NotFound, "get", lambda: client.get(missing))
    if context.claims(Capability.DELETE):
        provoke(NotFound, "delete", lambda: client.delete(missing))
    if context.claims(Capability.GET_RANGE):
        location = context.image(b"short")
        provoke(RangeNotSatisfiable, "get", lambda: client.get(location, 99))
        provoke(InvalidArgument, "get", lambda: client.get(location, -1))
    if context.claims(Capability.ADD):
        image_id = context.new_id()
        client.add(image_id, b"first")
        provoke(Duplicate, "add", lambda: client.add(image_id, b"second"))
        provoke(InvalidArgument, "add", lambda: client.add("a/b", b""))
    return found


@case(
    "ERR-02",
    sentence="An error MUST carry store, driver, operation, the location or id it is about, and"
    " retriable; its cause where there was one; and it MUST survive pickle.",
    why="It travels to another process and into a log, where it must still say what happened.",
    mistakes="A constructor that pickle cannot call; a bare message; the cause lost.",
)
def complete(context: Context) -> None:
    """Provoke errors, and look at what they carry."""
    for verb, error in _provoke(context):
        _look_at(context, verb, error)
    if context.harness.offers("endpoint"):
        location = somewhere_to_look(context)
        wire = context.wire()
        client = context.client_behind(wire, max_attempts=1)
        wire.cut_before = 0
        wire.cut()
        with context.expect_error(Unavailable, did="a get_size on a cut connection") as caught:
            client.get_size(wire.location(location))
        context.check(caught.error and caught.error.__cause__, "a __cause__", "none", "a cut")


def _look_at(context: Context, verb: str, error: StoreError) -> None:
    did = f"a {type(error).__name__} from {verb}"
    context.same(error.store, context.store.name, f"the store in {did}")
    context.same(error.driver, context.store.store.driver, f"the driver in {did}")
    context.same(error.operation, verb, f"the operation in {did}")
    known = error.location or isinstance(error, InvalidArgument)
    context.check(known, "the location or id", error.location, did)
    context.same(type(error).retriable, isinstance(error, Unavailable), f"retriable of {did}")
    try:
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    except Exception as failure:
        raise Violation("an error that pickles", repr(failure), did) from failure
    context.same(type(copy), type(error), f"the type after pickle of {did}")
    context.same(str(copy), str(error), f"the text after pickle of {did}")


def four_verbs(context: Context, client: Client, location: str) -> dict[str, Callable[[], object]]:
    """Give a call of each of the four verbs that the store has.

    Args:
        context: The context of the case.
        client: The client.
        location: The location to read and delete, as the client knows it.
    """
    verbs: dict[Capability, tuple[str, Callable[[], object]]] = {
        Capability.GET: ("get", lambda: client.get(location)),
        Capability.ADD: ("add", lambda: client.add(context.new_id(), b"four verbs")),
        Capability.DELETE: ("delete", lambda: client.delete(location)),
    }
    found: dict[str, Callable[[], object]] = {"get_size": lambda: client.get_size(location)}
    found |= dict(call for gate, call in verbs.items() if context.claims(gate))
    return found
