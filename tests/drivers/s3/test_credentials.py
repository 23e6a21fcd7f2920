"""Credentials: boto3's own chain, keys that are exchanged, and users who may not."""

import pytest
from servers.scripted import head, scripted

from storekit import Forbidden, NotAuthenticated, NotFound

from .conftest import Server


@pytest.fixture
def file_of_keys(tmp_path, monkeypatch):
    """Write boto3's file of credentials."""
    path = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)

    def write(access_key, secret_key, profile="default", token=None):
        lines = [f"[{profile}]", f"aws_access_key_id = {access_key}"]
        lines += [f"aws_session_token = {token}"] if token else []
        path.write_text("\n".join([*lines, f"aws_secret_access_key = {secret_key}", ""]))

    return write


def test_keys_that_are_exchanged_are_taken_up_without_a_restart(radosgw, open_s3, file_of_keys):
    cluster = radosgw.cluster
    cluster.add_user("changing", "first-key", "first-secret-0123456")
    file_of_keys("first-key", "first-secret-0123456", profile="images")
    chain = {"access_key": None, "secret_key": None, "profile": "images"}
    store = open_s3(radosgw, "of-changing", create_bucket=True, **chain)
    location = store.add("a", b"image").location
    cluster.add_key("changing", "second-key", "second-secret-0123456")
    cluster.revoke("changing", "first-key")
    for verb in (store.get, store.get_size):
        with pytest.raises((NotAuthenticated, Forbidden)):
            verb(location)
    file_of_keys("second-key", "second-secret-0123456", profile="images")
    assert store.get_size(location) == 5
    assert store.get(location).read() == b"image"
    store.delete(location)


@pytest.fixture
def expiring(open_s3, file_of_keys):
    """Open a store on a server that takes one token, after another has expired."""
    listed = b"<ListBucketResult></ListBucketResult>"
    expired = b"<Error><Code>ExpiredToken</Code><Message>it has</Message></Error>"
    valid = ["first"]

    def answer(exchange):
        taken = exchange.request.headers["x-amz-security-token"] in valid
        if exchange.request.method == "HEAD":
            exchange.send(head(200 if taken else 400, {"Content-Length": 5, "ETag": '"x"'}))
        else:
            body = listed if taken else expired
            exchange.send(head(200 if taken else 400, {"Content-Length": len(body)}) + body)

    with scripted(answer) as server:
        file_of_keys("a-key", "a-secret-0123456789", token="first")
        store = open_s3(Server(server.url, None, None), "images")
        location = f"s3+{server.url}/images/a"
        assert store.get_size(location) == 5
        valid[0] = "second"
        yield store, location


def test_a_token_is_exchanged_by_a_verb_that_begins_with_a_head(expiring, file_of_keys):
    store, location = expiring
    file_of_keys("a-key", "a-secret-0123456789", token="second")
    assert store.get_size(location) == 5


def test_a_token_that_has_expired_is_said_to_have_by_a_verb_that_begins_with_a_head(expiring):
    store, location = expiring
    with pytest.raises(NotAuthenticated, match="the session token has expired"):
        store.get_size(location)


def test_keys_in_the_configuration_are_not_looked_for_elsewhere(radosgw, open_s3, file_of_keys):
    file_of_keys(radosgw.keys["access_key"], radosgw.keys["secret_key"])
    with pytest.raises(NotAuthenticated):
        open_s3(radosgw, access_key="nobody", secret_key="nobodys-secret")


def test_no_credentials_at_all_is_an_error_that_says_so(versity, open_s3, file_of_keys):
    with pytest.raises(NotAuthenticated, match="there are no credentials"):
        open_s3(versity, access_key=None, secret_key=None)


def test_a_bucket_that_is_missing_is_made_only_on_demand(versity, open_s3):
    with pytest.raises(ConnectionError, match="create_bucket = true"):
        open_s3(versity, "not-there-yet")
    store = open_s3(versity, "not-there-yet", create_bucket=True)
    location = store.add("a", b"image").location
    open_s3(versity, "not-there-yet", create_bucket=True)
    assert store.get(location).read() == b"image"
    versity.s3.delete_object(Bucket="not-there-yet", Key="a")
    with pytest.raises(NotFound):
        store.get_size(location)
