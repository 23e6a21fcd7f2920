"""Thin: runs of zeros take no space, and nothing else changes."""

import os
import random

import pytest

import storekit

from .conftest import taken

PAGE = 4096
MIB = 1 << 20


def pattern(*parts):
    """Make bytes: a positive number is so many random bytes, a negative one so many zeros."""
    source = random.Random(len(parts))
    return b"".join(source.randbytes(n) if n > 0 else bytes(-n) for n in parts)


@pytest.mark.parametrize(
    "parts",
    [
        (-PAGE,),
        (-1,),
        (-(PAGE - 1),),
        (-(3 * MIB + 5),),
        (1, -MIB, 1),
        (PAGE, -PAGE, PAGE),
        (PAGE - 1, -PAGE, PAGE + 1),
        (5 * MIB + 3, -(2 * MIB + 1), 7),
        (100, -(8 * MIB)),
        (-(8 * MIB), 100),
        (MIB, -MIB, MIB, -MIB, MIB),
        (1, -(PAGE - 1), -PAGE, PAGE),
    ],
    ids=str,
)
def test_pages_of_zeros_take_no_space_and_come_back(open_store, tmp_path, parts):
    store = open_store()
    data = pattern(*parts)
    pages = sum(any(data[at : at + PAGE]) for at in range(0, len(data), PAGE))

    stored = store.add("image", data)

    file = tmp_path / "images" / "image"
    assert file.read_bytes() == data
    assert stored.size == len(data)
    # One block more: where there are many runs, the filesystem's own list of them.
    assert taken(file) <= (pages + 1) * PAGE


def test_the_last_byte_is_there_even_if_all_before_it_is_a_hole(open_store, tmp_path):
    store = open_store()

    store.add("image", bytes(64 * MIB))

    file = tmp_path / "images" / "image"
    assert file.stat().st_size == 64 * MIB
    assert taken(file) <= PAGE


def test_holes_are_found_whatever_the_chunks_of_the_data_are(open_store, tmp_path):
    store = open_store()
    data = pattern(PAGE, -(64 * PAGE), PAGE)

    store.add("image", (data[at : at + 1001] for at in range(0, len(data), 1001)))

    assert taken(tmp_path / "images" / "image") <= 3 * PAGE


@pytest.mark.parametrize("write_chunk", [1, 1000, PAGE + 1, 3 * PAGE + 17])
def test_holes_are_found_whatever_write_chunk_is(open_store, tmp_path, write_chunk):
    store = open_store(write_chunk=write_chunk)
    data = pattern(PAGE, -(64 * PAGE), PAGE)

    store.add("image", data)

    assert (tmp_path / "images" / "image").read_bytes() == data
    assert taken(tmp_path / "images" / "image") <= 3 * PAGE


def test_without_thin_zeros_are_written(open_store, tmp_path):
    store = open_store(thin=False)

    store.add("image", bytes(MIB))

    assert taken(tmp_path / "images" / "image") >= MIB
    assert storekit.Capability.THIN not in store.capabilities
    assert store.withdrawn[storekit.Capability.THIN] == "thin = false"


def test_the_last_page_may_be_a_hole_in_a_long_image(open_store, tmp_path):
    store = open_store()
    data = pattern(2 * MIB, -17)

    store.add("image", data)

    with (tmp_path / "images" / "image").open("rb") as file:
        assert os.lseek(file.fileno(), 0, os.SEEK_HOLE) == 2 * MIB
        file.seek(0)
        assert file.read() == data
