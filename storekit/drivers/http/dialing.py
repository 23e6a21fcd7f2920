"""Dialer: from a host to a connected socket, by one look-up and by way of the address policy."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

from storekit.drivers.http.policy import AddressPolicy, address_of, literal
from storekit.errors import Forbidden, StoreError, Timeout, Unavailable

__all__ = ["Dialer"]

SocketOptions = Iterable[tuple[int, int, int | bytes]]


@dataclass(frozen=True)
class _Found:
    """One address of a host, as the resolver gives it."""

    family: int
    address: str
    sockaddr: tuple[str, int] | tuple[str, int, int, int]


class Dialer:
    """Connects to hosts, only at addresses that the policy permits.

    The address that was judged is the one that the socket is given, so an answer of the resolver
    that changes between check and use (DNS rebinding) has nothing to act on.

    Args:
        policy: Which addresses are open.
        io_timeout: Seconds that one read of the connections may take.
        max_lookups: How many look-ups may hang at once.
    """

    def __init__(self, policy: AddressPolicy, io_timeout: float, max_lookups: int) -> None:
        self.io_timeout = io_timeout
        self._policy = policy
        self._lookups = threading.BoundedSemaphore(max_lookups)

    def connect(
        self, host: str, port: int, timeout: float, options: SocketOptions
    ) -> socket.socket:
        """Open a connection.

        Args:
            host: The host in canonical form.
            port: The port.
            timeout: Seconds for the look-up and all addresses together; what is left of them is
                the timeout of the socket.
            options: Socket options to set.

        Raises:
            Forbidden: Every address of the host is outside the policy.
            Timeout: There was no connection in time.
            Unavailable: The host is not known, or refuses.
        """
        end = time.monotonic() + timeout
        found = [
            place
            for place in self._find(host, port, timeout)
            if self._policy.permits(host, address_of(place.address))
        ]
        if not found:
            # Not which address it is: that would tell a caller what the inner network looks like.
            raise Forbidden(
                f"the address of {host} is outside the address policy of the store",
                hint="allow_hosts or allow_networks of the store open it",
            )
        failure: OSError | None = None
        for tried, place in enumerate(found):
            share = (end - time.monotonic()) / (len(found) - tried)
            if share <= 0:
                break
            try:
                connected = _connected(place, share, options)
            except OSError as error:
                failure = error
                continue
            connected.settimeout(max(end - time.monotonic(), 0.001))
            return connected
        raise _failed(host, port, failure) from failure

    def _find(self, host: str, port: int, timeout: float) -> list[_Found]:
        address = literal(host)
        if address is None:
            return self._look_up(host, port, timeout)
        if address.version == 4:  # noqa: PLR2004 - the version's name
            return [_Found(socket.AF_INET, host, (host, port))]
        return [_Found(socket.AF_INET6, host, (host, port, 0, 0))]

    def _look_up(self, host: str, port: int, timeout: float) -> list[_Found]:
        """Ask the resolver, in a thread of its own: it takes no timeout and cannot be stopped."""
        answer: list[list[_Found]] = []
        failure: list[OSError | UnicodeError] = []

        def ask() -> None:
            try:
                infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                answer.append([_found(info[0], info[4]) for info in infos])
            except (OSError, UnicodeError) as error:
                failure.append(error)
            finally:
                self._lookups.release()

        if not self._lookups.acquire(timeout=timeout):
            raise Unavailable("the resolver hangs: too many names are being looked up")
        worker = threading.Thread(target=ask, name="storekit-http-lookup", daemon=True)
        worker.start()
        worker.join(timeout)
        if answer:
            return answer[0]
        if not failure:
            raise Timeout(f"the look-up of {host} took longer than {timeout:.3g} s")
        raise Unavailable(f"the name {host} cannot be looked up") from failure[0]


def _found(family: int, sockaddr: tuple[object, ...]) -> _Found:
    address = str(sockaddr[0])
    return _Found(family, address, sockaddr)  # type: ignore[arg-type]  # the resolver's own form


def _connected(place: _Found, timeout: float, options: SocketOptions) -> socket.socket:
    sock = socket.socket(place.family, socket.SOCK_STREAM)
    try:
        for option in options:
            sock.setsockopt(*option)
        sock.settimeout(timeout)
        sock.connect(place.sockaddr)
    except BaseException:
        sock.close()
        raise
    return sock


def _failed(host: str, port: int, failure: OSError | None) -> StoreError:
    if failure is None or isinstance(failure, TimeoutError):
        return Timeout(f"no connection to {host} port {port} in time")
    return Unavailable(f"no connection to {host} port {port}: {failure.strerror or failure}")
