"""The verbs of a store, against two drivers of unlike shape."""

import dataclasses
import hashlib
import io
import os
import pickle
import unicodedata
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys.depot import DepotDriver
from toys.recorder import recorder
from toys.shelf import ShelfDriver

import storekit
from storekit import (
    Capability,
    DigestMismatch,
    Duplicate,
    InvalidArgument,
    InvalidLocation,
    NotFound,
    RangeNotSatisfiable,
    StorageFull,
    StoreClosed,
    UnknownScheme,
    Unsupported,
)

IMAGE = os.urandom(5000)
TOYS = ["shelf", "depot"]


def opened(toy, path, **options):
    if toy == "shelf":
        return storekit.open_store(ShelfDriver, name="toys", **options)
    return storekit.open_store(DepotDriver, name="toys", path=path, **options)


@pytest.fixture(params=TOYS)
def store(request, tmp_path):
    with opened(request.param, tmp_path) as store:
        yield store


def ids(store):
    return sorted(listing.image_id for listing in store.list())


def test_an_image_comes_back_as_it_was_stored(store):
    stored = store.add("teddy", io.BytesIO(IMAGE))
    assert (stored.size, stored.store) == (5000, "toys")
    assert stored.digests == {
        "md5": hashlib.md5(IMAGE).hexdigest(),
        "sha512": hashlib.sha512(IMAGE).hexdigest(),
    }
    assert store.get(stored.location).read() == IMAGE
    assert store.get(str(stored.location)).read() == IMAGE
    assert store.get_size(stored.location) == 5000
    assert store.image_id(stored.location) == "teddy"
    assert store.owns(stored.location) is True
    (listing,) = store.list()
    assert (listing.image_id, listing.location, listing.size) == ("teddy", stored.location, 5000)
    store.delete(stored.location)
    assert list(store.list()) == []


@pytest.mark.parametrize("size", [None, 0])
def test_an_empty_image_is_an_image(store, size):
    stored = store.add("teddy", iter(()), size)
    assert stored.size == store.get_size(stored.location) == 0
    assert stored.digests["md5"] == hashlib.md5().hexdigest()
    assert list(store.get(stored.location)) == []
    assert ids(store) == ["teddy"]


@pytest.mark.parametrize("hashes", [(), ("sha256",), ["sha256", "md5"], {"blake2b": None}])
@pytest.mark.parametrize("expect", [None, {}, {"sha1": hashlib.sha1(IMAGE).hexdigest().upper()}])
def test_the_digests_are_those_that_were_asked_for_and_no_others(store, hashes, expect):
    stored = store.add("teddy", IMAGE, hashes=hashes, expect=expect)
    wanted = {*hashes, *(expect or ())}
    assert stored.digests == {name: hashlib.new(name, IMAGE).hexdigest() for name in wanted}


def test_what_is_stored_can_be_pickled_and_not_changed(store):
    stored = store.add("teddy", IMAGE)
    for value in (stored, next(store.list())):
        assert pickle.loads(pickle.dumps(value)) == value
        with pytest.raises(dataclasses.FrozenInstanceError):
            value.size = 1


def test_an_id_that_is_taken_stays_with_its_first_image(store):
    place = store.add("teddy", IMAGE).location
    with pytest.raises(Duplicate) as caught:
        store.add("teddy", b"other")
    assert (caught.value.store, caught.value.operation) == ("toys", "add")
    assert "teddy" in str(caught.value)
    assert store.get(place).read() == IMAGE


def test_an_image_that_is_not_there_is_not_found_by_the_verb_itself(store):
    place = store.add("teddy", IMAGE).location
    store.delete(place)
    for verb in (store.get, store.get_size, store.delete, lambda at: store.get(at, 5, 0)):
        with pytest.raises(NotFound) as caught:
            verb(place)
        assert caught.value.location == str(place)
        assert caught.value.store == "toys"
    with pytest.raises(NotFound):
        store.verify(place, {"md5": "0" * 32})
    with pytest.raises(NotFound):
        store.copy(place, image_id="other")


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 6000), st.one_of(st.none(), st.integers(0, 6000)), st.sampled_from(TOYS))
def test_any_part_of_an_image_is_those_bytes_or_out_of_range(tmp_path_factory, offset, length, toy):
    store = opened(toy, tmp_path_factory.mktemp("depot"))
    place = store.add("teddy", IMAGE).location
    if offset > len(IMAGE):
        with pytest.raises(RangeNotSatisfiable, match=str(offset)):
            store.get(place, offset, length)
        return
    end = None if length is None else offset + length
    with store.get(place, offset, length) as reader:
        assert reader.size == len(IMAGE[offset:end])
        assert reader.read() == IMAGE[offset:end]


