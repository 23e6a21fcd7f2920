"""Watch: what hangs is given up at a deadline, and the service goes on."""

import os
import random
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import suppress

import pytest

import storekit
from storekit.drivers.filesystem import watch as watch_module
from storekit.drivers.filesystem.watch import Watch

TIMEOUT = 0.3


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def mount(fuse):
    """A FUSE filesystem that is let go on at the end."""
    mount = fuse()
    yield mount
    mount.fault("none")


def test_every_verb_ends_in_time_when_the_mount_hangs(open_store, mount):
    store = open_store(mount.path, io_timeout=TIMEOUT)
    stored = store.add("image", b"data")
    mount.fault("hung")

    for verb in (
        lambda: store.add("other", b"data"),
        lambda: store.get(stored.location),
        lambda: store.get_size(stored.location),
        lambda: store.delete(stored.location),
        lambda: list(store.list()),
        store.capacity,
    ):
        begin = time.monotonic()
        with pytest.raises(storekit.Timeout):
            verb()
        assert TIMEOUT <= time.monotonic() - begin < TIMEOUT + 1


def test_a_store_with_hanging_calls_is_degraded_until_they_return(open_store, mount):
    store = open_store(mount.path, io_timeout=TIMEOUT)
    stored = store.add("image", b"data")
    mount.fault("hung")
    with pytest.raises(storekit.Timeout):
        store.get_size(stored.location)

    assert store.state == "degraded: calls that hang in the filesystem: 1"
    mount.fault("none")
    wait_for(lambda: store.state == "ready")
    assert store.get_size(stored.location) == 4


def test_when_as_many_calls_hang_as_may_the_next_is_refused_at_once(open_store, mount):
    store = open_store(mount.path, io_timeout=TIMEOUT, max_connections=2)
    stored = store.add("image", b"data")
    mount.fault("hung")
    for _ in range(2):
        with pytest.raises(storekit.Timeout):
            store.get_size(stored.location)

    begin = time.monotonic()
    with pytest.raises(storekit.Unavailable, match="2 calls hang"):
        store.get_size(stored.location)
    assert time.monotonic() - begin < TIMEOUT / 2

    mount.fault("none")
    wait_for(lambda: store.state == "ready")


def test_an_add_that_hangs_in_the_middle_leaves_nothing(open_store, mount):
    store = open_store(mount.path, io_timeout=TIMEOUT)
    mount.fault("hung", "write")

    with pytest.raises(storekit.Timeout):
        store.add("image", random.Random(1).randbytes(3 << 20))

    mount.fault("none")
    wait_for(lambda: store.state == "ready")
    wait_for(lambda: os.listdir(mount.path) == [])
    assert store.add("image", b"data").size == 4


def test_a_commit_that_hangs_has_an_unknown_outcome_and_a_whole_image_at_most(open_store, mount):
    store = open_store(mount.path, io_timeout=TIMEOUT)
    mount.fault("hung", "link")

    with pytest.raises(storekit.OutcomeUnknown):
        store.add("image", b"data")

    mount.fault("none")
    wait_for(lambda: store.state == "ready")
    assert [image.size for image in store.list()] in ([], [4])
    assert set(os.listdir(mount.path)) <= {"image"}


def test_a_delete_that_hangs_has_an_unknown_outcome(open_store, mount):
    store = open_store(mount.path, io_timeout=TIMEOUT)
    stored = store.add("image", b"data")
    mount.fault("hung", "unlink")

    with pytest.raises(storekit.OutcomeUnknown):
        store.delete(stored.location)

    mount.fault("none")
    wait_for(lambda: store.state == "ready")


def test_a_read_that_hangs_ends_in_time_and_gives_its_file_back(open_store, mount):
    store = open_store(mount.path, io_timeout=TIMEOUT)
    stored = store.add("image", random.Random(1).randbytes(3 << 20))
    before = len(os.listdir("/proc/self/fd"))
    reader = store.get(stored.location)
    mount.fault("hung", "read")

    with pytest.raises(storekit.Timeout):
        reader.read()
    reader.close()

    mount.fault("none")
    wait_for(lambda: store.state == "ready")
    wait_for(lambda: len(os.listdir("/proc/self/fd")) == before)


