"""Which of several stores a location is in: asked without I/O, and never guessed."""

from typing import ClassVar

import pytest
from toys.depot import DepotDriver
from toys.shelf import ShelfDriver

from storekit import (
    ConfigurationError,
    DriverNotFound,
    InvalidArgument,
    InvalidLocation,
    Location,
    NotFound,
    StoreError,
    Stores,
    UnknownScheme,
    open_store,
)


class Late(ShelfDriver):
    """A shelf that knows its authority only once it is open, as rbd knows its fsid."""

    schemes = ("late",)
    opened: ClassVar[list] = []

    def open(self):
        self.opened.append(self.store_name)
        self._authority = self.store_name

    def owns(self, location):
        authority = getattr(self, "_authority", None)
        return None if authority is None else location.authority == authority


class Never(Late):
    """A shelf that never knows."""

    schemes = ("never",)

    def owns(self, location):
        return None


class LateBroken(Late):
    """A late shelf that cannot be opened."""

    def open(self):
        raise ConnectionRefusedError(111, "nobody is there")


class Picky(ShelfDriver):
    """A shelf whose locations have a form that can be wrong."""

    schemes = ("picky",)

    def owns(self, location):
        if not location.authority.isdigit():
            raise InvalidLocation("the authority is no number")
        return location.authority == "1"


@pytest.fixture
def opened(monkeypatch):
    opened = []
    monkeypatch.setattr(Late, "opened", opened)
    return opened


def paths(tmp_path, *names):
    for name in names:
        (tmp_path / name).mkdir()
    return {name: {"driver": DepotDriver, "path": tmp_path / name} for name in names}


def test_of_stores_with_one_scheme_the_one_that_has_the_path_is_used(tmp_path):
    stores = Stores(paths(tmp_path, "a", "b"), default="a")
    for name in stores:
        stored = stores.add("teddy", name.encode(), store=name)
        assert stores.owner(stored.location).name == name
        assert stores.owner(str(stored.location)).name == name
        assert stores.get(stored.location).read() == name.encode()


def test_the_owner_is_found_without_io(tmp_path):
    options = {name: {"driver": DepotDriver, "path": tmp_path / name} for name in ("a", "b")}
    stores = Stores(options, default="a")
    assert stores.owner(f"depot://{tmp_path}/b/teddy").name == "b"
    # Had one been opened, it would have failed, and would not be asked again at once.
    (tmp_path / "b").mkdir()
    assert stores["b"].state == "ready"


def test_a_location_in_two_stores_is_ambiguous_until_the_store_is_named(tmp_path):
    stores = Stores({**paths(tmp_path, "a"), "c": {"driver": ShelfDriver}}, default="a")
    twins = Stores(
        {name: {"driver": DepotDriver, "path": tmp_path / "a"} for name in ("x", "y")}, "x"
    )
    place = stores.add("teddy", b"bear").location
    for call in (twins.get, twins.get_size, twins.delete, twins.owner):
        with pytest.raises(InvalidArgument, match="x, y") as caught:
            call(place)
        assert "name the store" in caught.value.hint
    assert twins.get_size(place, store="y") == 4
    assert twins.get(place, store="x").read() == b"bear"


def test_a_location_that_no_store_owns_is_an_invalid_location(tmp_path):
    stores = Stores({**paths(tmp_path, "a"), "toys": {"driver": ShelfDriver}}, default="a")
    for place in ("depot:///elsewhere/teddy", "shelf://books/teddy"):
        with pytest.raises(InvalidLocation) as caught:
            stores.get(place)
        assert not isinstance(caught.value, UnknownScheme)
        assert place in str(caught.value)


def test_a_store_that_is_named_must_own_the_location(tmp_path):
    stores = Stores(paths(tmp_path, "a", "b"), default="a")
    place = stores.add("teddy", b"bear").location
    with pytest.raises(InvalidLocation) as caught:
        stores.get(place, store="b")
    assert caught.value.store == "b"


