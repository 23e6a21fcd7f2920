"""Files as data: paths, named pipes and devices."""

import os
import threading

import pytest
from toys import data as shapes
from toys.shelf import ShelfDriver

import storekit
from storekit import InvalidArgument, SizeMismatch, Source, StorageFull, StoreError

MIB = 1 << 20
IMAGE = os.urandom(2 * MIB + 5)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "image"
    path.write_bytes(IMAGE)
    return path


class PathLike(os.PathLike):
    def __init__(self, path, kind=str):
        self._path = path
        self._kind = kind

    def __fspath__(self):
        return str(self._path) if self._kind is str else os.fsencode(self._path)


@pytest.mark.parametrize("kind", [str, bytes])
def test_a_path_declares_the_size_of_its_file_and_is_closed_afterwards(path, kind):
    before = shapes.open_fds()
    source = Source(PathLike(path, kind))
    assert shapes.open_fds() == before
    assert source.size == len(IMAGE)
    assert source.read(10) == IMAGE[:10]
    assert b"".join(source.chunks(MIB)) == IMAGE[10:]
    source.close()
    assert shapes.open_fds() == before


def test_an_entry_of_a_directory_is_a_path(path):
    (entry,) = os.scandir(path.parent)
    source = Source(entry)
    assert b"".join(source.chunks(MIB)) == IMAGE
    source.close()


@pytest.mark.parametrize("size", [0, len(IMAGE) - 1, len(IMAGE) + 1])
def test_a_size_that_is_not_that_of_the_file_is_refused_at_once(path, size):
    with pytest.raises(SizeMismatch):
        Source(path, size)
    assert Source(path, len(IMAGE)).size == len(IMAGE)


@pytest.mark.parametrize("name", [".", "missing", "image/below", "x" * 300, "a\0b", "loop"])
def test_a_path_that_cannot_be_read_is_an_invalid_argument(path, name):
    (path.parent / "loop").symlink_to("loop")
    with pytest.raises(InvalidArgument):
        Source(path.parent / name)


def test_a_file_that_vanishes_before_it_is_read_is_the_callers_error(path):
    store = storekit.open_store(ShelfDriver, name="toys")
    source = Source(path)
    path.unlink()
    with pytest.raises(FileNotFoundError) as caught:
        source.read(1)
    assert not isinstance(caught.value, StoreError)
    source.close()
    assert list(store.list()) == []


def test_a_path_of_an_image_whose_id_is_taken_is_not_opened(path):
    store = storekit.open_store(ShelfDriver, name="toys")
    store.add("teddy", b"image")
    fifo = path.parent / "fifo"
    os.mkfifo(fifo)  # opening it would wait for a writer
    with pytest.raises(storekit.Duplicate):
        store.add("teddy", fifo)


@pytest.mark.parametrize("change", [-1, -MIB, 1, MIB])
def test_a_path_to_a_file_that_changes_its_length_is_a_mismatch(path, change):
    source = Source(path)
    os.truncate(path, len(IMAGE) + change)
    with pytest.raises(SizeMismatch):
        list(source.chunks(MIB))
    assert not source.done
    source.close()


def test_a_named_pipe_has_no_size_and_all_of_its_bytes(path):
    fifo = path.parent / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=lambda: fifo.write_bytes(IMAGE))
    writer.start()
    source = Source(fifo)
    assert source.size is None
    assert b"".join(source.chunks(MIB)) == IMAGE
    writer.join()
    source.close()


class Device(os.PathLike):
    def __fspath__(self):
        return "/dev/zero"


def test_a_device_is_read_to_the_declared_size_and_not_forever():
    for options, kind in (
        ({"size": 10 * MIB}, SizeMismatch),
        ({"max_image_size": MIB}, StorageFull),
    ):
        source = Source(Device(), **options)
        assert source.size == options.get("size")
        with pytest.raises(kind):
            list(source.chunks(MIB))
        source.close()
