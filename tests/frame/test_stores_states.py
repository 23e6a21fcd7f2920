"""What a store says of itself: ready, degraded and why, failed and why."""

import pytest
from toys.shelf import ShelfDriver

from storekit import Capability, Stores, Unsupported


def beside(driver):
    """Stores of which one has this driver."""
    return Stores({"odd": {"driver": driver}, "toys": {"driver": ShelfDriver}}, default="toys")


class Half(ShelfDriver):
    """A shelf that may be read but not written to, the first time that it is opened."""

    write_protected = True

    def open(self):
        if self.write_protected:
            self.narrow(Capability.ADD | Capability.DELETE, "the shelf is nailed shut")
            self.narrow(Capability.EXCLUSIVE_ADD, "nothing is added")


def test_a_narrowed_store_is_degraded_reads_on_and_says_why_it_refuses(monkeypatch):
    stores = beside(Half)
    assert stores["odd"].state == "degraded: the shelf is nailed shut"
    assert not stores["odd"].capabilities & (Capability.ADD | Capability.DELETE)
    assert stores["odd"].capabilities & Capability.GET
    assert stores["odd"].withdrawn[Capability.ADD] == "the shelf is nailed shut"
    with pytest.raises(Unsupported, match="ADD") as caught:
        stores.add("teddy", b"bear", store="odd")
    assert "nailed shut" in str(caught.value)
    assert caught.value.store == "odd"
    assert list(stores.list("odd")) == []
    # What one store withdrew, no other misses.
    monkeypatch.setattr(Half, "write_protected", False)
    other = Stores({"other": {"driver": Half}})
    assert other["other"].state == "ready"
    assert other.add("teddy", b"bear").size == 4
    assert stores["odd"].state == "degraded: the shelf is nailed shut"


class Promises(ShelfDriver):
    """A shelf that keeps less of what it promises than it could."""

    def open(self):
        self.narrow(Capability.EXCLUSIVE_ADD, "two may win")


def test_a_promise_that_is_withdrawn_does_not_degrade_a_store():
    store = beside(Promises)["odd"]
    assert store.state == "ready"
    assert not store.capabilities & Capability.EXCLUSIVE_ADD


class Chosen(ShelfDriver):
    """A shelf that an option of its own keeps from being deleted from; and one that is wet."""

    wet = False

    def __init__(self, store_name, options):
        super().__init__(store_name, options)
        self.narrow(Capability.DELETE, "nothing is deleted here")

    def open(self):
        if self.wet:
            self.narrow(Capability.ADD | Capability.DELETE, "the shelf is wet")


def test_what_the_options_withdraw_does_not_degrade_a_store(monkeypatch):
    store = beside(Chosen)["odd"]
    assert store.state == "ready"
    assert store.withdrawn == {Capability.DELETE: "nothing is deleted here"}
    monkeypatch.setattr(Chosen, "wet", True)
    assert beside(Chosen)["odd"].state == "degraded: the shelf is wet"


class Worse(Half):
    """A shelf that has more than one thing wrong."""

    def open(self):
        super().open()
        self.degraded = "one of three mirrors is gone"


def test_a_driver_may_say_itself_that_it_is_degraded():
    store = beside(Worse)["odd"]
    assert store.state == "degraded: the shelf is nailed shut; one of three mirrors is gone"


class Forgetful(ShelfDriver):
    """A shelf whose author forgot to call the constructor of the class above."""

    def __init__(self, store_name, options):
        self.name = store_name


class Unclear(ShelfDriver):
    """A shelf that gives an exception where a text belongs."""

    def open(self):
        self.narrow(Capability.ADD, PermissionError(13, "read only"))
        self.degraded = PermissionError(13, "read only")


@pytest.mark.parametrize("driver", [Forgetful, Unclear])
def test_the_state_of_a_store_can_be_asked_whatever_its_driver_does(driver):
    stores = beside(driver)
    assert stores["odd"].state.partition(":")[0] in {"ready", "degraded", "failed"}
    assert stores["odd"].state.partition(":")[0] in {"ready", "degraded", "failed"}
    assert stores["toys"].state == "ready"
    stores.close()
