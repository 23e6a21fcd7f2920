"""NEG: what a store does not claim, it refuses.

These run on every store: a gate that is claimed is withdrawn first, on a client of the case's own.
"""

from __future__ import annotations

from functools import partial

from storekit.capabilities import GATES, Capability
from storekit.errors import Unsupported
from storekit.testing.case import case
from storekit.testing.context import Context
from storekit.testing.journal import Client
from storekit.testing.refusal import refuse, refused, somewhere

_WHY = "A call that half works is worse than one that is refused: the caller builds on it."
_REASON = "withdrawn by the conformance kit"


def _without(context: Context, gate: Capability) -> Client:
    client = context.client()
    client.driver.narrow(gate, _REASON)
    return client


@case(
    "NEG-01",
    sentence="Without ADD, add MUST raise Unsupported, and store nothing.",
    why=_WHY,
    mistakes="The gate checked after the data was read; not at all.",
)
def no_add(context: Context) -> None:
    """Add to a store without ADD."""
    refuse(context, Capability.ADD, _without(context, Capability.ADD))


@case(
    "NEG-02",
    sentence="Without DELETE, delete MUST raise Unsupported, and leave the image.",
    why=_WHY,
    mistakes="Success without effect, or with it.",
)
def no_delete(context: Context) -> None:
    """Delete from a store without DELETE."""
    location = somewhere(context)
    client = _without(context, Capability.DELETE)
    refused(context, client, Capability.DELETE, lambda: client.delete(location))
    if context.claims(Capability.ADD) or context.harness.offers("plant"):
        context.store.get_size(location)


@case(
    "NEG-03",
    sentence="Without GET, get MUST raise Unsupported.",
    why=_WHY,
    mistakes="A reader that fails at the first chunk.",
)
def no_get(context: Context) -> None:
    """Read from a store without GET."""
    client = _without(context, Capability.GET)
    refuse(context, Capability.GET, client)


@case(
    "NEG-04",
    sentence="Without GET_RANGE, an offset MUST raise Unsupported, by keyword and by position;"
    " offset 0 MUST work.",
    why=_WHY,
    mistakes="A check of the keywords only; the offset ignored.",
)
def no_offset(context: Context) -> None:
    """Read from an offset of a store without GET_RANGE."""
    location = somewhere(context)
    client = _without(context, Capability.GET_RANGE)
    gate = Capability.GET_RANGE if context.claims(Capability.GET) else Capability.GET
    refused(context, client, gate, lambda: client.get(location, offset=1))
    refused(context, client, gate, lambda: client.get(location, 1))
    refused(context, client, gate, lambda: client.get(location, 1, None))
    if context.claims(Capability.GET):
        with client.get(location, offset=0) as reader:
            context.drain(reader)
        with client.get(location, 0, None) as reader:
            context.drain(reader)


@case(
    "NEG-05",
    sentence="Without GET_RANGE, a length MUST raise Unsupported.",
    why=_WHY,
    mistakes="The length ignored: the caller gets more than it asked for.",
)
def no_length(context: Context) -> None:
    """Read a part of a store without GET_RANGE."""
    location = somewhere(context)
    client = _without(context, Capability.GET_RANGE)
    gate = Capability.GET_RANGE if context.claims(Capability.GET) else Capability.GET
    for length in (0, 1, 1 << 40):
        refused(context, client, gate, partial(client.get, location, length=length))
        refused(context, client, gate, partial(client.get, location, 0, length))


@case(
    "NEG-06",
    sentence="Without ADD_UNKNOWN_SIZE, an add of unknown size MUST be refused before the data is"
    " read, and store nothing.",
    why=_WHY,
    mistakes="Reading all of it to find out the size.",
)
def no_unknown_size(context: Context) -> None:
    """Add a stream to a store that wants the size."""
    client = _without(context, Capability.ADD_UNKNOWN_SIZE)
    if not context.claims(Capability.ADD):
        refuse(context, Capability.ADD, client)
        return
    refuse(context, Capability.ADD_UNKNOWN_SIZE, client)
    data = context.payload(997)
    context.holds(client.add(context.new_id(), iter([data]), len(data)).location, data)


