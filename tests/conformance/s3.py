"""How the kit gets at an s3 store: a bucket of radosgw, versitygw, MinIO or moto."""

import json
import time
from contextlib import AbstractContextManager, ExitStack
from typing import Any, ClassVar

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from servers import ceph, minio, moto_server, versitygw
from servers.daemons import frozen

import storekit
from storekit.location import Location
from storekit.testing import Harness

__all__ = ["MinioHarness", "MotoHarness", "RadosgwHarness", "S3Harness", "VersitygwHarness"]

_NO_DISK = "the server's disk is its own affair: what it cannot do it answers as an error"
_IDLE = 6.0  # seconds: longer than any case pauses in an upload, and not too long to wait for
_READER = ("a-reader", "secret-of-a-reader-0123")


class S3Harness(Harness):
    """An s3 store on a server that a subclass starts."""

    absent: ClassVar = {
        "in_use": "an object is nobody's: reading it does not keep it",
        "fault:eio": _NO_DISK,
        "fault:readonly": _NO_DISK,
        "fault:full": _NO_DISK,
        "fault:gone": _NO_DISK,
        "fault:power": _NO_DISK,
    }
    server: Any
    """What a subclass has started, where it can be restarted and takes signals."""
    # Asking anew in every store would double what the kit does. That is tested elsewhere.
    conditional_writes = "yes"

    def setup(self) -> None:
        super().setup()
        self._running = ExitStack()
        self.keys: tuple[str, str] = self.start()
        self.s3: Any = self.client()
        self.s3.create_bucket(Bucket=self.namespace)
        self.s3.close()

    def teardown(self) -> None:
        self._running.close()
        super().teardown()

    def start(self) -> tuple[str, str]:
        """Start the server, set ``endpoint``, and give access key and secret key."""
        raise NotImplementedError

    def restart(self) -> None:
        self.server.restart()

    def signal(self, number: int) -> None:
        """Send the server a signal."""
        self.server.signal(number)

    def client(self) -> Any:
        """Give a client of boto3, past the driver."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.keys[0],
            aws_secret_access_key=self.keys[1],
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )

    def make_store(self, **overrides: object) -> storekit.Store:
        return self.open_as(self.keys, **overrides)

    def open_as(self, keys: tuple[str, str], **overrides: object) -> storekit.Store:
        """Open a store as some user.

        Args:
            keys: Access key and secret key.
            **overrides: Options.
        """
        options = {
            "endpoint": self.endpoint,
            "bucket": self.namespace,
            "access_key": keys[0],
            "secret_key": keys[1],
            "part_size": 5 << 20,
            "window": 2,
            "connect_timeout": 2,
            "io_timeout": 5,
            "upload_idle": _IDLE,
            "conditional_writes": self.conditional_writes,
        }
        return storekit.open_store("s3", name="objects", **{**options, **overrides})

    def peek(self, location: str) -> bytes | None:
        try:
            return self.s3.get_object(Bucket=self.namespace, Key=_key(location))["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
            return None

    def plant(self, image_id: str, data: bytes) -> str:
        self.s3.put_object(Bucket=self.namespace, Key=image_id, Body=data)
        authority = str(self.endpoint).removeprefix("http://")
        return str(Location.build("s3+http", authority, self.namespace, image_id))

    def orphans(self) -> set[str]:
        uploads = self.s3.list_multipart_uploads(Bucket=self.namespace, MaxUploads=1000)
        self.s3.close()  # the kit counts the sockets of the process
        return {_name(upload) for upload in uploads.get("Uploads", ())}

    def plant_leftover(self) -> str:
        upload = self.s3.create_multipart_upload(Bucket=self.namespace, Key="killed")
        named = {key: upload[key] for key in ("Key", "UploadId", "Bucket")}
        self.s3.upload_part(**named, PartNumber=1, Body=b"what a killed add has sent")
        time.sleep(_IDLE + 1)  # no server lets its uploads be backdated
        return _name(upload)

    def fault(self, kind: str) -> AbstractContextManager[None]:
        if kind != "hung":
            raise NotImplementedError(kind)
        return frozen(self.signal)


class VersitygwHarness(S3Harness):
    """versitygw: files in a directory."""

    page_size = 1000

    def start(self) -> tuple[str, str]:
        self.server = self._running.enter_context(versitygw.versitygw())
        self.endpoint = self.server.endpoint
        return versitygw.ACCESS_KEY, versitygw.SECRET_KEY

    def denied_backend(self) -> storekit.Store:
        self.server.add_user(*_READER)
        _let_read(self.s3, self.namespace, _READER[0])
        return self.open_as(_READER)


class RadosgwHarness(S3Harness):
    """radosgw: the gateway of a Ceph cluster. It honours conditional writes of one request only."""

    conditional_writes = "no"
    page_size = ceph.PAGE

    def start(self) -> tuple[str, str]:
        self._cluster = self._running.enter_context(ceph.ceph(gateway=True))
        self.endpoint = self._cluster.endpoint
        return ceph.ACCESS_KEY, ceph.SECRET_KEY

    def restart(self) -> None:
        self._cluster.restart_gateway()

    def signal(self, number: int) -> None:
        self._cluster.signal("radosgw", number)

    def denied_backend(self) -> storekit.Store:
        self._cluster.add_user("reader", *_READER)
        _let_read(self.s3, self.namespace, "arn:aws:iam:::user/reader")
        return self.open_as(_READER)


class MinioHarness(S3Harness):
    """MinIO. It lists unfinished uploads of a whole key only, and forgets them when it restarts."""

    absent: ClassVar = {
        **S3Harness.absent,
        "denied_backend": "MinIO has users through a protocol of its own",
    }
    page_size = 1000

    def start(self) -> tuple[str, str]:
        self.server = self._running.enter_context(minio.minio())
        self.endpoint = self.server.endpoint
        return minio.ACCESS_KEY, minio.SECRET_KEY


class MotoHarness(S3Harness):
    """moto: in memory, in a thread of this process. Of racing writers several may win."""

    conditional_writes = "no"
    page_size = moto_server.PAGE

    absent: ClassVar = {
        **S3Harness.absent,
        "denied_backend": "moto trusts everybody",
        "restart": "moto keeps nothing",
        "fault:hung": "moto is a thread of this process",
    }

    def start(self) -> tuple[str, str]:
        self.endpoint = self._running.enter_context(moto_server.moto_server())
        return "an-access-key", "a-secret-key-0123456789"


def _name(upload: dict[str, str]) -> str:
    return f"{upload['Key']}?uploadId={upload['UploadId']}"


def _key(location: str) -> str:
    return "/".join(Location(location).segments[1:])


def _let_read(s3: Any, bucket: str, user: str) -> None:
    """Let a user list and read a bucket, and nothing else."""
    arns = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": [user]},
        "Action": ["s3:ListBucket", "s3:GetObject"],
        "Resource": arns,
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
