"""In which order a verb checks: arguments, gates, the id; and nothing of the backend before."""

import io
import os
from datetime import timedelta

import pytest
from toys import data as shapes
from toys.recorder import RecorderDriver, recorder

import storekit
from storekit import (
    Capability,
    Duplicate,
    InvalidArgument,
    InvalidLocation,
    RequestContext,
    Unavailable,
    Unsupported,
)

CONTEXT = RequestContext(token="T0KEN", user_id="joe", project_id="toys")
PLACE = "shelf://toys/teddy"
MD5 = {"md5": "0" * 32}

GATED = {
    Capability.ADD: lambda store: store.add("other", b"x"),
    Capability.GET: lambda store: store.get(PLACE),
    Capability.GET_RANGE: lambda store: store.get(PLACE, 0, 1),
    Capability.DELETE: lambda store: store.delete(PLACE),
    Capability.LIST: lambda store: store.list(),
    Capability.ACL: lambda store: store.set_acls(PLACE, public=True),
    Capability.CAPACITY: lambda store: store.capacity(),
    Capability.ADD_UNKNOWN_SIZE: lambda store: store.add("other", io.BytesIO(b"x")),
}
VERBS = {
    "add": [("add", "metadata"), lambda store, **how: store.add("other", b"x", **how)],
    "get": [("get",), lambda store, **how: store.get(PLACE, **how).read()],
    "get no bytes": [("get_size",), lambda store, **how: store.get(PLACE, 0, 0, **how).read()],
    "get_size": [("get_size",), lambda store, **how: store.get_size(PLACE, **how)],
    "delete": [("delete",), lambda store, **how: store.delete(PLACE, **how)],
    "list": [("list",), lambda store, **how: list(store.list(**how))],
    "verify": [("get",), lambda store, **how: store.verify(PLACE, IMAGE_MD5, **how)],
    "copy": [
        ("get", "add", "metadata"),
        lambda store, **how: store.copy(PLACE, image_id="other", **how),
    ],
    "copy inside": [
        ("copy_from", "get", "add", "metadata"),
        lambda store, **how: store.copy(PLACE, image_id="other", hashes=(), **how),
    ],
    "leftovers": [("leftovers",), lambda store, **how: list(store.leftovers(**how))],
    "reclaim": [("leftovers", "reclaim"), lambda store, **how: store.reclaim(**how)],
    "set_acls": [("set_acls",), lambda store, **how: store.set_acls(PLACE, public=True, **how)],
    "capacity": [("capacity",), lambda store, **how: store.capacity(**how)],
}
IMAGE_MD5 = {"md5": "78805a221a988e79ef3f42d7c5bfd418"}  # of b"image"

WRONG = {
    "no id": lambda store: store.add("a/b", b"x"),
    "no data": lambda store: store.add("other", "text"),
    "no size": lambda store: store.add("other", b"x", -1),
    "no digest": lambda store: store.add("other", b"x", hashes=("nope",)),
    "no expectation": lambda store: store.add("other", b"x", expect={"md5": "x"}),
    "no verifier": lambda store: store.add("other", b"x", verifier=5),
    "no progress": lambda store: store.add("other", b"x", progress=5),
    "no file": lambda store: store.add("other", Missing()),
    "no offset": lambda store: store.get(PLACE, -1),
    "no length": lambda store: store.get(PLACE, 0, "5"),
    "expect of a part": lambda store: store.get(PLACE, 1, expect=MD5),
    "nothing to verify": lambda store: store.verify(PLACE, {}),
    "no digest to verify": lambda store: store.verify(PLACE, {"md5": ""}),
    "no age": lambda store: store.leftovers(5),
    "no age either": lambda store: store.reclaim(-timedelta(1)),
    "readers": lambda store: store.set_acls(PLACE, read="project"),
    "writers": lambda store: store.set_acls(PLACE, write=[""]),
    "more writers": lambda store: store.set_acls(PLACE, write=[5]),
    "no id of a copy": lambda store: store.copy(PLACE, image_id=""),
    "no digests of a copy": lambda store: store.copy(PLACE, digests={"md5": 5}),
    "no hashes of a copy": lambda store: store.copy(PLACE, hashes="md5"),
}


class Missing(os.PathLike):
    def __fspath__(self):
        return "/nowhere/at/all"


def opened(driver, **options):
    store = storekit.open_store(driver, name="toys", **options)
    store.add("teddy", b"image")
    driver.asked.clear()
    return store


def verbs(driver):
    return [entry for entry in driver.asked if len(entry) == 2]


def names(driver):
    return [name for name, _ in verbs(driver)]


def broken(self):
    raise ConnectionRefusedError("nobody is there")


@pytest.mark.parametrize("gate", GATED, ids=lambda gate: gate.name)
def test_a_gate_that_a_driver_never_has_is_refused_before_it_is_asked(gate):
    driver = recorder(capabilities=RecorderDriver.capabilities & ~gate)
    store = storekit.open_store(driver, name="toys")
    driver.asked.clear()
    with pytest.raises(Unsupported) as caught:
        GATED[gate](store)
    error = caught.value
    assert (error.store, error.driver) == ("toys", store.driver)
    assert error.operation
    assert gate.name in error.message.replace(",", " ").split()
    assert error.hint
    assert driver.asked == []
    assert isinstance(error, NotImplementedError)


