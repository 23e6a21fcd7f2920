"""What the exceptions of the HTTP library mean."""

from __future__ import annotations

import requests
import urllib3

from storekit.errors import DataError, StoreError, Timeout, Unavailable

__all__ = ["cut_of", "fault_of"]


def fault_of(error: Exception) -> StoreError:
    """Map what a request failed with before there was an answer.

    Args:
        error: An exception of requests or urllib3.
    """
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
        return Timeout("the server did not answer in time")
    if isinstance(error, requests.exceptions.InvalidHeader | urllib3.exceptions.InvalidHeader):
        return DataError("the server's answer has headers that contradict each other")
    return Unavailable(f"the connection broke before an answer: {_root(error)}")


def cut_of(error: Exception, received: int) -> StoreError:
    """Map what ended a body before its end.

    Args:
        error: An exception of urllib3.
        received: How many bytes there were until then.
    """
    if isinstance(error, urllib3.exceptions.TimeoutError):
        return Timeout(f"the server stopped sending after {received} bytes")
    return DataError(f"the answer broke off after {received} bytes: {_root(error)}")


def _root(error: BaseException) -> str:
    """Say what happened at the bottom. The texts above it name whole URLs."""
    while True:
        inner = getattr(error, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((arg for arg in error.args if isinstance(arg, BaseException)), None)
        if inner is None or inner is error:
            break
        error = inner
    text = error.strerror if isinstance(error, OSError) else None
    return text or type(error).__name__
