"""Copies: streamed and checked, or made inside the backend where every digest is known."""

import hashlib
import os

import pytest
from toys.depot import DepotDriver
from toys.player import HERE, Body, Play
from toys.recorder import RecorderDriver, recorder
from toys.shelf import ShelfDriver

import storekit
from storekit import (
    Capability,
    DataError,
    DigestMismatch,
    Duplicate,
    InvalidArgument,
    Location,
    NotFound,
    OutcomeUnknown,
    RequestContext,
    StoreClosed,
)

IMAGE = os.urandom(5000)
DIGESTS = {
    name: hashlib.new(name, IMAGE).hexdigest() for name in ("md5", "sha1", "sha256", "sha512")
}
DEFAULT = {name: DIGESTS[name] for name in ("md5", "sha512")}
WRONG = {name: "0" * len(digest) for name, digest in DIGESTS.items()}


def some(*names, of=DIGESTS):
    return {name: of[name] for name in names}


class ClonerDriver(RecorderDriver):
    """Copies inside its own process, from any store of its kind."""

    def copy_from(self, other, location, image_id, context=None):
        self.asked.append(("copy_from", context))
        if not isinstance(other, ClonerDriver):
            return None
        if image_id in self._images:
            raise Duplicate("the id is taken")
        self._images[image_id] = other._images[location.segments[0]]
        return Location.build("shelf", self.store_name, image_id)


def cloner(name="toys", **members):
    driver = type("ClonerDriver", (ClonerDriver,), {"asked": [], **members})
    store = storekit.open_store(driver, name=name, labels={"kind": "clone"})
    return store, driver.asked


def names(asked):
    return [name for name, _ in asked if name in {"get", "add", "copy_from"}]


def ids(store):
    return sorted(listing.image_id for listing in store.list())


@pytest.mark.parametrize("forth", [True, False])
def test_an_image_is_copied_between_drivers_of_unlike_shape(tmp_path, forth):
    shelf = storekit.open_store(ShelfDriver, name="shelf")
    depot = storekit.open_store(DepotDriver, name="depot", path=tmp_path)
    source, target = (shelf, depot) if forth else (depot, shelf)
    place = source.add("teddy", IMAGE).location
    copied = source.copy(place, target)
    assert (copied.size, copied.store, copied.digests) == (5000, target.name, DEFAULT)
    assert target.get(copied.location).read() == source.get(place).read() == IMAGE
    assert ids(target) == ["teddy"]
    with pytest.raises(Duplicate) as caught:
        source.copy(place, target)
    assert caught.value.store == target.name


def test_a_copy_within_a_store_needs_another_id():
    store = storekit.open_store(ShelfDriver, name="shelf")
    place = store.add("teddy", IMAGE).location
    with pytest.raises(Duplicate):
        store.copy(place)
    copied = store.copy(str(place), image_id="other", hashes=("sha1",))
    assert copied.digests == some("sha1")
    assert ids(store) == ["other", "teddy"]
    store.delete(place)
    assert store.get(copied.location).read() == IMAGE


def test_a_copy_of_what_is_not_expected_is_not_stored():
    store = storekit.open_store(ShelfDriver, name="shelf")
    place = store.add("teddy", IMAGE).location
    with pytest.raises(DigestMismatch, match="sha1"):
        store.copy(place, image_id="other", expect=some("sha1", of=WRONG))
    assert ids(store) == ["teddy"]
    copied = store.copy(place, image_id="other", expect=some("sha1"))
    assert copied.digests == some("md5", "sha512", "sha1")


@pytest.mark.parametrize(
    "body", [Body(IMAGE[:100]), Body(IMAGE, b"x"), Body(IMAGE[:100], DataError("corrupt"))]
)
def test_a_copy_of_a_body_that_is_wrong_is_not_stored(body):
    store = storekit.open_store(ShelfDriver, name="shelf")
    play = Play(len(IMAGE), body)
    with pytest.raises(DataError) as caught:
        play.store.copy(HERE, store)
    assert caught.value.location == HERE
    assert ids(store) == []
    assert body.closed


def test_a_copy_of_an_image_that_is_not_there_stores_nothing():
    (source, _), (target, asked) = cloner(), cloner("other")
    with pytest.raises(NotFound):
        source.copy("shelf://toys/teddy", target)
    assert ids(target) == []
    assert "add" not in names(asked)


@pytest.mark.parametrize(
    ("hashes", "expect", "known"),
    [
        (("md5", "sha512"), None, DEFAULT),
        (("md5", "sha512"), None, DIGESTS),
        (("sha1",), some("sha256"), some("sha1", "sha256")),
        ((), some("sha256"), some("sha256")),
        ((), None, None),
        ((), None, DIGESTS),
        (("md5",), some("md5"), {"md5": DIGESTS["md5"].upper()}),
    ],
)
def test_a_copy_whose_every_digest_is_known_is_made_inside(hashes, expect, known):
    (source, read), (target, asked) = cloner(), cloner("other")
    place = source.add("teddy", IMAGE).location
    read.clear()
    copied = source.copy(
        *(place, target, "copy"), hashes=hashes, expect=expect, digests=known, context=CONTEXT
    )
    assert names(read) == []
    assert names(asked) == ["copy_from"]
    assert ("copy_from", CONTEXT) in asked
    assert copied.size == 5000
    assert copied.store == "other"
    assert copied.digests == some(*hashes, *(expect or ()))
    assert copied.metadata == {"kind": "clone"}
    assert target.get(copied.location).read() == IMAGE


