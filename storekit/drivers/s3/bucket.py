"""Bucket: one bucket, as one process talks to it."""

from __future__ import annotations

import base64
import threading
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from urllib3.exceptions import HTTPError, InsecureRequestWarning

from storekit.capabilities import Limits
from storekit.drivers.s3.faults import STALE_KEYS, code_of, status_of
from storekit.drivers.s3.options import Options
from storekit.drivers.s3.retrying import Retrying
from storekit.errors import ConfigurationError, NotFound, Unavailable
from storekit.slots import Slot, Slots

__all__ = ["TOKEN", "Answer", "Bucket", "Head"]

TOKEN = "storekit-token"  # noqa: S105 - the name of a mark, no secret
"""The metadata of an object that says which add wrote it."""
Answer = Mapping[str, Any]
"""What botocore gives for an answer."""

_NOT_FOUND = 404
_DEFAULT_REGION = "us-east-1"
# Operations to which the key of sse = customer must be given.
_WITH_KEY = frozenset(
    {"put_object", "create_multipart_upload", "upload_part", "get_object", "head_object"}
    | {"upload_part_copy", "complete_multipart_upload"}
)
_WRITES = frozenset({"put_object", "create_multipart_upload"})
_CHECKSUM = "CRC32"
# What servers answer that do not know the checksums of which botocore sends one with each write.
_NO_CHECKSUMS = frozenset({"NotImplemented", "InvalidRequest", "InvalidArgument"})
_BARE_REFUSAL = "400"
_CHECKED = frozenset({"put_object", "create_multipart_upload", "upload_part"})


@dataclass(frozen=True)
class Head:
    """What a server says of an object."""

    size: int
    """Its length in bytes."""
    etag: str
    """Its version."""
    metadata: Mapping[str, str]
    """What was stored with it."""


