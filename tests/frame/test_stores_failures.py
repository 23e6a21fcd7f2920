"""A store that fails leaves the others alone, says why, is tried again, and recovers."""

import threading
import time
from datetime import timedelta
from itertools import pairwise
from typing import ClassVar

import pytest
from toys.depot import DepotDriver
from toys.shelf import ShelfDriver

from storekit import (
    ConfigurationError,
    DriverNotFound,
    StoreError,
    Stores,
    Unavailable,
)

GIVE_UP = 20  # seconds
FIRST_PAUSE = 0.1


class Flaky(ShelfDriver):
    """A shelf that opens when it may. Tells when it was opened and closed."""

    may_open = True
    tries: ClassVar[list] = []
    closes: ClassVar[list] = []

    def open(self):
        self.tries.append(time.monotonic())
        if not self.may_open:
            raise ConnectionRefusedError(111, "not yet")

    def close(self):
        self.closes.append(self)


@pytest.fixture
def flaky(monkeypatch):
    monkeypatch.setattr(Flaky, "may_open", False)
    monkeypatch.setattr(Flaky, "tries", [])
    monkeypatch.setattr(Flaky, "closes", [])
    return Flaky


def beside(options):
    """Stores of which one has these options."""
    return Stores({"odd": options, "toys": {"driver": ShelfDriver}}, default="toys")


def eventually(check):
    """Ask again and again until the answer is true."""
    end = time.monotonic() + GIVE_UP
    while not (answer := check()):
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)
    return answer


