"""The S3 servers for tests: they answer, and are gone when their user is, however that ended."""

import os
import shutil
import signal
import subprocess
import tempfile
import time

import boto3
import pytest
from botocore.exceptions import ClientError

from servers import built, ceph, golang, moto_server, versitygw
from servers.gone import closed, processes_in, when_killed
from servers.required import require

STARTED = {
    "versitygw": "from servers.versitygw import versitygw as up",
    "ceph": "from servers.ceph import ceph; up = lambda: ceph(gateway=True)",
}


def client(endpoint, access_key, secret_key):
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
    )


def put_and_get(endpoint, access_key, secret_key):
    s3 = client(endpoint, access_key, secret_key)
    s3.create_bucket(Bucket="images")
    s3.put_object(Bucket="images", Key="a", Body=b"image")
    return s3.get_object(Bucket="images", Key="a")["Body"].read()


@pytest.fixture(scope="module")
def cluster():
    """A running cluster with a gateway."""
    require(ceph.missing(gateway=True, manager=True))
    with ceph.ceph(gateway=True) as running:
        yield running


def test_moto_keeps_an_object_and_is_gone_afterwards():
    with moto_server.moto_server() as endpoint:
        assert put_and_get(endpoint, "any", "any-secret") == b"image"
    assert closed(endpoint)


def test_versitygw_keeps_an_object_also_over_a_restart_and_is_gone_afterwards():
    require(golang.missing("versitygw"))
    with versitygw.versitygw() as server:
        keys = versitygw.ACCESS_KEY, versitygw.SECRET_KEY
        assert put_and_get(server.endpoint, *keys) == b"image"
        server.restart()
        assert (server.data / "images" / "a").read_bytes() == b"image"
        assert processes_in(server.data.parent) == [server.pid]
    assert closed(server.endpoint)
    assert not server.data.parent.exists()
    assert not processes_in(server.data.parent)


def test_versitygw_runs_where_files_have_no_extended_attributes(tmp_path, monkeypatch):
    require("mounting needs root" if os.geteuid() else golang.missing("versitygw"))
    subprocess.run(["mount", "-t", "ramfs", "none", tmp_path], check=True)
    try:
        with pytest.raises(OSError, match="not supported"):
            os.setxattr(tmp_path, "user.any", b"")
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        with versitygw.versitygw() as server:
            keys = versitygw.ACCESS_KEY, versitygw.SECRET_KEY
            assert put_and_get(server.endpoint, *keys) == b"image"
            found = client(server.endpoint, *keys).head_object(Bucket="images", Key="a")
            assert found["ETag"] == '"78805a221a988e79ef3f42d7c5bfd418"'
    finally:
        subprocess.run(["umount", tmp_path], check=True)


@pytest.fixture
def new_cache(tmp_path, monkeypatch):
    """An empty directory where versitygw is looked for."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    built._made.cache_clear()
    yield tmp_path / "storekit-servers"
    built._made.cache_clear()


def test_versitygw_is_missing_where_there_is_no_go(new_cache, monkeypatch):
    monkeypatch.setenv("PATH", str(new_cache))
    assert "There is no Go" in golang.missing("versitygw")
    with pytest.raises(RuntimeError, match="There is no Go"), versitygw.versitygw():
        pass


def test_versitygw_is_missing_where_it_cannot_be_built(new_cache, monkeypatch):
    require(None if shutil.which("go") else "Go is not installed")
    monkeypatch.setenv("GOMODCACHE", str(new_cache.parent / "modules"))
    monkeypatch.setenv("GOPROXY", "off")
    assert "GOPROXY=off" in golang.missing("versitygw")
    assert list(new_cache.iterdir()) == []


def test_a_server_that_was_frozen_is_gone_afterwards():
    require(golang.missing("versitygw"))
    with versitygw.versitygw() as server:
        server.signal(signal.SIGSTOP)
    assert closed(server.endpoint)
    assert not processes_in(server.data.parent)


def test_radosgw_keeps_an_object_and_is_gone_afterwards():
    require(ceph.missing(gateway=True))
    with ceph.ceph(gateway=True) as cluster:
        assert put_and_get(cluster.endpoint, ceph.ACCESS_KEY, ceph.SECRET_KEY) == b"image"
        assert len(processes_in(cluster.conf.parent)) == 3
    assert closed(cluster.endpoint)
    assert not cluster.conf.parent.exists()
    assert not processes_in(cluster.conf.parent)


def test_radosgw_has_the_users_that_it_is_given(cluster):
    one = client(cluster.endpoint, ceph.ACCESS_KEY, ceph.SECRET_KEY)
    one.create_bucket(Bucket="private")
    one.put_object(Bucket="private", Key="a", Body=b"image")
    cluster.add_user("another", "ANOTHERKEY", "another-secret-0123456789")
    another = client(cluster.endpoint, "ANOTHERKEY", "another-secret-0123456789")
    another.create_bucket(Bucket="another")
    with pytest.raises(ClientError, match="AccessDenied"):
        another.get_object(Bucket="private", Key="a")


def test_radosgw_deletes_what_is_garbage_when_it_is_told_to(cluster):
    s3 = client(cluster.endpoint, ceph.ACCESS_KEY, ceph.SECRET_KEY)
    s3.create_bucket(Bucket="garbage")
    s3.put_object(Bucket="garbage", Key="long", Body=bytes(9 << 20))
    rados, _ = ceph.load_bindings()
    with (
        rados.Rados(conffile=str(cluster.conf)) as connected,
        connected.open_ioctx("default.rgw.buckets.data") as pool,
    ):
        before = {found.key for found in pool.list_objects()}
        s3.delete_object(Bucket="garbage", Key="long")
        cluster.gc()
        after = {found.key for found in pool.list_objects()}
    assert len([key for key in before if "_shadow_" in key]) == 2
    assert not [key for key in after if key.endswith("_long") or "_shadow_" in key]


def test_the_cluster_keeps_images_of_rbd_and_says_what_they_take(cluster):
    rados, rbd = ceph.load_bindings()
    cluster.make_pool("volumes")
    cluster.start_manager()
    with rados.Rados(conffile=str(cluster.conf)) as connected:
        with connected.open_ioctx("volumes") as pool:
            rbd.RBD().create(pool, "disk", 8 << 20)
            with rbd.Image(pool, "disk") as image:
                image.write(b"image", 4096)
                assert image.read(4096, 5) == b"image"
        end = time.monotonic() + 30
        while time.monotonic() < end and not connected.get_cluster_stats()["kb"]:
            time.sleep(0.05)
        assert connected.get_cluster_stats()["kb"] == (4 << 30) // 1024


@pytest.mark.slow
def test_the_cluster_keeps_its_images_when_its_osd_is_killed():
    require(ceph.missing())
    rados, _ = ceph.load_bindings()
    with ceph.ceph(store="bluestore", size=1 << 30) as cluster:
        cluster.make_pool("volumes")
        with (
            rados.Rados(conffile=str(cluster.conf)) as connected,
            connected.open_ioctx("volumes") as pool,
        ):
            pool.write_full("a", b"image")
            cluster.signal("osd.0", signal.SIGKILL)
            cluster.start_osd()
            assert pool.read("a") == b"image"


@pytest.mark.slow
@pytest.mark.parametrize("name", STARTED)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_server_is_gone_when_its_user_is_killed(name, number):
    require(golang.missing("versitygw") if name == "versitygw" else ceph.missing(gateway=True))
    assert when_killed(name, STARTED[name], number)
