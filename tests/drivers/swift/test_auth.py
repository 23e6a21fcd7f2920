"""Who asks: users of Keystone and of Swift itself, and callers whose tokens end."""

import contextlib
import random
import socket
import time
import traceback
import urllib.error
import urllib.request

import pytest
import requests
from keystoneauth1 import session
from keystoneauth1.identity import v3
from servers import keystone, swift
from servers.required import require

import storekit
from storekit import Forbidden, NotAuthenticated, RequestContext, Unavailable

MIB = 1 << 20
IMAGE = random.Random(7).randbytes(3 * MIB + 7)
USERS = {  # and in which project they are what
    "owner": ("images", "member"),
    "friend": ("other", "member"),
    "service": ("service", "member"),
}
LIFE = 4  # seconds that a token is good for


class Cloud:
    """Keystone, and a Swift that trusts it."""

    def __init__(self, identity, server):
        self.identity, self.server = identity, server
        self.projects = {
            name: identity.add_project(name) for name in ("images", "other", "service")
        }
        self.users = {
            name: identity.add_user(name, secret(name), self.projects[project], role)
            for name, (project, role) in USERS.items()
        }

    def login(self, name):
        """What the driver is told of a user."""
        known = {"auth_url": self.identity.auth_url, "project": USERS[name][0]}
        return {**known, "username": name, "password": secret(name)}

    @contextlib.contextmanager
    def session(self, name):
        """A session of keystoneauth1."""
        domains = {"user_domain_id": "default", "project_domain_id": "default"}
        known = {"username": name, "password": secret(name), "project_name": USERS[name][0]}
        auth = v3.Password(self.identity.auth_url, **known, **domains)
        with requests.Session() as connections:
            yield session.Session(auth, session=connections)

    def caller(self, name):
        """What a service knows of a user whose token came with a request."""
        with self.session(name) as logged_in:
            access = logged_in.auth.get_access(logged_in)
        return RequestContext(
            token=access.auth_token,
            user_id=access.user_id,
            project_id=access.project_id,
            catalog=access.service_catalog.catalog,
            roles=access.role_names,
        )

    def objects(self, name, container):
        """The objects of a user's container, past the driver; None where there is no such one."""
        with self.session(name) as logged_in:
            service = {"endpoint_filter": {"service_type": "object-store"}}
            told = logged_in.get(f"/{container}?format=json", raise_exc=False, **service)
            return None if told.status_code == 404 else [found["name"] for found in told.json()]

    def trusts(self):
        """The trusts that there are."""
        return self.identity.ask("GET", "/OS-TRUST/trusts")["trusts"]


def secret(name):
    return f"secret-of-{name}-0123456789"


@contextlib.contextmanager
def cloud_of(**options):
    require(swift.missing(keystone=True))
    with keystone.keystone(**options) as identity, swift.swift(identity) as server:
        yield Cloud(identity, server)


@pytest.fixture(scope="module")
def cloud():
    """Keystone and Swift."""
    with cloud_of() as running:
        yield running


@pytest.fixture(scope="module")
def hasty():
    """The same, with tokens that are soon over."""
    with cloud_of(token_life=LIFE) as running:
        yield running


@pytest.fixture
def open_swift(opened):
    """Open swift stores that are closed at the end."""

    def open_one(**options):
        given = {"create_container": True, "part_size": MIB, "window": 2}
        return opened("swift", name="objects", **{**given, **options})

    return open_one


def slowly(data, pause):
    """Give data with a pause, when the first segment is under way and before the last one."""
    yield data[:MIB]
    yield data[MIB : 2 * MIB]
    pause()
    yield data[2 * MIB :]


def outlive(asked):
    """Wait until a token that was asked for is over."""
    time.sleep(max(0, asked + LIFE + 1 - time.monotonic()))


def check_works(store, **who):
    stored = store.add("an image", IMAGE, **who)
    assert store.get(stored.location, **who).read() == IMAGE
    assert [found.image_id for found in store.list(**who)] == ["an image"]
    store.delete(stored.location, **who)
    with pytest.raises(storekit.NotFound):
        store.get_size(stored.location, **who)


