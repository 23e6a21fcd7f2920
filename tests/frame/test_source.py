"""The source: whatever the embedder gives, exactly these bytes come out, or nothing settles."""

import ctypes
import gc
import hashlib
import io
import mmap
import os
import tempfile
import threading
import time
from itertools import cycle, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naming import name_of
from toys import data as shapes

from storekit import DigestMismatch, InvalidArgument, Source

MIB = 1 << 20
SIZES = [0, 1, 8, 65536, MIB - 1, MIB, MIB + 1, 2 * MIB, 3 * MIB + 8]
IMAGE = os.urandom(max(SIZES))


def in_file(data):
    file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by the fixture
    file.write(data)
    file.seek(0)
    return file


def mapped(data):
    with in_file(data) as file:
        return mmap.mmap(file.fileno(), 0) if data else io.BytesIO()


KINDS = {
    "bytes": lambda data: data,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "memoryview of several dimensions": shapes.in_shape,
    "memoryview of doubles": shapes.in_doubles,
    "memoryview with gaps": shapes.every_other,
    "array": shapes.array_of,
    "array of ctypes": shapes.ctypes_of,
    "mmap": mapped,
    "BytesIO": io.BytesIO,
    "buffered BytesIO": lambda data: io.BufferedReader(io.BytesIO(data)),
    "file": in_file,
    "short reads": shapes.Dribble,
    "reads of one piece too much": shapes.Gusher,
    "pipe": shapes.pipe_of,
    "socket": shapes.socket_of,
    "list": lambda data: shapes.pieces_of(data, 100_000),
    "list of one": lambda data: [data],
    "iterator": lambda data: iter(shapes.pieces_of(data, MIB)),
    "only __iter__": lambda data: shapes.IterOnly(shapes.pieces_of(data, 2 * MIB)),
    "generator": lambda data: (piece for piece in shapes.pieces_of(data, 65537)),
    "empty pieces": lambda data: shapes.with_empty_pieces(data, 300_000),
    "one buffer again and again": lambda data: shapes.reused(data, 99_999),
    "buffers spoiled afterwards": lambda data: shapes.spoiled(data, 99_999),
    "pieces with gaps": lambda data: [shapes.every_other(data)],
    "pieces in shape": lambda data: [shapes.in_shape(data), b""],
    "arrays": lambda data: [shapes.array_of(piece) for piece in shapes.pieces_of(data, 77_777)],
}
KNOW_THEIR_SIZE = {
    name for name in KINDS if name.split()[0] in {"bytes", "bytearray", "memoryview"}
}


@pytest.fixture
def made():
    """Make data of a kind; what can be closed is closed afterwards, and was not before."""
    closed = []

    def make(kind, image):
        data = KINDS[kind](image)
        if hasattr(data, "closed"):
            closed.append(data)
        return data

    yield make
    for data in closed:
        assert not data.closed
        data.close()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_data_gives_exactly_its_bytes(made, kind, size):
    image = IMAGE[:size]
    source = Source(made(kind, image), hashes=("sha256",))
    if kind in KNOW_THEIR_SIZE:
        assert source.size == size
    assert not source.done
    assert b"".join(source.chunks(300_000)) == image
    assert source.done
    assert source.count == size
    assert source.digests == {"sha256": hashlib.sha256(image).hexdigest()}
    assert source.read(1) == b""
    source.close()


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_declared_size_that_is_right_changes_nothing(made, kind, declared):
    image = IMAGE[: MIB + 8]
    source = Source(made(kind, image), len(image) if declared else None)
    assert source.read(2 * MIB) == image
    assert source.done


@settings(deadline=None)
@given(st.binary(max_size=100), st.integers(1, 60), st.integers(0, 60), st.integers(1, 60))
def test_what_is_read_to_see_whether_it_fits_is_given_next(image, size, before, more):
    source = Source(iter([image]), hashes=("md5",))
    head = source.read(before) if before else b""
    rest = image[len(head) :]
    assert source.fits(size) == (len(rest) <= size)
    assert source.done == (not rest)
    assert source.fileno() is None
    for other in {more} - {size} if rest else ():
        with pytest.raises(RuntimeError, match="given by read"):
            source.read(other)
    assert source.read(size) == rest[:size]
    assert b"".join(source.chunks(more)) == rest[size:]
    assert source.done
    assert source.digests == {"md5": hashlib.md5(image).hexdigest()}
    source.close()


