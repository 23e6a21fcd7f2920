"""Transport: requests over connections that the policy permits, pooled and bounded.

Of ``requests`` the adapter is used and no ``Session``: so there are no cookies, no ``.netrc``, no
proxy and no CA bundle from the environment, and redirects are ours to follow.
"""

from __future__ import annotations

import functools
import ssl
import threading
from collections.abc import Mapping
from typing import cast

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool

from storekit.capabilities import Limits
from storekit.drivers.http.answer import Answer
from storekit.drivers.http.connections import (
    Pool,
    Stopped,
    TLSPool,
    close_idle,
    idle,
    origin_of,
)
from storekit.drivers.http.dialing import Dialer
from storekit.drivers.http.faults import fault_of
from storekit.drivers.http.policy import AddressPolicy
from storekit.drivers.http.target import Target
from storekit.retry import Clock
from storekit.slots import Slot, Slots

__all__ = ["Transport"]

_MOST_HOSTS = 64  # whose idle connections are kept


class Transport:
    """Sends requests. Belongs to one process: after a fork the child makes its own.

    Args:
        policy: Which addresses are open.
        limits: Timeouts, and how many connections there are at once.
        tls: How servers are verified.
    """

    def __init__(self, policy: AddressPolicy, limits: Limits, tls: ssl.SSLContext) -> None:
        self._limits = limits
        self._slots = Slots(limits.max_connections)
        dialer = Dialer(policy, limits.io_timeout, limits.max_connections)
        self._adapter = _Adapter(dialer, tls, limits.max_connections)
        self._lock = threading.Lock()

    def slot(self) -> Slot:
        """Take the right to one connection; whoever sends needs it.

        Raises:
            Unavailable: None became free within ``io_timeout``.
        """
        return self._slots.take(self._limits.io_timeout)

    def send(self, method: str, target: Target, headers: Mapping[str, str], clock: Clock) -> Answer:
        """Send one request and wait for the head of the answer.

        Args:
            method: ``GET`` or ``HEAD``.
            target: What is asked of whom.
            headers: Headers besides those that every request has.
            clock: How much time there is.

        Returns:
            The answer; its body is not read yet.

        Raises:
            Forbidden: The address is closed, or the certificate was refused.
            Timeout: There was no connection, or no answer, in time.
            Unavailable: There was no connection, or no answer.
        """
        own = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "storekit"}
        request = requests.PreparedRequest()
        request.method = method
        # Not prepared by the library, which resolves "..": an owner's URI is asked for as it is.
        request.url = target.url
        request.prepare_headers(own | dict(headers))
        total = clock.within(self._limits.op_budget)
        timeout = urllib3.Timeout(
            connect=min(total, self._limits.connect_timeout),
            read=self._limits.io_timeout,
            total=total,
        )
        self._make_room(target)
        try:
            response = self._adapter.send(
                request,
                stream=True,
                timeout=timeout,  # type: ignore[arg-type]  # taken, and the only way to a total
                proxies={},
            )
        except Stopped as stopped:
            raise stopped.error from stopped.__cause__
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise fault_of(error) from error
        return Answer(response, target)

    def close(self) -> None:
        """Close every idle connection; one in use is closed when its reader is."""
        for pool in self._adapter.pools():
            pool.close()
        self._adapter.close()

    def _make_room(self, target: Target) -> None:
        """Close idle connections where a new one could be one too many.

        Whoever has a slot has a connection, or is about to open one, or reuses an idle one.
        """
        with self._lock:
            pools = self._adapter.pools()
            own = [pool for pool in pools if origin_of(pool) == target.origin]
            excess = self._slots.used + sum(map(idle, pools)) - self._slots.limit
            if any(map(idle, own)):
                excess -= 1
            for pool in sorted(pools, key=lambda pool: pool in own):
                if excess > 0:
                    excess -= close_idle(pool, excess)


class _Adapter(HTTPAdapter):
    """An adapter whose connections are made by a dialer, with one TLS context for all."""

    def __init__(self, dialer: Dialer, tls: ssl.SSLContext, size: int) -> None:
        self._tls = tls
        self._dialer = dialer
        super().__init__(pool_connections=_MOST_HOSTS, pool_maxsize=size, pool_block=True)

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **_: object
    ) -> None:
        super().init_poolmanager(connections, maxsize, block, ssl_context=self._tls)
        self.poolmanager.pool_classes_by_scheme = {
            "http": cast("type", functools.partial(Pool, dialer=self._dialer)),
            "https": cast("type", functools.partial(TLSPool, dialer=self._dialer)),
        }

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, *_: object, **__: object
    ) -> HTTPConnectionPool:
        url = urllib3.util.parse_url(request.url or "")
        return self.poolmanager.connection_from_host(url.host, url.port, url.scheme)

    def request_url(self, request: requests.PreparedRequest, *_: object) -> str:
        """Leave the path as it is; some versions of the library take a second slash away."""
        return request.path_url

    def cert_verify(self, *_: object, **__: object) -> None:
        """Leave it to the TLS context, which need not load its certificates for each connection."""

    def pools(self) -> list[HTTPConnectionPool]:
        """Every host's pool."""
        manager = self.poolmanager
        found = (manager.pools.get(key) for key in manager.pools.keys())  # noqa: SIM118 - no dict
        return [pool for pool in found if pool is not None]
