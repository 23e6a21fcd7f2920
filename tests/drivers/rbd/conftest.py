"""Clusters, pools in them, and stores on those."""

import contextlib
import random
import uuid

import pytest
from servers import ceph
from servers.required import require

MIB = 1 << 20
SIZE = 3 * MIB + 7_919
SETTINGS = {"osd_client_watch_timeout": 3}  # seconds until a killed client is seen to be dead


class Pool:
    """A pool of a running cluster, seen past the driver."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.name = f"sk-{uuid.uuid4().hex[:12]}"
        cluster.make_pool(self.name)

    @contextlib.contextmanager
    def opened(self):
        """Give rbd and the pool."""
        rados, rbd = ceph.load_bindings()
        with (
            rados.Rados(conffile=str(self.cluster.conf)) as connection,
            connection.open_ioctx(self.name) as pool,
        ):
            yield rbd, pool

    def images(self):
        """The names of all images, also those that no verb shows."""
        with self.opened() as (rbd, pool):
            return set(rbd.RBD().list(pool))

    def objects(self):
        """The names of all objects but those that a pool always has."""
        with self.opened() as (_, pool):
            found = {item.key for item in pool.list_objects()}
        return found - {"rbd_directory", "rbd_info", "rbd_trash", "rbd_children"}


def shut_out(pool, store):
    """Have the cluster refuse a client."""
    connection = store.opening.ready()._cluster._connections.get()
    command = {"blocklistop": "add", "addr": connection.rados.get_addrs(), "expire": 60.0}
    pool.cluster.ask("osd blocklist", **command)


@pytest.fixture(scope="session")
def cluster():
    """A running cluster, which holds everything in memory."""
    require(ceph.missing())
    with ceph.ceph(settings=SETTINGS) as running:
        yield running


@pytest.fixture(scope="module")
def disk():
    """A running cluster on a disk: its daemons may be killed and started again."""
    require(ceph.missing())
    often = {"osd_heartbeat_interval": 1, "osd_mon_heartbeat_interval": 1}  # is it full?
    with ceph.ceph(store="bluestore", settings={**SETTINGS, **often}) as running:
        yield running


@pytest.fixture
def open_rbd(opened):
    """Open rbd stores that are closed at the end."""

    def open_one(pool, **options):
        given = {
            "conf_file": pool.cluster.conf,
            "pool": pool.name,
            "part_size": MIB,
            "object_size": MIB,
            "window": 2,
            "connect_timeout": 2,
            "io_timeout": 5,
            "upload_idle": 1,
        }
        return opened("rbd", name="blocks", **{**given, **options})

    return open_one


@pytest.fixture(scope="session")
def image():
    """An image of some parts."""
    return random.Random(7).randbytes(SIZE)