CONTEXT = RequestContext(user_id="joe")


@pytest.mark.parametrize(
    ("hashes", "expect", "known"),
    [
        (("md5", "sha512"), None, None),
        (("md5", "sha512"), None, {}),
        (("md5", "sha512"), None, some("md5")),
        (("md5",), some("sha1"), some("md5")),
        ((), some("sha1"), some("md5")),
        (("MD5",), None, some("md5")),
    ],
)
def test_a_copy_with_a_digest_that_nobody_knows_is_read_and_hashed(hashes, expect, known):
    (source, read), (target, asked) = cloner(), cloner("other")
    place = source.add("teddy", IMAGE).location
    read.clear()
    copied = source.copy(place, target, hashes=hashes, expect=expect, digests=known)
    assert names(read) == ["get"]
    assert names(asked) == ["add"]
    for name, digest in copied.digests.items():
        assert digest == DIGESTS[name.lower()]
    assert copied.digests.keys() == {*hashes, *(expect or ())}


def test_digests_that_are_known_and_not_expected_stop_the_copy_before_it_begins():
    (source, read), (target, asked) = cloner(), cloner("other")
    place = source.add("teddy", IMAGE).location
    read.clear()
    with pytest.raises(DigestMismatch):
        source.copy(place, target, expect=some("md5", of=WRONG), digests=DIGESTS)
    assert names(read) == names(asked) == []


def test_what_a_driver_cannot_copy_inside_is_streamed():
    source = storekit.open_store(recorder(), name="toys")
    target, asked = cloner("other")
    place = source.add("teddy", IMAGE).location
    copied = source.copy(place, target, digests=DIGESTS)
    assert names(asked) == ["copy_from", "add"]
    assert copied.digests == DEFAULT


@pytest.mark.parametrize("value", ["shelf://other/teddy", 5, True, b"x"], ids=repr)
def test_a_copy_inside_that_returns_no_location_is_a_fault_of_the_driver(value):
    def copy_from(self, other, location, image_id, context=None):
        return value

    (source, _), (target, _) = cloner(), cloner("other", copy_from=copy_from)
    place = source.add("teddy", IMAGE).location
    with pytest.raises(storekit.BackendError):
        source.copy(place, target, hashes=())


def test_a_copy_inside_that_fails_is_an_error_of_the_target():
    def copy_from(self, other, location, image_id, context=None):
        raise ConnectionResetError("cut")

    (source, _), (target, _) = cloner(), cloner("other", copy_from=copy_from)
    place = source.add("teddy", IMAGE).location
    with pytest.raises(storekit.Unavailable) as caught:
        source.copy(place, target, hashes=())
    assert (caught.value.store, caught.value.operation) == ("other", "copy")


def test_a_copy_inside_that_is_stored_is_never_reported_as_one_that_is_not():
    def get_size(self, location, context=None):
        if self.store_name == "other":
            raise ConnectionResetError("cut")
        return RecorderDriver.get_size(self, location, context)

    (source, _), (target, _) = cloner(), cloner("other", get_size=get_size)
    place = source.add("teddy", IMAGE).location
    with pytest.raises(OutcomeUnknown) as caught:
        source.copy(place, target, hashes=())
    assert (caught.value.store, caught.value.operation) == ("other", "copy")
    assert not caught.value.retriable
    assert ids(target) == ["teddy"]
    assert target.get(caught.value.location).read() == IMAGE


@pytest.mark.parametrize("to", ["other", 5, ShelfDriver], ids=repr)
def test_what_is_no_store_to_copy_to_is_an_invalid_argument(to):
    store = storekit.open_store(ShelfDriver, name="shelf")
    place = store.add("teddy", IMAGE).location
    for known in (None, DIGESTS):
        with pytest.raises(InvalidArgument):
            store.copy(place, to, digests=known)


def test_a_copy_to_or_from_a_closed_store_is_refused():
    (source, _), (target, _) = cloner(), cloner("other")
    place = source.add("teddy", IMAGE).location
    target.close()
    for known in (None, DIGESTS):
        with pytest.raises(StoreClosed) as caught:
            source.copy(place, target, digests=known)
        assert caught.value.store == "other"
    source.close()
    with pytest.raises(StoreClosed) as caught:
        source.copy(place, target)
    assert caught.value.store == "toys"


def test_a_copy_needs_no_gate_for_unknown_sizes():
    capabilities = RecorderDriver.capabilities & ~Capability.ADD_UNKNOWN_SIZE
    target = storekit.open_store(recorder(capabilities=capabilities), name="other")
    source = storekit.open_store(ShelfDriver, name="shelf")
    place = source.add("teddy", IMAGE).location
    assert source.copy(place, target).size == 5000


def test_an_empty_image_can_be_copied():
    store = storekit.open_store(ShelfDriver, name="shelf")
    place = store.add("teddy", b"").location
    assert store.copy(place, image_id="other").digests["md5"] == hashlib.md5().hexdigest()
