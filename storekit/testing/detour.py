"""Detour: whether the stores of a harness go where its endpoint says; else no relay breaks them."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from storekit.errors import ConfigurationError, StoreError
from storekit.testing.case import NotRun
from storekit.testing.wire import Wire

if TYPE_CHECKING:
    from storekit.testing.context import Context

__all__ = ["taken"]

_lock = threading.Lock()


def taken(context: Context) -> None:
    """See, once for a harness, that a store which it makes goes by a relay.

    Args:
        context: Of the case that needs a relay first.

    Raises:
        ConfigurationError: Nothing came by the relay: the harness does not look at its endpoint.
    """
    harness = context.harness
    with _lock:
        if harness.takes_detours is None:
            harness.takes_detours = _seen(context)
    if not harness.takes_detours:
        raise ConfigurationError(
            f"make_store of {type(harness).__name__} did not use self.endpoint: nothing came by a"
            " relay whose address stood there",
            hint="read self.endpoint each time in make_store, not once in setup",
        )


def _seen(context: Context) -> bool:
    with Wire(str(context.harness.endpoint)) as wire:
        client = context.client(context.harness.behind(wire.endpoint))
        if not wire.opened:  # it may connect no earlier than it has to
            try:
                location = context.image(b"to see which way it is asked for")
            except NotRun:
                return True  # nothing is there that could be asked for
            with suppress(StoreError):
                client.get_size(wire.location(location))
        client.close()
        return wire.opened > 0
