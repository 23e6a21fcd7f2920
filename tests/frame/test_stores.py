"""Several stores at once: the mapping, the default, the verbs over all of them, copies, the end."""

import inspect
from datetime import timedelta
from typing import ClassVar

import pytest
from toys.depot import DepotDriver
from toys.shelf import ShelfDriver

from storekit import (
    BackendError,
    ConfigurationError,
    DigestMismatch,
    Driver,
    Duplicate,
    InvalidArgument,
    NotFound,
    Store,
    StoreClosed,
    StoreError,
    Stores,
    Unsupported,
    open_store,
)

NOW = timedelta(0)


@pytest.fixture
def stores(tmp_path):
    (tmp_path / "depot").mkdir()
    mapping = {
        "toys": {"driver": ShelfDriver},
        "books": {"driver": ShelfDriver, "room": 99},
        "depot": {"driver": DepotDriver, "path": tmp_path / "depot"},
    }
    with Stores(mapping, default="toys") as stores:
        yield stores


def plant_leftover(directory, name):
    """What a process that was killed while it uploaded leaves in a depot."""
    upload = directory / f".storekit-{name}"
    upload.mkdir()
    (upload / "1").write_bytes(b"half an image")


def test_stores_are_a_mapping_of_names(stores):
    assert list(stores) == ["toys", "books", "depot"]
    assert len(stores) == 3
    assert "depot" in stores
    assert "attic" not in stores
    assert isinstance(stores["depot"], Store)
    assert stores["depot"] is stores["depot"]
    assert {name: stores[name].name for name in stores} == {name: name for name in stores}
    assert bool(stores["toys"])


@pytest.mark.parametrize("wrong", [5, None, (), b"toys"])
def test_what_is_no_name_is_in_no_stores(stores, wrong):
    assert wrong not in stores
    with pytest.raises(InvalidArgument):
        _ = stores[wrong]


@pytest.mark.parametrize("wrong", [["toys"], {"toys": 1}, {"toys"}])
def test_what_came_as_a_list_from_a_request_is_no_store_either(stores, wrong):
    for call in (
        lambda: stores[wrong],
        lambda: stores.add("teddy", b"bear", store=wrong),
        lambda: stores.copy("shelf://toys/teddy", to=wrong),
    ):
        with pytest.raises(InvalidArgument):
            call()


def test_the_stores_tell_their_names_and_no_options(stores, tmp_path):
    assert repr(stores) == "<Stores toys, books, depot; default toys>"
    assert repr(stores["depot"]) == "<Store 'depot' (depot)>"
    assert str(tmp_path) not in repr(stores["depot"])


def test_making_stores_opens_none(tmp_path):
    stores = Stores({"a": {"driver": DepotDriver, "path": tmp_path / "not yet"}})
    (tmp_path / "not yet").mkdir()
    assert stores["a"].state == "ready"


@pytest.mark.parametrize("mapping", [{}, None, [], {"a": None}, {5: {"driver": ShelfDriver}}])
def test_what_is_no_mapping_of_stores_is_a_configuration_error(mapping):
    with pytest.raises(ConfigurationError):
        Stores(mapping)


def test_several_stores_need_a_default_and_it_must_be_one_of_them():
    two = {"a": {"driver": ShelfDriver}, "b": {"driver": ShelfDriver}}
    for default in (None, "c"):
        with pytest.raises(ConfigurationError, match="a, b"):
            Stores(two, default)
    assert Stores(two, default="b").default == "b"


VERBS = ["get", "get_size", "delete", "set_acls"]
OVER_ALL = ["list", "leftovers", "reclaim"]


@pytest.mark.parametrize("store", ["attic", "", "TOYS", "toys ", 5])
def test_an_unknown_store_is_an_invalid_argument_that_names_the_known_ones(stores, store):
    place = stores.add("teddy", b"bear").location
    calls = [lambda verb=verb: getattr(stores, verb)(place, store=store) for verb in VERBS]
    calls += [lambda verb=verb: getattr(stores, verb)(store=store) for verb in OVER_ALL]
    calls += [
        lambda: stores.add("other", b"bear", store=store),
        lambda: stores.capacity(store),
        lambda: stores.verify(place, {"md5": "0" * 32}, store=store),
        lambda: stores.copy(place, to="depot", store=store),
        lambda: stores.copy(place, to=store),
        lambda: stores.owner(place, store=store),
    ]
    for number, call in enumerate(calls):
        with pytest.raises(InvalidArgument, match="toys, books, depot"):
            pytest.fail(f"call {number} answered {call()!r}")
    assert [listing.image_id for listing in stores.list()] == ["teddy"]


def test_an_image_goes_to_the_default_store_or_to_the_named_one(stores):
    assert stores.add("teddy", b"bear").store == "toys"
    assert stores.add("teddy", b"bear", store="books").store == "books"
    assert stores.capacity().total == 1 << 30
    assert stores.capacity("books").total == 99


