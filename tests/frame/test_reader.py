"""The reader: every byte once, in order, checked, and everything given back."""

import gc
import hashlib
import io
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naming import name_of
from toys.depot import DepotDriver
from toys.player import Body, Play
from toys.shelf import ShelfDriver

import storekit
from storekit import BackendError, DataError, DigestMismatch, StoreClosed, StoreError, Unsupported

IMAGE = os.urandom(10_000)
MD5 = {"md5": hashlib.md5(IMAGE).hexdigest()}


def parts(data, *lengths):
    """Cut data: lengths of the first pieces, the rest is the last one."""
    begin = 0
    for length in lengths:
        yield data[begin : begin + length]
        begin += length
    yield data[begin:]


def opened(**limits):
    """A reader of IMAGE in one body, with its body."""
    body = Body(*parts(IMAGE, 3000, 3000, 3000))
    return Play(len(IMAGE), body, **limits).get(), body


@pytest.mark.parametrize("n", [1, 7, 999, 1000, 1001, 10_000, 20_000])
def test_every_way_of_reading_gives_the_same_bytes(n):
    reader, _ = opened()
    assert b"".join(reader) == IMAGE
    reader, _ = opened()
    assert reader.read() == IMAGE
    reader, _ = opened()
    assert reader.read(-1) == IMAGE
    reader, _ = opened()
    read = list(iter(lambda: reader.read(n), b""))
    assert b"".join(read) == IMAGE
    assert all(len(chunk) == n for chunk in read[:-1])
    reader, buffer, read = opened()[0], bytearray(n), b""
    while count := reader.readinto(buffer):
        read += buffer[:count]
    assert read == IMAGE


@settings(deadline=None)
@given(
    st.lists(st.binary(max_size=40), max_size=12),
    st.lists(st.tuples(st.sampled_from(["next", "read", "readinto"]), st.integers(0, 30))),
    st.integers(1, 20),
)
def test_ways_of_reading_can_be_mixed(chunks, steps, read_chunk):
    image = b"".join(chunks)
    play = Play(len(image), Body(*chunks), read_chunk=read_chunk)
    reader = play.get(expect={"md5": hashlib.md5(image).hexdigest()})
    position = 0
    for step, n in steps:
        if step == "next":
            piece = next(reader, b"")
            assert 0 < len(piece) <= read_chunk or position == len(image)
        elif step == "read":
            piece = reader.read(n)
            assert len(piece) == min(n, len(image) - position)
        else:
            buffer = bytearray(b"\xee" * n)
            count = reader.readinto(memoryview(buffer))
            assert count == min(n, len(image) - position)
            piece = bytes(buffer[:count])
            assert buffer[count:] == b"\xee" * (n - count)
        assert piece == image[position : position + len(piece)]
        position += len(piece)
    assert reader.read() == image[position:]
    assert reader.digests == {"md5": hashlib.md5(image).hexdigest()}
    reader.close()


@pytest.mark.parametrize("toy", [ShelfDriver, DepotDriver])
@pytest.mark.parametrize(
    ("offset", "length", "size"),
    [
        *((0, None, 2500), (1, None, 2499), (0, 2500, 2500), (0, 9999, 2500), (999, 2, 2)),
        *((2499, None, 1), (2499, 5, 1), (2500, None, 0), (2500, 5, 0), (0, 0, 0), (2500, 0, 0)),
    ],
)
def test_a_reader_knows_how_many_bytes_will_come(tmp_path, toy, offset, length, size):
    options = {"path": tmp_path} if toy is DepotDriver else {}
    store = storekit.open_store(toy, name="toys", **options)
    place = store.add("teddy", IMAGE[:2500]).location
    with store.get(place, offset, length) as reader:
        assert reader.size == size
        assert reader.location == place
        chunks = list(reader)
    assert all(0 < len(chunk) <= store.limits.read_chunk for chunk in chunks)
    assert b"".join(chunks) == IMAGE[offset:2500][:length]


@pytest.mark.parametrize("n", [1, 999, 1000, 3000])
def test_chunks_longer_than_the_limit_are_split_and_shorter_ones_are_not_joined(n):
    reader, _ = opened(read_chunk=n)
    lengths = [len(chunk) for chunk in reader]
    assert max(lengths) == n
    assert sum(lengths) == len(IMAGE)
    reader = Play(10, Body(b"12", b"", b"345", b"67890"), read_chunk=4).get()
    assert list(reader) == [b"12", b"345", b"6789", b"0"]


