"""Conditional: whether the server lets one of several writers win.

``If-None-Match: *`` on a write (RFC 9110, 13.1.2) is honoured by some servers, and ignored or
unknown to others. Only the server can tell; so it is asked once, by writes that must fail.
"""

from __future__ import annotations

from contextlib import suppress

from botocore.exceptions import ClientError

from storekit.arguments import RESERVED_PREFIX
from storekit.drivers.s3.bucket import Bucket
from storekit.drivers.s3.faults import status_of
from storekit.errors import StoreError
from storekit.perprocess import Once

__all__ = ["Conditional"]

_KEY = f"{RESERVED_PREFIX}conditional-write"
_UNKNOWN_TO_SERVER = frozenset({400, 501})
_FAILED = 412


class Conditional:
    """What is known of the server's conditional writes. Thread-safe.

    Args:
        honoured: True or False; None is not known yet.
        prefix: How the keys of the store begin.
    """

    def __init__(self, honoured: bool | None, prefix: str) -> None:
        self._answer = Once(honoured)
        self.key = prefix + _KEY
        """The key of the object that it is asked with."""

    @property
    def honoured(self) -> bool | None:
        """Whether the server honours them; None until it was asked."""
        return self._answer.known

    def find_out(self, bucket: Bucket) -> bool:
        """Ask the server, unless that was done already.

        Args:
            bucket: The bucket; one empty object of ours stays in it.

        Returns:
            Whether it honours them.
        """
        return self._answer.get(lambda: self._ask(bucket))

    def _ask(self, bucket: Bucket) -> bool:
        # The object may be there from an earlier time; then the first write fails.
        put = self._put_fails(bucket) or self._put_fails(bucket)
        return put and self._completion_fails(bucket)

    def _put_fails(self, bucket: Bucket) -> bool:
        return _is_refused(bucket, "put_object", Key=self.key, Body=b"")

    def _completion_fails(self, bucket: Bucket) -> bool:
        upload = {
            "Key": self.key,
            "UploadId": bucket.call("create_multipart_upload", Key=self.key)["UploadId"],
        }
        try:
            part = bucket.call("upload_part", **upload, PartNumber=1, Body=b"1")
            parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
            return _is_refused(bucket, "complete_multipart_upload", **upload, MultipartUpload=parts)
        finally:
            with suppress(ClientError, StoreError):  # it is gone where the completion succeeded
                bucket.call("abort_multipart_upload", **upload)


def _is_refused(bucket: Bucket, operation: str, **parameters: object) -> bool:
    try:
        bucket.call(operation, **parameters, IfNoneMatch="*")
    except ClientError as error:
        if status_of(error) == _FAILED:
            return True
        if status_of(error) not in _UNKNOWN_TO_SERVER:
            raise
    return False
