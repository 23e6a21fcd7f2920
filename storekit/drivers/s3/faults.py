"""What the errors of S3 servers, and the exceptions of botocore, mean.

The codes are those of
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html; servers of other makers use
the same ones, and have a few of their own.
"""

from __future__ import annotations

import ssl
from email.utils import parsedate_to_datetime
from typing import Any

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from storekit.errors import (
    BackendError,
    ConfigurationError,
    DataError,
    Duplicate,
    Forbidden,
    InvalidArgument,
    NotAuthenticated,
    NotFound,
    StorageFull,
    StoreError,
    Timeout,
    Unavailable,
    Unsupported,
)

__all__ = [
    "STALE_KEYS",
    "clock_of",
    "code_of",
    "fault_of",
    "may_act_later",
    "may_pass",
    "status_of",
]

_UNKNOWN_USER = "check access_key, secret_key and session_token, or boto3's own configuration"
_Meaning = tuple[type[StoreError], str, str | None]
"""The error, what it says, and its hint."""
_MISSING: _Meaning = (NotFound, "there is no such image", None)
_NO_SPACE: _Meaning = (StorageFull, "the server has no space left", None)
_CHANGED: _Meaning = (DataError, "the data changed on its way to the server", "add it again")
_CODES: dict[str, _Meaning] = {
    "NoSuchKey": _MISSING,
    "NoSuchVersion": _MISSING,
    "NoSuchBucket": (
        Unavailable,
        "the bucket does not exist",
        "check bucket and endpoint, or set create_bucket = true",
    ),
    "NoSuchUpload": (
        Unavailable,
        "the upload was aborted meanwhile",
        "add the image again; is upload_idle too short for whoever reclaims?",
    ),
    "InvalidBucketName": (ConfigurationError, "the server takes no bucket of this name", None),
    "AccessDenied": (
        Forbidden,
        "the server denies access",
        "the user needs s3:ListBucket on the bucket, and to get, put, delete and abort below it",
    ),
    "AllAccessDisabled": (Forbidden, "the bucket is disabled", None),
    "InvalidAccessKeyId": (NotAuthenticated, "the server does not know the access key", None),
    "SignatureDoesNotMatch": (
        NotAuthenticated,
        "the server does not accept the signature",
        "is secret_key right, and does a proxy change the requests?",
    ),
    "ExpiredToken": (NotAuthenticated, "the session token has expired", "renew session_token"),
    "InvalidToken": (NotAuthenticated, "the server does not know the session token", None),
    "TokenRefreshRequired": (NotAuthenticated, "the session token must be renewed", None),
    "RequestTimeTooSkewed": (
        Forbidden,
        "the clocks of this machine and of the server differ by more than a quarter of an hour",
        "set the clock of this machine",
    ),
    "SlowDown": (Unavailable, "the server asks to slow down", None),
    "RequestTimeout": (Timeout, "the server waited too long for the data", None),
    "OperationAborted": (Unavailable, "another operation on the same key is under way", None),
    "ConditionalRequestConflict": (Unavailable, "another write of the same key is under way", None),
    "EntityTooLarge": (StorageFull, "the image is larger than the server takes", None),
    "QuotaExceeded": (StorageFull, "the quota is used up", "free space, or raise the quota"),
    "XMinioStorageFull": _NO_SPACE,
    "InsufficientCapacity": _NO_SPACE,
    "EntityTooSmall": (
        ConfigurationError,
        "the server wants longer parts",
        "raise part_size",
    ),
    "BadDigest": _CHANGED,
    "InvalidDigest": _CHANGED,
    "XAmzContentChecksumMismatch": _CHANGED,
    "XAmzContentSHA256Mismatch": _CHANGED,
    "InvalidObjectState": (
        Unsupported,
        "the image is in an archive and cannot be read",
        "restore it first",
    ),
    "KeyTooLongError": (InvalidArgument, "the key is longer than the server takes", None),
    "AuthorizationHeaderMalformed": (
        ConfigurationError,
        "the server expects another region",
        None,
    ),
    # A bad request without a word, as every answer to a HEAD is.
    "400": (
        Forbidden,
        "the server refuses the request and does not say why",
        "is session_token still valid, is region right, and are sse and its key the image's?",
    ),
    "PermanentRedirect": (ConfigurationError, "the bucket is in another region", None),
    "IllegalLocationConstraintException": (
        ConfigurationError,
        "the bucket cannot be made in this region",
        None,
    ),
}
_STATUSES: dict[int, _Meaning] = {
    401: (NotAuthenticated, "the server does not know us", _UNKNOWN_USER),
    403: _CODES["AccessDenied"],
    404: _MISSING,
    405: (Unsupported, "the server does not allow it", None),
    408: _CODES["RequestTimeout"],
    409: _CODES["OperationAborted"],
    413: _CODES["EntityTooLarge"],
    429: _CODES["SlowDown"],
    501: (Unsupported, "the server cannot do it", None),
    507: _NO_SPACE,
}
# The first that fits: what botocore raises where there was no answer, or none that it can read.
_EXCEPTIONS: tuple[tuple[tuple[type[Exception], ...], type[StoreError], str, str | None], ...] = (
    (
        (boto.ReadTimeoutError, boto.ConnectTimeoutError),
        Timeout,
        "the server did not answer in time",
        "is it overloaded, and is endpoint right?",
    ),
    (
        (boto.IncompleteReadError, boto.ResponseStreamingError),
        DataError,
        "the answer broke off",
        None,
    ),
    (
        (boto.ChecksumError, boto.FlexibleChecksumError, ResponseParserError),
        DataError,
        "the server's answer is not as it should be: {}",
        None,
    ),
    (
        (boto.HTTPClientError, boto.ConnectionError),
        Unavailable,
        "the server cannot be reached: {}",
        "is it running, and are endpoint and proxy right?",
    ),
    (
        (boto.NoCredentialsError, boto.PartialCredentialsError),
        NotAuthenticated,
        "there are no credentials",
        _UNKNOWN_USER,
    ),
    (
        (boto.CredentialRetrievalError, boto.TokenRetrievalError),
        NotAuthenticated,
        "no credentials can be had: {}",
        _UNKNOWN_USER,
    ),
    (
        (boto.BotoCoreError,),
        ConfigurationError,
        "boto3 cannot work with this configuration: {}",
        None,
    ),
)
STALE_KEYS = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"}
    | {"TokenRefreshRequired", "401", "403"}
)
"""Codes of answers that other credentials may cure; of a HEAD the status is all there is."""