def test_a_source_that_fails_while_it_is_seen_whether_it_fits_fails_again():
    source = Source(b"short" for _ in range(2) if 1 / 0)
    for ask in (source.fits, source.read, source.fits):
        with pytest.raises(ZeroDivisionError):
            ask(100)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=50)), st.lists(st.integers(1, 60), min_size=1), st.booleans())
def test_no_split_and_no_order_of_reads_changes_the_bytes(pieces, lengths, is_declared):
    image = b"".join(pieces)
    source = Source(iter(pieces), len(image) if is_declared else None, hashes=("md5", "sha1"))
    read = [source.read(lengths[0])]
    while len(read[-1]) == lengths[(len(read) - 1) % len(lengths)]:
        read.append(source.read(lengths[len(read) % len(lengths)]))
    assert b"".join(read) == image
    assert source.done
    assert source.digests == {
        name: hashlib.new(name, image).hexdigest() for name in ("md5", "sha1")
    }
    source.close()


@settings(deadline=None, max_examples=15)
@given(
    st.lists(st.integers(1, 3 * MIB // 2), max_size=3),
    st.lists(st.integers(1, 3 * MIB // 2), min_size=1, max_size=3),
)
def test_the_same_is_true_of_long_pieces_and_long_reads(pieces, lengths):
    cuts = [0]
    for length in pieces:
        cuts.append(min(cuts[-1] + length, len(IMAGE)))
    source = Source([IMAGE[begin:end] for begin, end in pairwise(cuts)], hashes=("md5",))
    digest, position = hashlib.md5(), 0
    for wanted in cycle(lengths):
        chunk = source.read(wanted)
        assert chunk == IMAGE[position : min(position + wanted, cuts[-1])]
        assert type(chunk) is bytes
        digest.update(chunk)
        position += len(chunk)
        if len(chunk) < wanted:
            break
    assert position == cuts[-1]
    assert source.digests == {"md5": digest.hexdigest()}
    source.close()


@pytest.mark.parametrize("make", [lambda data: [data], lambda data: shapes.Gusher(data, len(data))])
def test_one_long_piece_takes_no_more_time_than_many_short_ones(make):
    image = bytes(128 * MIB)
    begin = time.process_time()
    source = Source(make(image))
    assert sum(map(len, source.chunks(MIB))) == len(image)
    assert time.process_time() - begin < 1.5  # a tenth of it; 5 s if the rest is copied every time


@pytest.mark.parametrize(
    "data",
    [None, "text", 5, 5.0, object(), len, "", print, type("Text", (str,), {})("x")],
    ids=lambda data: type(data).__name__,
)
def test_what_is_no_data_is_refused_at_once(data):
    with pytest.raises(InvalidArgument):
        Source(data)


def test_a_released_memoryview_is_refused_at_once():
    view = memoryview(b"bytes")
    view.release()
    with pytest.raises(InvalidArgument):
        Source(view)


def test_an_empty_memoryview_of_several_dimensions_is_an_empty_image():
    view = memoryview((ctypes.c_int * 0 * 3)())
    assert view.ndim == 2
    assert Source(view).read(1) == b""
    assert Source([view]).read(1) == b""


@pytest.mark.parametrize(
    "data",
    [
        *(io.StringIO("text"), ["text"], [b"x", "text"], [None], [5], [b"x", 5], {5: 6}, range(3)),
        *([[b"nested"]], "text".encode, [object()]),
    ],
    ids=name_of,
)
def test_what_gives_something_else_than_bytes_is_an_invalid_argument(data):
    with pytest.raises(InvalidArgument, match=r"bytes|data is"):
        Source(data).read(10)


def test_a_file_that_has_nothing_ready_is_not_taken_for_ended():
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    with open(writer, "wb"), open(reader, "rb", buffering=0) as file:
        source = Source(file)
        with pytest.raises(InvalidArgument):
            source.read(10)


def held_back(data, n, **options):
    """Read all that a source gives before it fails."""
    source = Source(data, **options)
    given = b""
    try:
        for chunk in source.chunks(n):
            given += chunk
    except Exception:
        assert not source.done
        return given
    raise AssertionError("it did not fail")


@pytest.mark.parametrize("n", [1000, MIB, 10 * MIB])
@pytest.mark.parametrize("size", [1, MIB, 2 * MIB, 2 * MIB + 5])
def test_the_last_chunk_is_held_back_until_everything_is_settled(size, n):
    image = IMAGE[:size]
    wrong = {"md5": "0" * 32}
    for failing in (
        held_back(image, n, expect=wrong),
        held_back(shapes.Dribble(image), n, expect=wrong),
        held_back(shapes.pieces_of(image, 999), n, size=size + 1),
        held_back(shapes.pieces_of(image + b"x", 999), n, size=size),
        held_back(shapes.Failing(image, OSError("no more")), n),
        held_back([*shapes.pieces_of(image, 999), None], n),
    ):
        assert len(failing) < size
        assert image.startswith(failing)


@pytest.mark.parametrize("n", [1, 4096, MIB, 4 * MIB])
def test_done_and_digests_come_with_the_last_byte_and_not_before(n):
    image = IMAGE[: 2 * MIB] if n > 1 else IMAGE[:20]
    source = Source(io.BytesIO(image), hashes=("md5",))
    given = 0
    while given < len(image):
        assert not source.done
        given += len(source.read(n))
    assert source.done
    assert source.digests == {"md5": hashlib.md5(image).hexdigest()}
    source.digests.clear()
    assert source.digests


def test_what_is_expected_is_computed_too_and_may_be_in_capitals():
    digest = hashlib.sha256(b"image").hexdigest().upper()
    source = Source(b"image", hashes=("md5",), expect={"sha256": digest})
    assert source.read(5) == b"image"
    assert source.digests.keys() == {"md5", "sha256"}
    with pytest.raises(DigestMismatch, match="sha256"):
        Source(b"images", expect={"sha256": digest}).read(6)


@pytest.mark.parametrize(
    "options",
    [
        *({"hashes": "md5"}, {"hashes": ("nope",)}, {"hashes": ("shake_128",)}, {"hashes": None}),
        *({"expect": {"md5": "12"}}, {"expect": {"md5": "z" * 32}}, {"expect": {"md5": b"0" * 32}}),
        *(
            {"expect": "md5"},
            {"expect": {"nope": "00"}},
            {"expect": {"md5": None}},
            {"hashes": [[]]},
        ),
        *({"verifier": len}, {"progress": 5}, {"verifier": 0}, {"progress": "no"}),
    ],
    ids=str,
)
def test_a_wrong_option_is_refused_before_anything_is_read(options):
    file = shapes.Dribble(b"image")
    with pytest.raises(InvalidArgument):
        Source(file, **options)
    assert file.asked == []


@pytest.mark.parametrize("size", [0, 1, MIB, 2 * MIB + 1])
def test_verifier_and_progress_see_exactly_the_bytes_in_order(size):
    seen, counts = hashlib.sha1(), []
    source = Source(shapes.Gusher(IMAGE[:size]), verifier=seen, progress=counts.append)
    assert b"".join(source.chunks(50_000)) == IMAGE[:size]
    assert seen.digest() == hashlib.sha1(IMAGE[:size]).digest()
    assert counts == sorted(set(counts))
    assert counts[-1:] == ([size] if size else [])


@pytest.mark.parametrize("n", [0, -1])
def test_a_read_of_nothing_is_a_fault_of_the_driver(n):
    source = Source(b"image")
    with pytest.raises(RuntimeError):
        source.read(n)
    assert source.read(9) == b"image"


def test_another_thread_cannot_read_a_source():
    source, raised = Source(b"image"), []

    def read():
        try:
            source.read(1)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    assert [type(error) for error in raised] == [RuntimeError]
    assert source.read(9) == b"image"


@pytest.mark.parametrize("length", [1, 100, MIB + 1])
def test_the_callers_byte_array_is_free_again_after_a_failure(length):
    image = bytearray(length)
    source = Source(image, verifier=hashlib.md5(), progress=[].pop)
    with pytest.raises((IndexError, TypeError)) as caught:
        source.read(length)
    source.close()
    image.clear()  # BufferError if somebody still has a view of it
    assert caught.value is source.error


def test_a_source_that_is_closed_early_leaves_no_thread():
    before = threading.active_count()
    source = Source(shapes.Endless(), hashes=("md5", "sha512"))
    for _ in range(10):
        source.read(MIB)
    source.close()
    source.close()
    del source
    gc.collect()
    assert threading.active_count() == before
