"""Drivers that do not keep to the contract: what comes out is still an error of ours, or right."""

import errno
import logging

import pytest
from naming import name_of
from pydantic import SecretStr
from toys import data as shapes
from toys.recorder import RecorderDriver, recorder

import storekit
from storekit import BackendError, Content, Leftover, Location, StoreError

PLACE = "shelf://toys/teddy"
SECRET = "Pass//w0rd"


def opened(**members):
    return storekit.open_store(recorder(**members), name="toys", password=SECRET)


def filled(**members):
    store = opened(**members)
    store.add("teddy", b"image")
    return store


def giving(value):
    def metadata(self, location, context=None):
        return value

    return metadata


@pytest.mark.parametrize("value", [None, "shelf://toys/teddy", 5, object(), b"x", ()], ids=name_of)
def test_an_add_that_returns_no_location_is_a_fault_of_the_driver(value):
    def add(self, image_id, source, context=None):
        list(source.chunks(1))
        return value

    with pytest.raises(BackendError, match=type(value).__name__):
        opened(add=add).add("teddy", b"image")


CONTENTS = [
    *(None, b"image", (b"image",), 5, "text", Content(None, ()), Content("5", (b"image",))),
    *(
        Content(-1, ()),
        Content(5.0, (b"image",)),
        Content(5, None),
        Content(5, 5),
        Content(5, "image"),
    ),
    *(
        Content(5, [b"ima", None]),
        Content(5, b"image"),
        Content(total=True, chunks=(b"x",)),
        Content(5, (5,)),
    ),
]


@pytest.mark.parametrize("content", CONTENTS, ids=repr)
def test_a_get_that_returns_nonsense_is_a_fault_of_the_driver(content):
    def get(self, location, offset, length, context=None):
        return content

    store = filled(get=get)
    with pytest.raises(BackendError) as caught, store.get(PLACE) as reader:
        reader.read()
    assert (caught.value.store, caught.value.location) == ("toys", PLACE)


@pytest.mark.parametrize("size", [None, "5", -1, 5.0, True, b"5", object()], ids=name_of)
def test_what_is_no_size_of_an_image_is_a_fault_of_the_driver(size):
    def get_size(self, location, context=None):
        return size

    store = filled(get_size=get_size)
    with pytest.raises(BackendError):
        store.get_size(PLACE)
    with pytest.raises(BackendError):
        store.get(PLACE, 0, 0)


@pytest.mark.parametrize("found", [None, 5, [None], ["teddy"], [("teddy", PLACE, 5)]], ids=repr)
def test_a_listing_of_something_else_is_a_fault_of_the_driver(found):
    def list_(self, context=None):
        return found

    def leftovers(self, older_than, context=None):
        return found

    store = opened(list=list_, leftovers=leftovers)
    for verb in (store.list, store.leftovers, store.reclaim):
        with pytest.raises(BackendError):
            list(verb())


@pytest.mark.parametrize("value", [None, 5, (5, 5), "5"], ids=repr)
def test_a_capacity_of_something_else_is_a_fault_of_the_driver(value):
    def capacity(self, context=None):
        return value

    with pytest.raises(BackendError):
        opened(capacity=capacity).capacity()


@pytest.mark.parametrize("taken", [0, 1, 4])
def test_a_driver_that_does_not_read_to_the_end_has_not_stored_the_image(taken):
    def add(self, image_id, source, context=None):
        if taken:
            source.read(taken)
        return Location.build("shelf", "toys", image_id)

    store = opened(add=add)
    for data in (b"image", shapes.Dribble(b"image"), [b"im", b"age"]):
        with pytest.raises(BackendError, match="end"):
            store.add("teddy", data)


@pytest.mark.parametrize("n", [5, 6, 100])
def test_a_driver_that_stops_at_the_last_byte_has_read_to_the_end(n):
    def add(self, image_id, source, context=None):
        source.read(n)
        assert source.done
        return Location.build("shelf", "toys", image_id)

    assert opened(add=add).add("teddy", [b"im", b"age"]).size == 5


