"""SIGKILL at random instants: an image is there whole, or not at all."""

import hashlib
import os
import random
import signal
import time
from datetime import timedelta

import pytest

import storekit

SHOTS = 200
SIZE = 5_000_011
IMAGE = random.Random(2).randbytes(SIZE)
SHA256 = hashlib.sha256(IMAGE).hexdigest()


def pieces():
    for begin in range(0, SIZE, 250_007):
        yield IMAGE[begin : begin + 250_007]


def in_a_child(work):
    """Run work in a forked child, and give its pid."""
    pid = os.fork()
    if not pid:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return pid


def seconds_of(work):
    """How long a child needs for the work when nobody kills it."""
    began = time.monotonic()
    _, status = os.waitpid(in_a_child(work), 0)
    assert status == 0
    return time.monotonic() - began


def killed_after(seconds, work):
    pid = in_a_child(work)
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def check_and_clear(store):
    """Look at what a kill left visible, and give whether the image was there."""
    images = list(store.list())
    assert [image.image_id for image in images] in ([], ["image"])
    for image in images:
        with store.get(image.location) as reader:
            assert reader.read() == IMAGE
        store.delete(image.location)
    return bool(images)


@pytest.mark.slow
def test_an_add_that_is_killed_leaves_the_whole_image_or_nothing(open_store, tmp_path):
    store = open_store(tmp_path)
    beside = store.add("beside", b"not to be touched")
    store.delete(beside.location)

    def add():
        store.add("image", pieces())

    longest = seconds_of(add)
    assert check_and_clear(store)
    chance = random.Random(3)
    whole = 0
    for _ in range(SHOTS):
        killed_after(chance.uniform(0, 1.2 * longest), add)
        assert len(os.listdir(tmp_path)) <= 1  # nothing but the image: an unnamed file just goes
        whole += check_and_clear(store)
        stored = store.add("image", pieces())
        store.delete(stored.location)
        assert list(store.leftovers(timedelta(0))) == []
    assert 0 < whole < SHOTS  # else the kills hit one side of the commit only


@pytest.mark.slow
@pytest.mark.parametrize("features", [{}, {"links": False}], ids=["linked", "renamed"])
def test_without_unnamed_files_a_kill_leaves_one_file_that_is_reclaimed(open_store, fuse, features):
    mount = fuse(**features)
    # FUSE may be a network's: there a lock proves nothing, and only the age tells.
    store = open_store(mount.path, upload_idle=0)
    beside = store.add("beside", b"not to be touched")

    def add():
        store.add("image", pieces())

    longest = seconds_of(add)
    store.delete(next(image for image in store.list() if image.image_id == "image").location)
    chance = random.Random(4)
    reclaimed = 0
    for _ in range(SHOTS // 10):
        killed_after(chance.uniform(0, longest), add)
        for image in list(store.list()):
            if image.image_id == "image":
                store.verify(image.location, {"sha256": SHA256})
                store.delete(image.location)
        found = list(store.leftovers(timedelta(0)))
        assert len(found) <= 1
        assert [one.name for one in store.reclaim(timedelta(0))] == [one.name for one in found]
        reclaimed += len(found)
        stored = store.add("image", pieces())
        store.delete(stored.location)
        assert {*os.listdir(mount.path)} - {".storekit-lock"} == {"beside"}
    assert reclaimed
    store.verify(beside.location, beside.digests)


@pytest.mark.slow
def test_a_delete_that_is_killed_leaves_the_whole_image_or_nothing(open_store, tmp_path):
    store = open_store(tmp_path)
    chance = random.Random(5)
    for _ in range(SHOTS // 4):
        stored = store.add("image", IMAGE)
        killed_after(chance.uniform(0, 0.004), lambda place=stored.location: store.delete(place))
        check_and_clear(store)
        with pytest.raises(storekit.NotFound):
            store.get_size(stored.location)
