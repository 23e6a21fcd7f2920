"""What fails in a source: the very same exception, at once and at every later read."""

import io
import os
import sys
import traceback

import pytest
from naming import name_of
from toys import data as shapes
from toys.depot import DepotDriver
from toys.shelf import ShelfDriver

import storekit
from storekit import Source

MIB = 1 << 20
IMAGE = os.urandom(3 * MIB + 5)


class Mishap(Exception):
    """The embedder's own exception."""


MISHAPS = [
    Mishap,
    OSError,
    FileNotFoundError,
    storekit.NotFound,
    storekit.BackendError,
    StopIteration,
    StopAsyncIteration,
    RuntimeError,
    AssertionError,
    MemoryError,
    KeyboardInterrupt,
    SystemExit,
    GeneratorExit,
    BaseException,
]


class Guard:
    """A verifier, or a progress, that raises when it has seen some bytes."""

    def __init__(self, error, after):
        self._error = error
        self._left = after

    def update(self, data):
        self._left -= len(data)
        if self._left < 0:
            raise self._error

    def __call__(self, count):
        if count > self._left:
            raise self._error


def breaking(pieces, error):
    yield from pieces
    raise error


def drain(source, given):
    while chunk := source.read(100_000):
        given.append(chunk)


WAYS = {
    "a read": lambda error, image: {"data": shapes.Failing(image, error)},
    "the data": lambda error, image: {"data": breaking(shapes.pieces_of(image, 70_000), error)},
    "the verifier": lambda error, image: {"data": image, "verifier": Guard(error, len(image) - 1)},
    "the progress": lambda error, image: {"data": image, "progress": Guard(error, len(image) - 1)},
}
# Python lets no generator raise StopIteration.
every_mishap = pytest.mark.parametrize(
    ("way", "mishap"),
    [
        pytest.param(way, mishap, id=f"{way} raises {mishap.__name__}")
        for way in WAYS
        for mishap in MISHAPS
        if (way, mishap) != ("the data", StopIteration)
    ],
)


@every_mishap
@pytest.mark.parametrize("size", [1, MIB, 2 * MIB + 1])
def test_a_failure_comes_out_as_it_is_and_again_at_every_later_read(way, mishap, size):
    error = mishap("no more")
    source = Source(**WAYS[way](error, IMAGE[:size]), hashes=("md5",))
    given = []
    with pytest.raises(mishap) as caught:
        drain(source, given)
    assert caught.value is error
    assert source.error is error
    assert len(b"".join(given)) < size
    for _ in range(3):
        with pytest.raises(mishap) as again:
            source.read(1)
        assert again.value is error
    assert not source.done
    assert source.fileno() is None
    source.close()


def test_after_a_failure_nothing_is_asked_of_the_data_again():
    file = shapes.Failing(b"image", Mishap("no more"))
    source = Source(file)
    for _ in range(5):
        with pytest.raises(Mishap):
            source.read(1)
    assert file.asked == 2


def test_after_the_end_nothing_is_asked_of_the_data_again():
    file = shapes.Dribble(b"image", most=2)
    source = Source(file)
    assert source.read(9) == b"image"
    asked = len(file.asked)
    assert [source.read(9) for _ in range(5)] == [b""] * 5
    assert len(file.asked) == asked


def test_the_traceback_still_names_the_line_that_failed():
    source = Source(shapes.Failing(b"image", Mishap("no more")))
    for _ in range(5):
        with pytest.raises(Mishap) as caught:
            source.read(1)
    assert traceback.extract_tb(caught.value.__traceback__)[-1].line == "raise self._error"


def stores(tmp_path):
    return [
        storekit.open_store(ShelfDriver, name="shelf"),
        storekit.open_store(DepotDriver, name="depot", path=tmp_path),
    ]


@every_mishap
def test_an_add_raises_what_the_callers_data_raised_and_stores_nothing(tmp_path, way, mishap):
    for store in stores(tmp_path):
        error = mishap("no more")
        with pytest.raises(mishap) as caught:
            store.add("teddy", **WAYS[way](error, IMAGE[:70_000]))
        assert caught.value is error
        assert list(store.list()) == []
        assert os.listdir(tmp_path) == []
        stored = store.add("teddy", b"image")
        assert store.get(stored.location).read() == b"image"
        store.delete(stored.location)


class Swallowing(ShelfDriver):
    """A driver that does to an error of the source what drivers do."""

    how: str = "swallow"

    def add(self, image_id, source, context=None):
        try:
            return super().add(image_id, source, context)
        except BaseException as error:
            if self.how == "wrap":
                raise storekit.Unavailable("the upload failed") from error
            if self.how == "replace":
                raise ValueError("the upload failed") from None
            if self.how == "leave":
                sys.exit(3)
            if self.how == "retry":
                return super().add(image_id, source, context)
        return storekit.Location.build("shelf", self.store_name, image_id)


@every_mishap
@pytest.mark.parametrize("how", ["swallow", "wrap", "replace", "leave", "retry"])
def test_what_a_driver_makes_of_the_callers_exception_does_not_matter(way, mishap, how):
    store = storekit.open_store(type("ToyDriver", (Swallowing,), {"how": how}), name="toys")
    error = mishap("no more")
    with pytest.raises(mishap) as caught:
        store.add("teddy", **WAYS[way](error, b"image"))
    assert caught.value is error


@pytest.mark.parametrize("how", ["swallow", "wrap", "replace", "retry"])
@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"data": io.BytesIO(b"image"), "size": 4}, storekit.SizeMismatch),
        ({"data": io.BytesIO(b"image"), "size": 6}, storekit.SizeMismatch),
        ({"data": b"image", "expect": {"md5": "0" * 32}}, storekit.DigestMismatch),
        ({"data": [b"image", "text"]}, storekit.InvalidArgument),
    ],
    ids=name_of,
)
def test_nor_what_it_makes_of_a_check_of_the_frame(options, kind, how):
    store = storekit.open_store(type("ToyDriver", (Swallowing,), {"how": how}), name="toys")
    with pytest.raises(kind) as caught:
        store.add("teddy", **options)
    assert caught.value.store == "toys"
    assert caught.value.operation == "add"


class Unwilling:
    """Data that fails before its first byte."""

    def __init__(self, error):
        self._error = error

    def __iter__(self):
        raise self._error


class UnwillingPath(os.PathLike):
    """A path that nobody can have."""

    def __fspath__(self):
        raise Mishap("no path")


@pytest.mark.parametrize("data", [Unwilling(Mishap("no")), UnwillingPath()], ids=["iter", "path"])
def test_data_that_fails_before_its_first_byte_raises_its_own_exception_too(data):
    store = storekit.open_store(ShelfDriver, name="toys")
    with pytest.raises(Mishap) as caught:
        store.add("teddy", data)
    assert caught.value.__cause__ is None


def test_the_data_of_the_caller_is_not_touched_when_the_id_is_taken():
    store = storekit.open_store(ShelfDriver, name="toys")
    store.add("teddy", b"image")
    file = shapes.Dribble(b"other")
    with pytest.raises(storekit.Duplicate):
        store.add("teddy", file)
    with pytest.raises(storekit.Duplicate):
        store.add("teddy", Unwilling(Mishap("it was touched")))
    assert file.asked == []
