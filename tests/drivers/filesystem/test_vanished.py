"""Vanished directories: a mount that is not there must not look like an empty one."""

import os
import shutil
import subprocess
from datetime import timedelta

import pytest

import storekit

from .conftest import unless_here, unmounted_at_the_end


def every_verb(store, location):
    return (
        lambda: store.add("other", b"data"),
        lambda: store.get(location),
        lambda: store.get_size(location),
        lambda: store.delete(location),
        lambda: list(store.list()),
        lambda: list(store.leftovers(timedelta(0))),
        store.capacity,
    )


def test_a_missing_directory_is_an_error_at_open_and_is_not_made(open_store, tmp_path):
    with pytest.raises(storekit.Unavailable, match="mount missing"):
        open_store(tmp_path / "missing")

    assert os.listdir(tmp_path) == []


def test_with_create_it_is_made(open_store, tmp_path):
    store = open_store(tmp_path / "a" / "b" / "images", create=True)

    assert store.add("image", b"data").size == 4


@pytest.mark.parametrize("create", [True, False])
def test_a_file_in_its_place_is_an_error(open_store, tmp_path, create):
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(storekit.ConfigurationError, match="no directory"):
        open_store(tmp_path / "file", create=create)


def test_every_verb_is_unavailable_while_it_is_renamed_away(open_store, tmp_path):
    store = open_store()
    stored = store.add("image", b"data")
    (tmp_path / "images").rename(tmp_path / "away")

    for verb in every_verb(store, stored.location):
        with pytest.raises(storekit.Unavailable, match="gone"):
            verb()
    assert os.listdir(tmp_path / "away") == ["image"]


def test_the_state_says_which_is_gone_until_it_is_back(open_store, tmp_path):
    store = open_store()
    assert store.state == "ready"

    (tmp_path / "images").rename(tmp_path / "away")
    assert store.state.startswith("degraded: the directory")
    assert f"{tmp_path / 'images'} is gone" in store.state

    (tmp_path / "away").rename(tmp_path / "images")
    assert store.state == "ready"


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("place", ["loop", "loop/images", "dangling/images"])
def test_links_that_lead_nowhere_are_unavailable_and_not_a_missing_image(tmp_path, place, create):
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("volume/images")
    path = tmp_path / place
    stores = storekit.Stores({"a": {"driver": "filesystem", "path": path, "create": create}})

    with pytest.raises(storekit.Unavailable, match="is a mount missing"):
        stores.get_size(f"file://{path}/image")

    assert sorted(os.listdir(tmp_path)) == ["dangling", "loop"]


def test_a_file_above_it_is_not_a_missing_image(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    path = tmp_path / "file" / "images"
    stores = storekit.Stores({"a": {"driver": "filesystem", "path": path, "create": True}})

    with pytest.raises(storekit.Unavailable, match="Not a directory"):
        stores.get_size(f"file://{path}/image")


def test_everything_works_again_once_it_is_back(open_store, tmp_path):
    store = open_store()
    stored = store.add("image", b"data")
    (tmp_path / "images").rename(tmp_path / "away")
    with pytest.raises(storekit.Unavailable):
        store.get_size(stored.location)

    (tmp_path / "away").rename(tmp_path / "images")

    store.verify(stored.location, stored.digests)
    assert store.add("other", b"more").size == 4
    store.delete(stored.location)


def test_another_directory_in_its_place_is_not_taken_for_it(open_store, tmp_path):
    store = open_store()
    stored = store.add("image", b"data")
    (tmp_path / "images").rename(tmp_path / "away")
    (tmp_path / "images").mkdir()

    for verb in every_verb(store, stored.location):
        with pytest.raises(storekit.Unavailable, match="another directory"):
            verb()
    assert os.listdir(tmp_path / "images") == []


def test_a_mount_over_it_does_not_swallow_images(open_store, tmp_path):
    unless_here("mounting needs root" if os.geteuid() else None)
    store = open_store()
    stored = store.add("image", b"data")
    subprocess.run(["mount", "-t", "tmpfs", "none", tmp_path / "images"], check=True)
    with unmounted_at_the_end(tmp_path / "images"):
        for verb in every_verb(store, stored.location):
            with pytest.raises(storekit.Unavailable):
                verb()

    store.verify(stored.location, stored.digests)


def test_a_removed_directory_is_unavailable_not_empty(open_store, tmp_path):
    store = open_store()
    stored = store.add("image", b"data")
    shutil.rmtree(tmp_path / "images")

    for verb in every_verb(store, stored.location):
        with pytest.raises(storekit.Unavailable):
            verb()


@pytest.mark.parametrize("restored", [True, False])
def test_a_directory_that_goes_away_during_an_add_gets_no_image(open_store, tmp_path, restored):
    store = open_store()

    def data():
        yield b"some"
        (tmp_path / "images").rename(tmp_path / "away")
        yield b"more"

    with pytest.raises(storekit.Unavailable):
        store.add("image", data())

    assert os.listdir(tmp_path / "away") == []
    if restored:
        (tmp_path / "away").rename(tmp_path / "images")
        assert store.add("image", b"data").size == 4


def test_a_directory_that_is_removed_during_an_add_is_unavailable(open_store, tmp_path):
    store = open_store()

    def data():
        yield b"some"
        (tmp_path / "images").rmdir()

    with pytest.raises(storekit.Unavailable):
        store.add("image", data())


def test_a_symbolic_link_that_leads_elsewhere_now_is_noticed(open_store, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to("one")
    store = open_store(tmp_path / "link")
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("two")

    with pytest.raises(storekit.Unavailable):
        store.add("image", b"data")

    assert os.listdir(tmp_path / "two") == []
