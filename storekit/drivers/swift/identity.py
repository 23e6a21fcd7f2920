"""Identity: who asks, and where the account is: tokens of version 1, of Keystone, of callers."""

from __future__ import annotations

import threading
import time
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from keystoneauth1 import session as keystone_session
from keystoneauth1.identity import v3

from storekit.capabilities import Limits
from storekit.context import RequestContext
from storekit.drivers.swift.faults import KEYSTONE, broken, refused, unknown_to_keystone
from storekit.drivers.swift.options import Options
from storekit.drivers.swift.wire import Wire
from storekit.errors import ConfigurationError, NotAuthenticated
from storekit.retry import Clock

__all__ = [
    "Grant",
    "Identity",
    "KeystoneIdentity",
    "V1Identity",
    "identity_of",
    "keystone_of",
    "keystone_url",
]

SERVICE = "object-store"
_EARLY = 30.0  # seconds before its end at which a token is renewed
_REDIRECT = 300
_NO_LOGIN = frozenset({404, 405, 412})  # what Swift and others say of another URL


@dataclass(frozen=True)
class Grant:
    """The right to talk to an account."""

    url: str
    """The URL of the account."""
    token: str = field(repr=False)
    """What is sent with every request."""


class Identity:
    """Gets grants, and renews them: once, however many threads were refused. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._grant: Grant | None = None
        self._end = float("inf")  # of its time, by time.monotonic()

    def grant(self, clock: Clock) -> Grant:
        """Give a grant that should be good.

        Args:
            clock: How much time there is.

        Raises:
            StoreError: There is none to be had.
        """
        grant = self._grant
        if grant is not None and time.monotonic() < self._end:
            return grant
        with self._lock:
            if self._grant is None or time.monotonic() >= self._end:
                self._grant = self._ask(clock)
            return self._grant

    def renew(self, old: Grant, clock: Clock) -> Grant:
        """Give another grant in place of one that the server refused.

        Args:
            old: The grant.
            clock: How much time there is.

        Raises:
            StoreError: There is none to be had.
        """
        with self._lock:
            if self._grant is None or self._grant == old:  # else another thread was faster
                self._grant = None
                self._forget()
                self._grant = self._ask(clock)
            return self._grant

    def close(self) -> None:
        """Give back what it holds."""

    @abstractmethod
    def _ask(self, clock: Clock) -> Grant:
        """Get a grant."""
        raise NotImplementedError

    def _forget(self) -> None:
        """Do not use again what was refused."""


class V1Identity(Identity):
    """A user of version 1: tempauth, radosgw.

    Args:
        options: User and key.
        wire: What sends.
    """

    def __init__(self, options: Options, wire: Wire) -> None:
        super().__init__()
        self._options = options
        self._wire = wire

    def _ask(self, clock: Clock) -> Grant:
        options = self._options
        key = options.password.get_secret_value() if options.password else ""
        headers = {"X-Auth-User": options.username or "", "X-Auth-Key": key}
        reply = self._wire.send("GET", options.auth_url or "", headers, clock=clock)
        body = reply.finish(clock)
        if reply.status >= _REDIRECT and reply.status not in _NO_LOGIN:
            raise refused("GET", reply.status, reply.headers, body)
        url = reply.headers.get("X-Storage-Url", "")
        token = reply.headers.get("X-Storage-Token") or reply.headers.get("X-Auth-Token")
        if not url or not token:
            raise ConfigurationError(
                "auth_url is no authentication of version 1: it gives no token",
                hint="it ends in /auth/v1.0 with tempauth, in /auth/1.0 with radosgw",
            )
        lasts = reply.headers.get("X-Auth-Token-Expires", "")
        known = lasts.isascii() and lasts.isdigit()
        self._end = time.monotonic() + max(int(lasts) - _EARLY, 1) if known else float("inf")
        return Grant(_as_safe(url, options.auth_url or "").rstrip("/"), token)


class KeystoneIdentity(Identity):
    """Whoever a session of keystoneauth1 authenticates.

    Args:
        session: The session. It renews its token before the end of its time.
        options: Which object store of the catalog.
        own: Whether the session is ours to close.
    """

    def __init__(self, session: Any, options: Options, *, own: bool) -> None:  # noqa: ANN401 - keystoneauth1 has no types
        super().__init__()
        self._session = session
        self._options = options
        self._own = own

    def grant(self, clock: Clock) -> Grant:
        """Give a grant that should be good. The session knows when its token must be renewed."""
        with self._lock:
            self._grant = self._ask(clock)
            return self._grant

    def close(self) -> None:
        """Close the session's connections."""
        if self._own:
            self._session.session.close()

    def _ask(self, clock: Clock) -> Grant:
        options = self._options
        clock.within(1.0)
        try:
            token = self._session.get_token()
            url = self._session.get_endpoint(
                service_type=SERVICE, interface=options.interface, region_name=options.region
            )
        except KEYSTONE as error:
            raise unknown_to_keystone(error) from error.__cause__
        except requests.RequestException as error:
            raise broken(error) from error
        if not url or not token:
            raise ConfigurationError(
                "the catalog has no such object store", hint="check region and interface"
            )
        return Grant(str(url).rstrip("/"), str(token))

    def _forget(self) -> None:
        self._session.invalidate()