@pytest.mark.parametrize("number", [-1, True, False, 1.0, "1", b"1", [], -(1 << 70)])
def test_what_is_no_number_of_bytes_is_refused(store, number):
    place = store.add("teddy", IMAGE).location
    with pytest.raises(InvalidArgument, match="offset"):
        store.get(place, number)
    with pytest.raises(InvalidArgument, match="length"):
        store.get(place, 0, number)
    with pytest.raises(InvalidArgument, match="offset"):
        store.get(place, None)


def test_numbers_larger_than_any_image_are_numbers(store):
    place = store.add("teddy", IMAGE).location
    assert store.get(place, 0, 1 << 70).read() == IMAGE
    with pytest.raises(RangeNotSatisfiable):
        store.get(place, 1 << 70)
    with pytest.raises(RangeNotSatisfiable):
        store.get(place, 5001, 0)
    with pytest.raises(StorageFull):
        store.add("other", io.BytesIO(), 1 << 70)


NO_IDS = [
    *("", ".", "..", "/", "a/b", "/a", "a/", "\0", "a\0b", "a\nb", "\t", "\x7f", "a\x85", "\x9f"),
    *(
        "\ud800",
        "a\udcff",
        "a" * 256,
        "\u20ac" * 86,
        ".storekit-",
        ".storekit-x",
        "../x",
        "a" * 10**6,
    ),
]


@pytest.mark.parametrize(
    "image_id", [*NO_IDS, None, 5, b"teddy", ["teddy"], True], ids=lambda value: repr(value)[:40]
)
def test_what_is_no_image_id_is_refused(store, image_id):
    with pytest.raises(InvalidArgument) as caught:
        store.add(image_id, IMAGE)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000
    place = store.add("teddy", IMAGE).location
    if image_id is not None:
        with pytest.raises(InvalidArgument):
            store.copy(place, image_id=image_id)
    assert ids(store) == ["teddy"]


ODD_IDS = [
    *(
        "a",
        "A",
        "é",
        unicodedata.normalize("NFD", "é"),
        " ",
        "a ",
        " a",
        "...",
        "..a",
        ".a",
        "-",
        "--x",
    ),
    *(
        "%2F",
        "%2f",
        "%",
        "%00",
        "a?b",
        "a#b",
        "a@b:c",
        "a\\b",
        "a;b",
        "a&b=c",
        "*",
        "~",
        "$(x)",
        "\u2028",
    ),
    *(
        "a" * 255,
        "a" * 254 + "b",
        "€" * 85,
        "manifest",
        "storekit-x",
        ".Storekit-",
        "💾",
        "\u202e",
        "con",
    ),
    *("https://host/x".replace("/", "|"), "a\u0301", "\xad", "\ufeff", "ß", "SS", "İ", "\u0131"),
]


def test_every_other_id_is_kept_apart_from_all_the_others(store):
    places = {image_id: store.add(image_id, image_id.encode()).location for image_id in ODD_IDS}
    assert ids(store) == sorted(ODD_IDS)
    assert len(set(map(str, places.values()))) == len(ODD_IDS)
    for image_id, place in places.items():
        assert store.get(str(place)).read() == image_id.encode()
        assert store.image_id(place) == image_id
        with pytest.raises(Duplicate):
            store.add(image_id, b"other")


@settings(deadline=None)
@given(st.text(max_size=90))
def test_any_text_is_an_id_that_comes_back_or_is_refused(image_id):
    store = opened("shelf", None)
    try:
        stored = store.add(image_id, IMAGE)
    except InvalidArgument:
        assert ids(store) == []
        return
    assert ids(store) == [image_id]
    assert store.get(str(stored.location)).read() == IMAGE


@pytest.mark.parametrize("limit", [1, 10])
def test_a_shorter_limit_of_ids_counts_bytes_and_not_characters(tmp_path, limit):
    store = opened("shelf", tmp_path, max_id_length=limit)
    store.add("x" * limit, b"")
    with pytest.raises(InvalidArgument, match=str(limit)):
        store.add("x" * (limit + 1), b"")
    with pytest.raises(InvalidArgument):
        store.add("é" * limit, b"")


@pytest.mark.parametrize("known", [True, False])
def test_an_image_above_the_limit_of_the_store_is_not_stored(tmp_path, known):
    for toy in TOYS:
        store = opened(toy, tmp_path, max_image_size=100)
        store.add("fits", iter([b"x" * 100]), 100 if known else None)
        with pytest.raises(StorageFull, match="100"):
            store.add("teddy", iter([b"x" * 101]), 101 if known else None)
        assert ids(store) == ["fits"]


