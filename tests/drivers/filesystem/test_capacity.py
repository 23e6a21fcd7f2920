"""Capacity: what the filesystems of the directories hold."""

import os
import shutil
import subprocess
import sys
import textwrap

import pytest

import storekit

from .conftest import unless_here

MIB = 1 << 20


def test_it_is_what_the_filesystem_says(open_store, mounted):
    place = mounted("tmpfs", 16)
    store = open_store(place)
    store.add("image", os.urandom(3 * MIB))

    capacity = store.capacity()

    assert capacity.total == 16 * MIB
    assert 12 * MIB < capacity.free <= 13 * MIB


def test_two_directories_on_one_filesystem_count_once(open_store, mounted):
    place = mounted("tmpfs", 16)
    for name in ("one", "two"):
        (place / name).mkdir()

    store = open_store(paths={place / "one": 1, place / "two": 1})

    assert store.capacity().total == 16 * MIB


def test_two_subvolumes_of_one_btrfs_count_once(open_store, mounted):
    unless_here(None if shutil.which("btrfs") else "there is no btrfs")
    place = mounted("btrfs", 128)
    paths = {place / name: 1 for name in ("one", "two")}
    for path in paths:
        subprocess.run(["btrfs", "-q", "subvolume", "create", path], check=True)

    capacity = open_store(paths=paths).capacity()

    assert capacity.total == 128 * MIB
    assert capacity.free <= 128 * MIB


def test_two_filesystems_add_up(open_store, mounted):
    one, two = mounted("tmpfs", 16), mounted("ext4", 32)

    store = open_store(paths={one: 1, two: 1})

    spaces = [os.statvfs(place) for place in (one, two)]
    assert store.capacity().total == sum(space.f_blocks * space.f_frsize for space in spaces)


def test_without_thin_more_than_is_free_is_refused_before_it_is_read(open_store, mounted):
    store = open_store(mounted("tmpfs", 4), thin=False)

    def data():
        raise AssertionError("it was read")
        yield

    with pytest.raises(storekit.StorageFull, match="are free"):
        store.add("image", data(), size=4 * MIB + 1)


def test_a_full_disk_leaves_nothing_and_deleting_makes_room(open_store, mounted):
    place = mounted("ext4", 16)
    store = open_store(place)
    first = store.add("first", os.urandom(5 * MIB))
    before = sorted(os.listdir(place))

    with pytest.raises(storekit.StorageFull):
        store.add("second", os.urandom(30 * MIB))
    assert sorted(os.listdir(place)) == before
    store.delete(first.location)
    store.add("second", os.urandom(5 * MIB))


def test_a_store_on_a_full_disk_opens_and_deletes(open_store, mounted):
    place = mounted("tmpfs", 4, "nr_inodes=8")
    for number in range(7):
        (place / f"image-{number}").write_bytes(b"data")

    store = open_store(place)
    with pytest.raises(storekit.StorageFull):
        store.add("image", b"data")
    for number in range(4):
        store.delete(f"file://{place}/image-{number}")
    assert store.add("image", b"data").size == 4


@pytest.mark.parametrize("data", ["os.urandom(3 << 20)", "bytes(3 << 20)", "Path(source)"])
def test_more_than_the_process_may_write_is_refused_and_leaves_nothing(tmp_path, data):
    (tmp_path / "images").mkdir()
    (tmp_path / "source").write_bytes(os.urandom(3 * MIB))
    script = textwrap.dedent(f"""
        import os, resource, sys, storekit
        from pathlib import Path
        directory, source = sys.argv[1:]
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        store = storekit.open_store("filesystem", path=directory)
        try:
            store.add("image", {data})
        except storekit.StorageFull:
            print(os.listdir(directory), store.withdrawn)
    """)
    command = [sys.executable, "-c", script, tmp_path / "images", tmp_path / "source"]

    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert done.stdout == "[] {}\n"
