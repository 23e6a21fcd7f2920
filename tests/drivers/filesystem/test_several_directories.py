"""Several directories: which one an image goes to, and one winner across all of them."""

import fcntl
import multiprocessing
import os
import random
import subprocess
import threading
from contextlib import suppress
from datetime import timedelta

import pytest

import storekit

from .conftest import let_in, unless_here

MIB = 1 << 20


@pytest.fixture
def directories(tmp_path):
    """Three directories."""
    places = [tmp_path / name for name in ("one", "two", "three")]
    for place in places:
        place.mkdir()
    return places


def where(location):
    return location.segments[-2]


def test_the_highest_weight_is_filled_first(open_store, directories):
    one, two, three = directories
    store = open_store(paths={one: 1, two: 200, three: 30})

    stored = store.add("image", b"data")

    assert where(stored.location) == "two"
    assert (two / "image").read_bytes() == b"data"


def test_among_equals_the_one_with_most_free_space_is_taken(open_store, tmp_path, mounted):
    (tmp_path / "big").mkdir()
    small = mounted("tmpfs", 4)
    store = open_store(paths={small: 1, tmp_path / "big": 1})

    assert where(store.add("image", b"data").location) == "big"


def test_a_directory_that_is_too_full_for_the_declared_size_is_passed_over(
    open_store, tmp_path, mounted
):
    (tmp_path / "big").mkdir()
    small = mounted("tmpfs", 4)
    store = open_store(paths={small: 2, tmp_path / "big": 1})

    assert where(store.add("large", random.Random(0).randbytes(5 * MIB)).location) == "big"
    assert where(store.add("small", b"data").location) == small.name


def test_without_thin_what_fits_nowhere_is_refused_before_it_is_read(open_store, tmp_path, mounted):
    small = mounted("tmpfs", 4)
    (small / "other").mkdir()
    store = open_store(paths={small: 1, small / "other": 1}, thin=False)

    def data():
        raise AssertionError("it was read")
        yield

    with pytest.raises(storekit.StorageFull, match="free"):
        store.add("image", data(), size=5 * MIB)


def test_thin_images_may_be_larger_than_what_is_free(open_store, mounted):
    store = open_store(mounted("tmpfs", 4))

    stored = store.add("image", bytes(64 * MIB))

    assert store.get_size(stored.location) == 64 * MIB


def test_an_id_that_is_taken_in_any_of_them_is_a_duplicate(open_store, directories):
    one, two, three = directories
    (three / "image").write_bytes(b"old")
    store = open_store(paths={one: 3, two: 2, three: 1})

    with pytest.raises(storekit.Duplicate, match="three"):
        store.add("image", b"new")

    assert not (one / "image").exists()


def test_every_image_is_found_where_it_is(open_store, directories):
    one, two, three = directories
    for number, place in enumerate(directories):
        (place / f"image-{number}").write_bytes(bytes(number))
    store = open_store(paths={one: 1, two: 1, three: 1})

    found = {image.image_id: image for image in store.list()}

    assert {name: image.size for name, image in found.items()} == {
        "image-0": 0,
        "image-1": 1,
        "image-2": 2,
    }
    for image in found.values():
        assert store.get_size(image.location) == image.size
        store.delete(image.location)
    assert list(store.list()) == []


def _add(barrier, paths, number, answers):
    with storekit.open_store("filesystem", paths=paths) as store:
        results = []
        for turn in range(15):
            barrier.wait()
            try:
                stored = store.add(f"image-{turn}", f"{number}".encode() * 1000)
            except storekit.Duplicate:
                results.append(None)
            else:
                results.append(stored.digests["md5"])
        answers.put(results)


def test_of_processes_that_choose_differently_one_wins(directories, tmp_path):
    # Equal space and different weights, so that each process prefers another directory.
    context = multiprocessing.get_context("fork")
    barrier, answers = context.Barrier(3), context.Queue()
    choices = [dict.fromkeys(directories, 1) | {directories[number]: 100} for number in range(3)]
    processes = [
        context.Process(target=_add, args=(barrier, choice, number, answers))
        for number, choice in enumerate(choices)
    ]
    for process in processes:
        process.start()
    results = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()

    for turn in range(15):
        assert sum(result[turn] is not None for result in results) == 1
        assert sum((place / f"image-{turn}").exists() for place in directories) == 1


def test_of_threads_of_one_store_one_wins(open_store, directories):
    store = open_store(paths=dict.fromkeys(directories, 1))
    barrier = threading.Barrier(8)
    won = []

    def add(number):
        barrier.wait()
        with suppress(storekit.Duplicate):
            won.append(store.add("image", bytes([number]) * 100_000))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(won) == 1
    store.verify(won[0].location, won[0].digests)


def hold(place):
    """Lock a directory as another process does in a commit."""
    fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    return fd