@case(
    "NEG-07",
    sentence="Without ACL, set_acls MUST raise Unsupported.",
    why="Who believes that an image is private must not be wrong.",
    mistakes="Silence.",
)
def no_acl(context: Context) -> None:
    """Set who may use an image of a store without access lists."""
    refuse(context, Capability.ACL, _without(context, Capability.ACL))


@case(
    "NEG-08",
    sentence="A refusal MUST come before any I/O of the verb, and name the operation, the driver"
    " and the capability.",
    why="It must be cheap to try, and clear what to do.",
    mistakes="A request whose answer is refused; `not supported` and nothing else.",
)
def before_io(context: Context) -> None:
    """Refuse every gate, and count what crosses the wire where there is one."""
    wire = context.wire() if context.harness.offers("endpoint") else None
    for gate in GATES:
        client = context.client() if wire is None else context.client_behind(wire)
        client.driver.narrow(gate, _REASON)
        before = wire.up if wire else 0
        if wire is None:
            refuse(context, gate, client)
            continue
        _refuse_seen(context, gate, client, wire.location)
        context.same(wire.up, before, f"bytes to the backend for a call refused by {gate.name}")


def _refuse_seen(context: Context, gate: Capability, client: Client, seen: object) -> None:
    text = str(somewhere(context))
    place = seen(text) if callable(seen) else text
    acts = {
        Capability.ADD: lambda: client.add(context.new_id(), b"refused"),
        Capability.ADD_UNKNOWN_SIZE: lambda: client.add(context.new_id(), iter([b"refused"])),
        Capability.GET: lambda: client.get(place),
        Capability.GET_RANGE: lambda: client.get(place, 1),
        Capability.DELETE: lambda: client.delete(place),
        Capability.LIST: lambda: next(client.list(), None),
        Capability.ACL: lambda: client.set_acls(place, public=True),
        Capability.CAPACITY: client.capacity,
    }
    first = gate
    if gate is Capability.GET_RANGE and not context.claims(Capability.GET):
        first = Capability.GET
    if gate is Capability.ADD_UNKNOWN_SIZE and not context.claims(Capability.ADD):
        first = Capability.ADD
    refused(context, client, first, acts[gate])


@case(
    "NEG-09",
    sentence="A capability that is withdrawn at run time MUST be enforced on the next call, with"
    " the reason.",
    why="A backend that turned read-only is found out in the middle of a service's life.",
    mistakes="Capabilities copied when the store was opened.",
)
def withdrawn(context: Context) -> None:
    """Use every gate that can be, then withdraw it."""
    client = context.client()
    for gate in (Capability.GET, Capability.ADD, Capability.DELETE, Capability.LIST):
        if gate not in client.store.capabilities:
            continue
        if gate is Capability.LIST:
            next(client.list(), None)
        elif gate is Capability.GET and context.claims(Capability.ADD):
            context.read(context.image(b"before"), client)
        client.driver.narrow(gate, _REASON)
        context.check(gate not in client.store.capabilities, "withdrawn", "still shown")
        with context.expect_error(Unsupported, did=f"a call after {gate.name} was withdrawn") as e:
            _call(context, client, gate)
        context.check(_REASON in e.text, "the reason in the error", e.text)
        context.check(gate in client.store.withdrawn, "the reason kept", client.store.withdrawn)


def _call(context: Context, client: Client, gate: Capability) -> None:
    if gate is Capability.GET:
        client.get(somewhere(context))
    elif gate is Capability.ADD:
        client.add(context.new_id(), b"after")
    elif gate is Capability.DELETE:
        client.delete(somewhere(context))
    else:
        next(client.list(), None)