def test_a_scheme_that_no_store_reads_is_unknown_and_the_known_ones_are_named(tmp_path):
    stores = Stores({**paths(tmp_path, "a"), "toys": {"driver": ShelfDriver}}, default="a")
    with pytest.raises(UnknownScheme, match="nfs") as caught:
        stores.get("nfs://host/teddy")
    assert "depot, shelf" in caught.value.hint


@pytest.mark.parametrize("text", ["", "teddy", "/srv/teddy", "shelf:", "shelf://", None, 5, b"a"])
def test_what_is_no_location_is_an_invalid_location(tmp_path, text):
    stores = Stores({**paths(tmp_path, "a"), "toys": {"driver": ShelfDriver}}, default="a")
    for call in (stores.get, stores.get_size, stores.delete, stores.owner):
        with pytest.raises(InvalidLocation):
            call(text)
    with pytest.raises(InvalidLocation):
        stores.get(text, store="toys")


def test_a_credential_in_a_location_that_nobody_owns_is_not_shown(tmp_path):
    stores = Stores({**paths(tmp_path, "a"), "toys": {"driver": ShelfDriver}}, default="a")
    for place in ("shelf://me:canary@books/teddy", "nfs://me:canary@h/t", "depot://me:canary@h"):
        for call in (stores.get, stores.delete, stores["toys"].get):
            with pytest.raises(StoreError) as caught:
                call(place)
            assert "canary" not in f"{caught.value}{caught.value!r}{caught.value.__dict__}"


def test_a_store_that_knows_only_once_it_is_open_is_opened_and_asked_again(opened):
    stores = Stores(
        {"a": {"driver": Late}, "b": {"driver": Late}, "toys": {"driver": ShelfDriver}}, "toys"
    )
    assert stores["b"].owns("late://b/teddy") is None
    assert opened == []
    assert stores.owner("late://b/teddy").name == "b"
    assert sorted(opened) == ["a", "b"]
    assert stores["b"].owns("late://b/teddy") is True
    with pytest.raises(NotFound):
        stores.get("late://b/teddy")


def test_no_store_is_opened_for_a_scheme_that_is_not_its_own(opened):
    stores = Stores({"a": {"driver": Late}, "toys": {"driver": ShelfDriver}}, "toys")
    with pytest.raises(NotFound):
        stores.get("shelf://toys/teddy")
    with pytest.raises(UnknownScheme):
        stores.get("nfs://a/teddy")
    assert opened == []


def test_a_single_store_asks_its_driver_too(opened):
    store = Stores({"a": {"driver": Late}})["a"]
    with pytest.raises(InvalidLocation):
        store.get("late://b/teddy")
    with pytest.raises(NotFound):
        store.get("late://a/teddy")


def test_a_store_that_never_knows_owns_nothing():
    stores = Stores({"a": {"driver": Never}, "toys": {"driver": ShelfDriver}}, "toys")
    for call in (stores.get, stores["a"].get):
        with pytest.raises(InvalidLocation):
            call("never://a/teddy")


def test_a_late_store_that_cannot_be_opened_does_not_hide_another_owner():
    stores = Stores({"bad": {"driver": LateBroken}, "good": {"driver": Late}}, default="good")
    stores.add("teddy", b"bear")
    assert stores.owner("late://good/teddy").name == "good"
    assert stores.get("late://good/teddy").read() == b"bear"


def test_the_error_of_the_only_possible_owner_is_raised_when_it_cannot_be_opened():
    stores = Stores({"bad": {"driver": LateBroken}, "toys": {"driver": ShelfDriver}}, "toys")
    with pytest.raises(ConnectionError, match="nobody is there") as caught:
        stores.get("late://bad/teddy")
    assert caught.value.store == "bad"


def test_the_error_of_a_store_whose_driver_is_missing_is_raised_when_it_may_be_the_owner():
    stores = Stores({"cold": {"driver": "no-such"}, "toys": {"driver": ShelfDriver}}, "toys")
    with pytest.raises(DriverNotFound) as caught:
        stores.get("cold://bucket/teddy")
    assert caught.value.store == "cold"


