"""Upload: one image on its way into the bucket, and its commit."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from storekit import transfer
from storekit.drivers.s3.bucket import TOKEN, Bucket, Head
from storekit.drivers.s3.commit import FAILURES, failure_of, last_of, leaves_doubt, look
from storekit.drivers.s3.faults import may_act_later
from storekit.errors import Duplicate, OutcomeUnknown
from storekit.source import Source

__all__ = ["Upload"]

_log = logging.getLogger(__name__)


class Upload:
    """One object that is about to be written, and carries a token that nobody else has.

    After every commit whose answer is no clear yes, and after every completion, the object is
    looked at: servers answer a repeated completion in three different ways, and one of them says
    yes to the completion of an upload that does not exist.

    Args:
        bucket: The bucket.
        key: The object's key.
        exclusive: Whether the server lets only one of several writers win.
    """

    def __init__(self, bucket: Bucket, key: str, *, exclusive: bool) -> None:
        self._bucket = bucket
        self._key = key
        self._token = secrets.token_hex(16)
        self._condition = {"IfNoneMatch": "*"} if exclusive else {}
        self._checked = False

    def put(self, data: bytes, metadata: Mapping[str, str]) -> None:
        """Write the object in one request.

        Args:
            data: All its bytes.
            metadata: What is stored with it.

        Raises:
            Duplicate: The key is taken.
            OutcomeUnknown: No answer came, and the object is not there yet.
        """
        marked = {**metadata, TOKEN: self._token}
        send = partial(
            self._bucket.call,
            "put_object",
            Key=self._key,
            Body=data,
            Metadata=marked,
            **self._condition,
        )
        error = failure_of(send)
        if error is None or self._settled(error):
            return
        if may_act_later(error):
            # It has all the data, and may act on it later than we look.
            raise OutcomeUnknown("no answer came in time") from error
        raise last_of(error)

    def send_parts(self, sizes: transfer.PartSizes, source: Source) -> None:
        """Write the object in parts.

        Args:
            sizes: How long the parts are.
            source: The image.

        Raises:
            Duplicate: The key is taken.
            OutcomeUnknown: The answer of the commit was lost and cannot be found out.
        """
        with self._begun({TOKEN: self._token}, **self._bucket.checksum) as upload:
            parts = transfer.upload(
                source,
                sizes.part_size,
                sizes.window,
                partial(self._send, upload),
                max_parts=sizes.max_parts,
            )
            self._complete(upload, parts)

    def copy_parts(
        self, source: Mapping[str, str], head: Head, ranges: Iterable[tuple[int, int]]
    ) -> None:
        """Have the server write the object, from another one.

        Args:
            source: The other one: ``Bucket`` and ``Key``.
            head: What it is; this version of it is copied or none.
            ranges: The first and the last byte of every part.

        Raises:
            Duplicate: The key is taken.
            OutcomeUnknown: The answer of the commit was lost and cannot be found out.
        """
        kept = {name: value for name, value in head.metadata.items() if name != TOKEN}
        with self._begun({**kept, TOKEN: self._token}) as upload:
            parts = []
            for number, (begin, last) in enumerate(ranges, 1):
                answer = self._bucket.call(
                    "upload_part_copy",
                    **upload,
                    PartNumber=number,
                    CopySource=dict(source),
                    CopySourceIfMatch=head.etag,
                    CopySourceRange=f"bytes={begin}-{last}",
                )
                parts.append({"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]})
            self._complete(upload, parts)

    def _send(self, upload: Mapping[str, str], part: transfer.Part) -> dict[str, Any]:
        answer = self._bucket.call("upload_part", **upload, PartNumber=part.number, Body=part.data)
        sent = {"PartNumber": part.number, "ETag": answer["ETag"]}
        # Only a server that knows the checksums wants to see them again at the completion.
        sums = filter(lambda name: name.startswith("ChecksumCRC"), answer if self._checked else ())
        return sent | {name: answer[name] for name in sums}

    @contextmanager
    def _begun(self, metadata: Mapping[str, str], **checksum: str) -> Iterator[dict[str, str]]:
        """Begin a multipart upload; abort it whatever ends the block but its completion."""
        answer = self._bucket.call(
            "create_multipart_upload", Key=self._key, Metadata=dict(metadata), **checksum
        )
        self._checked = "ChecksumAlgorithm" in answer
        upload = {"Key": self._key, "UploadId": str(answer["UploadId"])}
        with transfer.live(upload["UploadId"]), ExitStack() as undo:
            undo.callback(self._abort, upload)
            yield upload
            undo.pop_all()

    def _complete(self, upload: Mapping[str, str], parts: list[dict[str, Any]]) -> None:
        send = partial(
            self._bucket.call,
            "complete_multipart_upload",
            **upload,
            MultipartUpload={"Parts": parts},
            **self._condition,
        )
        error = failure_of(send)
        if self._settled(error):
            return
        # Not there. Once it is aborted it can never come.
        if self._abort(upload):
            raise error or OutcomeUnknown("the server says that the image is stored; it is not")
        if self._settled(error):
            return
        raise OutcomeUnknown("the upload is gone, and the image is not there") from error

    def _settled(self, error: Exception | None) -> bool:
        """Look at what is under the key after a commit.

        Returns:
            Whether it is ours; False where nothing is.

        Raises:
            Duplicate: It is somebody else's.
            OutcomeUnknown: It cannot be looked at.
        """
        if not leaves_doubt(error):
            return False
        there = look(self._bucket, self._key, error)
        if there is not None and there.metadata.get(TOKEN) != self._token:
            raise Duplicate("the id is taken: another writer was faster") from error
        return there is not None

    def _abort(self, upload: Mapping[str, str]) -> bool:
        """Take the upload back; tell whether it is certain that it will never be an object."""
        try:
            self._bucket.call("abort_multipart_upload", **upload)
        except FAILURES as error:
            # What is left is found by leftovers.
            _log.debug("the upload of %s could not be aborted: %s", self._key, error)
            return False
        return True
