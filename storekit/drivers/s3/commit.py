"""Commit: what became of a request whose answer was lost, or is not to be trusted."""

from __future__ import annotations

from collections.abc import Callable

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
)

from storekit.drivers.s3.bucket import Answer, Bucket, Head
from storekit.drivers.s3.faults import code_of, may_pass, status_of
from storekit.errors import OutcomeUnknown, StoreError

__all__ = ["FAILURES", "failure_of", "last_of", "leaves_doubt", "look"]

FAILURES = (BotoCoreError, ClientError, StoreError)
"""What a request may fail with."""

_UNSENT = (StoreError, NoCredentialsError, CredentialRetrievalError)  # nothing was sent
_TAKEN = frozenset({409, 412})
_GONE = frozenset({"NoSuchUpload", "404"})


def failure_of(send: Callable[[], Answer]) -> Exception | None:
    """Send a request.

    Args:
        send: Sends it.

    Returns:
        What it failed with; None where the server says that it is done.
    """
    try:
        send()
    except FAILURES as error:
        return error
    return None


def leaves_doubt(error: Exception | None) -> bool:
    """Tell whether only a look can tell what became of a commit.

    Args:
        error: What its request failed with.
    """
    if isinstance(error, _UNSENT):
        return False
    if not isinstance(error, ClientError):
        return True
    # What is taken may be our own, sent twice; what is gone may have become the object.
    doubtful = status_of(error) in _TAKEN or code_of(error) in _GONE
    return may_pass(error) or doubtful


def last_of(error: Exception) -> Exception:
    """Give what the last attempt failed with.

    Args:
        error: What the request failed with: as ``Retrying``, that may be what an earlier one did.
    """
    last = error.__cause__
    return last if isinstance(last, BotoCoreError | ClientError) else error


def look(bucket: Bucket, key: str, error: Exception | None) -> Head | None:
    """See what is under a key, after a commit that leaves doubt.

    Args:
        bucket: The bucket.
        key: The key.
        error: What the commit failed with.

    Returns:
        What is there; None where nothing is.

    Raises:
        OutcomeUnknown: It cannot be seen.
    """
    try:
        return bucket.find(key)
    except FAILURES as lost:
        raise OutcomeUnknown("no answer came, and none to the question after it") from (
            error or lost
        )