RAISED = [
    (KeyError("x"), BackendError),
    (OSError(errno.ENOENT, "gone"), storekit.NotFound),
    (OSError(errno.ENOSPC, "full"), storekit.StorageFull),
    (ConnectionResetError("cut"), storekit.Unavailable),
    (TimeoutError("late"), storekit.Timeout),
    (storekit.InUse("held"), storekit.InUse),
    (RecursionError("deep"), BackendError),
    (StopIteration(5), BackendError),
    (StopAsyncIteration(), BackendError),
    (AssertionError(), BackendError),
    (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), BackendError),
]
CALLS = {
    "add": lambda store: store.add("other", b"x"),
    "get": lambda store: store.get(PLACE),
    "get_size": lambda store: store.get_size(PLACE),
    "delete": lambda store: store.delete(PLACE),
    "list": lambda store: list(store.list()),
    "leftovers": lambda store: list(store.leftovers()),
    "reclaim": lambda store: store.reclaim(),
    "set_acls": lambda store: store.set_acls(PLACE),
    "capacity": lambda store: store.capacity(),
    "copy_from": lambda store: store.copy(PLACE, hashes=()),
    "image_id": lambda store: store.image_id(PLACE),
    "owns": lambda store: store.owns(PLACE),
}


def raising(verb, error):
    """A recorder whose verb raises, with the very signature of the interface."""
    scope = {"error": error}
    parameters = {
        "add": "image_id, source, context=None",
        "get": "location, offset, length, context=None",
        "get_size": "location, context=None",
        "delete": "location, context=None",
        "list": "context=None",
        "leftovers": "older_than, context=None",
        "reclaim": "leftover, context=None",
        "set_acls": "location, public, read, write, context=None",
        "capacity": "context=None",
        "copy_from": "other, location, image_id, context=None",
        "image_id": "location",
        "owns": "location",
    }[verb]
    exec(f"def {verb}(self, {parameters}):\n    raise error", scope)
    return opened(**{verb: scope[verb]})


@pytest.mark.parametrize("verb", CALLS)
@pytest.mark.parametrize(("raised", "kind"), RAISED, ids=repr)
def test_whatever_a_driver_raises_comes_out_as_an_error_of_ours(verb, raised, kind):
    store = raising(verb, raised)
    if verb == "reclaim" and kind in {storekit.NotFound, storekit.InUse}:
        assert store.reclaim() == []  # gone already, or alive after all
        return
    with pytest.raises(kind) as caught:
        CALLS[verb](store)
    error = caught.value
    assert (error.store, error.driver) == ("toys", store.driver)
    assert error.operation
    assert error is raised or error.__cause__ is raised


@pytest.mark.parametrize("verb", CALLS)
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_is_no_exception_comes_through(verb, kind):
    with pytest.raises(kind):
        CALLS[verb](raising(verb, kind()))


def test_a_listing_that_fails_in_the_middle_is_mapped_there():
    def list_(self, context=None):
        yield from RecorderDriver.list(self)
        raise ConnectionResetError("cut")

    store = filled(list=list_)
    found = store.list()
    assert next(found).image_id == "teddy"
    with pytest.raises(storekit.Unavailable, match="cut") as caught:
        next(found)
    assert (caught.value.store, caught.value.operation) == ("toys", "list")
    assert list(found) == []


def test_a_listing_that_nobody_finishes_is_closed():
    closed = []

    def list_(self, context=None):
        try:
            yield from RecorderDriver.list(self)
        finally:
            closed.append(1)

    found = filled(list=list_).list()
    next(found)
    found.close()
    assert closed == [1]


@pytest.mark.parametrize("answer", ["text", 5, ValueError("x"), StoreError, True, b"x"], ids=repr)
def test_a_translation_that_is_no_error_of_ours_is_not_raised(answer):
    def translate(self, error, operation):
        return answer

    def get_size(self, location, context=None):
        raise KeyError("the cause")

    with pytest.raises(StoreError) as caught:
        opened(translate=translate, get_size=get_size).get_size(PLACE)
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize("kind", [KeyError, StopIteration, storekit.NotFound, RecursionError])
def test_a_translation_that_fails_leaves_the_cause_in_the_chain(kind):
    def translate(self, error, operation):
        raise kind("the translation")

    def get_size(self, location, context=None):
        raise ValueError("the cause")

    with pytest.raises(StoreError) as caught:
        opened(translate=translate, get_size=get_size).get_size(PLACE)
    assert isinstance(caught.value.__cause__, ValueError)
    assert caught.value.store == "toys"


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


def test_an_exception_that_cannot_be_printed_is_mapped_too():
    with pytest.raises(BackendError) as caught:
        CALLS["get_size"](raising("get_size", Mute()))
    assert "Mute" in str(caught.value)


