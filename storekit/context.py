"""Who asks: what an embedder knows of the request that a verb serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["RequestContext"]


@dataclass(frozen=True, kw_only=True)
class RequestContext:
    """The caller's identity, for drivers that act in the caller's name.

    Secrets are kept out of the repr.
    """

    token: str | None = field(default=None, repr=False)
    """The caller's token."""
    user_id: str | None = None
    """Id of the user."""
    project_id: str | None = None
    """Id of the project (tenant) in whose name the call is made."""
    catalog: Sequence[Mapping[str, object]] | None = field(default=None, repr=False)
    """The service catalog that came with the token."""
    roles: Sequence[str] = ()
    """The roles of the user in the project."""
    session: object = field(default=None, repr=False)
    """A ready session of the client library, for example keystoneauth1's."""