def test_an_open_that_returns_late_is_closed(open_store, mount):
    store = open_store(mount.path, io_timeout=TIMEOUT)
    stored = store.add("image", b"data")
    before = len(os.listdir("/proc/self/fd"))
    mount.fault("hung", "open")

    with pytest.raises(storekit.Timeout):
        store.get(stored.location)

    mount.fault("none")
    wait_for(lambda: store.state == "ready")
    wait_for(lambda: len(os.listdir("/proc/self/fd")) == before)


def test_a_mount_that_hangs_already_fails_the_opening_in_time(open_store, mount):
    mount.fault("hung")

    begin = time.monotonic()
    with pytest.raises(storekit.Timeout):
        open_store(mount.path, io_timeout=TIMEOUT)
    assert time.monotonic() - begin < TIMEOUT + 1


def test_the_source_is_read_by_the_thread_that_called(open_store, mount):
    store = open_store(mount.path)
    threads = set()

    def data():
        threads.add(threading.get_ident())
        yield b"data"

    store.add("image", data())

    assert threads == {threading.get_ident()}


def test_no_thread_stays_when_nothing_hangs(open_store, mount):
    store = open_store(mount.path)
    before = set(os.listdir("/proc/self/task"))

    store.delete(store.add("image", b"data").location)

    wait_for(lambda: set(os.listdir("/proc/self/task")) <= before)  # others' may end meanwhile


