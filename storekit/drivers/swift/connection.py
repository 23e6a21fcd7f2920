"""Connection: what one process has open: the wire, and the store's own user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from storekit.capabilities import Limits
from storekit.context import RequestContext
from storekit.drivers.swift.account import Account
from storekit.drivers.swift.answers import Facts
from storekit.drivers.swift.identity import (
    Identity,
    KeystoneIdentity,
    V1Identity,
    identity_of,
    keystone_of,
)
from storekit.drivers.swift.options import Options
from storekit.drivers.swift.trusts import trusted
from storekit.drivers.swift.wire import Wire
from storekit.errors import NotAuthenticated, StoreError
from storekit.perprocess import Once

__all__ = ["Connection"]


class Connection:
    """The wire and the identity of a store. Thread-safe; belongs to one process.

    Args:
        options: Who we are.
        limits: Timeouts, attempts, and how many requests there are at once.
    """

    def __init__(self, options: Options, limits: Limits) -> None:
        self._options = options
        self._limits = limits
        self.wire = Wire(options, limits)
        self._facts = Once[Facts]()
        self._own: Identity | None = None
        if options.has_credentials and options.auth_version == "1":
            self._own = V1Identity(options, self.wire)
        elif options.has_credentials:
            session = keystone_of(options, limits)
            self._own = KeystoneIdentity(session, options, own=True)

    def account(self, context: RequestContext | None) -> Account:
        """Give the account to work in.

        Args:
            context: Who asks. Their account where the store is one of callers, or has no user.

        Raises:
            NotAuthenticated: There is nobody to authenticate as.
        """
        if context is not None and self.is_caller(context):
            identity = identity_of(context, self._options)
        elif self._own is not None:
            identity = self._own
        else:
            raise NotAuthenticated(
                "the store has no user of its own, and the caller brings no token",
                hint="set username and password, or give a RequestContext with token or session",
            )
        return Account(self.wire, identity, self._limits, shared=not self._options.multi_tenant)

    def facts(self, account: Account) -> Facts:
        """Tell what the server says of itself. It is asked once.

        Args:
            account: An account of it.

        Raises:
            StoreError: The account is not known, or there was no answer to that.
        """
        if self._facts.known is not None:
            return self._facts.known
        url = account.url()  # here, so that nobody shares another's failure to authenticate
        try:
            return self._facts.get(lambda: account.facts(url))
        except StoreError:
            return Facts()

    def is_caller(self, context: RequestContext | None) -> bool:
        """Tell whether a request is made in the name of who asks.

        Args:
            context: Who asks.
        """
        if context is None or (context.session is None and context.token is None):
            return False
        return self._options.multi_tenant or self._own is None

    @contextmanager
    def lasting(self, account: Account, context: RequestContext | None) -> Iterator[Account]:
        """Give an account for an upload that may outlive the caller's token.

        Args:
            account: The account.
            context: Who asks.
        """
        options = self._options
        may_trust = options.trusts and options.password is not None and options.auth_version == "3"
        if context is None or not self.is_caller(context) or context.session or not may_trust:
            yield account
            return
        with trusted(context, options, self._limits) as identity:
            yield account if identity is None else account.as_user(identity)

    def close(self) -> None:
        """Close what is idle."""
        self.wire.close()
        if self._own is not None:
            self._own.close()
