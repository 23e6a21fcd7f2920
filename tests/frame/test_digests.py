"""Digests: computed beside the data, never in the way, and no thread stays behind."""

import hashlib
import os
import signal
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import data as shapes
from toys.shelf import ShelfDriver

import storekit
from storekit import DigestMismatch, InvalidArgument
from storekit.digests import Digests, algorithms_of, compare, expectation_of

MIB = 1 << 20
FIXED = sorted(name for name in hashlib.algorithms_guaranteed if hashlib.new(name).digest_size)


OLD = set()  # threads that an earlier test left behind, which failed for it


def hashing_threads():
    threads = set(threading.enumerate()) - OLD
    return [one.name for one in threads if one.name.startswith("storekit")]


@pytest.fixture(autouse=True)
def no_thread_stays_behind():
    OLD.update(threading.enumerate())
    yield
    assert hashing_threads() == []


@pytest.mark.parametrize("name", FIXED)
def test_every_algorithm_of_fixed_length_that_hashlib_guarantees_works(name):
    blocks = [os.urandom(70_000) for _ in range(3)]
    digests = Digests((name,))
    for block in blocks:
        digests.update(block)
    assert digests.finish() == {name: hashlib.new(name, b"".join(blocks)).hexdigest()}


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.binary(max_size=100), max_size=20),
    st.lists(st.sampled_from(FIXED), unique=True, max_size=4),
)
def test_no_number_of_blocks_and_algorithms_changes_a_digest(blocks, names):
    digests = Digests(names)
    for block in blocks:
        digests.update(block)
    image = b"".join(blocks)
    assert digests.finish() == {name: hashlib.new(name, image).hexdigest() for name in names}
    assert hashing_threads() == []


def test_an_image_of_one_block_starts_no_thread():
    digests = Digests(("md5", "sha512"))
    digests.update(b"image")
    assert hashing_threads() == []
    assert digests.finish()["md5"] == hashlib.md5(b"image").hexdigest()


@pytest.mark.parametrize("blocks", [0, 1, 2, 50])
def test_digests_that_nobody_wants_any_more_are_given_up_with_their_threads(blocks):
    digests = Digests(("md5", "sha512", "sha3_512"))
    for _ in range(blocks):
        digests.update(bytes(1000))
    digests.close()
    assert hashing_threads() == []
    digests.close()


class Slow:
    """A hash function, as some library may bring one, that is slower than any data."""

    digest_size = 16

    def __init__(self, gate):
        self._gate = gate
        self.seen = 0

    def update(self, block):
        self._gate.wait(30)
        self.seen += len(block)

    def hexdigest(self):
        return f"{self.seen:032x}"


@pytest.fixture
def slow(monkeypatch):
    """Make hashlib's md5 a slow one: gives its gate and the functions made."""
    gate, made = threading.Event(), []
    real = hashlib.new

    def new(name, data=b"", **options):
        if name != "md5":
            return real(name, data, **options)
        made.append(Slow(gate))
        return made[-1]

    algorithms_of(("md5",))
    monkeypatch.setattr(hashlib, "new", new)
    yield gate, made
    gate.set()


def test_a_slow_algorithm_holds_the_data_back_instead_of_filling_the_memory(slow):
    gate, made = slow
    digests = Digests(("md5", "sha1"))
    fed = []

    def feed():
        for number in range(100):
            digests.update(bytes(1000))
            fed.append(number)

    feeder = threading.Thread(target=feed)
    feeder.start()
    deadline = time.monotonic() + 10
    while len(fed) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.3)
    held = len(fed)
    gate.set()
    feeder.join()
    found = digests.finish()
    assert held <= 8
    assert found["md5"] == f"{100_000:032x}"
    assert found["sha1"] == hashlib.sha1(bytes(100_000)).hexdigest()
    assert made[-1].seen == 100_000


def test_a_slow_algorithm_is_waited_for_before_the_image_is_stored(slow):
    gate, _ = slow
    store = storekit.open_store(ShelfDriver, name="toys")
    threading.Timer(0.2, gate.set).start()
    stored = store.add("teddy", [bytes(MIB)] * 3, hashes=("md5", "sha1"))
    assert stored.digests["md5"] == f"{3 * MIB:032x}"


def test_an_interrupt_while_an_algorithm_is_behind_comes_out_and_leaves_no_thread(slow):
    gate, _ = slow
    store = storekit.open_store(ShelfDriver, name="toys")

    def pieces():
        yield bytes(3 * MIB)
        threading.Timer(0.2, gate.set).start()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.add("teddy", pieces(), hashes=("md5", "sha1"))
    assert hashing_threads() == []
    assert list(store.list()) == []


