"""Ownership: which locations are images of a store, told from their text alone."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

import storekit
from storekit.drivers.filesystem import FilesystemDriver, Options

Location = storekit.Location


def driver(**options):
    return FilesystemDriver("files", Options(**options))


@pytest.mark.parametrize(
    "text",
    [
        "file:///srv/images/cirros",
        "filesystem:///srv/images/cirros",
        "FILE:///srv/images/cirros",
        "file:///srv/images/with%20a%20space",
        "file:///srv/images/with a space",
        "file:///srv/images/%E2%82%AC",
        "file:///srv/images/100%25",
        "file:///srv/images/a%3Fb%23c",
        "file:///srv/images/..hidden",
    ],
)
def test_an_id_directly_in_the_directory_is_owned_before_the_store_is_open(text):
    assert driver(path="/srv/images").owns(Location(text)) is True


@pytest.mark.parametrize(
    "text",
    [
        "file:///srv/images",
        "file:///srv/images/",
        "file:///srv/images/a/b",
        "file:///srv/images/../etc",
        "file:///srv/images/..",
        "file:///srv/images/.",
        "file:///srv/images/%2E%2E",
        "file:///srv/images/..%2F..%2Fetc%2Fpasswd",
        "file:///srv/images/a%2Fb",
        "file:///srv/images//cirros",
        "file:////srv/images/cirros",
        "file:///srv%2Fimages/cirros",
        "file:///srv/images/%FF",
        "file:///srv/images/.storekit-lock",
        "file:///srv/images/%2Estorekit-upload-1",
        "file:///srv/images/cirros?size=1",
        "file:///srv/images/cirros?",
        "file://localhost/srv/images/cirros",
        "file://user:secret@/srv/images/cirros",
        "file:///srv/imagesX/cirros",
        "file:///srv/image/cirros",
        "file:///etc/passwd",
        "file:///cirros",
        "file://srv/images/cirros",
    ],
)
def test_everything_else_is_not(text):
    assert driver(path="/srv/images").owns(Location(text)) is False


def test_an_id_longer_than_the_limit_is_not_owned():
    assert driver(path="/srv").owns(Location("file:///srv/" + "a" * 255)) is True
    assert driver(path="/srv").owns(Location("file:///srv/" + "a" * 256)) is False
    assert driver(path="/srv", max_id_length=36).owns(Location("file:///srv/" + "a" * 37)) is False


@pytest.mark.parametrize("path", ["/srv/images", "/srv/images/", "/srv//images", "/srv/./images"])
def test_a_path_is_owned_however_it_is_written(path):
    assert driver(path=path).owns(Location("file:///srv/images/cirros")) is True


def test_a_path_with_dots_is_owned_as_written_and_as_read():
    files = driver(path="/srv/old/../images")

    assert files.owns(Location("file:///srv/old/../images/cirros")) is True
    assert files.owns(Location("file:///srv/images/cirros")) is True


def test_a_relative_path_is_owned_by_its_absolute_form(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert driver(path="images").owns(Location(f"file://{tmp_path}/images/cirros")) is True


def test_the_root_directory_can_be_a_store():
    assert driver(path="/").owns(Location("file:///cirros")) is True
    assert driver(path="/").owns(Location("file:///srv/cirros")) is False


def test_each_of_several_directories_is_owned():
    files = driver(paths={"/srv/one": 1, "/srv/two": 2})

    assert files.owns(Location("file:///srv/one/cirros")) is True
    assert files.owns(Location("file:///srv/two/cirros")) is True
    assert files.owns(Location("file:///srv/three/cirros")) is False


def test_a_path_that_is_a_symbolic_link_is_owned_as_configured(open_store, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")

    store = open_store(tmp_path / "link")
    stored = store.add("image", b"data")

    assert str(stored.location) == f"file://{tmp_path}/link/image"
    assert (tmp_path / "real" / "image").read_bytes() == b"data"
    with pytest.raises(storekit.InvalidLocation):
        store.get_size(f"file://{tmp_path}/real/image")


def test_what_is_not_owned_is_refused_by_every_verb(open_store, tmp_path):
    store = open_store()
    (tmp_path / "secret").write_bytes(b"secret")
    for text in (f"file://{tmp_path}/secret", f"file://{tmp_path}/images/../secret"):
        for verb in (store.get, store.get_size, store.delete):
            with pytest.raises(storekit.InvalidLocation):
                verb(text)
    assert (tmp_path / "secret").exists()


def test_a_directory_with_odd_characters_can_be_a_store(open_store, tmp_path):
    odd = tmp_path / "a b%20c?d#e@f€"
    odd.mkdir()
    store = open_store(odd)

    stored = store.add("x y%20z?#€", b"data")

    assert store.get_size(str(stored.location)) == 4
    assert os.listdir(odd) == ["x y%20z?#€"]
    assert [image.location for image in store.list()] == [stored.location]


def test_a_directory_that_no_location_can_name_is_refused_at_open(tmp_path):
    odd = tmp_path / "two\nlines"
    odd.mkdir()

    with pytest.raises(storekit.ConfigurationError, match="path"):
        storekit.open_store("filesystem", path=odd)


@given(st.text(min_size=1, max_size=60))
def test_no_text_is_owned_that_leads_elsewhere(text):
    try:
        location = Location(f"file:///srv/images/{text}")
    except storekit.InvalidLocation:
        return
    if driver(path="/srv/images").owns(location):
        image_id = location.segments[-1]
        assert os.path.dirname(os.path.normpath(f"/srv/images/{image_id}")) == "/srv/images"
        assert "\0" not in image_id
