"""Stores that many threads use at once."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from toys.depot import DepotDriver
from toys.shelf import ShelfDriver

from storekit import Duplicate, StoredImage, StoreError, Stores

THREADS = 24


class Counting(ShelfDriver):
    """A shelf that counts its lives, and takes a while to open."""

    made = 0
    opened = 0
    fails = 0
    lock = threading.Lock()

    def __init__(self, store_name, options):
        super().__init__(store_name, options)
        with self.lock:
            type(self).made += 1

    def open(self):
        time.sleep(0.05)
        with self.lock:
            type(self).opened += 1
        if self.opened <= self.fails:
            raise ConnectionRefusedError(111, "nobody is there")


@pytest.fixture
def counting(monkeypatch):
    for name in ("made", "opened", "fails"):
        monkeypatch.setattr(Counting, name, 0)
    return Counting


def at_once(*calls):
    """Run calls in threads of their own, all from the same moment; give what became of each."""
    barrier = threading.Barrier(len(calls))

    def run(call):
        barrier.wait(20)
        try:
            return call()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_many_threads_open_a_store_exactly_once_and_all_use_it(counting):
    stores = Stores({"toys": {"driver": counting}})

    def use(number):
        image = f"image {number}".encode()
        stored = stores.add(f"teddy-{number}", image)
        with stores.get(stored.location) as reader:
            return reader.read() == image

    calls = [lambda number=number: use(number) for number in range(THREADS)]
    assert at_once(*calls) == [True] * THREADS
    assert (counting.made, counting.opened) == (1, 1)
    assert len(list(stores.list())) == THREADS


def test_different_first_verbs_open_it_once_too(counting):
    stores = Stores({"toys": {"driver": counting}})
    calls = [
        lambda: stores["toys"].state,
        lambda: stores["toys"].capabilities,
        lambda: stores["toys"].limits,
        lambda: stores.owner("shelf://toys/teddy"),
        lambda: list(stores.list()),
        stores.capacity,
        lambda: stores.add("teddy", b"bear"),
    ]
    results = at_once(*calls * 3)
    assert [each for each in results if isinstance(each, Exception)] == [
        each for each in results if isinstance(each, Duplicate)
    ]
    assert (counting.made, counting.opened) == (1, 1)


def test_many_threads_that_meet_a_dead_backend_try_it_once(counting):
    counting.fails = THREADS
    stores = Stores({"toys": {"driver": counting}})
    begin = time.monotonic()
    errors = at_once(*[stores.capacity] * THREADS)
    took = time.monotonic() - begin
    assert all(isinstance(error, StoreError) and error.retriable for error in errors)
    assert len({id(error) for error in errors}) == THREADS
    assert counting.opened <= 1 + took / 0.1  # the first pause


def test_of_many_adds_of_one_id_exactly_one_wins(tmp_path):
    stores = Stores(
        {"toys": {"driver": ShelfDriver}, "depot": {"driver": DepotDriver, "path": tmp_path}},
        default="toys",
    )
    for store in stores:
        calls = [
            lambda number=number, store=store: stores.add(
                "teddy", bytes([number]) * 5000, store=store
            )
            for number in range(THREADS)
        ]
        results = at_once(*calls)
        (winner,) = [number for number, each in enumerate(results) if isinstance(each, StoredImage)]
        losers = results[:winner] + results[winner + 1 :]
        assert {type(each) for each in losers} == {Duplicate}
        assert stores.get(results[winner].location).read() == bytes([winner]) * 5000
    assert [path.name for path in tmp_path.iterdir()] == ["teddy"]


def test_closing_while_others_use_it_gives_errors_of_storekit_and_nothing_else(counting):
    for _ in range(5):
        stores = Stores({"toys": {"driver": counting}})
        stores.add("teddy", b"bear")

        def use(stores=stores):
            for _ in range(50):
                stores.get_size("shelf://toys/teddy")

        results = at_once(*[use] * 8, stores.close)
        odd = [each for each in results if each is not None and not isinstance(each, StoreError)]
        assert odd == []
        assert stores["toys"].state == "closed"