@pytest.mark.parametrize("text", [SECRET, f"key={SECRET}&x", f"<{SECRET}>{SECRET}"])
@pytest.mark.parametrize("verb", CALLS)
def test_a_secret_of_the_configuration_is_in_no_error(verb, text):
    for raised in (
        *(ValueError(text), storekit.Forbidden(text, hint=text), OSError(errno.EACCES, text)),
        storekit.NotFound("no", location=f"shelf://{text}/x"),
    ):
        error = None
        try:
            CALLS[verb](raising(verb, raised))
        except StoreError as caught:
            error = caught
        assert error or verb == "reclaim"
        assert error is None or SECRET not in f"{error} {error!r} {error.args} {vars(error)}"


def test_a_secret_in_a_mapping_or_inside_another_one_is_in_no_error_either():
    text = "abcdef then abcd and T0KEN-T0KEN"

    def get_size(self, location, context=None):
        raise ValueError(text)

    more = {"a": "abcd", "b": "abcdef", "token": SecretStr("T0KEN-T0KEN")}
    store = storekit.open_store(recorder(get_size=get_size), name="toys", more=more)
    with pytest.raises(BackendError) as caught:
        store.get_size(PLACE)
    for secret in ("abcd", "ef ", "T0KEN"):
        assert secret not in str(caught.value)


@pytest.mark.parametrize(
    "metadata",
    [None, 5, "text", ["a"], {"a": 5}, {5: "a"}, {"a": {"b": object()}}, {"a": None}, {"a": b"x"}],
    ids=name_of,
)
def test_metadata_of_anything_but_dicts_lists_and_text_is_left_out_and_logged(metadata, caplog):
    store = opened(metadata=giving(metadata))
    with caplog.at_level(logging.WARNING, "storekit"):
        assert store.add("teddy", b"image").metadata == {}
    assert store.get(PLACE).read() == b"image"
    assert "toys" in caplog.text
    assert PLACE in caplog.text


@pytest.mark.parametrize("raised", [ValueError(f"at {SECRET}"), storekit.Unavailable(f"{SECRET}")])
def test_metadata_that_fails_is_no_failure_of_the_add_and_no_secret_is_logged(raised, caplog):
    def metadata(self, location, context=None):
        raise raised

    with caplog.at_level(logging.DEBUG, "storekit"):
        assert opened(metadata=metadata).add("teddy", b"image").size == 5
    assert "teddy" in caplog.text
    assert SECRET not in caplog.text


def test_metadata_is_fresh_for_every_caller():
    shared = {"labels": {"a": ["b"]}, "list": ["x", {"y": "z"}], "text": "t"}
    store = opened(metadata=giving(shared))
    first, second = store.add("a", b"").metadata, store.add("b", b"").metadata
    assert first == second == shared
    first["labels"]["a"].append("c")
    first["list"][1]["y"] = "changed"
    assert second == shared == {
        "labels": {"a": ["b"]}, "list": ["x", {"y": "z"}], "text": "t"
    }  # fmt: skip


def test_a_leftover_that_turns_out_alive_or_gone_is_not_reported_as_removed():
    def leftovers(self, older_than, context=None):
        for name in ("gone", "alive", "dead", "broken", "late"):
            yield Leftover(name, self.store_name, 1)

    def reclaim(self, leftover, context=None):
        self.asked.append((leftover.name, None))
        if leftover.name == "gone":
            raise FileNotFoundError(2, "gone")
        if leftover.name == "alive":
            raise storekit.InUse("alive")
        if leftover.name == "broken":
            raise ConnectionResetError("cut")

    driver = recorder(leftovers=leftovers, reclaim=reclaim)
    with pytest.raises(storekit.Unavailable) as caught:
        storekit.open_store(driver, name="toys").reclaim()
    assert "broken" in str(caught.value)
    assert [name for name, _ in driver.asked if name != "open"] == [
        "gone",
        "alive",
        "dead",
        "broken",
    ]


def test_a_driver_that_does_not_close_is_closed_all_the_same():
    def close(self):
        raise OSError(errno.EIO, f"no {SECRET}")

    store = opened(close=close)
    with pytest.raises(storekit.DataError) as caught:
        store.close()
    assert SECRET not in str(caught.value)
    assert store.state == "closed"
    store.close()
    with pytest.raises(storekit.StoreClosed):
        store.get_size(PLACE)