_FAILED_PRECONDITION = 412
_GATEWAY_TIMEOUT = 504
_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_PASSING_CODES = frozenset({"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable"})
_SERVER_ERROR = 500
_READING = frozenset({"get", "read", "verify"})
_LONGEST = 200  # characters of a server's text that go into a message


def code_of(error: Exception) -> str:
    """Tell the S3 error code of an answer; its status where there is none; else nothing.

    Args:
        error: An exception of botocore.
    """
    return str(_answer(error).get("Error", {}).get("Code", ""))


def status_of(error: Exception) -> int:
    """Tell the HTTP status of an answer, 0 where there was none.

    Args:
        error: An exception of botocore.
    """
    return int(_answer(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def may_pass(error: Exception) -> bool:
    """Tell whether the same request may succeed later.

    Args:
        error: An exception of botocore.
    """
    if isinstance(error, boto.ClientError):
        return status_of(error) in _PASSING or code_of(error) in _PASSING_CODES
    if _is_refused_certificate(error):
        return False
    return isinstance(error, boto.HTTPClientError | boto.ConnectionError)


def may_act_later(error: Exception) -> bool:
    """Tell whether the server may still be at a request: nobody waited for its answer to the end.

    Args:
        error: What the request failed with.
    """
    return isinstance(error, boto.ReadTimeoutError) or status_of(error) == _GATEWAY_TIMEOUT


def clock_of(answer: Any) -> float | None:  # noqa: ANN401 - what botocore gives
    """Tell the server's time, in seconds since 1970, where an answer has it.

    Args:
        answer: An answer as botocore gives it.
    """
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        return parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None


def fault_of(error: Exception, operation: str) -> StoreError | None:
    """Map what escaped from a verb.

    Args:
        error: Any exception.
        operation: The verb.

    Returns:
        The error to raise, or None where it is none of botocore's.
    """
    if isinstance(error, boto.ClientError):
        return _refusal(error, operation)
    if _is_refused_certificate(error):
        return Forbidden(
            "the certificate of the server was refused",
            hint="ca_file names the certificates to trust",
        )
    for kinds, kind, what, hint in _EXCEPTIONS:
        if isinstance(error, kinds):
            return kind(what.format(_line(error)), hint=hint)
    return None


def _refusal(error: boto.ClientError, operation: str) -> StoreError:
    status, code = status_of(error), code_of(error)
    if status == _FAILED_PRECONDITION:
        if operation in _READING or operation == "copy":
            return DataError("the image changed while it was read", hint="read it again")
        return Duplicate("the id is taken")
    kind, what, hint = _CODES.get(code) or _STATUSES.get(status) or (BackendError, "", None)
    if not what and status >= _SERVER_ERROR:
        kind, what = Unavailable, "the server cannot answer now"
    region = _answer(error)["ResponseMetadata"].get("HTTPHeaders", {}).get("x-amz-bucket-region")
    region = region or _answer(error).get("Error", {}).get("Region")
    if kind is ConfigurationError and region:
        hint = f"region = {_line(region)}"
    said = str(_answer(error).get("Error", {}).get("Message", "") or "")
    detail = f"{code}: {said}" if said and said != "Unknown" else code or str(status)
    what = what or f"the server refuses it with status {status}"
    return kind(f"{what} ({_line(detail)})", hint=hint or _default_hint(kind))


def _default_hint(kind: type[StoreError]) -> str | None:
    return _UNKNOWN_USER if kind is NotAuthenticated else None


def _is_refused_certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        inner = getattr(error, "reason", None) or getattr(error, "kwargs", {}).get("error")
        error = inner if isinstance(inner, BaseException) else error.__cause__
    return False


def _answer(error: Exception) -> dict[str, Any]:
    answer = getattr(error, "response", None)
    return answer if isinstance(answer, dict) else {}


def _line(said: object) -> str:
    text = " ".join(str(said).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
