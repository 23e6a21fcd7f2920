"""OpenStack's servers for tests: they answer, and are gone when their user is."""

import contextlib
import shutil
import signal
import subprocess
import time
import urllib.error
from pathlib import Path

import pytest
import swiftclient
from keystoneauth1 import session
from keystoneauth1.identity import v3

from servers import built, ceph, keystone, openstack, swift
from servers.gone import closed, processes_in, when_killed
from servers.required import require

STARTED = {
    "swift": "from servers.swift import swift as up",
    "keystone": "from servers.keystone import keystone as up",
}


@contextlib.contextmanager
def client(auth_url, user, key):
    connection = swiftclient.Connection(auth_url, user, key, retries=0)
    with contextlib.closing(connection):
        yield connection


def test_swift_keeps_an_object_also_over_a_restart_and_is_gone_afterwards():
    require(swift.missing())
    with swift.swift() as server:
        with client(server.auth_url, swift.USER, swift.KEY) as user:
            user.put_container("images")
            user.put_object("images", "a", b"image")
            server.restart()
            assert user.get_object("images", "a")[1] == b"image"
        assert processes_in(server.data.parent) == [server.pid]
    assert closed(server.endpoint)
    assert not server.data.parent.exists()
    assert not processes_in(server.data.parent)


def test_swift_has_the_limits_that_it_is_given_and_readers_whom_a_container_names():
    require(swift.missing())
    with (
        swift.swift(constraints={"container_listing_limit": 2}) as server,
        client(server.auth_url, swift.USER, swift.KEY) as user,
        client(server.auth_url, *swift.READER) as reader,
    ):
        user.put_container("images")
        for name in "abc":
            user.put_object("images", name, b"image")
        assert [found["name"] for found in user.get_container("images")[1]] == ["a", "b"]
        with pytest.raises(swiftclient.ClientException, match="403"):
            reader.get_object("images", "a")
        user.post_container("images", {"X-Container-Read": swift.READER[0]})
        assert reader.get_object("images", "a")[1] == b"image"
        with pytest.raises(swiftclient.ClientException, match="403"):
            reader.put_object("images", "d", b"image")


def test_a_swift_that_was_frozen_is_gone_afterwards():
    require(swift.missing())
    with swift.swift() as server:
        server.signal(signal.SIGSTOP)
    assert closed(server.endpoint)
    assert not processes_in(server.data.parent)


def test_keystone_knows_its_users_for_swift_and_its_tokens_live_as_long_as_told():
    require(swift.missing(keystone=True))
    with keystone.keystone(token_life=3) as identity:
        identity.add_user("demo", "demopw", identity.add_project("demo"), "member")
        with swift.swift(identity) as server:
            token = identity.token("demo", "demopw", "demo")
            end = time.monotonic() + 4
            known = {"username": "demo", "password": "demopw", "project_name": "demo"}
            domains = {"user_domain_id": "default", "project_domain_id": "default"}
            logged_in = session.Session(v3.Password(identity.auth_url, **known, **domains))
            url = logged_in.get_endpoint(service_type="object-store")
            assert url.startswith(f"{server.endpoint}/v1/AUTH_")
            swiftclient.put_container(url, token, "images")
            identity.restart()
            time.sleep(max(0, end - time.monotonic()))
            with pytest.raises(swiftclient.ClientException, match="401"):
                swiftclient.head_container(url, token, "images")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            identity.token("demo", "wrong", "demo")
    assert closed(identity.auth_url.removesuffix("/v3"))


def test_radosgw_speaks_swift_and_lets_a_subuser_do_what_it_is_made_for():
    require(ceph.missing(gateway=True))
    with ceph.ceph(gateway=True) as cluster:
        auth_url = f"{cluster.endpoint}/auth/v1.0"
        cluster.add_subuser("test:reader", "reading-0123456789", "read")
        with client(auth_url, *ceph.SWIFT) as user:
            user.put_container("images")
            user.put_object("images", "a", b"image")
        with client(auth_url, "test:reader", "reading-0123456789") as reader:
            assert reader.get_object("images", "a")[1] == b"image"
            with pytest.raises(swiftclient.ClientException, match="403"):
                reader.put_object("images", "b", b"image")


@pytest.fixture
def builder(tmp_path, monkeypatch):
    """The script with a list that is soon installed, and a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source = Path(openstack.__file__).parents[1] / "build-openstack"
    (tmp_path / "openstack").mkdir()
    (tmp_path / "openstack" / "requirements-toy.txt").write_text("# nothing\n")
    return shutil.copy(source, tmp_path)


@pytest.mark.slow
def test_a_server_is_installed_once_also_by_two_at_once_and_anew_for_another_list(builder):
    def start():
        return subprocess.Popen([builder, "toy"], stdout=subprocess.PIPE, text=True)

    racing = [start(), start()]
    first, second = [process.communicate()[0].strip() for process in racing]
    assert first == second
    made = Path(first).parents[1]
    assert list(made.parent.iterdir()) == [made]
    before = made.stat().st_mtime_ns
    assert start().communicate()[0].strip() == first
    assert made.stat().st_mtime_ns == before
    builder_list = Path(builder).parent / "openstack" / "requirements-toy.txt"
    builder_list.write_text("# still nothing\n")
    assert start().communicate()[0].strip() != first


@pytest.mark.slow
def test_a_server_is_missing_where_it_cannot_be_installed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    built._made.cache_clear()
    try:
        assert "No matching distribution" in swift.missing()
        with pytest.raises(RuntimeError, match="swift cannot be installed"), swift.swift():
            pass
    finally:
        built._made.cache_clear()
    assert list((tmp_path / "storekit-servers").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", STARTED)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_server_is_gone_when_its_user_is_killed(name, number):
    require(openstack.missing(name))
    assert when_killed(name, STARTED[name], number)