def test_the_interpreter_ends_although_calls_hang(mount):
    script = textwrap.dedent("""
        import sys, storekit
        store = storekit.open_store("filesystem", path=sys.argv[1], io_timeout=0.3)
        print("open", flush=True)
        input()
        try:
            store.capacity()
        except storekit.Timeout:
            print("given up", flush=True)
    """)
    process = subprocess.Popen(
        [sys.executable, "-c", script, mount.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "open\n"
    mount.stop()

    try:
        output, _ = process.communicate("go on\n", timeout=20)
    finally:
        mount.go_on()
        process.kill()
        process.communicate()

    assert output == "given up\n"
    assert process.returncode == 0


def test_bytes_that_cannot_be_read_are_a_data_error(open_store, mount):
    store = open_store(mount.path)
    stored = store.add("image", random.Random(1).randbytes(3 << 20))
    mount.fault("eio", "read")

    with store.get(stored.location) as reader, pytest.raises(storekit.DataError):
        reader.read()


@pytest.mark.parametrize(("durable", "operation"), [(True, "fsync"), (False, "flush")])
def test_bytes_that_did_not_reach_the_disk_are_no_image(open_store, mount, durable, operation):
    store = open_store(mount.path, durable=durable)
    mount.fault("eio", operation)

    with pytest.raises(storekit.DataError):
        store.add("image", b"data")

    mount.fault("none")
    assert os.listdir(mount.path) == []


def test_with_never_calls_run_in_the_callers_thread(open_store, mount):
    store = open_store(mount.path, watch="never")
    before = set(os.listdir("/proc/self/task"))

    def data():
        yield b"data"
        assert set(os.listdir("/proc/self/task")) == before

    store.add("image", data(), hashes=())


def test_with_always_a_local_directory_is_watched_and_works(open_store, tmp_path):
    store = open_store(watch="always", max_connections=1)
    data = random.Random(1).randbytes(3_000_017)
    source = tmp_path / "source"
    source.write_bytes(data)

    one, two = store.add("one", data), store.add("two", source)

    assert one.digests == two.digests
    with store.get(one.location, offset=7, length=2_000_000) as reader:
        assert reader.read() == data[7:2_000_007]


def test_more_threads_than_max_connections_wait_for_each_other(open_store):
    store = open_store(watch="always", max_connections=2)
    failed = []

    def use(number):
        try:
            stored = store.add(f"image-{number}", bytes(100_000))
            assert store.get_size(stored.location) == 100_000
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []


def test_a_forked_child_has_none_of_the_calls_that_hang(open_store, mount):
    store = open_store(mount.path, io_timeout=TIMEOUT, max_connections=2)
    stored = store.add("image", b"data")
    mount.fault("hung")
    for _ in range(2):
        with pytest.raises(storekit.Timeout):
            store.get_size(stored.location)
    go_on, going_on = os.pipe()
    child = os.fork()
    if not child:
        with suppress(BaseException):
            os.read(go_on, 1)
            right = store.get_size(stored.location) == 4 and store.state == "ready"
            os._exit(0 if right else 1)
        os._exit(2)

    mount.fault("none")
    os.write(going_on, b"x")
    _, status = os.waitpid(child, 0)
    os.close(go_on)
    os.close(going_on)
    assert status == 0
    wait_for(lambda: store.state == "ready")


def test_a_metadata_file_on_a_mount_that_hangs_fails_the_opening_in_time(
    open_store, mount, tmp_path
):
    (mount.path / "metadata.json").write_text('{"id": "a", "mountpoint": "/"}')
    mount.fault("hung")

    begin = time.monotonic()
    with pytest.raises(storekit.Timeout):
        open_store(metadata_file=mount.path / "metadata.json", io_timeout=TIMEOUT)
    assert time.monotonic() - begin < TIMEOUT + 1


def _is_free(watch):
    with suppress(storekit.Unavailable):
        return watch.call(int) == 0
    return False


def interrupt_at(number, function):
    """Interrupt a function at the n-th instant, in the module of the watch, where Python looks
    for signals: where a function begins, and where one of C returns. Tell whether it got there.
    """
    left = number

    def look(frame, event, _):
        nonlocal left
        if event in {"call", "c_return"} and frame.f_code.co_filename == watch_module.__file__:
            left -= 1
            if not left:
                sys.setprofile(None)
                raise KeyboardInterrupt

    sys.setprofile(look)
    try:
        function()
    except KeyboardInterrupt:
        return True
    finally:
        sys.setprofile(None)
    return False


class TestOfCalls:
    @pytest.mark.parametrize("verb", ["call", "commit", "release"])
    def test_an_interrupt_at_any_instant_loses_no_slot(self, verb):
        watch = Watch(5.0, 1)
        number = 1
        while interrupt_at(number, lambda: getattr(watch, verb)(int)):
            wait_for(lambda: not watch.stuck)
            assert watch.call(int) == 0
            number += 1
        assert number > 10

    @pytest.mark.parametrize("verb", ["call", "commit"])
    def test_an_interrupt_of_a_call_that_hangs_loses_no_slot(self, verb):
        watch = Watch(0.01, 1)
        number = 1
        while True:
            hanging = threading.Event()

            def hang(hanging=hanging):
                with suppress(storekit.Unavailable):
                    getattr(watch, verb)(hanging.wait)

            interrupted = interrupt_at(number, hang)
            hanging.set()
            wait_for(lambda: not watch.stuck)
            wait_for(lambda: _is_free(watch))
            if not interrupted:
                break
            number += 1
        assert number > 10

    def test_results_and_errors_pass_through(self):
        watch = Watch(1.0, 1)

        assert watch.call(divmod, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            watch.call(divmod, 7, 0)

    def test_a_slot_is_free_again_after_every_end(self):
        hanging = threading.Event()
        watch = Watch(0.05, 1)
        for _ in range(3):
            watch.call(int)
            with pytest.raises(ZeroDivisionError):
                watch.call(divmod, 1, 0)
            hanging.clear()
            with pytest.raises(storekit.Timeout):
                watch.call(hanging.wait)
            with pytest.raises(storekit.Unavailable):
                watch.call(int)
            assert watch.stuck == 1
            hanging.set()
            wait_for(lambda: watch.stuck == 0)

    def test_giving_back_waits_for_nobody_once_a_call_hangs(self):
        hanging = threading.Event()
        watch = Watch(0.2, 1)
        with suppress(storekit.Timeout):
            watch.call(hanging.wait)

        begin = time.monotonic()
        for _ in range(5):
            watch.release(hanging.wait)
        assert time.monotonic() - begin < 0.2
        hanging.set()

    def test_giving_back_does_not_fail(self):
        Watch(1.0, 1).release(divmod, 1, 0)
