"""The driver's page does what it says, on real servers."""

import hashlib
import json
import random
import re
import subprocess
import tomllib
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from conformance import test_swift
from keystoneauth1 import session
from keystoneauth1.identity import v3
from servers import ceph, keystone, openstack, swift
from servers.required import require
from swiftclient.exceptions import ClientException

import storekit
from storekit import Capability

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[3] / "docs/drivers/swift.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = [tomllib.loads(text) for text in re.findall("```toml\n(.*?)```", TEXT, re.DOTALL)]
STORES = {name: options for block in BLOCKS for name, options in block["stores"].items()}
(CODE,) = re.findall("```python\n(.*?)```", TEXT, re.DOTALL)
BEGIN, END = "<!-- servers: begin -->\n", "<!-- servers: end -->"
HEAD = (
    "| server | `If-None-Match` on a put | on a manifest | shows its manifests | `EXCLUSIVE_ADD` |"
    " level in CI |\n| --- | --- | --- | --- | --- | --- |\n"
)
IMAGE = random.Random(7).randbytes(100_003)
PASSWORD = "the-password-of-a-user"


@pytest.fixture(scope="module")
def identity():
    """A Keystone, and a Swift that it knows."""
    require(swift.missing(keystone=True))
    with keystone.keystone() as running, swift.swift(running):
        running.projects = {name: running.add_project(name) for name in ("service", "friends")}
        running.add_user("glance", PASSWORD, running.projects["service"], "member")
        running.add_user("friend", PASSWORD, running.projects["friends"], "member")
        yield running


@contextmanager
def session_of(identity, name, project):
    """A session of a user."""
    domains = {"user_domain_id": "default", "project_domain_id": "default"}
    known = {"username": name, "password": PASSWORD, "project_name": project, **domains}
    with requests.Session() as connections:
        yield session.Session(v3.Password(identity.auth_url, **known), session=connections)


def opened(name, **ours):
    """Open a store of the page, with what is ours in place of the page's servers and secrets."""
    options = {key: value for key, value in STORES[name].items() if key != "driver"}
    assert ours.keys() <= options.keys()
    return storekit.open_store("swift", name=name, **{**options, **ours})


def check_keeps(store):
    with store:
        location = store.add("an image", IMAGE).location
        assert store.get(location).read() == IMAGE
        store.delete(location)


def test_the_configuration_with_a_password_keeps_images(identity):
    check_keeps(opened("objects", auth_url=identity.auth_url, password=PASSWORD))


def test_the_configuration_with_an_application_credential_keeps_images(identity):
    with session_of(identity, "glance", "service") as user:
        url = f"{identity.auth_url}/users/{user.get_user_id()}/application_credentials"
        asked = {"application_credential": {"name": "storekit"}}
        made = user.post(url, json=asked).json()["application_credential"]
    known = {f"application_credential_{what}": made[what] for what in ("id", "secret")}
    check_keeps(opened("credential", auth_url=identity.auth_url, **known))


def test_the_configuration_with_users_of_swift_keeps_images(tempauth):
    assert STORES["spread"]["username"] == swift.USER
    check_keeps(opened("spread", auth_url=tempauth.auth_url, password=swift.KEY))


def test_the_configuration_for_ceph_keeps_images(radosgw):
    assert STORES["ceph"]["username"] == ceph.SWIFT[0]
    check_keeps(opened("ceph", auth_url=radosgw.auth_url, password=ceph.SWIFT[1]))


def test_the_code_for_many_tenants_shares_an_image(identity):
    names = {}
    exec(compile(CODE, PAGE.name, "exec"), names)
    with (
        opened("tenants", auth_url=identity.auth_url, password=PASSWORD) as store,
        session_of(identity, "glance", "service") as owner,
        session_of(identity, "friend", "friends") as other,
    ):
        access = owner.auth.get_access(owner)
        location = names["share"](store, "shared", IMAGE, access, identity.projects["friends"])
        friend = storekit.RequestContext(session=other)
        assert store.get(location, context=friend).read() == IMAGE


def test_every_configuration_of_the_page_is_one_that_is_run_here():
    assert set(STORES) == {"objects", "credential", "spread", "ceph", "tenants"}


def test_the_table_of_servers_says_what_they_do(tempauth, radosgw, open_swift):
    code = "import importlib.metadata as found; print(found.version('swift'))"
    versions = {
        "Swift": [openstack.python("swift"), "-c", code],
        "radosgw": ["radosgw", "--version"],
    }
    rows = zip(
        (tempauth, radosgw),
        versions.items(),
        (test_swift.TestTempauth, test_swift.TestRadosgw),
        strict=True,
    )
    table = HEAD
    for server, (name, command), suite in rows:
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        version = re.search(r"\d+\.\d+", told)[0]
        does = [*answers(server), exclusive(server, open_swift)]
        said = " | ".join("yes" if answer else "no" for answer in does)
        table += f"| {name} {version} | {said} | {suite.level} |\n"
    assert BEGIN + table + END in TEXT, f"the table of {PAGE.name} should be:\n{table}"


def answers(server):
    container = server.new_container()
    with server.client() as user:
        user.put_object(container, "taken", b"an image")
        yield refuses(user, container, "taken", b"another")
        user.put_object(container, "part", b"a segment")
        etag = hashlib.md5(b"a segment").hexdigest()
        entry = {"path": f"/{container}/part", "etag": etag, "size_bytes": 9}
        manifest, as_manifest = json.dumps([entry]), {"query_string": "multipart-manifest=put"}
        user.put_object(container, "long", manifest, **as_manifest)
        yield refuses(user, container, "long", manifest, **as_manifest)
        shown = user.get_object(container, "long", query_string="multipart-manifest=get")[1]
        yield b"/part" in shown


def refuses(user, container, name, data, **parameters):
    try:
        user.put_object(container, name, data, headers={"If-None-Match": "*"}, **parameters)
    except ClientException as error:
        return error.http_status == 412
    return False


def exclusive(server, open_swift):
    return Capability.EXCLUSIVE_ADD in open_swift(server).capabilities