BROKEN = {
    "missing directory": ({"driver": DepotDriver, "path": "/nowhere/images"}, "/nowhere/images"),
    "unknown driver": ({"driver": "no-such"}, "no-such"),
    "no driver": ({}, "driver"),
    "unknown option": ({"driver": ShelfDriver, "rom": 5}, "rom"),
    "bad option": ({"driver": ShelfDriver, "room": "much"}, "room"),
    "missing option": ({"driver": DepotDriver}, "path"),
    "missing variable": ({"driver": ShelfDriver, "room": {"env": "NO_SUCH_ROOM"}}, "NO_SUCH_ROOM"),
    "missing file": ({"driver": ShelfDriver, "room": {"file": "/nowhere/room"}}, "/nowhere/room"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_store_leaves_the_others_alone_and_says_why(how):
    options, why = BROKEN[how]
    stores = beside(options)
    stored = stores.add("teddy", b"bear")
    assert stores["odd"].state.startswith("failed: ")
    assert why in stores["odd"].state
    assert stores["toys"].state == "ready"
    assert stores.get(stored.location).read() == b"bear"
    for call in (
        lambda: stores.add("teddy", b"bear", store="odd"),
        lambda: stores.copy(stored.location, to="odd"),
        lambda: stores.capacity("odd"),
        lambda: list(stores.list("odd")),
        lambda: stores["odd"].capabilities,
        lambda: stores["odd"].limits,
    ):
        with pytest.raises(StoreError) as caught:
            call()
        assert caught.value.store == "odd"
        assert why in str(caught.value)
    stores.delete(stored.location)
    stores.close()


@pytest.mark.parametrize("default", ["odd", "toys"])
def test_a_broken_store_keeps_nobody_from_the_images_of_the_others(default):
    stores = Stores(
        {"odd": {"driver": "no-such"}, "toys": {"driver": ShelfDriver}}, default=default
    )
    stored = stores.add("teddy", b"bear", store="toys")
    seen = []
    with pytest.raises(DriverNotFound) as caught:
        seen.extend(stores.list())
    assert [each.location for each in seen] == [stored.location]
    assert caught.value.store == "odd"


def test_a_broken_store_keeps_nobody_from_the_leftovers_of_the_others(tmp_path):
    upload = tmp_path / ".storekit-dead"
    upload.mkdir()
    mapping = {"odd": {"driver": "no-such"}, "depot": {"driver": DepotDriver, "path": tmp_path}}
    stores = Stores(mapping, default="odd")
    seen = []
    with pytest.raises(DriverNotFound):
        seen.extend(stores.leftovers(older_than=timedelta(0)))
    assert [each.name for each in seen] == [".storekit-dead"]
    with pytest.raises(DriverNotFound):
        stores.reclaim(older_than=timedelta(0))
    assert not upload.exists()


def test_a_store_that_failed_is_tried_again_and_recovers(tmp_path):
    stores = beside({"driver": DepotDriver, "path": tmp_path / "mnt"})
    assert stores["odd"].state.startswith("failed: ")
    (tmp_path / "mnt").mkdir()
    eventually(lambda: stores["odd"].state == "ready")
    assert stores.add("teddy", b"bear", store="odd").size == 4


def test_a_store_whose_secret_comes_later_recovers_in_the_same_way(monkeypatch):
    monkeypatch.delenv("ROOM", raising=False)
    stores = beside({"driver": ShelfDriver, "room": {"env": "ROOM"}})
    assert "ROOM" in stores["odd"].state
    monkeypatch.setenv("ROOM", "77")
    eventually(lambda: stores["odd"].state == "ready")
    assert stores.capacity("odd").total == 77


def test_a_dead_backend_is_asked_more_and_more_rarely(flaky):
    stores = beside({"driver": flaky})
    end = time.monotonic() + 1.2
    asked = 0
    while time.monotonic() < end:
        with pytest.raises(Unavailable, match="not yet"):
            stores.capacity("odd")
        asked += 1
        time.sleep(0.001)
    assert asked > 20
    assert 3 <= len(flaky.tries) <= 5
    for number, (before, after) in enumerate(pairwise(flaky.tries)):
        assert after - before >= FIRST_PAUSE * 2**number


def test_a_store_that_came_back_is_opened_once(flaky):
    stores = beside({"driver": flaky})
    assert stores["odd"].state == "failed: not yet"
    flaky.may_open = True
    eventually(lambda: stores["odd"].state == "ready")
    assert stores.add("teddy", b"bear", store="odd").size == 4
    assert len(flaky.tries) == 2


def test_while_it_waits_every_caller_gets_an_error_of_his_own(flaky):
    stores = beside({"driver": flaky})
    errors = []
    begin = time.monotonic()
    for _ in range(3):
        with pytest.raises(Unavailable) as caught:
            stores.capacity("odd")
        errors.append(caught.value)
    assert len({id(error) for error in errors}) == 3
    assert {str(error) for error in errors} == {str(errors[0])}
    assert all(isinstance(error.__cause__, ConnectionRefusedError) for error in errors)
    assert all(error.retriable for error in errors)
    assert len(flaky.tries) <= 1 + (time.monotonic() - begin) / FIRST_PAUSE


def test_a_driver_that_failed_to_open_is_closed_and_never_used_again(flaky):
    stores = beside({"driver": flaky})
    assert stores["odd"].state.startswith("failed: ")
    assert len(flaky.closes) == 1
    assert stores["odd"].owns("shelf://odd/teddy") is True
    assert stores["odd"].opening.current is not flaky.closes[0]
    flaky.may_open = True
    eventually(lambda: stores["odd"].state == "ready")
    assert stores["odd"].opening.current is not flaky.closes[0]


class BadAtAll(ShelfDriver):
    """A shelf that can neither be opened nor closed."""

    def open(self):
        raise ConnectionRefusedError(111, "nobody is there")

    def close(self):
        raise ValueError("what was never open cannot be closed")


def test_a_driver_that_cannot_even_be_closed_tells_why_it_did_not_open():
    stores = beside({"driver": BadAtAll})
    assert stores["odd"].state == "failed: nobody is there"
    eventually(lambda: stores["odd"].state == "failed: nobody is there")
    with pytest.raises(Unavailable, match="nobody is there"):
        stores.capacity("odd")
    stores.close()


class BadConstructor(ShelfDriver):
    """A shelf that fails before it is opened, where none should do anything."""

    tries: ClassVar[list] = []

    def __init__(self, store_name, options):
        self.tries.append(time.monotonic())
        raise KeyError("endpoint")


def test_a_driver_that_cannot_be_made_is_tried_more_and_more_rarely_too(monkeypatch):
    monkeypatch.setattr(BadConstructor, "tries", [])
    stores = beside({"driver": BadConstructor})
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        with pytest.raises(StoreError, match="endpoint"):
            stores["odd"].owns("shelf://odd/teddy")
    assert 2 <= len(BadConstructor.tries) <= 4


def test_a_constructor_that_fails_fails_its_store_alone():
    stores = beside({"driver": BadConstructor})
    assert stores["odd"].state.startswith("failed: ")
    assert "endpoint" in stores["odd"].state
    assert stores.add("teddy", b"bear").size == 4


class Speaking(ShelfDriver):
    """A shelf with exceptions of its own."""

    class Silence(Exception):
        """What its client library raises."""

    def open(self):
        raise self.Silence("?")

    def translate(self, error, operation):
        if isinstance(error, self.Silence):
            return Unavailable(f"the shelf is silent at {operation}", hint="speak up")
        return None


class Stuttering(Speaking):
    """A shelf that fails to explain itself."""

    def translate(self, error, operation):
        raise IndexError("no word for it")


def test_why_a_store_did_not_open_is_told_in_the_words_of_its_driver():
    stores = beside({"driver": Speaking})
    for _ in range(2):  # at the first try, and while it waits
        assert stores["odd"].state == "failed: the shelf is silent at open"
        with pytest.raises(Unavailable) as caught:
            stores.capacity("odd")
        assert caught.value.hint == "speak up"
        assert isinstance(caught.value.__cause__, Speaking.Silence)


def test_a_driver_without_words_for_its_failure_fails_its_store_alone():
    stores = beside({"driver": Stuttering})
    assert stores["odd"].state.startswith("failed: ")
    assert "translate" in stores["odd"].state
    assert stores.add("teddy", b"bear").size == 4


class Locked(ShelfDriver):
    """A shelf that opens with the right key only."""

    tries: ClassVar[list] = []

    def open(self):
        key = self.config.labels["key"]
        self.tries.append(key)
        if key != "right":
            raise PermissionError(13, "wrong key")


def test_a_key_that_was_corrected_is_used_at_the_next_try(tmp_path, monkeypatch):
    monkeypatch.setattr(Locked, "tries", [])
    key = tmp_path / "key"
    key.write_text("wrong")
    stores = beside({"driver": Locked, "labels": {"key": {"file": str(key)}}})
    assert stores["odd"].state == "failed: wrong key"
    # Requests go on meanwhile, and each asks whose location it has.
    assert stores["odd"].owns("shelf://odd/teddy") is True
    key.write_text("right")
    eventually(lambda: stores["odd"].state == "ready")
    assert Locked.tries == ["wrong", "right"]


class Slow(ShelfDriver):
    """A shelf that takes its time to open."""

    inside = threading.Event()
    go_on = threading.Event()

    def open(self):
        self.inside.set()
        assert self.go_on.wait(GIVE_UP)


def test_a_store_that_is_slow_to_open_holds_up_no_other_store(monkeypatch):
    monkeypatch.setattr(Slow, "inside", threading.Event())
    monkeypatch.setattr(Slow, "go_on", threading.Event())
    stores = beside({"driver": Slow})
    states = []
    opener = threading.Thread(target=lambda: states.append(stores["odd"].state))
    opener.start()
    try:
        assert Slow.inside.wait(GIVE_UP)
        stored = stores.add("teddy", b"bear")
        assert stores.get(stored.location).read() == b"bear"
        assert stores["odd"].owns("shelf://odd/teddy") is True
        assert states == []
    finally:
        Slow.go_on.set()
        opener.join()
    assert states == ["ready"]


class Interrupted(ShelfDriver):
    """A shelf whose opening is interrupted once."""

    interrupt = True

    def open(self):
        if type(self).interrupt:
            type(self).interrupt = False
            raise KeyboardInterrupt


def test_an_interrupted_opening_is_no_failure(monkeypatch):
    monkeypatch.setattr(Interrupted, "interrupt", True)
    stores = beside({"driver": Interrupted})
    with pytest.raises(KeyboardInterrupt):
        stores.capacity("odd")
    assert stores["odd"].state == "ready"


def test_a_wrong_option_stays_wrong_and_stays_explained():
    stores = beside({"driver": ShelfDriver, "rom": 5})
    for _ in range(3):
        with pytest.raises(ConfigurationError, match="rom") as caught:
            stores.capacity("odd")
        assert caught.value.hint == "did you mean room?"
        assert not caught.value.retriable
