"""Kernel copy: a file on the same filesystem is copied by the kernel, and hashed as stored."""

import hashlib
import io
import os
import random

import pytest

import storekit

from .conftest import taken

MIB = 1 << 20
PAGE = 4096


@pytest.fixture
def image(tmp_path):
    """A file of 37 MiB and a bit: more than the kernel is asked to copy at once."""
    path = tmp_path / "source.img"
    path.write_bytes(random.Random(1).randbytes(37 * MIB + 4321))
    return path


def test_a_path_is_stored_and_hashed(open_store, tmp_path, image):
    stored = open_store().add("image", image, hashes=("sha256",))

    assert (tmp_path / "images" / "image").read_bytes() == image.read_bytes()
    assert stored.digests == {"sha256": hashlib.sha256(image.read_bytes()).hexdigest()}


@pytest.mark.parametrize("buffering", [0, -1])
@pytest.mark.parametrize("begin", [0, 1, PAGE, 5 * MIB + 7])
@pytest.mark.parametrize("thin", [True, False])
def test_an_open_file_is_stored_from_where_it_stands(
    open_store, tmp_path, image, buffering, begin, thin
):
    with image.open("rb", buffering=buffering) as file:
        file.seek(begin)
        stored = open_store(thin=thin).add("image", file, hashes=("md5",))

    data = image.read_bytes()[begin:]
    assert (tmp_path / "images" / "image").read_bytes() == data
    assert stored.digests == {"md5": hashlib.md5(data).hexdigest()}


def test_an_open_file_is_stored_from_its_buffer_where_it_was_read_already(
    open_store, tmp_path, image
):
    with image.open("rb") as file:
        head = file.read(10)
        open_store().add("image", file)

    assert head + (tmp_path / "images" / "image").read_bytes() == image.read_bytes()


def test_holes_and_zeros_of_the_file_take_no_space(open_store, tmp_path):
    source = tmp_path / "source.img"
    with source.open("wb") as file:
        file.write(b"a" * PAGE)
        file.seek(40 * MIB)  # a hole
        file.write(b"b" * PAGE + bytes(3 * MIB) + b"c")  # and zeros that were written
        file.truncate(90 * MIB)  # and a hole at the end

    stored = open_store().add("image", source, hashes=("sha1",))

    copy = tmp_path / "images" / "image"
    assert copy.read_bytes() == source.read_bytes()
    assert stored.digests == {"sha1": hashlib.sha1(source.read_bytes()).hexdigest()}
    assert taken(copy) <= 4 * PAGE


def test_without_thin_holes_of_the_file_are_filled(open_store, tmp_path):
    source = tmp_path / "source.img"
    source.touch()
    os.truncate(source, 2 * MIB)

    open_store(thin=False).add("image", source)

    assert taken(tmp_path / "images" / "image") >= 2 * MIB


@pytest.mark.parametrize("size", [0, 1, PAGE, 16 * MIB - 1, 16 * MIB, 16 * MIB + 1])
def test_every_size_is_copied_whole(open_store, tmp_path, size):
    source = tmp_path / "source.img"
    source.write_bytes(random.Random(2).randbytes(size))

    stored = open_store().add("image", source)

    assert stored.size == size
    assert (tmp_path / "images" / "image").read_bytes() == source.read_bytes()


class Meddler:
    """A verifier that changes the file while it is copied, and notes what it is shown."""

    def __init__(self, path):
        self.path = path
        self.seen = bytearray()

    def update(self, data):
        if not self.seen:
            with self.path.open("r+b") as file:
                file.write(b"changed")  # what was copied already
                file.seek(-7, io.SEEK_END)
                file.write(b"changed")  # and what was not
        self.seen += data


def test_what_is_hashed_is_what_is_stored_even_of_a_file_that_changes(open_store, tmp_path, image):
    meddler = Meddler(image)

    stored = open_store().add("image", image, hashes=("sha256",), verifier=meddler)

    kept = (tmp_path / "images" / "image").read_bytes()
    assert kept[-7:] == b"changed"
    assert kept[:7] != b"changed"
    assert bytes(meddler.seen) == kept
    assert stored.digests == {"sha256": hashlib.sha256(kept).hexdigest()}