@pytest.mark.parametrize("gate", GATED, ids=lambda gate: gate.name)
def test_a_gate_that_a_configuration_withdraws_is_refused_with_its_reason(gate):
    def open_(self):
        self.narrow(gate, "the bucket is odd")

    driver = recorder(open=open_)
    store = storekit.open_store(driver, name="toys")
    with pytest.raises(Unsupported, match="the bucket is odd"):
        GATED[gate](store)
    assert gate not in store.capabilities
    assert store.withdrawn == {gate: "the bucket is odd"}
    assert "the bucket is odd" in store.state
    assert driver.asked == []


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_passes_the_context_on(verb):
    driver = recorder()
    store = opened(driver)
    asked, call = VERBS[verb]
    call(store, context=CONTEXT)
    assert [name for name in names(driver) if name in asked] == list(asked)
    assert {context for _, context in verbs(driver)} == {CONTEXT}


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_makes_up_a_context(verb):
    driver = recorder()
    store = opened(driver)
    asked, call = VERBS[verb]
    call(store)
    assert [name for name in names(driver) if name in asked] == list(asked)
    assert {context for _, context in verbs(driver)} == {None}
    assert "T0KEN" not in repr(CONTEXT)


def test_access_lists_arrive_as_they_were_given():
    driver = recorder()
    opened(driver).set_acls(PLACE, public=True, read=["a", "b"], write=("c",))
    assert driver.asked[-1] == (True, ("a", "b"), ("c",))


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_argument_is_refused_before_the_store_is_opened(wrong):
    def open_(self):
        self.asked.append(("open", None))
        raise ConnectionRefusedError("nobody is there")

    driver = recorder(open=open_)
    stores = storekit.Stores({"toys": {"driver": driver}})
    with pytest.raises(InvalidArgument) as caught:
        WRONG[wrong](stores["toys"])
    assert caught.value.store == "toys"
    assert driver.asked == []
    with pytest.raises(Unavailable, match="nobody is there"):
        stores["toys"].add("other", b"x")


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_argument_is_refused_before_any_gate_and_any_verb(wrong):
    driver = recorder()
    store = opened(driver)
    with pytest.raises(InvalidArgument) as caught:
        WRONG[wrong](store)
    assert caught.value.store == "toys"
    assert driver.asked == []
    driver = recorder(open=lambda self: self.narrow(~Capability(0), "nothing goes"))
    with pytest.raises(InvalidArgument):
        WRONG[wrong](storekit.open_store(driver, name="toys"))


def test_a_location_of_another_store_is_refused_before_the_store_is_opened():
    driver = recorder(open=broken)
    store = storekit.Stores({"toys": {"driver": driver}})["toys"]
    for verb in (store.get, store.get_size, store.delete, store.copy, store.set_acls):
        with pytest.raises(InvalidLocation):
            verb("shelf://other/teddy")


def test_gates_come_before_the_id_is_looked_for():
    driver = recorder(open=lambda self: self.narrow(Capability.ADD, "read-only"))
    store = storekit.open_store(driver, name="toys")
    with pytest.raises(Unsupported, match="read-only"):
        store.add("teddy", b"image")


def test_an_id_that_is_taken_is_found_before_the_first_byte_is_read():
    store = opened(recorder())
    file = shapes.Dribble(b"other")
    with pytest.raises(Duplicate):
        store.add("teddy", file)
    assert file.asked == []

    def pieces():
        raise AssertionError("it was read")
        yield

    for data in (pieces(), pieces()):
        with pytest.raises(Duplicate):
            store.add("teddy", data, 5, hashes=(), progress=print)


def test_a_size_that_is_known_needs_no_gate_for_unknown_ones():
    gates = RecorderDriver.capabilities & ~Capability.ADD_UNKNOWN_SIZE
    store = storekit.open_store(recorder(capabilities=gates), name="toys")
    assert store.add("a", b"x").size == 1
    assert store.add("b", io.BytesIO(b"x"), 1).size == 1
    file = shapes.Dribble(b"x")
    with pytest.raises(Unsupported, match="ADD_UNKNOWN_SIZE"):
        store.add("c", file)
    assert file.asked == []


def test_limits_that_opening_tightened_hold():
    def open_(self):
        self.limit(max_id_length=3, max_image_size=4)

    driver = recorder(open=open_)
    store = storekit.open_store(driver, name="toys")
    file = shapes.Dribble(b"12345")
    with pytest.raises(InvalidArgument, match="3"):
        store.add("long", file)
    with pytest.raises(storekit.StorageFull, match="4"):
        store.add("big", file, 5)
    assert file.asked == []
    with pytest.raises(storekit.StorageFull, match="4"):
        store.add("big", file)
    assert store.add("fit", b"1234").size == 4


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"capabilities": RecorderDriver.capabilities & ~Capability.ADD}, Unsupported),
        ({"open": broken}, Unavailable),
    ],
)
def test_a_copy_that_cannot_be_stored_is_refused_before_the_image_is_read(change, kind):
    source, target = recorder(), recorder(**change)
    other = storekit.Stores({"other": {"driver": target}})["other"]
    store = opened(source)
    with pytest.raises(kind) as caught:
        store.copy(PLACE, other)
    assert caught.value.store == "other"
    assert "get" not in names(source)
    assert "add" not in names(target)


def test_a_copy_that_cannot_be_read_is_refused_before_anything_is_stored():
    source = recorder(capabilities=RecorderDriver.capabilities & ~Capability.GET)
    store, target = opened(source), recorder()
    other = storekit.open_store(target, name="other")
    target.asked.clear()
    with pytest.raises(Unsupported, match="GET"):
        store.copy(PLACE, other)
    assert source.asked == target.asked == []