def test_a_user_of_keystone_has_the_images_in_the_account_of_the_project(cloud, open_swift):
    store = open_swift(**cloud.login("owner"), container="by-password")
    location = store.add("seen", b"image").location
    assert cloud.objects("owner", "by-password") == ["seen"]
    assert cloud.objects("friend", "by-password") is None
    store.delete(location)
    check_works(store)


def test_an_application_credential_is_as_good_as_a_password(cloud, open_swift):
    with cloud.session("owner") as logged_in:
        url = f"{cloud.identity.auth_url}/users/{cloud.users['owner']}/application_credentials"
        made = logged_in.post(url, json={"application_credential": {"name": "images"}}).json()
        known = made["application_credential"]
    store = open_swift(
        auth_url=cloud.identity.auth_url,
        application_credential_id=known["id"],
        application_credential_secret=known["secret"],
        container="by-credential",
    )
    check_works(store)
    with cloud.session("owner") as logged_in:
        logged_in.delete(f"{url}/{known['id']}")
    with pytest.raises(NotAuthenticated) as caught:
        open_swift(
            auth_url=cloud.identity.auth_url,
            application_credential_id=known["id"],
            application_credential_secret=known["secret"],
        )
    assert known["secret"] not in "".join(traceback.format_exception(caught.value))


def test_a_store_without_a_user_works_with_the_callers_token_or_session(cloud, open_swift):
    store = open_swift(container="by-token")
    with pytest.raises(NotAuthenticated, match="RequestContext"):
        store.add("nobody's", b"image")
    with cloud.session("owner") as logged_in:
        cloud_store = open_swift(**cloud.login("owner"), container="by-token")
        check_works(store, context=cloud.caller("owner"))
        check_works(store, context=RequestContext(session=logged_in))
        check_works(cloud_store)


def test_each_image_of_many_tenants_is_in_a_container_of_its_callers(cloud, open_swift):
    store = open_swift(**cloud.login("service"), multi_tenant=True, container="of")
    owner, friend = cloud.caller("owner"), cloud.caller("friend")
    mine = store.add("same", IMAGE, context=owner)
    theirs = store.add("same", b"another", context=friend)
    assert cloud.objects("owner", "of_same") == ["same"]
    assert cloud.objects("friend", "of_same") == ["same"]
    assert cloud.objects("service", "of_same") is None
    assert store.get(mine.location, context=owner).read() == IMAGE
    assert store.get(theirs.location, context=friend).read() == b"another"
    for image, who in ((mine, owner), (theirs, friend)):
        store.delete(image.location, context=who)
    assert not cloud.objects("owner", "of_same")


def test_who_is_on_an_images_list_may_read_it_and_nobody_else(cloud, open_swift):
    store = open_swift(**cloud.login("service"), multi_tenant=True, container="shared")
    owner, friend = cloud.caller("owner"), cloud.caller("friend")
    image = store.add("shared", IMAGE, context=owner).location
    with pytest.raises(Forbidden):
        store.get(image, context=friend).read()
    store.set_acls(image, read=[cloud.projects["other"]], context=owner)
    assert store.get(image, context=friend).read() == IMAGE
    with pytest.raises(Forbidden):
        store.delete(image, context=friend)
    store.set_acls(image, context=owner)
    with pytest.raises(Forbidden):
        store.get(image, context=friend).read()
    url = f"{cloud.server.endpoint}/v1/AUTH_{cloud.projects['images']}/shared_shared/shared"
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(url)
    store.set_acls(image, public=True, context=owner)
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == IMAGE


