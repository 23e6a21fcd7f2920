"""Refusals: what a store must do with a call whose gate it does not claim."""

from __future__ import annotations

from collections.abc import Callable

from storekit.capabilities import Capability
from storekit.errors import Unsupported
from storekit.testing.case import NotRun, Violation
from storekit.testing.context import Context
from storekit.testing.journal import Client
from storekit.testing.sources import Trickle

__all__ = ["refuse", "refused", "somewhere"]


def refuse(context: Context, gate: Capability, client: Client | None = None) -> None:
    """Demand that the verb of a gate is refused, before any I/O, in so many words.

    Args:
        context: The context of the case.
        gate: One gate that the store does not claim.
        client: The client; the store under test by default.

    Raises:
        Violation: It is not.
    """
    asked = client or context.store
    refused(context, asked, gate, _ACTS[gate](context, asked))


def refused(context: Context, client: Client, gate: Capability, act: Callable[[], object]) -> None:
    """Demand that a call is refused for want of a gate.

    Args:
        context: The context of the case.
        client: The client that the call uses.
        gate: The gate.
        act: The call.

    Raises:
        Violation: It is not, or the error does not say so.
    """
    name = gate.name or ""
    did = f"a call that needs {name}"
    with context.untouched(client, did), context.expect_error(Unsupported, did=did) as caught:
        act()
    error = caught.error
    if not isinstance(error, Unsupported):  # for the type checker
        raise Violation("Unsupported", caught.text, did)
    text = str(error)
    for what in (name, client.store.driver, client.name):
        context.check(what in text, f"the error names {what}", text, did)
    context.check(error.operation, "the error names the operation", error.operation, did)


def _add_known(context: Context, client: Client) -> Callable[[], object]:
    return lambda: client.add(context.new_id(), b"refused")


def _add_unknown(context: Context, client: Client) -> Callable[[], object]:
    def act() -> None:
        source = Trickle(b"one", b"two")
        try:
            client.add(context.new_id(), source)
        finally:
            context.same(source.taken, 0, "chunks taken from the source")

    return act


def _get(context: Context, client: Client) -> Callable[[], object]:
    location = somewhere(context)
    return lambda: client.get(location)


def _get_range(context: Context, client: Client) -> Callable[[], object]:
    location = somewhere(context)
    return lambda: client.get(location, offset=1)


def _delete(context: Context, client: Client) -> Callable[[], object]:
    location = somewhere(context)
    return lambda: client.delete(location)


def _list(_: Context, client: Client) -> Callable[[], object]:
    return lambda: next(client.list(), None)


def _set_acls(context: Context, client: Client) -> Callable[[], object]:
    location = somewhere(context)
    return lambda: client.set_acls(location, public=True)


def _capacity(_: Context, client: Client) -> Callable[[], object]:
    return client.capacity


def somewhere(context: Context) -> object:
    """Give a location of this store, whether an image is there or not.

    Args:
        context: The context of the case.
    """
    if context.claims(Capability.ADD) or context.harness.offers("plant"):
        return context.image(b"refused")
    for text in context.store.driver.example_locations:
        if context.store.store.owns(text):
            return text
    context.harness.require("plant")
    raise NotRun("no location of the store is known")


_ACTS: dict[Capability, Callable[[Context, Client], Callable[[], object]]] = {
    Capability.ADD: _add_known,
    Capability.ADD_UNKNOWN_SIZE: _add_unknown,
    Capability.GET: _get,
    Capability.GET_RANGE: _get_range,
    Capability.DELETE: _delete,
    Capability.LIST: _list,
    Capability.ACL: _set_acls,
    Capability.CAPACITY: _capacity,
}
