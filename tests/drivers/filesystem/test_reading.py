"""Reading: descriptors come and go, and what is read is one version of an image."""

import gc
import os
import random

import pytest

import storekit

SIZE = 3_000_017


@pytest.fixture
def image(open_store):
    """A store, and an image in it."""
    store = open_store()
    data = random.Random(1).randbytes(SIZE)
    return store, store.add("image", data).location, data


def descriptors():
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("end", ["exhausted", "closed", "dropped", "dropped unread", "empty"])
def test_the_descriptor_is_given_back(image, end):
    store, location, data = image
    before = descriptors()

    reader = store.get(location, SIZE if end == "empty" else 0)
    if end == "exhausted":
        assert reader.read() == data
    elif end == "closed":
        assert reader.read(10) == data[:10]
        reader.close()
    elif end == "dropped":
        next(reader)
        del reader
    elif end == "dropped unread":
        del reader

    assert descriptors() == before


@pytest.mark.parametrize("read_chunk", [1000, 4096, 1 << 20])
@pytest.mark.parametrize("offset", [0, 1, 4095, SIZE - 1, SIZE])
@pytest.mark.parametrize("length", [None, 1, 5000, SIZE])
def test_every_part_is_what_was_stored(image, open_store, read_chunk, offset, length):
    _, location, data = image
    store = open_store(read_chunk=read_chunk)

    with store.get(location, offset=offset, length=length) as reader:
        chunks = list(reader)

    assert b"".join(chunks) == data[offset:][:length]
    assert all(0 < len(chunk) <= read_chunk for chunk in chunks)


def test_an_offset_past_the_end_is_refused(image):
    store, location, _ = image
    before = descriptors()

    with pytest.raises(storekit.RangeNotSatisfiable):
        store.get(location, offset=SIZE + 1)

    assert descriptors() == before


def test_a_server_can_send_the_file_by_its_descriptor(image, tmp_path):
    store, location, data = image

    with store.get(location) as reader, (tmp_path / "copy").open("wb") as copy:
        sent = 0
        while sent < SIZE:
            sent += os.sendfile(copy.fileno(), reader.fileno(), sent, SIZE - sent)

    assert (tmp_path / "copy").read_bytes() == data


def test_an_image_that_is_deleted_and_added_again_does_not_mix(image):
    store, location, data = image

    with store.get(location) as reader:
        head = reader.read(1000)
        store.delete(location)
        store.add("image", bytes(SIZE))
        assert head + reader.read() == data


def test_a_file_that_somebody_cuts_is_a_data_error(image, tmp_path):
    store, location, _ = image

    with store.get(location) as reader:
        os.truncate(tmp_path / "images" / "image", 1_500_000)
        with pytest.raises(storekit.DataError):
            reader.read()


def test_a_reader_outlives_its_store(image):
    store, location, data = image

    reader = store.get(location)
    store.close()

    assert reader.read() == data


def test_an_add_under_way_outlives_the_closing_of_its_store(open_store, tmp_path):
    store = open_store()
    before = descriptors()

    def data():
        yield b"some"
        store.close()
        yield b"more"

    assert store.add("image", data()).size == 8
    assert (tmp_path / "images" / "image").read_bytes() == b"somemore"
    assert descriptors() == before - 1
