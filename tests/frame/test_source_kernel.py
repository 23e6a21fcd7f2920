"""Files whose descriptor the driver asks for: what the kernel copied is what was checked."""

import gzip
import hashlib
import io
import os
import socket
import tempfile
from contextlib import suppress
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import data as shapes
from toys.shelf import ShelfDriver

import storekit
from storekit import DigestMismatch, SizeMismatch, Source, StorageFull, StoreError

MIB = 1 << 20
IMAGE = os.urandom(2 * MIB + 5)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "image"
    path.write_bytes(IMAGE)
    return path


@pytest.fixture
def target(tmp_path):
    with open(tmp_path / "target", "w+b", buffering=0) as file:
        yield file.fileno()


def by_kernel(source, target, n=None, most=MIB):
    """Copy as a driver does that has a descriptor on both sides; up to n bytes, else all."""
    fd = source.fileno()
    assert fd is not None
    done = 0
    while n is None or done < n:
        copied = os.copy_file_range(fd, target, most if n is None else min(most, n - done))
        if not copied:
            break
        source.copied(target, copied)
        done += copied
    return done


@pytest.mark.parametrize("seen", [False, True])
@pytest.mark.parametrize("buffering", [0, -1])
@pytest.mark.parametrize("begin", [0, 1, MIB + 7, len(IMAGE)])
def test_a_file_is_copied_by_the_kernel_from_where_it_stands(path, target, begin, buffering, seen):
    verifier = hashlib.sha1()
    with open(path, "rb", buffering=buffering) as file:
        file.seek(begin)
        options = {"hashes": ("md5",), "verifier": verifier} if seen else {}
        source = Source(file, **options)
        by_kernel(source, target)
        assert source.read(MIB) == b""
        assert source.done
        source.close()
        assert not file.closed
        assert file.tell() == len(IMAGE)
        assert file.read() == b""
    rest = IMAGE[begin:]
    assert os.pread(target, 2 * len(IMAGE), 0) == rest
    assert source.count == len(rest)
    if seen:
        assert source.digests == {"md5": hashlib.md5(rest).hexdigest()}
        assert verifier.digest() == hashlib.sha1(rest).digest()


def test_a_file_of_a_path_is_copied_too_and_closed(path, target):
    before = shapes.open_fds()
    counts = []
    source = Source(path, expect={"md5": hashlib.md5(IMAGE).hexdigest()}, progress=counts.append)
    assert by_kernel(source, target) == len(IMAGE)
    assert source.read(1) == b""
    assert counts[-1] == len(IMAGE)
    assert counts == sorted(counts)
    source.close()
    assert shapes.open_fds() == before


@settings(deadline=None, max_examples=30)
@given(st.integers(0, len(IMAGE)), st.integers(MIB // 8, 2 * MIB), st.integers(9999, 2 * MIB))
def test_what_the_kernel_left_is_read_from_the_right_byte(by_copy, most, n):
    with tempfile.NamedTemporaryFile() as image, tempfile.TemporaryFile(buffering=0) as copy:
        image.write(IMAGE)
        image.flush()
        with open(image.name, "rb") as file:
            source = Source(file, hashes=("md5",))
            assert by_kernel(source, copy.fileno(), by_copy, most) == by_copy
            assert b"".join(source.chunks(n)) == IMAGE[by_copy:]
            assert source.digests == {"md5": hashlib.md5(IMAGE).hexdigest()}
            source.close()


def test_the_copy_does_not_depend_on_where_the_kernel_left_the_descriptor(path, target):
    with open(path, "rb") as file:
        source = Source(file)
        fd = source.fileno()
        for offset in range(0, len(IMAGE), MIB):
            block = os.pread(fd, MIB, offset)  # moves nothing
            os.write(target, block)
            source.copied(target, len(block))
        assert source.read(1) == b""
        assert source.done


def test_what_is_hashed_is_what_was_stored(path, target):
    with open(path, "rb") as file:
        source = Source(file, expect={"md5": hashlib.md5(IMAGE).hexdigest()})
        copied = os.copy_file_range(source.fileno(), target, len(IMAGE))
        os.pwrite(target, bytes([IMAGE[5] ^ 1]), 5)
        source.copied(target, copied)
        with pytest.raises(DigestMismatch) as caught:
            list(source.chunks(MIB))
        with pytest.raises(DigestMismatch) as again:
            source.read(1)
    assert again.value is caught.value
    assert not source.done


@pytest.mark.parametrize("size", [0, 1, MIB, len(IMAGE) - 1])
def test_a_copy_of_more_than_declared_is_a_mismatch_again_and_again(path, target, size):
    with open(path, "rb") as file:
        source = Source(file, size)
        copied = os.copy_file_range(source.fileno(), target, len(IMAGE))
        with pytest.raises(SizeMismatch) as caught:
            source.copied(target, copied)
        for later in (lambda: source.copied(target, 1), lambda: source.read(1)):
            with pytest.raises(SizeMismatch) as again:
                later()
            assert again.value is caught.value
        assert source.fileno() is None


@pytest.mark.parametrize("change", [-5, -MIB - 7, 1, MIB])
def test_a_file_that_changes_its_length_under_the_kernel_is_a_mismatch(path, target, change):
    source = Source(path)
    fd = source.fileno()
    source.copied(target, os.copy_file_range(fd, target, MIB))
    os.truncate(path, len(IMAGE) + change)
    with suppress(SizeMismatch):
        source.copied(target, os.copy_file_range(fd, target, 4 * MIB))
    with pytest.raises(SizeMismatch):
        list(source.chunks(MIB))
    assert not source.done
    source.close()


def test_a_copy_above_the_limit_is_refused(path, target):
    with open(path, "rb") as file:
        source = Source(file, max_image_size=MIB)
        with pytest.raises(StorageFull):
            by_kernel(source, target)


@pytest.mark.parametrize("way", ["verifier", "progress"])
@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, OSError])
def test_who_looks_at_a_copy_may_stop_it(path, target, way, kind):
    error = kind("no more")

    class Stop:
        def update(self, data):
            raise error

        __call__ = update

    with open(path, "rb") as file:
        source = Source(file, **{way: Stop()})
        with pytest.raises(kind) as caught:
            by_kernel(source, target)
        assert caught.value is error
        with pytest.raises(kind) as again:
            source.read(1)
        assert again.value is error


