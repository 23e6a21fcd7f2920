"""Retrying: when botocore sends a request again. Its own rules have no budget."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError, ConnectionClosedError

from storekit.capabilities import Limits
from storekit.drivers.s3.faults import may_act_later, may_pass
from storekit.retry import Clock, RetryPolicy

__all__ = ["Retrying"]

_CLOCK = "storekit-clock"
_EARLIER = "storekit-earlier"
_COUNT = re.compile("[0-9]+", re.ASCII)


@dataclass(frozen=True)
class Retrying:
    """A handler of botocore's event ``needs-retry``."""

    policy: RetryPolicy
    """How often, and for how long in all."""

    @classmethod
    def of(cls, limits: Limits) -> Retrying:
        """Make the handler that limits demand.

        Args:
            limits: The limits.
        """
        return cls(RetryPolicy(limits.max_attempts, limits.op_budget))

    def attach(self, client: Any) -> None:  # noqa: ANN401 - boto3 has no types
        """Have a client ask us.

        Args:
            client: boto3's client, whose own retries are off.
        """
        client.meta.events.register("before-call.s3", self._begin)
        client.meta.events.register_last("needs-retry.s3", self._pause)

    def _begin(self, context: dict[str, Any], **_: object) -> None:
        context[_CLOCK] = Clock(self.policy.budget)

    def _pause(
        self,
        attempts: int,
        response: tuple[Any, dict[str, Any]] | None,
        caught_exception: Exception | None,
        request_dict: dict[str, Any],
        event_name: str,
        **_: object,
    ) -> float | None:
        """Tell how many seconds to wait before the next attempt; None is no attempt more.

        Raises:
            Exception: What an earlier attempt to write an object failed with, if the server may
                have acted on that, or may do so later: whatever the last one failed with.
        """
        asked = 0.0
        context = request_dict["context"]
        error = caught_exception
        if response is not None:
            answer, parsed = response
            error = ClientError(parsed, "")
            after = answer.headers.get("Retry-After", "")
            asked = float(after) if _COUNT.fullmatch(after) else 0.0
        if error is None:
            return None
        pause = self.policy.pause(attempts, asked, context[_CLOCK]) if may_pass(error) else None
        earlier, later = context.get(_EARLIER), may_act_later(error)
        if pause is None and earlier and not later and event_name.endswith(".PutObject"):
            raise earlier from error
        if later or (earlier is None and isinstance(error, ConnectionClosedError)):
            context[_EARLIER] = error
        return pause
