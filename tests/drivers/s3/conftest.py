"""S3 servers, and stores on them."""

import random
import uuid

import boto3
import pytest
from servers import ceph, golang, moto_server, versitygw
from servers.required import require

MIB = 1 << 20
PART = 5 * MIB  # the shortest part that servers take
SIZE = 2 * PART + 7_919  # three parts


class Server:
    """A running server, and who we are there."""

    def __init__(self, endpoint, access_key, secret_key):
        self.endpoint = endpoint
        self.keys = {"access_key": access_key, "secret_key": secret_key}
        self.s3 = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
        )

    def new_bucket(self):
        """Make an empty bucket, and give its name."""
        name = f"sk-{uuid.uuid4().hex[:12]}"
        self.s3.create_bucket(Bucket=name)
        return name

    def keys_of(self, bucket):
        """The keys of all objects but the one that stays from the first add."""
        listed = self.s3.list_objects_v2(Bucket=bucket).get("Contents", ())
        return {item["Key"] for item in listed if ".storekit-" not in item["Key"]}

    def uploads_of(self, bucket):
        """The uploads that nobody has finished."""
        listed = self.s3.list_multipart_uploads(Bucket=bucket, MaxUploads=1000)
        return [upload["Key"] for upload in listed.get("Uploads", ())]


@pytest.fixture(scope="session")
def moto():
    """A running moto."""
    with moto_server.moto_server() as endpoint:
        yield Server(endpoint, "an-access-key", "a-secret-key-0123456789")


@pytest.fixture(scope="session")
def versity():
    """A running versitygw."""
    require(golang.missing("versitygw"))
    with versitygw.versitygw() as running:
        yield Server(running.endpoint, versitygw.ACCESS_KEY, versitygw.SECRET_KEY)


@pytest.fixture(scope="session")
def radosgw():
    """A running radosgw."""
    require(ceph.missing(gateway=True))
    with ceph.ceph(gateway=True) as cluster:
        server = Server(cluster.endpoint, ceph.ACCESS_KEY, ceph.SECRET_KEY)
        server.cluster = cluster
        yield server


@pytest.fixture
def open_s3(opened):
    """Open s3 stores that are closed at the end."""

    def open_one(server, bucket=None, **options):
        given = {
            "endpoint": server.endpoint,
            "bucket": bucket or server.new_bucket(),
            **server.keys,
            "part_size": PART,
            "connect_timeout": 5,
            "io_timeout": 10,
        }
        return opened("s3", name="objects", **{**given, **options})

    return open_one


@pytest.fixture(scope="session")
def image():
    """An image of three parts."""
    return random.Random(7).randbytes(SIZE)
