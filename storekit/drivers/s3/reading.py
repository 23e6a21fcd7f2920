"""Reading: an object by ranged requests."""

from __future__ import annotations

from functools import partial

from botocore.exceptions import ClientError

from storekit import ranged
from storekit.capabilities import Limits
from storekit.drivers.s3.bucket import Bucket
from storekit.drivers.s3.faults import status_of
from storekit.values import Content

__all__ = ["read"]

_UNSATISFIABLE = 416


def read(bucket: Bucket, key: str, offset: int, length: int | None, limits: Limits) -> Content:
    """Begin to read an object.

    Args:
        bucket: The bucket.
        key: The object's key.
        offset: The first byte wanted.
        length: How many bytes, 1 or more; None is all.
        limits: Part size, window and chunk.

    Raises:
        DataError: The server sent something else than was asked for.
    """
    try:
        return ranged.read(partial(_open, bucket, key), offset, length, limits)
    except ClientError as error:
        if status_of(error) != _UNSATISFIABLE:
            raise
        return Content(bucket.head(key).size, ())


def _open(bucket: Bucket, key: str, begin: int, end: int, etag: str | None) -> ranged.Opened:
    pinned = {} if etag is None else {"IfMatch": etag}
    asked = ranged.part_asked(begin, end)
    with bucket.opened(Key=key, Range=asked, **pinned) as (answer, slot):
        status = int(answer["ResponseMetadata"]["HTTPStatusCode"])
        span = ranged.span_of(status, answer.get("ContentRange", ""), begin, end)
        return ranged.Opened(answer["Body"], slot, begin, span, str(answer["ETag"]))
