"""What the cluster does, and what the caller is told, in time."""

import contextlib
import errno
import signal
import subprocess
import sys
import textwrap
import threading
import time
from datetime import timedelta
from functools import partial

import pytest
from servers import ceph
from servers.daemons import frozen

from storekit import InUse, OutcomeUnknown, StorageFull, Timeout, Unavailable

from .conftest import MIB, Pool, shut_out

IO, CONNECT, ATTEMPTS = 2, 2, 1
LIMITS = {"io_timeout": IO, "connect_timeout": CONNECT, "max_attempts": ATTEMPTS}
BUDGET = ATTEMPTS * (IO + CONNECT)
SLACK = 10  # seconds: a failed add also removes what it can, and that waits for the cluster too

pytestmark = pytest.mark.slow


@pytest.fixture
def pool(disk):
    """A pool of its own on the cluster that can be hurt."""
    return Pool(disk)


@contextlib.contextmanager
def stopped(cluster, *daemons):
    """Have daemons not answer."""
    with contextlib.ExitStack() as all_of_them:
        for daemon in daemons:
            all_of_them.enter_context(frozen(partial(cluster.signal, daemon)))
        yield


@contextlib.contextmanager
def down(cluster):
    """Have no OSD."""
    cluster.signal("osd.0", signal.SIGKILL)
    try:
        yield
    finally:
        cluster.start_osd()


@contextlib.contextmanager
def full(cluster):
    """Have no space."""
    have_room(cluster, (0.000001, 0.000002, 0.000003))
    try:
        yield
    finally:
        have_room(cluster, (0.85, 0.9, 0.95))


def have_room(cluster, ratios):
    """Set from where on the cluster is full, and wait until the OSD has seen it."""
    wanted = ratios[0] < 0.5
    # None of them counts for less than the one before it.
    for name, ratio in zip(("nearfull", "backfillfull", "full"), ratios, strict=True):
        cluster.ask(f"osd set-{name}-ratio", ratio=ratio)
    end = time.monotonic() + 30
    while ("full" in cluster.ask("osd dump")["osds"][0]["state"]) != wanted:
        assert time.monotonic() < end, "the OSD does not look at its disk"
        time.sleep(0.1)


FAULTS = {
    "stopped": lambda cluster: stopped(cluster, "osd.0"),
    "killed": down,
    "all stopped": lambda cluster: stopped(cluster, "osd.0", "mon.a"),
}


class Within:
    """Does something in a thread, for it may block for ever where nothing can interrupt it."""

    def __init__(self, work):
        self._work = work
        self._result = self._error = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            self._result = self._work()
        except BaseException as error:
            self._error = error

    def result(self, seconds):
        """Give what it gave, or raise what it raised, so many seconds from now at most."""
        self._thread.join(seconds)
        assert not self._thread.is_alive(), f"it is not done after {seconds} s"
        if self._error is not None:
            raise self._error
        return self._result


class Broken:
    """Data whose reader hurts the cluster in the middle."""

    def __init__(self, image, hurt):
        self._image, self._hurt = image, hurt

    def __iter__(self):
        yield self._image[:MIB]
        self._hurt()
        yield self._image[MIB:]


def settled(store, pool, names=()):
    """See that nothing but some images is there, and that the rest can be reclaimed."""
    end = time.monotonic() + 40
    while pool.images() != set(names) and time.monotonic() < end:
        store.reclaim(timedelta(0))
    assert pool.images() == set(names)
    assert {listed.image_id for listed in store.list()} == set(names)


@pytest.mark.parametrize("kind", FAULTS)
def test_an_osd_that_is_gone_in_an_add_is_told_in_time(kind, disk, pool, open_rbd, image):
    store = open_rbd(pool, **LIMITS)
    with contextlib.ExitStack() as fault:
        data = Broken(image, lambda: fault.enter_context(FAULTS[kind](disk)))
        adding = Within(lambda: store.add("a", iter(data)))
        with pytest.raises((Timeout, Unavailable)):
            adding.result(BUDGET + SLACK)
    assert list(store.list()) == []
    assert store.get(store.add("a", image).location).read() == image
    settled(store, pool, {"a"})