@pytest.mark.parametrize(
    ("location", "kind"),
    [
        *(("", InvalidLocation), ("teddy", InvalidLocation), ("file:teddy", InvalidLocation)),
        *(("nope://toys/teddy", UnknownScheme), ("file:///x", UnknownScheme)),
        *(("shelf://other/teddy", InvalidLocation), ("shelf://toys/a/b", InvalidLocation)),
        *((None, InvalidLocation), (5, InvalidLocation), (b"shelf://toys/teddy", InvalidLocation)),
        ("shelf://joe:S3CR3T@other/teddy", InvalidLocation),
    ],
)
def test_what_is_not_in_this_store_is_an_invalid_location_for_every_verb(location, kind):
    driver = recorder()
    store = storekit.open_store(driver, name="toys")
    verbs = [
        *(store.get, store.get_size, store.delete, store.copy, store.set_acls, store.image_id),
        lambda at: store.verify(at, {"md5": "0" * 32}),
    ]
    for verb in verbs:
        with pytest.raises(InvalidLocation) as caught:
            verb(location)
        assert type(caught.value) is kind
        assert caught.value.store == "toys"
        assert "S3CR3T" not in str(caught.value)
    assert [name for name, _ in driver.asked] == ["open"]


def test_owning_is_told_without_an_error_for_any_location(store):
    assert store.owns("nope://x/y") is False
    assert store.owns("shelf://other/x") is False
    with pytest.raises(InvalidLocation):
        store.owns("nonsense")


def test_verify_compares_every_digest(store):
    stored = store.add("teddy", IMAGE)
    assert store.verify(stored.location, stored.digests) == stored.digests
    wrong = {**stored.digests, "sha1": "0" * 40}
    with pytest.raises(DigestMismatch, match="sha1"):
        store.verify(stored.location, wrong)
    for nothing in ({}, None, (), ""):
        with pytest.raises(InvalidArgument) as caught:
            store.verify(stored.location, nothing)
        assert (caught.value.store, caught.value.operation) == ("toys", "verify")


def test_expect_goes_with_a_whole_read_only(store):
    stored = store.add("teddy", IMAGE)
    assert store.get(stored.location, 0, None, expect=stored.digests).read() == IMAGE
    for offset, length in ((1, None), (0, 5000), (0, 0)):
        with pytest.raises(InvalidArgument):
            store.get(stored.location, offset, length, expect=stored.digests)


def test_what_was_left_behind_is_shown_and_removed_by_age(tmp_path):
    store = opened("depot", tmp_path)
    kept = store.add("teddy", IMAGE).location
    (tmp_path / ".storekit-crash").mkdir()
    (tmp_path / ".storekit-crash" / "1").write_bytes(b"12345")
    assert list(store.leftovers()) == []
    assert store.reclaim() == []
    (leftover,) = store.leftovers(timedelta(0))
    assert (leftover.name, leftover.store, leftover.size) == (".storekit-crash", "toys", 5)
    assert ids(store) == ["teddy"]
    assert store.reclaim(timedelta(0)) == [leftover]
    assert os.listdir(tmp_path) == ["teddy"]
    assert store.get(kept).read() == IMAGE


@pytest.mark.parametrize("age", [None, 0, 24, "24h", -timedelta(seconds=1), timedelta.min])
def test_what_is_no_age_is_refused(store, age):
    for verb in (store.leftovers, store.reclaim):
        with pytest.raises(InvalidArgument, match="older_than"):
            verb(age)


def test_a_store_tells_what_it_can_do(tmp_path):
    shelf, depot = (opened(toy, tmp_path) for toy in TOYS)
    assert shelf.capacity().total == 1 << 30
    assert Capability.CAPACITY not in depot.capabilities
    with pytest.raises(Unsupported):
        depot.capacity()
    assert (shelf.name, shelf.driver, shelf.state) == ("toys", "shelf", "ready")
    assert depot.limits.part_size == 1000
    assert "toys" in repr(depot)


def test_a_closed_store_refuses_every_verb(store):
    place = store.add("teddy", IMAGE).location
    store.close()
    store.close()
    assert store.state == "closed"
    verbs = [
        *(lambda: store.add("x", b""), lambda: store.get(place), lambda: store.get_size(place)),
        *(lambda: store.delete(place), store.list, lambda: store.copy(place), store.leftovers),
        *(store.reclaim, lambda: store.set_acls(place), store.capacity, lambda: store.owns(place)),
        *(lambda: store.verify(place, {"md5": "0" * 32}), lambda: store.image_id(place)),
        *(lambda: store.capabilities, lambda: store.limits),
    ]
    for verb in verbs:
        with pytest.raises(StoreClosed) as caught:
            verb()
        assert caught.value.store == "toys"


def test_a_store_is_closed_at_the_end_of_its_block():
    driver = recorder()
    with pytest.raises(ZeroDivisionError), storekit.open_store(driver) as store:
        1 / len(list(store.list()))
    assert store.state == "closed"
    assert [name for name, _ in driver.asked] == ["open", "list", "close"]
