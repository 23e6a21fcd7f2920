"""Trials: calls of a store that must end in time, while something is wrong with its backend."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from storekit.capabilities import Capability
from storekit.testing.case import NotRun, Violation
from storekit.testing.context import Context
from storekit.testing.journal import Client
from storekit.testing.watchdog import Hung, watched
from storekit.testing.wire import Wire

__all__ = [
    "SLACK",
    "Call",
    "Ended",
    "layers",
    "met",
    "patience",
    "tidied",
    "tried",
    "tried_all",
    "unlisted",
]

SLACK = 3.0
"""How many times the declared time a call may take: machines are busy, and a request is not all."""
_LEAST = 0.4  # seconds that every healthy backend may take for an answer
_SPARE = 6  # times that a healthy answer took


class Call(NamedTuple):
    """Something to call, and how long it may take."""

    act: Callable[[], object]
    seconds: float


@dataclass(frozen=True)
class Ended:
    """What became of a call."""

    seconds: float
    """How long it took."""
    value: object = None
    """What it returned."""
    error: BaseException | None = None
    """What it raised."""

    def again(self) -> object:
        """Return, or raise, what the call did: for ``Context.expect_error``."""
        if self.error is not None:
            raise self.error
        return self.value


def tried(seconds: float, act: Callable[[], object], did: str) -> Ended:
    """Call something that may hang.

    Args:
        seconds: How long it may take.
        act: What to call.
        did: What is done, for the report.

    Returns:
        What it did.

    Raises:
        Violation: It did not end in time.
    """
    begin = time.perf_counter()
    found: list[object] = []
    try:
        error = watched(lambda: found.append(act()), seconds, did)
    except Hung as hung:
        violation = Violation(f"an end within {seconds:.2f} s", "it hangs", did)
        violation.add_note(hung.stacks)  # the report shows it with the traceback
        raise violation from None
    return Ended(time.perf_counter() - begin, found[0] if found else None, error)


def tried_all(context: Context, calls: Mapping[str, Call], did: str) -> dict[str, Ended]:
    """Call several things that may hang, beside each other where the store allows it.

    Args:
        context: The context of the case.
        calls: The calls by name.
        did: What is done, for the report.

    Returns:
        What they did, by name.

    Raises:
        Violation: One did not end in time.
    """
    threads = len(calls) if context.claims(Capability.THREAD_SAFE) else 1
    pool = ThreadPoolExecutor(threads, thread_name_prefix="trial")
    try:
        running = {
            name: pool.submit(tried, call.seconds, call.act, f"{name}: {did}")
            for name, call in calls.items()
        }
        return {name: future.result() for name, future in running.items()}
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # one that hangs is enough


@contextmanager
def layers(wire: Wire, most: int = 1) -> Iterator[None]:
    """Tell, where the block finds a violation, whether somebody tries again who should not.

    Args:
        wire: The relay, whose client has ``max_attempts=1``.
        most: How many connections that client may use in the block.

    Raises:
        Violation: As the block raises it; with how many connections were used, if more were.
    """
    wire.count_anew()
    try:
        yield
    except Violation as violation:
        if (used := wire.spoken) > most:
            violation.actual += (
                f"; {used} connections were used, {most} at most were to be expected of"
                " max_attempts=1: a second layer of retries?"
            )
        raise


def patience(context: Context) -> float:
    """Choose a timeout, short, that this backend keeps easily while it is healthy.

    Args:
        context: The context of the case.

    Returns:
        Seconds: several times what it takes to open a store and look for an image, and no more
        than is declared.
    """
    begin = time.perf_counter()
    context.client().close()
    took = time.perf_counter() - begin
    declared = min(context.limits.connect_timeout, context.limits.io_timeout)
    return min(declared, max(_LEAST, _SPARE * took))


def met(happened: object, fault: str) -> None:
    """See that the fault was met: what was not broken proves nothing.

    Args:
        happened: Whether it happened.
        fault: What was to happen.

    Raises:
        NotRun: It did not.
    """
    if not happened:
        raise NotRun(f"the relay could not make it happen: {fault}")


def tidied(context: Context, client: Client) -> None:
    """Remove what a client could not, as it was cut off from the backend. Live uploads stay.

    Args:
        context: The context of the case.
        client: The client; it is closed.
    """
    client.close()
    if context.claims(Capability.ADD):
        context.other.reclaim(timedelta(0))


def unlisted(context: Context, before: set[str]) -> set[str]:
    """Reclaim what ``leftovers`` lists, and name what is left all the same.

    Args:
        context: The context of the case; it runs alone.
        before: What ``context.orphans`` named when nothing had happened.
    """
    context.client(upload_idle=0).reclaim(timedelta(0))
    return context.orphans() - before
