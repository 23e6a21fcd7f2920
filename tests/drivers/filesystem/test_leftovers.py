"""Leftovers: hidden files of killed uploads are found and removed, those of live ones are not."""

import fcntl
import os
import signal
import subprocess
import sys
import textwrap
import time
from datetime import UTC, datetime, timedelta

import pytest

import storekit
from storekit.drivers.filesystem import probing

NONE = timedelta(0)
HIDDEN = ".storekit-upload-0123456789abcdef0123456789abcdef"


@pytest.fixture
def leftover(tmp_path):
    """What an upload by way of a hidden file leaves when it is killed."""
    (tmp_path / "images").mkdir()
    path = tmp_path / "images" / HIDDEN
    path.write_bytes(bytes(1000))
    return path


def test_a_hidden_file_is_listed_with_its_size_and_time(open_store, leftover):
    store = open_store()

    (found,) = store.leftovers(NONE)

    assert found.name == str(leftover)
    assert found.store == "filesystem"
    assert found.size == 1000
    assert abs(datetime.now(UTC) - found.modified) < timedelta(minutes=5)


def test_it_is_removed_by_reclaim_and_nothing_else_is(open_store, leftover):
    store = open_store()
    stored = store.add("image", b"data")

    assert [found.name for found in store.reclaim(NONE)] == [str(leftover)]

    assert os.listdir(leftover.parent) == ["image"]
    assert store.reclaim(NONE) == []
    store.verify(stored.location, stored.digests)


def test_a_younger_one_is_left_alone(open_store, leftover):
    store = open_store()
    hour = timedelta(hours=1)

    assert list(store.leftovers(hour)) == []
    assert store.reclaim(hour) == []
    os.utime(leftover, (time.time() - 3700,) * 2)
    assert len(list(store.leftovers(hour))) == 1
    assert len(store.reclaim(hour)) == 1


def test_one_whose_lock_is_held_is_alive(open_store, leftover):
    store = open_store()
    with leftover.open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        assert list(store.leftovers(NONE)) == []
        assert store.reclaim(NONE) == []

    assert len(store.reclaim(NONE)) == 1


def test_what_is_no_regular_file_is_not_ours(open_store, leftover):
    store = open_store()
    leftover.unlink()
    leftover.mkdir()
    (leftover.parent / ".storekit-upload-link").symlink_to("/etc/passwd")
    os.mkfifo(leftover.parent / ".storekit-upload-pipe")

    assert list(store.leftovers(NONE)) == []


def test_one_of_another_directory_is_not_reclaimed(open_store, leftover, tmp_path):
    (tmp_path / "other").mkdir()
    store, other = open_store(), open_store(tmp_path / "other")
    (found,) = store.leftovers(NONE)

    with pytest.raises(storekit.NotFound):
        other.opening.instance().reclaim(found)

    assert leftover.exists()


def test_where_locks_may_not_be_seen_an_idle_one_is_dead(open_store, fuse):
    mount = fuse()
    (mount.path / HIDDEN).write_bytes(b"data")

    assert list(open_store(mount.path).leftovers(NONE)) == []
    assert len(list(open_store(mount.path, upload_idle=0).leftovers(NONE))) == 1


KILLED = textwrap.dedent("""
    import sys, storekit

    def data():
        yield b"x" * 3_000_000
        print("under way", flush=True)
        sys.stdin.read()
        yield b"never"

    storekit.open_store("filesystem", path=sys.argv[1]).add("image", data())
""")


def start_upload(path):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "under way\n"
    return process


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_a_kill_leaves_nothing_where_there_are_unnamed_files(open_store, tmp_path):
    store = open_store()

    kill(start_upload(tmp_path / "images"))

    assert os.listdir(tmp_path / "images") == []
    assert list(store.leftovers(NONE)) == []
    store.add("image", b"data")


def test_a_kill_leaves_one_hidden_file_elsewhere_which_is_reclaimed(open_store, fuse):
    mount = fuse()
    store = open_store(mount.path, upload_idle=0)
    process = start_upload(mount.path)
    assert list(store.leftovers(NONE)) == []  # it is alive
    assert store.reclaim(NONE) == []

    kill(process)

    assert list(store.list()) == []
    (found,) = store.reclaim(NONE)
    assert found.size > 0
    assert os.listdir(mount.path) == []
    store.add("image", b"data")


@pytest.mark.parametrize("instant", ["flock", "_is_sparse", "_road", "rename_exclusively"])
def test_reclaiming_does_not_mislead_the_trial_of_another_process(open_store, fuse, instant):
    mount = fuse(links=False)
    store = open_store(mount.path, upload_idle=0)
    reclaimed = []

    def look(frame, event, function):
        name = frame.f_code.co_name if event == "call" else getattr(function, "__name__", "")
        if event in {"call", "c_call"} and name == instant:
            sys.setprofile(None)
            reclaimed.append(len(store.reclaim(NONE)))

    directory = os.open(mount.path, os.O_RDONLY)
    sys.setprofile(look)
    try:
        road = probing.probe(directory).road
    finally:
        sys.setprofile(None)
        os.close(directory)

    assert road is probing.Road.RENAMED
    # Before the lock a file is taken for dead, and the trial begins again.
    assert reclaimed == [1 if instant == "flock" else 0]
    assert os.listdir(mount.path) == []
