"""Uploads: multipart uploads that are under way, ours of this process and those of the dead."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from storekit.drivers.s3.bucket import Answer, Bucket
from storekit.drivers.s3.faults import clock_of, status_of
from storekit.errors import InUse, NotFound
from storekit.transfer import is_live
from storekit.values import Leftover

__all__ = ["Unfinished", "unfinished"]

_NOT_FOUND = 404
# One answer with all of them: versitygw refuses the marker of the next one.
_PAGE = 1000
_SEPARATOR = "?uploadId="


@dataclass(frozen=True)
class Unfinished:
    """An upload that was begun and neither completed nor aborted."""

    key: str
    upload_id: str
    size: int
    """Bytes that have arrived."""
    modified: datetime
    """When it was begun, or its newest part arrived."""
    age: timedelta
    """How long ago that was, by the server's clock."""

    @classmethod
    def look_at(cls, bucket: Bucket, key: str, upload_id: str, begun: datetime) -> Unfinished:
        """Find out what has arrived of an upload.

        Args:
            bucket: The bucket.
            key: The key of the object that it would become.
            upload_id: The server's name for it.
            begun: When it was begun.

        Raises:
            NotFound: It is gone.
        """
        size, newest = 0, begun
        answer: Answer = {}
        for answer in _pages(bucket, key, upload_id):
            for part in answer.get("Parts", ()):
                size += part["Size"]
                newest = max(newest, part["LastModified"])
        now = clock_of(answer)
        clock = datetime.now(UTC) if now is None else datetime.fromtimestamp(now, UTC)
        return cls(key, upload_id, size, newest, max(clock - newest, timedelta(0)))

    def is_dead(self, idle: float) -> bool:
        """Tell whether nobody works on it any more.

        Args:
            idle: Seconds without a new part after which an upload counts as dead.
        """
        return not is_live(self.upload_id) and self.age >= timedelta(seconds=idle)

    def leftover(self, store: str) -> Leftover:
        """Show it.

        Args:
            store: Name of the store.
        """
        name = f"{self.key}{_SEPARATOR}{self.upload_id}"
        return Leftover(name, store, self.size, self.modified)

    @classmethod
    def of(cls, bucket: Bucket, leftover: Leftover) -> Unfinished:
        """Look at a leftover again.

        Args:
            bucket: The bucket.
            leftover: What ``leftover`` gave.

        Raises:
            NotFound: It is gone, or none of ours.
        """
        key, separator, upload_id = leftover.name.rpartition(_SEPARATOR)
        if not separator or leftover.modified is None:
            raise NotFound("there is no such upload")
        return cls.look_at(bucket, key, upload_id, leftover.modified)

    def abort(self, bucket: Bucket) -> None:
        """Remove it. After this it can never be completed.

        Args:
            bucket: The bucket.

        Raises:
            NotFound: It is gone.
        """
        with _gone():
            bucket.call("abort_multipart_upload", Key=self.key, UploadId=self.upload_id)

    def check_dead(self, idle: float) -> None:
        """Refuse to touch it while somebody works on it.

        Args:
            idle: As of ``is_dead``.

        Raises:
            InUse: Somebody does.
        """
        if not self.is_dead(idle):
            raise InUse("the upload is under way")


def unfinished(bucket: Bucket, prefix: str) -> Iterator[Unfinished]:
    """Go through the uploads below a prefix.

    Args:
        bucket: The bucket.
        prefix: How their keys begin.
    """
    markers: dict[str, Any] = {}
    while True:
        answer = bucket.call("list_multipart_uploads", Prefix=prefix, MaxUploads=_PAGE, **markers)
        for upload in answer.get("Uploads", ()):
            try:
                yield Unfinished.look_at(
                    bucket, upload["Key"], upload["UploadId"], upload["Initiated"]
                )
            except NotFound:
                continue  # finished meanwhile
        if not answer.get("IsTruncated"):
            return
        markers = {
            "KeyMarker": answer["NextKeyMarker"],
            "UploadIdMarker": answer["NextUploadIdMarker"],
        }


def _pages(bucket: Bucket, key: str, upload_id: str) -> Iterator[Answer]:
    marker = 0
    while True:
        with _gone():
            answer = bucket.call("list_parts", Key=key, UploadId=upload_id, PartNumberMarker=marker)
        yield answer
        if not answer.get("IsTruncated"):
            return
        marker = int(answer["NextPartNumberMarker"])


@contextmanager
def _gone() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if status_of(error) != _NOT_FOUND:
            raise
        raise NotFound("there is no such upload") from error