@pytest.mark.parametrize("blocks", range(2, 9))
def test_control_c_while_a_digest_is_waited_for_leaves_no_thread(slow, blocks):
    gate, _ = slow
    digests = Digests(("md5", "sha1"))
    main = threading.main_thread().ident
    threading.Timer(0.2, lambda: signal.pthread_kill(main, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        hash_all(digests, blocks)
    gate.set()
    digests.close()
    assert hashing_threads() == []


def hash_all(digests, blocks):
    for _ in range(blocks):
        digests.update(bytes(1000))
    digests.finish()


@pytest.mark.parametrize("started", [0, 1, 2])
def test_a_machine_that_has_no_thread_left_gives_right_digests_or_a_clean_error(
    monkeypatch, started
):
    store = storekit.open_store(ShelfDriver, name="toys")
    real, left = threading.Thread.start, [None] * started

    def start(thread):
        if not left:
            raise RuntimeError("can't start new thread")
        left.pop()
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    image = [bytes(MIB)] * 3
    stored = error = None
    try:
        stored = store.add("teddy", image, hashes=("md5", "sha1", "sha512"))
    except storekit.StoreError as raised:
        error = raised
    if error is None:
        assert stored.digests["sha1"] == hashlib.sha1(b"".join(image)).hexdigest()
    else:
        assert "can't start new thread" in str(error)
        assert list(store.list()) == []
    assert hashing_threads() == []


@pytest.mark.parametrize(
    "data", [shapes.Failing(bytes(3 * MIB), OSError("no")), [bytes(3 * MIB), 5]]
)
def test_an_add_that_fails_leaves_no_thread_of_its_digests(data):
    store = storekit.open_store(ShelfDriver, name="toys")
    with pytest.raises((OSError, InvalidArgument)):
        store.add("teddy", data, hashes=FIXED)
    assert hashing_threads() == []


def test_a_reader_with_digests_that_is_dropped_or_closed_leaves_no_thread():
    store = storekit.open_store(ShelfDriver, name="toys", read_chunk=1000)
    stored = store.add("teddy", bytes(5000))
    expect = stored.digests
    reader = store.get(stored.location, expect=expect)
    assert len(reader.read(1)) == 1
    reader.close()
    assert hashing_threads() == []
    reader = store.get(stored.location, expect=expect)
    assert len(reader.read(3000)) == 3000
    del reader
    assert hashing_threads() == []


@pytest.mark.parametrize("name", ["shake_128", "shake_256"])
def test_an_algorithm_without_a_length_of_its_own_is_refused(name):
    with pytest.raises(InvalidArgument, match=name):
        algorithms_of((name,))


@pytest.mark.parametrize(
    "hashes",
    [
        *("md5", b"md5", None, 5, ("nope",), ("",), ("md5\0",), ("md\u20ac5",), ("\ud800",)),
        *((None,), (5,), (b"md5",), ([],), ("md5", "nope"), ({},), "", object()),
    ],
    ids=repr,
)
def test_what_is_no_list_of_algorithms_is_an_invalid_argument(hashes):
    with pytest.raises(InvalidArgument):
        algorithms_of(hashes)


@pytest.mark.parametrize(
    "hashes", [["md5", "sha1", "md5"], {"md5": 1, "sha1": 2}, iter(["md5", "sha1"])]
)
def test_any_iterable_of_names_will_do_and_each_counts_once(hashes):
    assert algorithms_of(hashes) == ("md5", "sha1")
    assert algorithms_of(()) == ()


@pytest.mark.parametrize(
    "expect",
    [
        *([], "md5", 5, [("md5", "0" * 32)], {"md5": ""}, {"md5": "0" * 31}, {"md5": "0" * 33}),
        *({"md5": "0x" + "0" * 30}, {"md5": " " + "0" * 31}, {"md5": "\u0661" * 32}, {"md5": None}),
        *({"md5": b"0" * 32}, {"md5": 0}, {"nope": "00"}, {5: "00"}, {"shake_128": "0" * 32}),
        *({"sha1": "0" * 32}, {"md5": "-" + "0" * 31}, {"md5": "0" * 31 + "\n"}),
    ],
    ids=repr,
)
def test_what_is_no_expectation_is_an_invalid_argument(expect):
    with pytest.raises(InvalidArgument):
        expectation_of(expect)


def test_an_expectation_is_a_copy_in_lower_case():
    given_ = {"md5": "AB" * 16}
    wanted = expectation_of(given_)
    assert wanted == {"md5": "ab" * 16}
    given_["md5"] = "cd" * 16
    assert wanted == {"md5": "ab" * 16}
    assert expectation_of(None) == expectation_of({}) == {}


def test_a_mismatch_names_the_algorithm_and_both_digests():
    with pytest.raises(DigestMismatch) as caught:
        compare({"md5": "a" * 32, "sha1": "b" * 40}, {"sha1": "c" * 40})
    for word in ("sha1", "b" * 40, "c" * 40):
        assert word in str(caught.value)
    compare({"md5": "a" * 32}, {"md5": "a" * 32})
    compare({"md5": "a" * 32}, {})
