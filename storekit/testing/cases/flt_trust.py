"""FLT: credentials that expire, and servers that are not who they say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from storekit.capabilities import Capability
from storekit.errors import (
    BackendError,
    ConfigurationError,
    DataError,
    NotAuthenticated,
    StoreError,
    Unavailable,
)
from storekit.testing.authority import Authority
from storekit.testing.case import Level, NotApplicable, Violation, case
from storekit.testing.cases.err import somewhere_to_look
from storekit.testing.cases.flt import long_image
from storekit.testing.context import Context
from storekit.testing.trials import met, tidied
from storekit.testing.wire import Cut, Request, Wire, http_answer

GET = Capability.GET
_CREDENTIALS = ("authorization", "x-auth-token", "cookie")


class _Guard:
    """Refuses credentials that were good once, and the first request after they expired.

    Args:
        wire: The relay; every credential that has crossed it expires.
    """

    def __init__(self, wire: Wire) -> None:
        self.refused: list[Request] = []
        self._wire = wire
        self._expired: frozenset[str] | None = None

    def expire(self) -> None:
        """Let every credential expire that was used until now."""
        self._expired = frozenset(shown for one in self._wire.requests for shown in _shown(one))
        if not self._expired:
            raise NotApplicable("no request carries a credential")
        self.refused.clear()

    def __call__(self, request: Request) -> bytes | None:
        if self._expired is None or (self.refused and not self._expired & _shown(request)):
            return None
        self.refused.append(request)
        return http_answer(401)


def _shown(request: Request) -> frozenset[str]:
    return frozenset(filter(None, map(request.headers.get, _CREDENTIALS)))


@case(
    "FLT-16a",
    level=Level.ROBUST,
    needs=GET,
    hooks=("http",),
    sentence="When credentials expire in the middle of an operation it MUST be gone on with under"
    " new ones, or raise NotAuthenticated.",
    why="A token lives an hour; a large image takes longer.",
    mistakes="A token fetched once for the life of the store; 401 in the middle of a read taken"
    " for its end, or for something that passes.",
)
def expires(context: Context) -> None:
    """Refuse the credentials after the first chunk of a read, and of an upload in parts."""
    data = long_image(context)
    location = str(context.image(data))
    wire = context.wire()
    wire.script = guard = _Guard(wire)
    client = context.client_behind(wire)
    seen = wire.location(location)

    def read() -> None:
        wire.answers.arm(Cut(len(data) // 2))  # else one answer that began in time is enough
        with client.get(seen) as reader:
            guard.expire()
            context.same(context.drain(reader), data, "bytes of a read whose credentials expired")

    _renewed_or_refused(guard, read, "a read whose credentials expire")
    met(wire.answers.fired, "a read that is cut")
    guard.expire()
    _renewed_or_refused(guard, lambda: client.get_size(seen), "get_size, the credentials expired")
    met(guard.refused, "credentials that expire")
    part = client.limits.part_size
    if context.claims(Capability.ADD) and part == context.part_size:
        _upload(context, wire, 2 * part + 997)


def _upload(context: Context, wire: Wire, size: int) -> None:
    wire.script = guard = _Guard(wire)
    client = context.client_behind(wire)
    image_id = context.new_id()
    data = context.payload(size)
    expired = False

    def progress(count: int) -> None:
        nonlocal expired
        if count > size // 2 and not expired:
            expired = True
            guard.expire()

    def add() -> None:
        stored = client.add(image_id, data, progress=progress)
        context.holds(client.straight(stored.location), data)

    did = "an upload whose credentials expire"
    if _renewed_or_refused(guard, add, did):
        tidied(context, client)  # whose credentials were not good enough for that either
        context.nothing_stored(image_id, did)


def _renewed_or_refused(guard: _Guard, act: Callable[[], object], did: str) -> bool:
    """Run something; tell whether it was refused, which is right if the guard did that."""
    try:
        act()
    except NotAuthenticated:
        return True
    except StoreError as error:
        if not guard.refused and isinstance(error, DataError | Unavailable):
            return True  # the read was cut, and the backend was not asked again
        wanted, got = "success, or NotAuthenticated", f"{type(error).__name__}: {error}"
        raise Violation(wanted, got, did) from error
    return False


@case(
    "FLT-16b",
    level=Level.ROBUST,
    hooks=("http",),
    sentence="A server whose certificate has expired, is for another host, or of an unknown"
    " authority MUST be refused before anything is asked of it, unless insecure is set.",
    why="Else whoever is on the way reads the credentials, and gives out images.",
    mistakes="Verification switched off in a library's default; the host's name not compared.",
)
def untrusted(context: Context) -> None:
    """Speak TLS with a good certificate, then with bad ones."""
    if reason := context.harness.absent.get("tls"):
        raise NotApplicable(f"no tls: {reason}")
    location = str(somewhere_to_look(context))
    size = context.store.get_size(location)
    ours, theirs = Authority(), Authority()
    trusted = context.harness.directory / f"{context.case.id.lower()}.pem"
    trusted.write_bytes(ours.certificate)
    _speaks_tls(context, ours, trusted, location, size)
    bad = {
        "has expired": ours.server("127.0.0.1", expired=True),
        "is for another host": ours.server("elsewhere.invalid"),
        "is of an unknown authority": theirs.server("127.0.0.1"),
    }
    endpoint = str(context.harness.endpoint)
    for what, tls in bad.items():
        wire = context.exit.enter_context(Wire(endpoint, tls=tls))
        did = f"get_size from a server whose certificate {what}"
        context.journal.named.add(BackendError)
        try:
            client = context.client_behind(wire, ca_file=trusted, max_attempts=1)
            client.get_size(wire.location(location))
        except StoreError as error:
            named = not isinstance(error, BackendError)
            context.check(named, "an error that says so", f"{type(error).__name__}: {error}", did)
        else:
            raise Violation("a refusal", "an answer", did)
        context.check(not wire.requests, "nothing asked", f"{len(wire.requests)} requests", did)
        met(wire.opened, did)
        wire = context.exit.enter_context(Wire(endpoint, tls=tls))
        client = context.client_behind(wire, ca_file=trusted, insecure=True)
        context.same(client.get_size(wire.location(location)), size, f"insecure: {did}")


def _speaks_tls(context: Context, ours: Authority, trusted: Path, location: str, size: int) -> None:
    wire = context.exit.enter_context(
        Wire(str(context.harness.endpoint), tls=ours.server("127.0.0.1"))
    )
    try:
        client = context.client_behind(wire, ca_file=trusted)
    except ConfigurationError as error:
        raise NotApplicable(f"the store takes no https endpoint: {error}") from error
    context.same(client.get_size(wire.location(location)), size, "get_size over TLS")
    met(wire.requests, "TLS")