class Crypt(io.FileIO):
    def readinto(self, buffer):
        n = super().readinto(buffer)
        buffer[:n] = bytes(byte ^ 0x5A for byte in buffer[:n])
        return n

    def read(self, n=-1):
        return bytes(byte ^ 0x5A for byte in super().read(n))


class Wrapper:
    """A file object with a fileno() that gives other bytes than the file has."""

    def __init__(self, file):
        self.fileno = file.fileno
        self.tell = file.tell
        self.read = lambda n: file.read(n)[::-1]


@pytest.mark.parametrize(
    "make",
    [
        Crypt,
        lambda path: io.BufferedReader(Crypt(path)),
        gzip.open,
        lambda path: type("Mine", (io.BufferedReader,), {})(io.FileIO(path)),
        partial(open, mode="r+b"),
        partial(open, encoding="latin-1"),
        lambda _: open(os.devnull, "rb"),  # noqa: SIM115 - the test closes it
        lambda _: shapes.pipe_of(b"image"),
        lambda _: shapes.socket_of(b"image"),
        lambda _: io.BytesIO(b"image"),
    ],
)
def test_a_file_object_that_may_give_other_bytes_has_no_descriptor(path, make):
    with make(path) as file:
        assert Source(file).fileno() is None


def test_nor_has_anything_else(path):
    with open(path, "rb") as file:
        for data in (Wrapper(file), IMAGE, [IMAGE], memoryview(IMAGE), shapes.Dribble(IMAGE)):
            assert Source(data).fileno() is None


@pytest.mark.parametrize("n", [1, 100, 8192, 70_000])
def test_a_file_that_was_read_in_part_goes_on_where_its_reader_was(path, target, n):
    with open(path, "rb") as file:
        assert file.read(n) == IMAGE[:n]
        source = Source(file)
        if source.fileno() is not None:
            by_kernel(source, target, MIB)
        copied = os.pread(target, MIB, 0)
        assert copied + b"".join(source.chunks(MIB)) == IMAGE[n:]
    with open(path, "rb") as file:
        assert file.peek(1)
        source = Source(file)
        assert source.fileno() is None
        assert b"".join(source.chunks(MIB)) == IMAGE


def test_a_source_that_was_read_gives_no_descriptor_any_more(path):
    with open(path, "rb") as file:
        source = Source(file)
        assert source.read(1) == IMAGE[:1]
        assert source.fileno() is None
        assert source.read(9) == IMAGE[1:10]


def test_a_closed_file_is_the_callers_error(path):
    with open(path, "rb") as file:
        pass
    source = Source(file)
    with pytest.raises(ValueError, match="closed") as caught:
        source.fileno()
    with pytest.raises(ValueError, match="closed") as again:
        source.read(1)
    assert again.value is caught.value


class Careless(ShelfDriver):
    """A driver that lets the kernel copy, and then does something wrong."""

    mistake: str = ""

    def add(self, image_id, source, context=None):
        with tempfile.TemporaryFile(buffering=0) as file:
            copied = os.copy_file_range(source.fileno(), file.fileno(), MIB)
            if self.mistake == "a descriptor that cannot be read":
                with open(file.fileno(), "wb", closefd=False), open(os.devnull, "wb") as other:
                    source.copied(other.fileno(), copied)
            elif self.mistake == "a closed descriptor":
                file.close()
                source.copied(1 << 19, copied)
            elif self.mistake == "not all":
                source.copied(file.fileno(), copied)
            elif self.mistake == "more than there is":
                source.copied(file.fileno(), copied + 1)
            elif self.mistake == "a socket":
                with socket.socket() as other:
                    source.copied(other.fileno(), copied)
        return storekit.Location.build("shelf", self.store_name, image_id)


@pytest.mark.parametrize(
    "mistake",
    [
        *("a descriptor that cannot be read", "a closed descriptor", "not all", "a socket"),
        *("more than there is", "nothing"),
    ],
)
def test_a_driver_that_copies_wrongly_fails_with_an_error_of_ours(path, mistake):
    store = storekit.open_store(type("ToyDriver", (Careless,), {"mistake": mistake}), name="toys")
    with pytest.raises(StoreError), open(path, "rb") as file:
        store.add("teddy", file)