def test_a_commit_waits_for_the_lock_of_another_and_no_longer_than_io_timeout(
    open_store, directories
):
    store = open_store(paths=dict.fromkeys(directories, 1), io_timeout=0.2)
    held = hold(directories[0])
    with pytest.raises(storekit.Timeout, match="locked by others"):
        store.add("image", b"data")
    os.close(held)
    assert [os.listdir(place) for place in directories] == [[], [], []]

    store.add("image", b"data")


@pytest.fixture
def first_read_only(mounted, tmp_path):
    """Two directories, the first of them on a mount that is read-only so far."""
    first, second = mounted("tmpfs", 4), tmp_path / "second"
    second.mkdir()
    subprocess.run(["mount", "-o", "remount,ro", first], check=True)
    return first, second


def test_a_process_for_which_the_first_was_read_only_has_the_same_lock(open_store, first_read_only):
    first, second = first_read_only
    store = open_store(paths={first: 2, second: 1}, io_timeout=0.2)
    held = hold(first)

    with pytest.raises(storekit.Timeout):
        store.add("image", b"data")

    os.close(held)
    assert where(store.add("image", b"data").location) == "second"


def test_one_wins_though_the_first_was_read_only_for_the_other(open_store, first_read_only):
    first, second = first_read_only
    late = open_store(paths={first: 2, second: 1})
    subprocess.run(["mount", "-o", "remount,rw", first], check=True)
    early = open_store(paths={first: 2, second: 1})

    def data():
        yield b"some"
        assert where(early.add("image", b"first").location) == first.name
        yield b"more"

    with pytest.raises(storekit.Duplicate):
        late.add("image", data())

    assert os.listdir(second) == []


def test_the_lock_leaves_no_file(open_store, directories):
    open_store(paths=dict.fromkeys(directories, 1)).add("image", b"data")

    assert [os.listdir(place) for place in directories] == [["image"], [], []]


def test_whoever_may_write_images_can_take_the_lock(tmp_path, directories):
    unless_here("another user can be had by root only" if os.geteuid() else None)
    let_in(tmp_path)
    for place in directories:
        place.chmod(0o2770)
        os.chown(place, 65534, 65534)

    for user in (65534, 12345, 65534):
        child = os.fork()
        if not child:
            with suppress(BaseException):
                os.setgroups([65534])
                os.setgid(65534)
                os.setuid(user)
                os.umask(0o077)
                with storekit.open_store(
                    "filesystem", paths=dict.fromkeys(directories, 1), file_mode="0440"
                ) as store:
                    store.delete(store.add("image", b"data").location)
                os._exit(0)
            os._exit(1)
        assert os.waitpid(child, 0)[1] == 0


@pytest.fixture
def remote(fuse):
    """Two directories where the lock is a file."""
    point = fuse().path
    places = [point / "one", point / "two"]
    for place in places:
        place.mkdir()
        place.chmod(0o775)
    return places


def test_the_lock_file_is_neither_image_nor_leftover(open_store, remote):
    store = open_store(paths=dict.fromkeys(remote, 1), upload_idle=0)
    store.delete(store.add("image", b"data").location)

    assert (remote[0] / ".storekit-lock").exists()
    assert list(store.list()) == []
    assert list(store.leftovers(timedelta(0))) == []
    assert store.reclaim(timedelta(0)) == []


def test_the_mode_of_the_lock_file_is_that_of_the_directory_whatever_the_umask(open_store, remote):
    before = os.umask(0o077)
    try:
        open_store(paths=dict.fromkeys(remote, 1), file_mode="0400").add("image", b"data")
    finally:
        os.umask(before)

    assert (remote[0] / ".storekit-lock").stat().st_mode & 0o777 == 0o660


def test_a_removed_lock_file_is_made_again(open_store, remote):
    store = open_store(paths=dict.fromkeys(remote, 1))
    store.add("one", b"data")
    (remote[0] / ".storekit-lock").unlink()

    store.add("two", b"data")


def test_a_lock_file_that_may_not_be_opened_forbids_and_says_so(open_store, fuse, tmp_path):
    mount = fuse()
    (tmp_path / "other").mkdir()
    store = open_store(paths={mount.path: 1, tmp_path / "other": 2})
    mount.fault("eacces", "open", "create")

    with pytest.raises(storekit.Forbidden, match="first directory"):
        store.add("image", b"data")

    assert os.listdir(tmp_path / "other") == []


def test_a_first_directory_on_the_network_that_is_read_only_withdraws_adding(
    open_store, fuse, tmp_path
):
    mount = fuse()
    mount.fault("erofs", "create")
    (tmp_path / "other").mkdir()

    store = open_store(paths={mount.path: 1, tmp_path / "other": 2})

    assert "whose lock is needed" in store.withdrawn[storekit.Capability.ADD]
    assert storekit.Capability.DELETE in store.capabilities


def test_one_directory_given_twice_is_refused(open_store, tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "alias").symlink_to("images")

    with pytest.raises(storekit.ConfigurationError, match="paths"):
        open_store(paths={tmp_path / "images": 1, tmp_path / "alias": 1})
