"""Swift servers, and stores on them."""

import random
import uuid
from contextlib import closing

import pytest
import swiftclient
from servers import ceph, swift
from servers.required import require
from swiftclient.exceptions import ClientException

MIB = 1 << 20
PART = MIB
SIZE = 2 * PART + 7_919  # three segments


class Server:
    """A running server of version 1, and who we are there."""

    def __init__(self, endpoint, username, password):
        self.endpoint = endpoint
        self.auth_url = f"{endpoint}/auth/v1.0"
        self.keys = {"auth_version": 1, "username": username, "password": password}

    def client(self):
        """A connection past the driver, which its context closes."""
        who = (self.auth_url, self.keys["username"], self.keys["password"])
        return closing(swiftclient.Connection(*who, retries=0))

    def new_container(self):
        """Make an empty container, and give its name."""
        name = f"sk-{uuid.uuid4().hex[:12]}"
        with self.client() as user:
            user.put_container(name)
        return name

    def names(self, container):
        """The names of all objects of a container, of a missing one too."""
        with self.client() as user:
            try:
                return {found["name"] for found in user.get_container(container)[1]}
            except ClientException as error:
                if error.http_status != 404:
                    raise
                return set()

    def segments(self, container):
        """The names of the segments of images of a container."""
        return self.names(f"{container}_segments")


@pytest.fixture(scope="session")
def tempauth():
    """A running Swift, whose users are in its configuration."""
    require(swift.missing())
    with swift.swift() as running:
        server = Server(running.endpoint, swift.USER, swift.KEY)
        server.swift = running
        yield server


@pytest.fixture(scope="session")
def radosgw():
    """A running radosgw."""
    require(ceph.missing(gateway=True))
    with ceph.ceph(gateway=True) as cluster:
        yield Server(cluster.endpoint, *ceph.SWIFT)


@pytest.fixture(params=["tempauth", "radosgw"])
def server(request):
    """Each of the servers."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def open_swift(opened):
    """Open swift stores that are closed at the end."""

    def open_one(server, container=None, **options):
        given = {
            "auth_url": server.auth_url,
            "container": container or server.new_container(),
            **server.keys,
            "part_size": PART,
            "connect_timeout": 5,
            "io_timeout": 10,
        }
        return opened("swift", name="objects", **{**given, **options})

    return open_one


@pytest.fixture(scope="session")
def image():
    """An image of three segments."""
    return random.Random(7).randbytes(SIZE)