class Bucket:
    """A bucket behind boto3's client. Thread-safe; belongs to one process.

    Args:
        options: Where it is, and who we are.
        limits: Timeouts, attempts, and how many requests there are at once.

    Raises:
        ConfigurationError: A key of ours would go over the wire in clear text.
    """

    def __init__(self, options: Options, limits: Limits) -> None:
        self._options = options
        self._limits = limits
        self._one_key = {"Prefix": options.prefix, "MaxKeys": 1}
        self._checksums = True  # until the server refuses them
        self._slots = Slots(limits.max_connections)
        self._lock = threading.Lock()
        self._session = self._new_session()
        self._client = self._new_client()
        self._always, self._written = _encryption(options)
        if options.acl:
            self._written["ACL"] = options.acl
        if options.storage_class:
            self._written["StorageClass"] = options.storage_class

    @property
    def checksum(self) -> dict[str, str]:
        """What a multipart upload must be told of the checksums that its parts will have."""
        return {"ChecksumAlgorithm": _CHECKSUM} if self._checksums else {}

    @property
    def url(self) -> str:
        """The endpoint's URL."""
        return str(self._client.meta.endpoint_url)

    def close(self) -> None:
        """Close the connections that are idle."""
        self._client.close()

    def call(self, operation: str, **parameters: object) -> Answer:
        """Ask the server.

        Args:
            operation: The operation, by boto3's name of its method.
            **parameters: Its parameters but ``Bucket``, and but those that the options say.

        Returns:
            The answer; without a body to be read.

        Raises:
            ClientError: The server refuses.
            BotoCoreError: There was no answer.
            Unavailable: All connections are in use.
        """
        slot = self._slot()
        try:
            return self._ask(operation, parameters)
        finally:
            slot.release()

    @contextmanager
    def opened(self, **parameters: object) -> Iterator[tuple[Answer, Slot]]:
        """Begin to read an object. Connection and slot are given back if the block fails.

        Args:
            **parameters: Of GetObject.
        """
        slot = self._slot()
        try:
            answer = self._ask("get_object", parameters)
        except BaseException:
            slot.release()
            raise
        try:
            yield answer, slot
        except BaseException:
            answer["Body"].close()
            slot.release()
            raise

    def head(self, key: str) -> Head:
        """Tell what an object is.

        Args:
            key: Its key.

        Raises:
            NotFound: There is none.
            Unavailable: There is no bucket.
        """
        found = self.find(key)
        if found is None:
            self.check()  # the answer to a HEAD does not tell what is missing
            raise NotFound("there is no such image")
        return found

    def find(self, key: str) -> Head | None:
        """Tell what an object is, or that there is none.

        Args:
            key: Its key.
        """
        try:
            answer = self.call("head_object", Key=key)
        except ClientError as error:
            if status_of(error) != _NOT_FOUND:
                raise
            return None
        # Names of headers: what is between us and the server may write them in its own way.
        metadata = {name.lower(): value for name, value in answer.get("Metadata", {}).items()}
        return Head(int(answer["ContentLength"]), str(answer["ETag"]), metadata)

    def check(self) -> None:
        """See whether the bucket exists.

        Raises:
            Unavailable: It does not.
        """
        try:
            self.call("list_objects_v2", **self._one_key)
        except ClientError as error:
            if code_of(error) != "NoSuchBucket":
                raise
            raise Unavailable(
                f"there is no bucket {self._options.bucket}",
                hint="check bucket and endpoint, or set create_bucket = true",
            ) from error

    def create(self) -> None:
        """Make the bucket."""
        region = self._client.meta.region_name
        parameters: dict[str, object] = {}
        if self._options.endpoint is None and region != _DEFAULT_REGION:
            parameters["CreateBucketConfiguration"] = {"LocationConstraint": region}
        self.call("create_bucket", **parameters)

    def _slot(self) -> Slot:
        return self._slots.take(self._limits.io_timeout)

    def _ask(self, operation: str, parameters: Mapping[str, object]) -> Answer:
        client = self._client
        known: dict[str, object] = {"Bucket": self._options.bucket}
        if operation in _WITH_KEY:
            known |= self._always
        if operation in _WRITES:
            known |= self._written
        asked = known | dict(parameters)
        try:
            return self._sent(client, operation, asked)
        except ClientError as error:
            if operation in _CHECKED and code_of(error) in _NO_CHECKSUMS and self._checksums:
                return self._sent_without_checksums(operation, asked)
            if operation == "head_object" and code_of(error) == _BARE_REFUSAL:
                # The token may have expired, which a HEAD cannot tell; the list says so, or
                # takes up another one.
                self._ask("list_objects_v2", self._one_key)
                if self._client is client:
                    raise
            elif code_of(error) not in STALE_KEYS or not self._renew(client):
                raise
        return self._sent(self._client, operation, asked)

    def _sent_without_checksums(self, operation: str, parameters: Mapping[str, object]) -> Answer:
        client = self._new_client(checksums=False)
        plain = {name: parameters[name] for name in parameters if name != "ChecksumAlgorithm"}
        answer = self._sent(client, operation, plain)
        self._checksums = False
        self._client = client
        return answer

    def _sent(self, client: Any, operation: str, parameters: Mapping[str, object]) -> Answer:  # noqa: ANN401 - boto3 has no types
        try:
            answer: Answer = getattr(client, operation)(**parameters)
        except HTTPError as error:
            # botocore lets it through where the body of an error breaks off.
            raise HTTPClientError(error=error) from error
        except (BotoCoreError, ClientError) as error:
            # Else whoever keeps the error keeps the connections, and the part that was sent.
            traceback.clear_frames(error.__traceback__)
            raise
        return answer

    def _renew(self, refused: Any) -> bool:  # noqa: ANN401 - boto3 has no types
        """Look for other credentials where boto3 finds them; tell whether there are some."""
        if self._options.access_key is not None:
            return False
        with self._lock:
            if self._client is not refused:
                return True  # another thread was faster
            session = self._new_session()
            new, old = session.get_credentials(), self._session.get_credentials()
            if new is None or old is None:
                return False
            if new.get_frozen_credentials() == old.get_frozen_credentials():
                return False
            self._session = session
            self._client = self._new_client(checksums=self._checksums)
            return True

    def _new_session(self) -> Any:  # noqa: ANN401 - boto3 has no types
        options = self._options
        keys = {
            "aws_secret_access_key": options.secret_key,
            "aws_session_token": options.session_token,
        }
        return boto3.session.Session(
            profile_name=options.profile,
            region_name=options.region,
            aws_access_key_id=options.access_key,
            **{name: key.get_secret_value() for name, key in keys.items() if key is not None},
        )

    def _new_client(self, *, checksums: bool = True) -> Any:  # noqa: ANN401 - boto3 has no types
        options, limits = self._options, self._limits
        wanted = "when_supported" if checksums else "when_required"
        config = Config(
            signature_version="s3v4",
            connect_timeout=limits.connect_timeout,
            read_timeout=limits.io_timeout,
            max_pool_connections=limits.max_connections,
            retries={"total_max_attempts": 1, "mode": "standard"},
            s3={"addressing_style": options.addressing_style},
            request_checksum_calculation=wanted,
            # Every read is one of a part, whose bytes no checksum of the whole says anything of.
            response_checksum_validation="when_required",
            proxies={"http": options.proxy, "https": options.proxy} if options.proxy else None,
        )
        verify: bool | str | None = str(options.ca_file) if options.ca_file else None
        if options.insecure:
            # The operator has decided so; urllib3 would say it at every request.
            warnings.filterwarnings("ignore", category=InsecureRequestWarning)
        client = self._session.client(
            "s3",
            region_name=self._session.region_name or _DEFAULT_REGION,
            endpoint_url=options.endpoint,
            verify=False if options.insecure else verify,
            config=config,
        )
        if options.sse == "customer" and urlsplit(client.meta.endpoint_url).scheme != "https":
            # The options cannot see an endpoint that boto3 finds in the environment or its files.
            raise ConfigurationError(
                "sse = customer needs an https endpoint, and the one that boto3 finds is not",
                hint="set endpoint to an https URL, or change AWS_ENDPOINT_URL_S3, "
                "AWS_ENDPOINT_URL or endpoint_url in boto3's files",
            )
        Retrying.of(limits).attach(client)
        return client


def _encryption(options: Options) -> tuple[dict[str, str | bytes], dict[str, str]]:
    """Give the parameters that every operation on an object has, and those of writes besides."""
    if options.sse_customer_key is not None:
        # botocore encodes it, and adds its MD5.
        key = base64.b64decode(options.sse_customer_key.get_secret_value())
        return {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key}, {}
    if options.sse == "s3":
        return {}, {"ServerSideEncryption": "AES256"}
    if options.sse == "kms":
        key_id = options.sse_kms_key_id
        named = {"SSEKMSKeyId": key_id} if key_id else {}
        return {}, {"ServerSideEncryption": "aws:kms", **named}
    return {}, {}
