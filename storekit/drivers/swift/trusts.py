"""Trusts: how an upload goes on when the token that it began with is not good any more.

https://docs.openstack.org/api-ref/identity/v3-ext/#os-trust-api: the caller has the store's user
act in the caller's name, in one project and in the roles of the token, until the trust is removed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from storekit.capabilities import Limits
from storekit.context import RequestContext
from storekit.drivers.swift.faults import KEYSTONE
from storekit.drivers.swift.identity import KeystoneIdentity, keystone_of, keystone_url
from storekit.drivers.swift.options import Options

__all__ = ["trusted"]

_log = logging.getLogger(__name__)


@contextmanager
def trusted(
    context: RequestContext, options: Options, limits: Limits
) -> Iterator[KeystoneIdentity | None]:
    """Make a trust, and remove it at the end of the block.

    Args:
        context: The caller, with a token.
        options: The store's own user, with a password.
        limits: The timeout.

    Returns:
        The caller, as the store's user acts for them; None where Keystone makes no trust.
    """
    own = keystone_of(options, limits)
    try:
        trust_id = _made(own, context, options)
    except (*KEYSTONE, KeyError, ValueError) as error:
        _log.info("no trust could be made, so the upload has the life of its token: %s", error)
        trust_id = None
    finally:
        own.session.close()
    if trust_id is None:
        yield None
        return
    session = keystone_of(options, limits, trust_id)
    try:
        yield KeystoneIdentity(session, options, own=True)
    finally:
        try:
            # With the trust's own token: the caller's may have expired long ago.
            session.delete(f"{keystone_url(options)}/OS-TRUST/trusts/{trust_id}")
        except KEYSTONE as error:
            _log.warning("the trust %s could not be removed: %s", trust_id, error)
        finally:
            session.session.close()


def _made(own: Any, context: RequestContext, options: Options) -> str:  # noqa: ANN401 - keystoneauth1's session
    url, token = keystone_url(options), {"X-Auth-Token": context.token or ""}
    asked = {**token, "X-Subject-Token": context.token or ""}
    # What the token is good for, Keystone knows best.
    seen = own.get(f"{url}/auth/tokens", headers=asked, authenticated=False).json()["token"]
    trust = {
        "trustor_user_id": seen["user"]["id"],
        "trustee_user_id": own.get_user_id(),
        "project_id": seen["project"]["id"],
        "impersonation": True,
        "roles": [{"id": role["id"]} for role in seen["roles"]],
    }
    answer = own.post(
        f"{url}/OS-TRUST/trusts", json={"trust": trust}, headers=token, authenticated=False
    )
    return str(answer.json()["trust"]["id"])
