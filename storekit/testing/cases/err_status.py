"""ERR: what becomes of the backend's refusals."""

from __future__ import annotations

from collections.abc import Callable

from storekit.capabilities import Capability
from storekit.errors import (
    BackendError,
    Duplicate,
    Forbidden,
    NotAuthenticated,
    NotFound,
    StorageFull,
    StoreError,
    Unavailable,
)
from storekit.location import Location
from storekit.testing.case import case
from storekit.testing.cases.err import four_verbs, somewhere_to_look
from storekit.testing.context import Context
from storekit.testing.journal import Client
from storekit.testing.wire import Request, Wire, http_answer

_WRITES = frozenset({"PUT", "POST", "PATCH"})
_CREDENTIALS = ("authorization", "x-auth-token", "cookie", "proxy-authorization")


def _scripted(context: Context, status: int, *, writes_only: bool = False) -> tuple[Client, Wire]:
    """Give a client whose requests are answered with a status once it is open."""
    wire = context.wire()
    armed = False

    def script(request: Request) -> bytes | None:
        if not armed or (writes_only and request.method not in _WRITES):
            return None
        return http_answer(status)

    wire.script = script
    client = context.client_behind(wire, max_attempts=1)
    armed = True
    return client, wire


def _each(
    context: Context,
    status: int,
    kind: type[StoreError],
    skipped: frozenset[str] = frozenset(),
) -> None:
    location = str(somewhere_to_look(context))
    client, wire = _scripted(context, status)
    for verb, call in four_verbs(context, client, wire.location(location)).items():
        if verb in skipped:
            continue
        with context.expect_error(kind, did=f"{verb}, answered {status}") as caught:
            call()
        retriable = getattr(caught.error, "retriable", None)
        context.same(retriable, kind.retriable, f"retriable of {verb}, answered {status}")


@case(
    "ERR-03",
    hooks=("http",),
    sentence="401 MUST become NotAuthenticated, 403 Forbidden, 404 NotFound, from every verb.",
    why="Wrong credentials, missing rights and a missing image are three calls to three people.",
    mistakes="403 as missing; 401 as a broken backend; a HEAD without a body not understood.",
)
def refusals(context: Context) -> None:
    """Answer every verb with 401, 403 and 404."""
    _each(context, 401, NotAuthenticated)
    _each(context, 403, Forbidden)
    # For an add a 404 is the answer that lets it go on, or a missing container.
    _each(context, 404, NotFound, skipped=frozenset({"add"}))


@case(
    "ERR-04",
    needs=Capability.ADD,
    hooks=("http",),
    sentence="412 on the commit of an add MUST become Duplicate.",
    why="It is how a backend says that somebody else was first.",
    mistakes="Forbidden; a retry that overwrites.",
)
def precondition(context: Context) -> None:
    """Answer every write with 412."""
    client, _ = _scripted(context, 412, writes_only=True)
    with context.expect_error(Duplicate, did="an add whose writes are answered 412"):
        client.add(context.new_id(), context.payload(997))


@case(
    "ERR-05",
    needs=Capability.ADD,
    hooks=("http|fault:full",),
    sentence="413, 507, ENOSPC, EDQUOT and EFBIG MUST become StorageFull, and nothing is stored.",
    why="Only the operator can help, and must be told what is needed.",
    mistakes="BackendError; a part of the image left, which takes the last space.",
)
def full(context: Context) -> None:
    """Add to a backend without space."""
    data = context.payload(70_001)
    if context.harness.offers("http"):
        for status in (413, 507):
            client, _ = _scripted(context, status, writes_only=True)
            with context.expect_error(StorageFull, did=f"an add answered {status}"):
                client.add(context.new_id(), data)
    if context.harness.offers("fault:full"):
        image_id = context.new_id()
        client = context.store
        before = context.orphans()
        size = None if context.claims(Capability.ADD_UNKNOWN_SIZE) else len(data)
        with (
            context.fault("full"),
            context.expect_error(StorageFull, did="an add without space"),
        ):
            client.add(image_id, iter([data]), size)
        context.nothing_stored(image_id, "an add without space")
        left = context.orphans() - before
        context.check(not left, "nothing left behind", f"left: {sorted(left)}", "no space")


@case(
    "ERR-06",
    hooks=("http",),
    sentence="429, 500, 502, 503 and 504 MUST become Unavailable, and be retriable.",
    why="The caller may try again later, and only then.",
    mistakes="500 as BackendError; 429 as Forbidden.",
)
def unavailable(context: Context) -> None:
    """Answer every verb with each of them."""
    for status in (429, 500, 502, 503, 504):
        _each(context, status, Unavailable)


@case(
    "ERR-07",
    needs=Capability.ADD,
    hooks=("fault:readonly",),
    sentence="EACCES, EROFS and their like MUST become Forbidden; what is stored MUST still be"
    " read.",
    why="A disk that turned read-only still has its images.",
    mistakes="Unavailable, which is tried again for ever; reads that fail for want of a lock file.",
)
def read_only(context: Context) -> None:
    """Write to a backend that turned read-only."""
    data = context.payload(997)
    location = context.image(data)
    client, image_id = context.store, context.new_id()
    with context.fault("readonly"):
        with context.expect_error(Forbidden, did="an add to a read-only backend"):
            client.add(image_id, data)
        if context.claims(Capability.DELETE):
            with context.expect_error(Forbidden, did="a delete from a read-only backend"):
                client.delete(location)
        if context.claims(Capability.GET):
            context.holds(location, data, client)
    context.nothing_stored(image_id, "an add to a read-only backend")


@case(
    "ERR-08",
    needs=Capability.GET,
    hooks=("http",),
    sentence="A redirect without end MUST raise BackendError, and a redirect to another host MUST"
    " NOT carry the credentials there.",
    why="A redirect is written by whoever answers, and may lead to anybody.",
    mistakes="Following for ever; the client's default headers sent to every host.",
)
def redirects(context: Context) -> None:
    """Redirect in a circle, and to another host."""
    location = str(somewhere_to_look(context))
    client, wire = _redirecting(context, location, "127.0.0.1")
    _read(context, client, wire.location(location), BackendError)
    elsewhere = context.wire()
    elsewhere.script = lambda _: http_answer(404)
    client, wire = _redirecting(context, location, f"localhost:{elsewhere.port}")
    _read(context, client, wire.location(location), StoreError)
    for request in elsewhere.requests:
        shown = [name for name in _CREDENTIALS if name in request.headers]
        context.check(not shown, "no credential for another host", f"{', '.join(shown)} sent")
        whole = f"{request.path} {dict(request.headers)}"
        leaked = any(secret in whole for secret in context.secrets())
        context.check(not leaked, "no secret for another host", "one was sent")


def _redirecting(context: Context, location: str, host: str) -> tuple[Client, Wire]:
    wire = context.wire()
    target = host if ":" in host else f"{host}:{wire.port}"
    path = "/".join(Location(location).segments)
    armed = False

    def script(_: Request) -> bytes | None:
        return http_answer(302, Location=f"http://{target}/{path}") if armed else None

    wire.script = script
    client = context.client_behind(wire, max_attempts=1)
    armed = True
    return client, wire


def _read(context: Context, client: Client, location: str, kind: type[StoreError]) -> None:
    context.journal.named.add(BackendError)
    calls: tuple[Callable[[], object], ...] = (
        lambda: client.get_size(location),
        lambda: client.get(location),
    )
    for call in calls:
        with context.expect_error(kind, did="a redirect"):
            call()