def test_only_bytes_come_out_and_each_is_the_readers_own():
    image = bytearray(b"image")
    reader = Play(5, Body(bytes(image))).get()
    chunk = reader.read(3)
    assert type(chunk) is bytes
    assert type(reader.read(0)) is bytes
    assert type(next(reader)) is bytes


@pytest.mark.parametrize("image", [IMAGE, b"x", b""])
def test_a_reader_that_is_used_up_gives_nothing_and_is_not_iterated_again(image):
    reader = Play(len(image), Body(image)).get()
    assert iter(reader) is reader
    assert iter(reader) is reader
    assert b"".join(reader) == image
    assert reader.read() == reader.read(5) == b""
    assert reader.readinto(bytearray(5)) == 0
    assert next(reader, None) is None
    with pytest.raises(StoreClosed):
        iter(reader)
    assert not reader.closed


def test_iteration_may_go_on_where_another_loop_stopped():
    reader, _ = opened()
    first = b""
    for chunk in reader:
        first = chunk
        break
    assert first + b"".join(reader) == IMAGE


@pytest.mark.parametrize("taken", [0, 1, 3000, 9999, 10_000])
def test_a_closed_reader_raises_and_may_be_closed_again(taken):
    reader, body = opened()
    reader.read(taken)
    assert not reader.closed
    for _ in range(3):
        reader.close()
        assert reader.closed
    assert body.closed == 1
    uses = [
        *(reader.read, lambda: reader.read(0), lambda: reader.read(1), lambda: next(reader)),
        *(lambda: iter(reader), lambda: reader.readinto(bytearray(1)), reader.fileno),
        lambda: reader.readinto(bytearray()),
    ]
    for use in uses:
        with pytest.raises(StoreClosed, match="teddy"):
            use()


def test_a_reader_is_closed_at_the_end_of_its_block_whatever_happens():
    reader, body = opened()
    with pytest.raises(ZeroDivisionError), reader:
        1 / reader.read(0).count(b"x")
    assert reader.closed
    assert body.closed == 1


@pytest.mark.parametrize("taken", [0, 1, 3000, 8999])
def test_a_reader_that_is_dropped_gives_everything_back(taken):
    reader, body = opened()
    reader.read(taken)
    assert body.closed == 0
    del reader
    gc.collect()
    assert body.closed == 1


@pytest.mark.parametrize("way", ["read", "next", "readinto"])
def test_the_last_byte_gives_everything_back(way):
    reader, body = opened()
    reader.read(9000)
    assert body.closed == 0
    last = {"read": lambda: reader.read(1000), "next": lambda: next(reader)}
    last["readinto"] = lambda: reader.readinto(bytearray(1000))
    last[way]()
    assert body.closed == 1
    assert not reader.closed
    reader.close()
    assert body.closed == 1


def test_an_image_of_no_bytes_is_given_back_at_once():
    body = Body()
    reader = Play(0, body).get()
    assert body.closed == 1
    assert list(reader) == []


def test_a_generator_is_closed_where_it_stands():
    closed = []

    def body():
        try:
            yield IMAGE[:5000]
            yield IMAGE[5000:]
        finally:
            closed.append(1)

    reader = Play(len(IMAGE), body()).get()
    reader.read(10)
    reader.close()
    assert closed == [1]


class Stubborn(Body):
    def close(self):
        super().close()
        raise OSError("it does not close")


@pytest.mark.parametrize("taken", [1, 10_000])
def test_a_body_that_does_not_close_harms_nobody(taken):
    body = Stubborn(IMAGE)
    reader = Play(len(IMAGE), body).get()
    assert reader.read(taken) == IMAGE[:taken]
    reader.close()
    assert body.closed == 1


def read_until_failure(reader, n):
    """Give what came out before the failure, and the failure."""
    given = []
    with pytest.raises(StoreError) as caught:
        given.extend(iter(lambda: reader.read(n), b""))
    return b"".join(given), caught.value


@pytest.mark.parametrize("n", [1, 1000, 50_000])
@pytest.mark.parametrize("missing", [1, 5000, 10_000])
def test_a_body_that_is_too_short_is_a_data_error(missing, n):
    body = Body(*parts(IMAGE[: len(IMAGE) - missing], 3000))
    given, error = read_until_failure(Play(len(IMAGE), body).get(), n)
    assert type(error) is DataError
    assert len(given) <= len(IMAGE) - missing
    assert IMAGE.startswith(given)
    assert (error.store, error.location) == ("toys", "player://toys/teddy")
    assert body.closed == 1