def test_every_verb_of_a_store_is_a_verb_of_the_stores_with_the_same_arguments():
    for verb in ["add", *VERBS, *OVER_ALL, "verify", "copy", "capacity"]:
        of_one = inspect.signature(getattr(Store, verb)).parameters
        of_all = dict(inspect.signature(getattr(Stores, verb)).parameters)
        store = of_all.pop("store")
        assert store.default is None
        assert list(of_all) == list(of_one), verb
        for name, parameter in of_one.items():
            if (verb, name) == ("copy", "to"):
                continue  # a name and needed, or a Store and itself by default
            assert of_all[name].kind == parameter.kind, (verb, name)
            assert of_all[name].default == parameter.default, (verb, name)


SIGNATURES = {
    "add": "(image_id, data, size=None, *, store=None, hashes=('md5', 'sha512'), expect=None, "
    "verifier=None, context=None, progress=None)",
    "get": "(location, offset=0, length=None, *, store=None, expect=None, context=None)",
    "get_size": "(location, *, store=None, context=None)",
    "delete": "(location, *, store=None, context=None)",
}


@pytest.mark.parametrize("verb", SIGNATURES)
def test_the_verbs_of_the_stores_have_the_arguments_of_the_design(verb):
    signature = inspect.signature(getattr(Stores, verb))
    empty = inspect.Parameter.empty
    bare = [p.replace(annotation=empty) for p in signature.parameters.values()][1:]
    assert str(inspect.Signature(bare)) == SIGNATURES[verb]


def test_all_stores_are_listed_unless_one_is_named(stores):
    for store in stores:
        stores.add(f"in-{store}", b"x", store=store)
    assert sorted(each.image_id for each in stores.list()) == ["in-books", "in-depot", "in-toys"]
    assert [each.image_id for each in stores.list("depot")] == ["in-depot"]
    for each in stores.list():
        assert stores.get(each.location).read() == b"x"
        assert stores.get_size(each.location) == each.size == 1


