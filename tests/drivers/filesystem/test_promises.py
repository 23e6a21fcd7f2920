"""Promises: what a filesystem cannot do is found out when the store is opened, and withdrawn."""

import os
import subprocess

import pytest

import storekit

Capability = storekit.Capability


def test_an_ordinary_disk_can_do_everything(open_store, mounted):
    store = open_store(mounted("ext4", 16))

    assert store.withdrawn == {}
    assert store.state == "ready"
    assert Capability.IN_USE_GUARD not in store.capabilities
    assert Capability.DETECTS_CORRUPTION not in store.capabilities


def test_the_trial_leaves_nothing(open_store, tmp_path):
    open_store()

    assert os.listdir(tmp_path / "images") == []


def test_a_filesystem_without_holes_is_not_thin(open_store, fuse):
    store = open_store(fuse(holes=False).path)

    assert list(store.withdrawn) == [Capability.THIN]
    assert "no holes" in store.withdrawn[Capability.THIN]
    assert store.add("image", bytes(1 << 20)).size == 1 << 20


def test_a_filesystem_that_does_not_tell_upper_from_lower_case_takes_no_images(open_store, fuse):
    store = open_store(fuse(folds=True).path)

    assert Capability.ADD not in store.capabilities
    assert "upper from lower case" in store.withdrawn[Capability.ADD]
    assert Capability.GET in store.capabilities


def test_a_filesystem_that_cannot_sync_a_directory_is_not_durable(open_store, fuse):
    mount = fuse()
    mount.fault("einval", "fsyncdir")

    store = open_store(mount.path)

    assert list(store.withdrawn) == [Capability.DURABLE]
    assert store.add("image", b"data").size == 4


def test_a_filesystem_without_modes_works_all_the_same(open_store, fuse):
    mount = fuse()
    mount.fault("eperm", "chmod")

    store = open_store(mount.path)

    assert store.add("image", b"data").size == 4
    assert store.withdrawn == {}


@pytest.mark.parametrize("name", ["einval", "eilseq"])
def test_an_id_that_the_filesystem_cannot_have_is_an_invalid_argument(open_store, fuse, name):
    mount = fuse()
    store = open_store(mount.path)
    mount.fault(name, "link")

    with pytest.raises(storekit.InvalidArgument):
        store.add("what?", b"data")

    assert os.listdir(mount.path) == []


def test_options_that_contradict_are_refused(tmp_path):
    both = {"path": tmp_path, "paths": {tmp_path: 1}}
    for options, why in (
        ({}, "neither path"),
        ({"paths": {}}, "neither path"),
        (both, "both path"),
    ):
        with pytest.raises(storekit.ConfigurationError, match=why):
            storekit.open_store("filesystem", **options)


@pytest.mark.parametrize("mode", ["rw", "ro"])
def test_what_is_in_memory_only_is_not_durable_read_only_or_not(open_store, mounted, mode):
    place = mounted("tmpfs", 4)
    subprocess.run(["mount", "-o", f"remount,{mode}", place], check=True)

    assert Capability.DURABLE in open_store(place).withdrawn


def test_a_store_on_two_filesystems_promises_what_both_can(open_store, mounted, fuse):
    store = open_store(paths={mounted("ext4", 16): 1, fuse(holes=False).path: 1})

    assert list(store.withdrawn) == [Capability.THIN]
