"""Declared sizes and the store's limit: held to at the very byte."""

import os

import pytest
from toys import data as shapes

from storekit import InvalidArgument, SizeMismatch, Source, StorageFull

MIB = 1 << 20
IMAGE = os.urandom(3 * MIB + 8)


@pytest.mark.parametrize("size", [True, False, -1, 1.0, "1", b"1", 1j, -(1 << 70), [1]])
def test_what_is_no_size_is_refused_before_anything_is_read(size):
    file = shapes.Dribble(b"x")
    with pytest.raises(InvalidArgument, match="size"):
        Source(file, size)
    assert file.asked == []


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, shapes.in_doubles, shapes.array_of])
@pytest.mark.parametrize("size", [0, 15, 17, 1 << 70])
def test_a_size_that_is_not_that_of_the_bytes_is_refused_at_once(kind, size):
    with pytest.raises(SizeMismatch):
        Source(kind(IMAGE[:16]), size)


def test_a_declared_size_of_zero_is_an_empty_image_and_not_unknown():
    source = Source(shapes.Dribble(b""), 0)
    assert source.size == 0
    assert source.read(1) == b""
    assert source.done
    with pytest.raises(SizeMismatch):
        Source(shapes.Dribble(b"x"), 0).read(1)


@pytest.mark.parametrize("size", [0, 1, 10, 65536, MIB, MIB + 1])
def test_data_that_is_too_long_is_read_to_its_first_byte_too_many_and_no_further(size):
    file = shapes.Endless()
    source = Source(file, size)
    with pytest.raises(SizeMismatch, match=str(size)) as caught:
        list(source.chunks(4096))
    assert file.taken == size + 1
    with pytest.raises(SizeMismatch) as again:
        source.read(1)
    assert again.value is caught.value
    assert file.taken == size + 1
    assert not source.done


def test_pieces_that_are_too_many_are_not_drained():
    taken = []
    source = Source((taken.append(1) or b"12345" for _ in iter(int, 1)), 10)
    with pytest.raises(SizeMismatch):
        list(source.chunks(4))
    assert len(taken) == 3


def test_data_that_ends_with_its_declared_size_is_asked_for_no_byte_after_the_end():
    file = shapes.Dribble(b"x" * 10, most=4)
    assert Source(file, 10).read(10) == b"x" * 10
    assert sum(min(4, asked) for asked in file.asked[:-1]) >= 10
    assert file.asked[-1] == 1


@pytest.mark.parametrize("held", [0, 1, 9, MIB, 2 * MIB])
def test_data_that_is_too_short_is_a_mismatch_before_the_last_byte_is_given(held):
    source = Source(shapes.Dribble(IMAGE[:held]), held + 1)
    given = []
    with pytest.raises(SizeMismatch, match=str(held)):
        given.extend(source.chunks(1000))
    assert len(b"".join(given)) < held + (not held)
    assert not source.done


@pytest.mark.parametrize("limit", [1, 10, MIB, 3 * MIB])
def test_data_above_the_limit_is_refused_at_the_first_byte_over(limit):
    file = shapes.Endless()
    source = Source(file, max_image_size=limit)
    given = []
    with pytest.raises(StorageFull, match=str(limit)):
        given.extend(source.chunks(4096))
    assert sum(map(len, given)) < limit
    assert file.taken <= limit + MIB
    assert Source(IMAGE[:limit], max_image_size=limit).read(4 * MIB) == IMAGE[:limit]
