"""RangeMemory: which servers honour ranges."""

from __future__ import annotations

import threading
from collections import OrderedDict

from storekit.drivers.http.target import Origin

__all__ = ["RangeMemory"]

_MOST_SERVERS = 1024


class RangeMemory:
    """Which servers were seen to honour ranges, so that one which stops to is told from the rest.

    Thread-safe, and bounded: the servers not heard of for longest are forgotten.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[Origin, None] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, origin: Origin) -> None:
        """Remember a server that sent the part that was asked for.

        Args:
            origin: The server.
        """
        with self._lock:
            self._seen[origin] = None
            self._seen.move_to_end(origin)
            if len(self._seen) > _MOST_SERVERS:
                self._seen.popitem(last=False)

    def __contains__(self, origin: Origin) -> bool:
        return origin in self._seen