def test_two_stores_that_are_down_do_not_make_an_image_of_theirs_invalid():
    stores = Stores({"one": {"driver": LateBroken}, "two": {"driver": LateBroken}}, "one")
    with pytest.raises(ConnectionError, match="nobody is there") as caught:
        stores.get("late://one/teddy")
    assert caught.value.retriable
    assert not isinstance(caught.value, InvalidLocation)


def test_two_stores_without_a_driver_do_not_make_an_image_of_theirs_invalid():
    stores = Stores({"one": {"driver": "no-such"}, "two": {"driver": "nor-this"}}, "one")
    with pytest.raises(DriverNotFound) as caught:
        stores.get("cold://bucket/teddy")
    for named in ("one", "no-such", "two", "nor-this"):
        assert named in str(caught.value)


def broken_owner(tmp_path):
    """Stores of which one cannot be opened, and it was already tried."""
    stores = Stores(
        {
            "gone": {"driver": DepotDriver, "path": tmp_path / "gone"},
            "cold": {"driver": "no-such"},
            "toys": {"driver": ShelfDriver},
        },
        default="toys",
    )
    assert stores["gone"].state.startswith("failed: ")
    assert stores["cold"].state.startswith("failed: ")
    return stores


def test_the_owner_that_failed_is_still_known_beside_another_broken_store(tmp_path):
    stores = broken_owner(tmp_path)
    with pytest.raises(StoreError) as caught:
        stores.get(f"depot://{tmp_path}/gone/teddy")
    assert caught.value.store == "gone"
    assert not isinstance(caught.value, InvalidLocation)


def test_a_store_that_failed_still_tells_which_locations_are_its_own(tmp_path):
    store = broken_owner(tmp_path)["gone"]
    assert store.owns(f"depot://{tmp_path}/gone/teddy") is True
    assert store.owns(f"depot://{tmp_path}/other/teddy") is False
    assert store.owns("shelf://toys/teddy") is False


def test_a_store_that_failed_is_not_blamed_for_a_location_that_is_not_its_own(tmp_path):
    stores = Stores(
        {
            "gone": {"driver": DepotDriver, "path": tmp_path / "gone"},
            "toys": {"driver": ShelfDriver},
        },
        default="toys",
    )
    assert stores["gone"].state.startswith("failed: ")
    for place in ("shelf://books/teddy", f"depot://{tmp_path}/other/teddy"):
        with pytest.raises(InvalidLocation):
            stores.get(place)
    with pytest.raises(UnknownScheme):
        stores.get("nfs://host/teddy")


def test_a_form_that_a_driver_refuses_is_an_invalid_location_with_its_reason():
    stores = Stores({"p": {"driver": Picky}, "toys": {"driver": ShelfDriver}}, default="toys")
    for call in (stores.get, stores["p"].get):
        with pytest.raises(InvalidLocation, match="no number"):
            call("picky://one/teddy")
    with pytest.raises(NotFound):
        stores.get("picky://1/teddy")


class Careless(ShelfDriver):
    """A shelf that trips over every location that is not its own."""

    def owns(self, location):
        return {"careless": True}[location.authority]


def test_a_driver_that_trips_over_the_location_of_another_hides_no_owner():
    stores = Stores({"careless": {"driver": Careless}, "toys": {"driver": ShelfDriver}}, "toys")
    place = stores.add("teddy", b"bear").location
    assert stores.get(place).read() == b"bear"
    with pytest.raises(StoreError) as caught:
        stores.get("shelf://elsewhere/teddy")
    assert caught.value.store == "careless"


def test_an_owner_may_be_given_as_a_location_object(tmp_path):
    stores = Stores(paths(tmp_path, "a"))
    place = Location.build("depot", "", *tmp_path.parts[1:], "a", "teddy")
    assert stores.owner(place).name == "a"


def test_a_store_with_bad_options_is_the_only_possible_owner_and_says_why():
    stores = Stores({"p": {"driver": Picky, "rom": 5}, "toys": {"driver": ShelfDriver}}, "toys")
    with pytest.raises(ConfigurationError, match="rom"):
        stores.get("picky://1/teddy")
    with pytest.raises(ConfigurationError, match="rom"):
        open_store(Picky, rom=5)
