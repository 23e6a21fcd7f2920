"""Read-only directories: reading goes on, writing is withdrawn with its reason."""

import os
import subprocess

import pytest

import storekit

from .conftest import let_in

Capability = storekit.Capability
WRITING = (Capability.ADD, Capability.ADD_UNKNOWN_SIZE, Capability.DELETE)


@pytest.fixture
def read_only(mounted):
    """A filesystem with one image, mounted read-only."""
    place = mounted("ext4", 16)
    (place / "image").write_bytes(b"data")
    subprocess.run(["mount", "-o", "remount,ro", place], check=True)
    return place


def test_a_read_only_mount_can_be_read(open_store, read_only):
    store = open_store(read_only)
    location = f"file://{read_only}/image"

    with store.get(location) as reader:
        assert reader.read() == b"data"
    assert [image.image_id for image in store.list() if image.size == 4] == ["image"]


def test_adding_and_deleting_are_withdrawn_with_the_reason(open_store, read_only):
    store = open_store(read_only)

    for capability in WRITING:
        assert capability not in store.capabilities
        assert "Read-only file system" in store.withdrawn[capability]
    assert store.state.startswith("degraded:")
    with pytest.raises(storekit.Unsupported):
        store.add("other", b"data")
    with pytest.raises(storekit.Unsupported):
        store.delete(f"file://{read_only}/image")


def test_a_directory_that_may_not_be_written_can_be_read(open_store, tmp_path, as_nobody):
    directory = tmp_path / "images"
    directory.mkdir()
    (directory / "image").write_bytes(b"data")
    directory.chmod(0o555)
    let_in(tmp_path)

    with as_nobody():
        store = open_store()
        assert "Permission denied" in store.withdrawn[Capability.ADD]
        assert store.get_size(f"file://{directory}/image") == 4


def test_a_mount_that_becomes_read_only_forbids(open_store, mounted):
    place = mounted("ext4", 16)
    store = open_store(place)
    stored = store.add("image", b"data")
    subprocess.run(["mount", "-o", "remount,ro", place], check=True)

    with pytest.raises(storekit.Forbidden):
        store.add("other", b"data")
    with pytest.raises(storekit.Forbidden):
        store.delete(stored.location)
    store.verify(stored.location, stored.digests)


def test_of_several_directories_the_writable_ones_are_used(open_store, read_only, tmp_path):
    (tmp_path / "writable").mkdir()
    store = open_store(paths={read_only: 100, tmp_path / "writable": 1})

    stored = store.add("other", b"data")

    assert stored.location.segments[-2] == "writable"
    with pytest.raises(storekit.Duplicate):
        store.add("image", b"data")
    assert os.listdir(tmp_path / "writable") != []


def test_an_image_that_may_not_be_read_is_forbidden(open_store, tmp_path, as_nobody):
    if os.geteuid():
        pytest.skip("root alone can make a file that others may not read")
    store = open_store()
    stored = store.add("image", b"data")
    let_in(tmp_path)

    with as_nobody(), pytest.raises(storekit.Forbidden):
        store.get(stored.location)