def test_leftovers_are_found_and_reclaimed_in_all_stores_unless_one_is_named(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        plant_leftover(tmp_path / name, f"dead-{name}")
    stores = Stores(
        {name: {"driver": DepotDriver, "path": tmp_path / name} for name in ("a", "b")}, "a"
    )
    assert list(stores.leftovers()) == []  # none is a day old
    assert [(each.store, each.size) for each in stores.leftovers(older_than=NOW)] == [
        ("a", 13),
        ("b", 13),
    ]
    assert [each.store for each in stores.leftovers("b", NOW)] == ["b"]
    assert stores.reclaim() == []
    assert [each.name for each in stores.reclaim("b", NOW)] == [".storekit-dead-b"]
    assert [each.name for each in stores.reclaim(older_than=NOW)] == [".storekit-dead-a"]
    assert list(stores.leftovers(older_than=NOW)) == []
    assert list((tmp_path / "a").iterdir()) == list((tmp_path / "b").iterdir()) == []


class NoList(ShelfDriver):
    """A shelf whose images nobody can list, as those of a web server."""

    schemes = ("nolist",)
    capabilities = ShelfDriver.capabilities & ~ShelfDriver.capabilities.LIST


def test_a_store_that_cannot_list_hides_no_other_store():
    mixed = Stores({"a": {"driver": NoList}, "b": {"driver": ShelfDriver}}, default="b")
    mixed.add("teddy", b"bear")
    seen = []
    with pytest.raises(Unsupported, match="LIST") as caught:
        seen.extend(mixed.list())
    assert caught.value.store == "a"
    assert [each.image_id for each in seen] == ["teddy"]


@pytest.mark.parametrize(("source", "target"), [("toys", "depot"), ("depot", "toys")])
def test_an_image_is_copied_between_stores_of_different_drivers(stores, source, target):
    image = bytes(range(256)) * 41 + b"odd"
    stored = stores.add("teddy", image, store=source)
    copy = stores.copy(stored.location, to=target)
    assert copy.store == target
    assert copy.size == len(image)
    assert copy.digests == stored.digests
    assert copy.location != stored.location
    assert stores.get(copy.location).read() == stores.get(stored.location).read() == image


def test_a_copy_may_have_another_id_and_other_digests(stores):
    stored = stores.add("teddy", b"bear")
    copy = stores.copy(stored.location, to="toys", image_id="twin", hashes=["sha1"])
    assert str(copy.location) == "shelf://toys/twin"
    assert set(copy.digests) == {"sha1"}


def test_a_copy_onto_a_taken_id_is_a_duplicate_and_changes_nothing(stores):
    stored = stores.add("teddy", b"bear")
    other = stores.add("teddy", b"other bear", store="depot")
    with pytest.raises(Duplicate) as caught:
        stores.copy(stored.location, to="depot")
    assert caught.value.store == "depot"
    assert stores.get(other.location).read() == b"other bear"


def test_a_copy_of_what_is_not_there_names_the_store_that_should_have_it(stores):
    with pytest.raises(NotFound) as caught:
        stores.copy("shelf://toys/teddy", to="depot")
    assert caught.value.store == "toys"
    assert list(stores.list("depot")) == []


def test_a_copy_whose_source_breaks_off_is_no_copy_and_blames_the_source(stores, tmp_path):
    stored = stores.add("teddy", bytes(5000), store="depot")
    (tmp_path / "depot" / "teddy" / "3").unlink()
    with pytest.raises(StoreError) as caught:
        stores.copy(stored.location, to="toys")
    assert caught.value.store == "depot"
    assert list(stores.list("toys")) == []


@pytest.mark.parametrize("wrong", [{"sha256": "0" * 64}, {"md5": "0" * 32}])
def test_a_copy_that_is_not_what_was_expected_is_no_copy(stores, wrong):
    stored = stores.add("teddy", bytes(5000))
    with pytest.raises(DigestMismatch):
        stores.copy(stored.location, to="depot", expect=wrong)
    assert list(stores.list("depot")) == []


def test_after_the_end_every_verb_says_that_the_stores_are_closed(stores):
    place = stores.add("teddy", b"bear").location
    stores.close()
    stores.close()
    calls = [lambda verb=verb: getattr(stores, verb)(place) for verb in VERBS]
    calls += [lambda verb=verb: list(getattr(stores, verb)()) for verb in OVER_ALL]
    calls += [
        lambda: stores.add("other", b"bear"),
        lambda: stores.copy(place, to="depot"),
        lambda: stores.verify(place, {"md5": "0" * 32}),
        stores.capacity,
        lambda: stores["depot"].capabilities,
        lambda: stores["depot"].limits,
    ]
    for number, call in enumerate(calls):
        with pytest.raises(StoreClosed):
            pytest.fail(f"call {number} answered {call()!r}")
    assert {stores[name].state for name in stores} == {"closed"}


def test_a_single_store_that_was_closed_leaves_the_others_open(stores):
    kept = stores.add("kept", b"bear", store="toys").location
    shut = stores.add("shut", b"bear", store="books").location
    with stores["books"]:
        pass
    assert stores.get(kept).read() == b"bear"
    stores.copy(kept, to="depot")
    with pytest.raises(StoreClosed) as caught:
        stores.get(shut)
    assert caught.value.store == "books"
    with pytest.raises(StoreClosed):
        stores.add("other", b"bear", store="books")


class Closing(ShelfDriver):
    """A shelf that tells when it is closed, and may fail at it."""

    closed: ClassVar[list] = []

    def close(self):
        self.closed.append(self.store_name)
        if self.store_name == "bad":
            raise OSError("cannot say goodbye")


def test_every_store_is_closed_whatever_happens_to_one(monkeypatch):
    monkeypatch.setattr(Closing, "closed", [])
    names = ("first", "bad", "last")
    stores = Stores({name: {"driver": Closing} for name in names}, default="bad")
    for name in names:
        stores.add("teddy", b"bear", store=name)
    with pytest.raises(BackendError, match="goodbye") as caught:
        stores.close()
    assert caught.value.store == "bad"
    assert sorted(Closing.closed) == sorted(names)
    stores.close()
    assert len(Closing.closed) == 3


def test_a_store_that_was_never_used_is_closed_without_being_opened(tmp_path):
    with Stores({"a": {"driver": DepotDriver, "path": tmp_path / "nowhere"}}) as stores:
        pass
    assert stores["a"].state == "closed"


def test_open_store_opens_at_once_and_has_the_verbs_without_a_name(tmp_path):
    with open_store(DepotDriver, name="attic", path=tmp_path) as store:
        stored = store.add("teddy", b"bear")
        assert (stored.store, store.name, store.driver) == ("attic", "attic", "depot")
        assert store.get(stored.location).read() == b"bear"
        assert store.copy(stored.location, image_id="twin").store == "attic"
        assert "store" not in inspect.signature(store.get).parameters
    assert open_store(ShelfDriver).name == "shelf"


def test_open_store_raises_what_is_wrong_at_once(tmp_path):
    with pytest.raises(StoreError) as caught:
        open_store(DepotDriver, name="attic", path=tmp_path / "nowhere")
    assert caught.value.store == "attic"
    assert "nowhere" in str(caught.value)


def test_two_stores_of_one_driver_share_nothing(stores):
    first, second = stores.add("teddy", b"one"), stores.add("teddy", b"two", store="books")
    assert stores.get(first.location).read() == b"one"
    assert stores.get(second.location).read() == b"two"
    stores.delete(first.location)
    assert stores.get_size(second.location) == 3
    assert Driver.capabilities == Driver.capabilities & ShelfDriver.capabilities
