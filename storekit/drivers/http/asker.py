"""Asker: requests, and where redirects lead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from storekit.drivers.http.answer import Answer
from storekit.drivers.http.target import Target
from storekit.drivers.http.transport import Transport
from storekit.errors import BackendError, StoreError
from storekit.retry import Clock

__all__ = ["Asker"]


@dataclass(frozen=True)
class Asker:
    """Asks for one image on behalf of one verb, and follows where it is sent."""

    transport: Transport
    """What sends."""
    target: Target
    """Where the image's location points."""
    authorization: str | None = field(repr=False)
    """The credential for the origin of the location. No other origin is ever sent it."""
    max_redirects: int
    """How many redirects are followed."""

    def ask(
        self,
        method: str,
        headers: Mapping[str, str],
        clock: Clock,
        target: Target | None = None,
    ) -> Answer:
        """Send a request, and follow redirects (RFC 9110, 15.4) with the same method.

        Args:
            method: ``GET`` or ``HEAD``.
            headers: Headers that every server on the way is sent.
            clock: How much time there is.
            target: Where to begin, if not at the location.

        Returns:
            The first answer that is no redirect.

        Raises:
            BackendError: The redirects go in a circle, are too many, or lead to nowhere.
            Forbidden: One leads to a closed address, or away from http and https.
            StoreError: A request failed.
        """
        here = target or self.target
        seen = {here}
        while True:
            answer = self.transport.send(method, here, {**headers, **self._own(here)}, clock)
            try:
                there = answer.redirect
            except StoreError:
                answer.close()
                raise
            if there is None:
                return answer
            answer.close()
            if there in seen:
                raise BackendError(f"{here.server} redirects in a circle")
            if len(seen) > self.max_redirects:
                raise BackendError(f"{here.server} is one redirect too many")
            seen.add(there)
            here = there

    def _own(self, target: Target) -> dict[str, str]:
        if self.authorization is None or target.origin != self.target.origin:
            return {}
        return {"Authorization": self.authorization}
