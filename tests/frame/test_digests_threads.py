"""The threads of digests: never in the way, never waited for in vain, never left behind."""

import gc
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from toys import data as shapes
from toys.shelf import ShelfDriver
from toys.sink import SinkDriver

import storekit
from storekit import InvalidArgument
from storekit.digests import Digests, algorithms_of

TESTS = Path(__file__).parent.parent
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
        self.collects = False

    def update(self, block):
        self._gate.wait(30)
        self.seen += len(block)
        if self.collects:
            gc.collect()

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
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    main = threading.main_thread().ident
    threading.Timer(0.2, lambda: signal.pthread_kill(main, signal.SIGINT)).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            hash_all(digests, blocks)
    finally:
        signal.signal(signal.SIGINT, before)
    gate.set()
    digests.close()
    assert hashing_threads() == []


HALF_READ = """
import builtins, os
import storekit
from toys.sink import SinkDriver

store = storekit.open_store(SinkDriver, name="toys", read_chunk=1000)
stored = store.add("teddy", bytes(50_000), hashes=("md5", "sha1"))
reader = store.get(stored.location, expect=stored.digests)
reader.read(3000)
"""
# What becomes of it: the threads of its digests are not there in a forked child, nor at the end.
ENDS = {
    "kept to the end": "builtins.kept = reader",
    "closed by a child": "if not os.fork(): reader.close(); os._exit(0)\nos.wait(); reader.read()",
    "dropped by a child": "if not os.fork(): del reader; os._exit(0)\nos.wait(); reader.read()",
}


@pytest.mark.parametrize("end", ENDS)
def test_a_reader_that_is_half_read_keeps_no_process_alive(end):
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", HALF_READ + ENDS[end]],  # a fork warns
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])},
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            _, errors = process.communicate(timeout=20)  # else it waits for threads that are gone
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert (process.returncode, errors) == (0, b"")


def test_a_reader_that_the_collector_finds_from_its_own_thread_is_given_back(slow):
    gate, made = slow
    store = storekit.open_store(SinkDriver, name="toys", read_chunk=1000)
    place = store.add("teddy", bytes(50_000), hashes=()).location
    reader = store.get(place, expect={"md5": "0" * 32})
    reader.read(3000)
    made[-1].collects = True
    cycle = [reader]
    cycle.append(cycle)
    gc.disable()
    try:
        del reader, cycle
        gate.set()
        deadline = time.monotonic() + 5
        while hashing_threads() and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        gc.enable()
    assert hashing_threads() == []


@pytest.mark.parametrize("when", range(1, 8))
def test_control_c_while_a_thread_is_started_leaves_no_thread(monkeypatch, when):
    # Thread.start() waits until the thread says that it runs: that is where Ctrl-C arrives.
    real, waits = threading.Event.wait, []

    def wait(event, timeout=None):
        waits.append(event)
        if len(waits) == when:
            raise KeyboardInterrupt
        return real(event, timeout)

    store = storekit.open_store(ShelfDriver, name="toys")
    monkeypatch.setattr(threading.Event, "wait", wait)
    with suppress(KeyboardInterrupt):
        store.add("teddy", [bytes(MIB)] * 4, hashes=("md5", "sha1", "sha512"))
    monkeypatch.undo()
    deadline = time.monotonic() + 5
    while hashing_threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert hashing_threads() == []


STORM = """
import os, random, signal, sys, time
import storekit
from toys.shelf import ShelfDriver
from toys.sink import SinkDriver

signal.signal(signal.SIGALRM, signal.default_int_handler)
random.seed(5)
pieces = [os.urandom(1 << 20)] * 4
shelf = storekit.open_store(ShelfDriver, name="shelf")
sink = storekit.open_store(SinkDriver, name="sink", read_chunk=100_000)
place = sink.add("zeros", bytes(2_000_000), hashes=()).location
interrupted = 0
end = time.monotonic() + 4
while time.monotonic() < end:
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0005 + random.random() / 50)
        try:
            shelf.add("teddy", iter(pieces))
            sink.verify(place, {"sha1": "0" * 40})
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except storekit.StoreError:
        pass
    except KeyboardInterrupt:
        interrupted += 1
    if list(shelf.list()):
        shelf.delete("shelf://shelf/teddy")
patience = time.monotonic() + 5
while len(os.listdir("/proc/self/task")) > 1 and time.monotonic() < patience:
    time.sleep(0.01)
print(interrupted, len(os.listdir("/proc/self/task")))
"""


def test_control_c_at_any_moment_ends_in_no_wait_for_ever_and_leaves_no_thread():
    done = subprocess.run(
        [sys.executable, "-c", STORM],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    interrupted, threads = map(int, done.stdout.split())
    assert interrupted > 10
    assert threads == 1


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