@pytest.mark.parametrize("kind", ["stopped", "killed"])
def test_an_osd_that_is_gone_in_a_read_is_told_in_time(kind, disk, pool, open_rbd, image):
    store = open_rbd(pool, **LIMITS)
    location = store.add("a", image).location
    with store.get(location) as reader, contextlib.ExitStack() as fault:
        assert reader.read(100) == image[:100]
        fault.enter_context(FAULTS[kind](disk))
        with pytest.raises(Timeout, match="in time"):
            Within(reader.read).result(BUDGET + SLACK)
        with pytest.raises(Timeout, match="in time"):
            Within(lambda: store.get(location)).result(BUDGET)
    assert store.get(location).read() == image


def test_what_comes_back_in_time_is_no_fault(disk, pool, open_rbd, image):
    store = open_rbd(pool, io_timeout=20)

    def restart():
        disk.signal("osd.0", signal.SIGKILL)
        disk.start_osd()

    location = store.add("a", iter(Broken(image, restart))).location
    with store.get(location) as reader:
        first = reader.read(100)
        restart()
        assert first + Within(reader.read).result(30) == image


def test_a_monitor_that_is_gone_hinders_adds_and_no_reads(disk, pool, open_rbd, image):
    store = open_rbd(pool, **LIMITS)
    location = store.add("a", image).location
    with stopped(disk, "mon.a"):
        assert Within(lambda: store.get(location).read()).result(BUDGET) == image
        with pytest.raises(Timeout, match="in time"):  # it numbers the snapshots
            Within(lambda: store.add("b", image)).result(BUDGET + SLACK)
        with pytest.raises(Timeout, match="no monitor"):
            Within(lambda: open_rbd(pool, **LIMITS)).result(BUDGET)
    settled(store, pool, {"a"})


def test_a_client_that_is_shut_out_in_an_add_begins_anew(pool, open_rbd, image):
    store = open_rbd(pool, **LIMITS)
    adding = Within(lambda: store.add("a", iter(Broken(image, lambda: shut_out(pool, store)))))
    with pytest.raises(Unavailable, match="blocklisted"):
        adding.result(BUDGET)
    assert list(store.list()) == []
    assert store.get(store.add("a", image).location).read() == image
    settled(store, pool, {"a"})


def test_a_client_that_is_shut_out_in_a_read_goes_on_with_a_new_connection(pool, open_rbd, image):
    store, longer = open_rbd(pool, **{**LIMITS, "max_attempts": 3}), image * 4
    location = store.add("a", longer).location
    with store.get(location) as reader:
        first = reader.read(100)
        shut_out(pool, store)
        assert first + Within(reader.read).result(BUDGET) == longer
    assert store.get_size(location) == len(longer)


def shut_out_by_now(pool, store):
    """Have the cluster refuse a client, and wait until it does."""
    shut_out(pool, store)
    theirs = store.opening.ready()._cluster._connections.get().pool
    end = time.monotonic() + 30
    with contextlib.suppress(ceph.load_bindings()[0].ConnectionShutdown):
        while time.monotonic() < end:
            theirs.stat("rbd_directory")
        raise AssertionError("it is not shut out")


def test_an_add_whose_claim_cannot_be_seen_when_it_is_visible_is_unknown(
    pool, open_rbd, image, monkeypatch
):
    from storekit.drivers.rbd import commit
    from storekit.drivers.rbd.names import take_name

    def take_and_lose(*arguments):
        take_name(*arguments)
        shut_out_by_now(pool, store)

    store = open_rbd(pool, **LIMITS)
    monkeypatch.setattr(commit, "take_name", take_and_lose)
    with pytest.raises(OutcomeUnknown, match="visible"):
        store.add("a", image)
    (found,) = store.list()  # with a new connection
    again = open_rbd(pool)
    assert again.get(found.location).read() == image
    again.delete(found.location)
    assert pool.images() == set()


@pytest.mark.parametrize("done", [True, False])
def test_a_delete_that_is_shut_out_at_its_last_step_is_unknown(done, pool, open_rbd, monkeypatch):
    from storekit.drivers.rbd import removal
    from storekit.drivers.rbd.names import drop_name

    def lose(*arguments):
        if done:
            drop_name(*arguments)
        shut_out_by_now(pool, store)
        drop_name(*arguments)

    store, again = open_rbd(pool, **LIMITS), open_rbd(pool)
    location = store.add("a", b"image").location
    with monkeypatch.context() as patched:
        patched.setattr(removal, "drop_name", lose)
        with pytest.raises(OutcomeUnknown, match="no answer"):
            store.delete(location)
    assert len(list(store.list())) == (not done)  # with a new connection
    if not done:
        again.delete(location)
    settled(again, pool)