def test_a_file_that_becomes_shorter_is_refused(open_store, tmp_path, image):
    class Cutter:
        def update(self, data):
            os.truncate(image, 20 * MIB)

    store = open_store()
    with pytest.raises(storekit.SizeMismatch):
        store.add("image", image, verifier=Cutter())

    assert os.listdir(tmp_path / "images") == []


def test_a_file_longer_than_declared_is_refused_before_it_is_copied_whole(
    open_store, tmp_path, image
):
    counts = []
    store = open_store()
    with image.open("rb") as file, pytest.raises(storekit.SizeMismatch):
        store.add("image", file, size=5, progress=counts.append)

    assert counts == []
    assert os.listdir(tmp_path / "images") == []


def test_a_wrong_digest_is_refused(open_store, tmp_path, image):
    store = open_store()
    with pytest.raises(storekit.DigestMismatch):
        store.add("image", image, expect={"md5": "0" * 32})

    assert os.listdir(tmp_path / "images") == []


def test_a_file_of_another_filesystem_is_read_instead(open_store, mounted, tmp_path):
    source = mounted("tmpfs", 8) / "source.img"
    source.write_bytes(random.Random(3).randbytes(3 * MIB + 1))

    open_store().add("image", source)

    assert (tmp_path / "images" / "image").read_bytes() == source.read_bytes()


def test_a_file_that_the_kernel_makes_up_is_read_instead(open_store, tmp_path):
    with open("/proc/self/mountinfo", "rb") as file:
        stored = open_store().add("image", file)

    assert stored.size > 0
    assert b" - " in (tmp_path / "images" / "image").read_bytes()


@pytest.mark.parametrize(("kind", "mebibytes"), [("xfs", 320), ("btrfs", 320)])
def test_blocks_are_shared_where_the_filesystem_can(open_store, mounted, kind, mebibytes):
    place = mounted(kind, mebibytes)
    source = place / "source.img"
    source.write_bytes(random.Random(4).randbytes(64 * MIB + 123))
    images = place / "images"
    images.mkdir()
    os.sync()
    before = os.statvfs(place)

    stored = open_store(images).add("image", source, hashes=("sha256",))

    os.sync()
    after = os.statvfs(place)
    assert (before.f_bavail - after.f_bavail) * after.f_frsize < 8 * MIB
    assert (images / "image").read_bytes() == source.read_bytes()
    assert stored.digests == {"sha256": hashlib.sha256(source.read_bytes()).hexdigest()}


def test_a_copy_within_a_store_is_made_by_the_kernel(open_store, mounted):
    store = open_store(mounted("btrfs", 320))
    stored = store.add("image", random.Random(5).randbytes(64 * MIB))
    os.sync()
    before = store.capacity().free

    copy = store.copy(stored.location, image_id="copy", digests=stored.digests)

    os.sync()
    assert before - store.capacity().free < 8 * MIB
    assert copy.digests == stored.digests
    assert copy.size == stored.size
    store.delete(stored.location)
    store.verify(copy.location, stored.digests)


def test_a_copy_under_a_taken_id_is_a_duplicate(open_store):
    store = open_store()
    stored = store.add("image", b"one")
    store.add("copy", b"two")

    with pytest.raises(storekit.Duplicate):
        store.copy(stored.location, image_id="copy", digests=stored.digests)

    assert sorted(image.size for image in store.list()) == [3, 3]


def test_a_copy_of_a_missing_image_is_not_found(open_store, tmp_path):
    store = open_store()
    stored = store.add("image", b"one")
    store.delete(stored.location)

    with pytest.raises(storekit.NotFound):
        store.copy(stored.location, image_id="copy", digests=stored.digests)

    assert os.listdir(tmp_path / "images") == []