@pytest.mark.parametrize("n", [1, 1000, 50_000])
@pytest.mark.parametrize(
    "chunks", [(IMAGE, b"x"), (IMAGE + b"x",), (IMAGE, b"", b"x"), (b"x", IMAGE)]
)
def test_a_body_that_is_too_long_is_a_data_error_in_place_of_its_last_chunk(chunks, n):
    body = Body(*chunks)
    given, error = read_until_failure(Play(len(IMAGE), body).get(), n)
    assert type(error) is DataError
    assert len(given) < len(IMAGE)
    assert body.closed == 1


def test_a_body_where_there_should_be_none_is_a_data_error():
    body = Body(b"x")
    with pytest.raises(DataError):
        Play(0, body).get().read()
    gc.collect()
    assert body.closed == 1


def test_a_part_that_is_too_long_is_not_clamped_but_refused():
    with pytest.raises(DataError):
        Play(len(IMAGE), Body(IMAGE)).get(10, 100).read()


@pytest.mark.parametrize(
    "chunk", ["text", bytearray(b"x"), memoryview(b"x"), None, 5, ["x"]], ids=name_of
)
def test_a_chunk_that_is_not_bytes_is_a_fault_of_the_driver(chunk):
    body = Body(b"12", chunk)
    reader = Play(9, body).get()
    assert reader.read(2) == b"12"
    with pytest.raises(BackendError, match=type(chunk).__name__):
        reader.read(2)
    assert body.closed == 1


@pytest.mark.parametrize(
    "raised",
    [OSError(5, "io"), DataError("bad"), KeyError("x"), BackendError("x"), StopAsyncIteration()],
    ids=repr,
)
def test_a_failure_stays_the_same_at_every_later_read(raised):
    reader = Play(len(IMAGE), Body(IMAGE[:100], raised)).get()
    assert reader.read(100) == IMAGE[:100]
    with pytest.raises(StoreError) as caught:
        reader.read(1)
    assert caught.value.operation
    for use in (reader.read, lambda: next(reader), lambda: reader.readinto(bytearray(5))):
        with pytest.raises(StoreError) as again:
            use()
        assert again.value is caught.value
    reader.close()


@pytest.mark.parametrize("n", [1, 1000, 50_000])
def test_another_digest_than_expected_is_raised_in_place_of_the_last_chunk(n):
    body = Body(*parts(IMAGE, 3000))
    reader = Play(len(IMAGE), body).get(expect={"md5": "0" * 32, "sha1": "0" * 40})
    given, error = read_until_failure(reader, n)
    assert type(error) is DigestMismatch
    assert len(given) < len(IMAGE)
    assert body.closed == 1
    with pytest.raises(DigestMismatch):
        reader.read(1)


def test_the_expected_digests_are_there_with_the_last_byte():
    reader = Play(len(IMAGE), Body(*parts(IMAGE, 3000))).get(expect={"MD5": MD5["md5"].upper()})
    reader.read(9999)
    assert reader.read(1) == IMAGE[-1:]
    assert reader.digests == {"MD5": MD5["md5"]}


def test_an_interrupt_comes_through_and_everything_can_still_be_given_back():
    body = Body(IMAGE[:100], KeyboardInterrupt(), IMAGE[100:])
    with pytest.raises(KeyboardInterrupt), Play(len(IMAGE), body).get(expect=MD5) as reader:
        reader.read()
    assert body.closed == 1


def test_a_descriptor_is_given_while_the_image_is_open(tmp_path):
    with open(tmp_path / "image", "w+b") as file:
        file.write(IMAGE)
        file.flush()
        reader = Play(len(IMAGE), Body(IMAGE), fileno=file.fileno()).get()
        assert os.pread(reader.fileno(), len(IMAGE), 0) == IMAGE
        assert reader.read(10) == IMAGE[:10]
        reader.close()
        with pytest.raises(StoreClosed):
            reader.fileno()
    with pytest.raises(Unsupported, match="teddy"):
        opened()[0].fileno()


def test_a_reader_is_data_for_an_add_and_a_file_for_the_standard_library():
    store = storekit.open_store(ShelfDriver, name="toys")
    assert store.add("teddy", opened()[0]).digests["md5"] == MD5["md5"]
    assert io.BytesIO(opened()[0].read()).getvalue() == IMAGE
    assert "player://toys/teddy" in repr(opened()[0])


@pytest.mark.parametrize("total", [5, 0, -1, "5", None, 5.0], ids=repr)
def test_a_body_is_given_back_when_the_get_fails_after_all(total):
    body = Body(b"image")
    with pytest.raises(StoreError):
        Play(total, body).get(10)
    gc.collect()
    assert body.closed == 1