def test_a_delete_whose_last_answer_is_lost_looks_whether_it_was_done(pool, open_rbd, monkeypatch):
    from storekit.drivers.rbd import removal
    from storekit.drivers.rbd.names import drop_name

    def lose(*arguments):
        drop_name(*arguments)
        raise removal.rados.TimedOut("lost", errno.ETIMEDOUT)

    store = open_rbd(pool, **LIMITS)
    location = store.add("a", b"image").location
    monkeypatch.setattr(removal, "drop_name", lose)
    store.delete(location)
    assert pool.images() == set()


def test_a_delete_that_is_shut_out_when_the_name_is_gone_is_done(pool, open_rbd, monkeypatch):
    from storekit.drivers.rbd import removal
    from storekit.drivers.rbd.names import drop_name

    def drop_and_lose(*arguments):
        drop_name(*arguments)
        shut_out_by_now(pool, store)

    store = open_rbd(pool, **LIMITS)
    location = store.add("a", b"image").location
    monkeypatch.setattr(removal, "drop_name", drop_and_lose)
    store.delete(location)
    settled(open_rbd(pool), pool)


def test_a_cluster_that_is_full_says_so_in_time(disk, pool, open_rbd, image):
    store = open_rbd(pool, **LIMITS)
    location = store.add("before", image).location
    with full(disk):
        with pytest.raises(StorageFull, match="full"):
            Within(lambda: store.add("a", image)).result(BUDGET + SLACK)
        assert Within(lambda: store.get(location).read()).result(BUDGET) == image
        with pytest.raises(StorageFull, match="raise"):  # its new name is an object more
            Within(lambda: store.delete(location)).result(BUDGET + SLACK)
    settled(store, pool, {"before"})
    store.delete(location)


def test_a_cluster_that_fills_up_in_an_add_says_so_in_time(disk, pool, open_rbd, image):
    store = open_rbd(pool, **LIMITS)
    with contextlib.ExitStack() as fault:
        data = Broken(image, lambda: fault.enter_context(full(disk)))
        with pytest.raises(StorageFull, match="full"):
            Within(lambda: store.add("a", iter(data))).result(BUDGET + SLACK)
    settled(store, pool)


def test_a_pool_that_is_gone_is_told_by_every_verb(pool, open_rbd, image):
    store = open_rbd(pool, **LIMITS)
    location = store.add("a", image).location
    sure = {"pool2": pool.name, "yes_i_really_really_mean_it": True}
    data = Broken(image, lambda: pool.cluster.ask("osd pool delete", pool=pool.name, **sure))
    verbs = [
        lambda: store.add("b", iter(data)),
        lambda: store.add("c", image),
        lambda: store.get(location),
        lambda: store.get_size(location),
        lambda: store.delete(location),
        lambda: list(store.list()),
        lambda: list(store.leftovers()),
    ]
    for verb in verbs:
        with pytest.raises(Unavailable, match="pool"):
            Within(verb).result(BUDGET)


EXITS = """
    import sys
    import storekit
    store = storekit.open_store("rbd", conf_file=sys.argv[1], pool=sys.argv[2],
                                io_timeout=2, connect_timeout=2, max_attempts=1)
    def data():
        yield bytes(1 << 20)
        print("half", flush=True)
        sys.stdin.readline()
        yield b"x" * (1 << 20)
    try:
        store.add("a", data())
    except storekit.Timeout:
        print("timeout", flush=True)
"""


def test_an_interpreter_whose_cluster_is_dead_exits(disk, pool):
    command = [sys.executable, "-c", textwrap.dedent(EXITS), disk.conf, pool.name]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout.readline() == "half\n"
        with stopped(disk, "osd.0", "mon.a"):
            try:
                told, _ = process.communicate("\n", timeout=40)
            finally:
                process.kill()
    assert (told, process.returncode) == ("timeout\n", 0)


def test_a_clone_of_the_command_rbd_keeps_its_parent(pool, open_rbd, image):
    store = open_rbd(pool)
    location = store.add("parent", image).location
    run_rbd(pool, "clone", f"{pool.name}/parent@snap", f"{pool.name}/child")
    before = pool.objects()
    with pytest.raises(InUse, match=f"clones: {pool.name}/child"):
        store.delete(location)
    assert pool.objects() == before
    assert store.get(location).read() == image
    run_rbd(pool, "rm", f"{pool.name}/child")
    store.delete(location)
    assert pool.images() == set()


def run_rbd(pool, *words):
    command = ["rbd", "--conf", pool.cluster.conf, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