class CallerIdentity(Identity):
    """A caller with a token and a catalog. Nobody can renew it.

    Args:
        context: The caller.
        options: Which object store of the catalog.

    Raises:
        NotAuthenticated: The context has no token or no catalog.
        ConfigurationError: The catalog has no such object store.
    """

    def __init__(self, context: RequestContext, options: Options) -> None:
        super().__init__()
        if context.token is None or context.catalog is None:
            raise NotAuthenticated(
                "the caller brings no token and catalog, and no session",
                hint="give RequestContext a token and a catalog, or a session",
            )
        url = _endpoint(context.catalog, options)
        if url is None:
            raise ConfigurationError(
                "the caller's catalog has no such object store", hint="check region and interface"
            )
        self._grant = Grant(url.rstrip("/"), context.token)

    def _ask(self, clock: Clock) -> Grant:
        raise NotAuthenticated(
            "the caller's token has expired, or the server does not know it",
            hint="call again with a fresh token; trusts = true lets long uploads outlive theirs",
        )


def keystone_url(options: Options) -> str:
    """Give the URL of version 3 of Keystone's API.

    Args:
        options: Where Keystone is.
    """
    url = options.auth_url or ""
    return url if url.endswith("/v3") else f"{url}/v3"


def keystone_of(options: Options, limits: Limits, trust_id: str | None = None) -> Any:  # noqa: ANN401 - keystoneauth1 has no types
    """Make a session for the user of the options.

    Args:
        options: Who it is, and where Keystone is.
        limits: The timeout.
        trust_id: A trust, in place of the project.
    """
    url = keystone_url(options)
    secret = options.application_credential_secret
    if secret is not None:
        auth: Any = v3.ApplicationCredential(
            url,
            application_credential_id=options.application_credential_id,
            application_credential_secret=secret.get_secret_value(),
        )
    else:
        auth = v3.Password(
            url,
            username=options.username,
            password=options.password.get_secret_value() if options.password else "",
            user_domain_id=options.user_domain,
            project_name=options.project if trust_id is None else None,
            project_domain_id=options.project_domain if trust_id is None else None,
            trust_id=trust_id,
        )
    return keystone_session.Session(
        auth=auth,
        verify=False if options.insecure else str(options.ca_file or "") or True,
        timeout=limits.io_timeout,
        redirect=False,
    )


def identity_of(context: RequestContext, options: Options) -> Identity:
    """Give the identity of a caller.

    Args:
        context: The caller.
        options: Which object store of the catalog.

    Raises:
        StoreError: The caller brings nothing that can be used.
    """
    if context.session is not None:
        return KeystoneIdentity(context.session, options, own=False)
    return CallerIdentity(context, options)


def _as_safe(url: str, auth_url: str) -> str:
    """Keep to TLS where a server does not know that a proxy before it speaks TLS."""
    there, asked = urlsplit(url), urlsplit(auth_url)
    same = there.netloc == asked.netloc and asked.scheme == "https"
    return urlunsplit(there._replace(scheme="https")) if same else url


def _endpoint(catalog: Iterable[Mapping[str, object]], options: Options) -> str | None:
    """Find the account's URL in a catalog, in the form of version 3 or of version 2."""
    for service in catalog:
        if service.get("type") != SERVICE:
            continue
        endpoints = service.get("endpoints")
        for endpoint in endpoints if isinstance(endpoints, list | tuple) else ():
            region = endpoint.get("region_id") or endpoint.get("region")
            if options.region is not None and region != options.region:
                continue
            url = endpoint.get(f"{options.interface}URL")
            if url is None and endpoint.get("interface") == options.interface:
                url = endpoint.get("url")
            if url is not None:
                return str(url)
    return None
