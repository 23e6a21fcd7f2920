"""Roads: how a file becomes an image where there are no unnamed files, links, or safe renames."""

import os
import random
import threading
from contextlib import suppress
from datetime import timedelta

import pytest

import storekit

SIZE = 3_000_017
ROADS = [{}, {"links": False}, {"links": False, "noreplace": False}]


@pytest.fixture(params=ROADS, ids=["linked", "renamed", "locked"])
def mount(request, fuse):
    """A filesystem without unnamed files, and with less from road to road."""
    return fuse(**request.param)


def images_in(mount):
    # FUSE keeps a file that was removed while it was open under such a name for a moment longer.
    names = (name for name in os.listdir(mount.path) if not name.startswith(".fuse_hidden"))
    return sorted(name for name in names if name != ".storekit-lock")


def test_an_image_is_stored_read_listed_and_deleted(open_store, mount):
    store = open_store(mount.path)
    data = random.Random(1).randbytes(SIZE)

    stored = store.add("image", data)

    with store.get(stored.location) as reader:
        assert reader.read() == data
    assert [image.image_id for image in store.list()] == ["image"]
    assert images_in(mount) == ["image"]
    store.delete(stored.location)
    assert images_in(mount) == []


def test_a_duplicate_is_refused_before_it_is_read(open_store, mount):
    store = open_store(mount.path)
    stored = store.add("image", b"one")

    def data():
        raise AssertionError("it was read")
        yield

    with pytest.raises(storekit.Duplicate):
        store.add("image", data())
    store.verify(stored.location, stored.digests)


def test_an_image_that_appears_meanwhile_is_not_replaced(open_store, mount):
    store = open_store(mount.path)

    def data():
        yield b"late"
        (mount.path / "image").write_bytes(b"early")

    with pytest.raises(storekit.Duplicate):
        store.add("image", data())

    assert (mount.path / "image").read_bytes() == b"early"
    assert images_in(mount) == ["image"]


def test_of_many_threads_one_wins(open_store, mount):
    stores = [open_store(mount.path) for _ in range(2)]
    barrier = threading.Barrier(6)
    won = []

    def add(number):
        barrier.wait()
        with suppress(storekit.Duplicate):
            won.append(stores[number % 2].add("image", bytes([number]) * 100_000))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(won) == 1
    stores[0].verify(won[0].location, won[0].digests)
    assert images_in(mount) == ["image"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failing_source_leaves_nothing(open_store, mount, error):
    store = open_store(mount.path)

    def data():
        yield bytes(100_000)
        raise error

    with pytest.raises(error):
        store.add("image", data())

    assert images_in(mount) == []


def test_an_upload_under_way_is_hidden_and_alive(open_store, mount):
    store = open_store(mount.path, upload_idle=0)
    seen = []

    def data():
        yield b"some"
        seen.extend(os.listdir(mount.path))
        seen.append(list(store.list()))
        seen.append(list(store.leftovers(timedelta(0))))
        seen.append(store.reclaim(timedelta(0)))
        yield b"more"

    stored = store.add("image", data())

    hidden, *answers = [entry for entry in seen if entry != ".storekit-lock"]
    assert hidden.startswith(".storekit-upload-")
    assert answers == [[], [], []]
    assert store.get_size(stored.location) == 8


def test_an_upload_whose_file_was_removed_cannot_commit(open_store, mount):
    store = open_store(mount.path)

    def data():
        yield b"some"
        for entry in mount.path.glob(".storekit-upload-*"):
            entry.unlink()

    with pytest.raises(storekit.Unavailable, match="removed"):
        store.add("image", data())

    assert images_in(mount) == []


def test_the_probe_leaves_nothing(open_store, mount):
    open_store(mount.path).close()

    assert os.listdir(mount.path) == []


def test_only_locks_of_one_machine_are_no_promise_to_others(open_store, fuse):
    mount = fuse(links=False, noreplace=False)

    store = open_store(mount.path)

    assert storekit.Capability.EXCLUSIVE_ADD not in store.capabilities
    assert "locks" in store.withdrawn[storekit.Capability.EXCLUSIVE_ADD]


def test_links_are_as_good_as_unnamed_files(open_store, fuse):
    store = open_store(fuse().path)

    assert store.withdrawn == {}


def test_where_unnamed_files_work_an_upload_has_no_name_at_all(open_store, tmp_path):
    store = open_store()
    seen = []

    def data():
        yield b"some"
        seen.extend(os.listdir(tmp_path / "images"))

    store.add("image", data())

    assert seen == []