def test_a_trust_is_there_for_as_long_as_the_upload_and_no_longer(cloud, open_swift):
    store = open_swift(**cloud.login("service"), multi_tenant=True, container="trusted")
    seen = []
    image = slowly(IMAGE, lambda: seen.extend(cloud.trusts()))
    store.add("trusted", image, context=cloud.caller("owner"))
    assert [trust["trustor_user_id"] for trust in seen] == [cloud.users["owner"]]
    assert [trust["trustee_user_id"] for trust in seen] == [cloud.users["service"]]
    assert cloud.trusts() == []

    def fail():
        seen.extend(cloud.trusts())
        raise OSError("the source is gone")

    with pytest.raises(OSError, match="the source is gone"):
        store.add("failed", slowly(IMAGE, fail), context=cloud.caller("owner"))
    assert len(seen) == 2
    assert cloud.trusts() == []


def test_an_upload_of_a_caller_outlives_the_token_by_a_trust(hasty, open_swift):
    store = open_swift(**hasty.login("service"), multi_tenant=True, container="outlived")
    owner, asked = hasty.caller("owner"), time.monotonic()
    image = store.add("long", slowly(IMAGE, lambda: outlive(asked)), context=owner).location
    with pytest.raises(NotAuthenticated, match="token has expired"):
        store.get_size(image, context=owner)
    assert store.get(image, context=hasty.caller("owner")).read() == IMAGE
    assert hasty.trusts() == []


def test_without_trusts_an_upload_ends_with_the_callers_token(hasty, open_swift):
    options = {"multi_tenant": True, "trusts": False, "container": "untrusted"}
    store = open_swift(**hasty.login("service"), **options)
    owner, asked = hasty.caller("owner"), time.monotonic()
    with pytest.raises(NotAuthenticated, match="trusts = true"):
        store.add("long", slowly(IMAGE, lambda: outlive(asked)), context=owner)
    assert not hasty.objects("owner", "untrusted_long")


def test_the_stores_own_user_gets_a_new_token_in_the_middle_of_an_add_and_of_a_get(
    hasty, open_swift
):
    store = open_swift(**hasty.login("owner"), container="renewed")
    asked = time.monotonic()
    image = store.add("long", slowly(IMAGE, lambda: outlive(asked))).location
    asked = time.monotonic()
    with store.get(image) as reading:
        begin = reading.read(MIB // 2)
        outlive(asked)
        assert begin + reading.read() == IMAGE


def test_a_token_that_swift_has_forgotten_is_renewed_in_the_middle(open_swift):
    require(swift.missing())
    with swift.swift() as server:
        known = {"auth_version": 1, "username": swift.USER, "password": swift.KEY}
        # The server is restarted for it, under requests that are on their way.
        store = open_swift(auth_url=server.auth_url, max_attempts=20, **known)
        image = store.add("long", slowly(IMAGE, server.forget_tokens)).location
        with store.get(image) as reading:
            begin = reading.read(MIB // 2)
            server.forget_tokens()
            assert begin + reading.read() == IMAGE
        store.close()


@pytest.mark.parametrize("wrong", ["password", "username", "project"])
def test_who_is_not_known_is_told_what_to_check_and_no_secret(cloud, open_swift, wrong):
    login = {**cloud.login("owner"), wrong: "not-this-one-0123456789"}
    with pytest.raises(NotAuthenticated) as caught:
        open_swift(**login)
    assert "check username, password and project" in str(caught.value)
    said = "".join(traceback.format_exception(caught.value))
    assert login["password"] not in said
    assert login["password"] not in repr(caught.value)


def test_a_wrong_key_of_version_1_is_told_without_it(open_swift):
    require(swift.missing())
    with swift.swift() as server:
        known = {"auth_version": 1, "username": swift.USER, "password": "not-this-one-012345"}
        with pytest.raises(NotAuthenticated, match="check username") as caught:
            open_swift(auth_url=server.auth_url, **known)
    assert "not-this-one" not in "".join(traceback.format_exception(caught.value))


def test_where_no_keystone_listens_the_store_is_not_available(cloud, open_swift):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v3"
        with pytest.raises(Unavailable):
            open_swift(**{**cloud.login("owner"), "auth_url": url}, max_attempts=1)
