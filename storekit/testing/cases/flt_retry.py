"""FLT: a backend that cannot now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

from storekit.capabilities import Capability
from storekit.errors import NotFound, Unavailable
from storekit.testing.case import Level, Violation, case
from storekit.testing.cases.err import four_verbs, somewhere_to_look
from storekit.testing.cases.flt import upload_sizes
from storekit.testing.context import Context
from storekit.testing.journal import Client
from storekit.testing.sources import Tap
from storekit.testing.trials import SLACK, met, patience, tried
from storekit.testing.wire import Request, Wire, http_answer

_WAIT = 1.0  # seconds: the shortest that Retry-After can say (RFC 9110, 10.2.3)
_TOO_LONG = 86_400


class _Busy:
    """Answers each request with 503 for the first times that it comes."""

    def __init__(self, times: int | None) -> None:
        self.refused: Counter[tuple[str, str]] = Counter()
        self.most = 0
        """How often one request was sent until it was answered well."""
        self._times = times
        self._tries: Counter[tuple[str, str]] = Counter()

    def __call__(self, request: Request) -> bytes | None:
        kind = request.method, request.path
        self._tries[kind] += 1
        self.most = max(self.most, self._tries[kind])
        if self._times is None or self.refused[kind] < self._times:
            self.refused[kind] += 1
            return http_answer(503)
        self._tries[kind] = 0
        return None


def _counted(context: Context, busy: _Busy, client: Client, did: str) -> None:
    most, allowed = busy.most, client.limits.max_attempts
    context.check(most <= allowed, f"at most {allowed} attempts", f"{most} of one request", did)
    met(busy.refused, did)
    context.notes["attempts"] = max(int(context.notes.get("attempts", 0)), most)


@case(
    "FLT-11",
    level=Level.ROBUST,
    hooks=("http",),
    sentence="What is answered 503 twice and then well MUST succeed within limits.max_attempts"
    " requests, and an add MUST NOT read its source again.",
    why="Backends are restarted and overloaded; the next moment they are fine.",
    mistakes="No retry; one that sends what is left of a body that was read; one layer of retries"
    " on another.",
)
def twice_busy(context: Context) -> None:
    """Refuse every request of every verb twice."""
    location = str(somewhere_to_look(context))
    wire = context.wire()
    client = context.client_behind(wire, max_attempts=3)
    seen = wire.location(location)
    steps: dict[str, Callable[[], object]] = {"get_size": lambda: client.get_size(seen)}
    if context.claims(Capability.GET):
        steps["get"] = lambda: context.holds(seen, context.read(location), client)
    if context.claims(Capability.ADD):
        for size in upload_sizes(context, 997):
            steps[f"add of {size} bytes"] = partial(_added, context, client, size)
    if context.claims(Capability.DELETE):
        steps["delete"] = lambda: _deleted(context, client, wire)
    for verb, step in steps.items():
        wire.script = busy = _Busy(2)
        did = f"{verb}, every request refused twice"
        try:
            step()
        except Unavailable as error:
            raise Violation("success", f"{type(error).__name__}: {error}", did) from error
        _counted(context, busy, client, did)


def _added(context: Context, client: Client, size: int) -> None:
    data = context.payload(size)
    source = Tap(data)
    stored = client.add(context.new_id(), source, len(data))
    context.holds(client.straight(stored.location), data)
    context.same(source.position, len(data), "bytes taken from the source")
    context.check(not source.rewound, "a source that is read once", "rewound", "an add, retried")


def _deleted(context: Context, client: Client, wire: Wire) -> None:
    location = context.image(b"to be deleted")
    client.delete(wire.location(location))
    context.journal.live.pop(str(location), None)
    with context.expect_error(NotFound, did="get_size after a delete that was retried"):
        context.store.get_size(location)


@case(
    "FLT-12",
    level=Level.ROBUST,
    hooks=("http",),
    sentence="What is answered 503 for ever MUST raise Unavailable after at most"
    " limits.max_attempts requests, and within limits.op_budget.",
    why="Retries of many clients together keep an overloaded backend down.",
    mistakes="Retries without end; a library's retries under one's own, which multiply.",
)
def busy_for_ever(context: Context) -> None:
    """Refuse every request of every verb."""
    location = str(somewhere_to_look(context))
    wire = context.wire()
    timeout = patience(context)
    client = context.client_behind(
        wire, max_attempts=2, connect_timeout=timeout, io_timeout=timeout
    )
    for verb, act in four_verbs(context, client, wire.location(location)).items():
        wire.script = busy = _Busy(None)
        did = f"{verb}, every request refused"
        ended = tried(client.limits.op_budget, act, did)
        with context.expect_error(Unavailable, did=did):
            ended.again()
        _counted(context, busy, client, did)


@case(
    "FLT-13",
    level=Level.ROBUST,
    hooks=("http",),
    sentence="What is answered 429 with Retry-After MUST NOT be asked again earlier, and the call"
    " MUST end within limits.op_budget, however long the backend asks to wait.",
    why="A backend that limits its clients punishes those that do not listen.",
    mistakes="A fixed pause; sleeping for a day because a header says so.",
)
def told_to_wait(context: Context) -> None:
    """Ask for a second, then for a day."""
    location = str(somewhere_to_look(context))
    size = context.store.get_size(location)
    wire = context.wire()
    client = context.client_behind(
        wire, max_attempts=2, connect_timeout=_WAIT / 2, io_timeout=_WAIT / 2
    )
    seen = wire.location(location)
    did = "get_size, told to wait a second"
    refused = _once(wire, _WAIT)
    ended = tried(SLACK * client.limits.op_budget, lambda: client.get_size(seen), did)
    if not isinstance(ended.error, Unavailable):  # who does not ask again, has not asked too early
        context.same(ended.again(), size, f"the answer to {did}")
    met(refused, did)
    waited = [later.at - refused[0].at for later in wire.requests if later.at > refused[0].at]
    if waited:
        context.notes["waited"] = min(waited)
        context.check(min(waited) >= _WAIT, f"{_WAIT:g} s", f"{min(waited):.3f} s", did)
    refused = _once(wire, _TOO_LONG)
    did = "get_size, told to wait a day"
    ended = tried(client.limits.op_budget, lambda: client.get_size(seen), did)
    if not isinstance(ended.error, Unavailable):
        context.same(ended.again(), size, f"the answer to {did}")


def _once(wire: Wire, wait: float) -> list[Request]:
    """Refuse the next request; give the list that it will stand in."""
    refused: list[Request] = []

    def script(request: Request) -> bytes | None:
        if refused:
            return None
        refused.append(request)
        return http_answer(429, Retry_After=f"{wait:.0f}")

    wire.script = script
    return refused
