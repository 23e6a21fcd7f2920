"""Parallel parts: in order, within the window, and nothing in flight once it is over."""

import os
import random
import threading
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storekit import SizeMismatch, Source, StorageFull
from storekit.transfer import Download, Part, PartSizes, md5_of, upload

IMAGE = os.urandom(20_000)
MIB = 1 << 20


class Mishap(Exception):
    """What a backend may raise."""


@pytest.fixture(autouse=True)
def no_thread_stays_behind():
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


class Counted(Source):
    """A source that tells when it is read."""

    before_read = staticmethod(lambda: None)

    def read(self, n):
        self.before_read()
        return super().read(n)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 300), st.integers(1, 100), st.integers(1, 6), st.booleans(), st.randoms())
def test_the_parts_are_the_image_in_order_whatever_their_order_of_arrival(
    size, part_size, window, asked, order
):
    image, arrived = IMAGE[:size], []
    source = Source(iter([image]))
    assert not asked or source.fits(part_size) == (size <= part_size)
    pauses = [order.random() / 1000 for _ in range(3)]

    def send(part):
        time.sleep(pauses[part.number % 3])
        arrived.append(part)
        return part.number

    results = upload(source, part_size, window, send)
    parts = sorted(arrived, key=lambda part: part.number)
    assert results == [part.number for part in parts] == list(range(1, len(parts) + 1))
    assert b"".join(part.data for part in parts) == image
    lengths = [len(part.data) for part in parts]
    assert [part.offset for part in parts] == [
        sum(lengths[:number]) for number in range(len(parts))
    ]
    assert all(length == part_size for length in lengths[:-1])
    assert all(type(part.data) is bytes and part.data for part in parts)
    assert source.done


def test_an_empty_image_has_no_part():
    source = Source(b"")
    assert upload(source, 10, 2, lambda _: 1 / 0) == []
    assert source.done


@pytest.mark.parametrize("window", [1, 2, 5])
def test_as_many_parts_as_the_window_has_are_in_flight_and_never_more(window):
    flying, most, landed, handed = [0], [0], [0], [0]
    lock, together = threading.Lock(), threading.Barrier(window)

    def send(part):
        with lock:
            flying[0] += 1
            most[0] = max(most[0], flying[0])
        if part.number <= window:
            together.wait(10)  # BrokenBarrierError if they do not fly together
        time.sleep(random.random() / 500)
        with lock:
            flying[0] -= 1
            landed[0] += 1

    def before_read():
        with lock:
            # Those that were handed out and have not landed, and the one that is read now.
            assert handed[0] - landed[0] + 1 <= window
        handed[0] += 1

    source = Counted(IMAGE)
    source.before_read = before_read
    assert len(upload(source, 500, window, send)) == len(IMAGE) // 500
    assert most[0] == window


def test_no_part_is_kept_that_has_arrived():
    block, most, held = bytes(MIB), 4 * MIB, []
    source = Source(block for _ in range(48))
    assert not source.fits(most)
    tracemalloc.start()
    try:
        upload(source, most, 2, lambda _: held.append(tracemalloc.get_traced_memory()[0]))
    finally:
        tracemalloc.stop()
    assert len(held) == 12
    assert max(held) <= 2 * most + MIB  # the first was there before, the source reads ahead


def test_the_source_is_read_by_the_calling_thread_alone():
    readers, senders = set(), set()
    source = Counted(IMAGE)
    source.before_read = lambda: readers.add(threading.get_ident())
    upload(source, 500, 3, lambda _: senders.add(threading.get_ident()))
    assert readers == {threading.get_ident()}
    assert len(senders) <= 3


@pytest.mark.parametrize(
    "kind", [Mishap, KeyboardInterrupt, SystemExit, StopIteration, GeneratorExit]
)
@pytest.mark.parametrize("window", [1, 2, 4])
@pytest.mark.parametrize("failing", [1, 2, 7, 40])
def test_the_failure_of_a_part_comes_out_and_ends_the_reading(failing, window, kind):
    error, sent = kind("no"), []

    def send(part):
        sent.append(part.number)
        if part.number == failing:
            raise error

    source = Source(IMAGE)
    with pytest.raises(kind) as caught:
        upload(source, 500, window, send)
    assert caught.value is error
    # Those that were sent already, or just then.
    assert len(sent) <= sent.index(failing) + 1 + 2 * window
    assert len(set(sent)) == len(sent)


def test_parts_in_flight_are_waited_for_after_a_failure():
    all_fly, finished = threading.Barrier(3), []

    def send(part):
        all_fly.wait(10)
        if part.number == 2:
            raise Mishap
        time.sleep(0.2)
        finished.append(part.number)

    with pytest.raises(Mishap):
        upload(Source(IMAGE), 500, 3, send)
    assert sorted(finished) == [1, 3]


def test_a_failure_is_seen_while_the_window_is_not_full_yet():
    failed, sent, reads = threading.Event(), [], []

    def send(part):
        sent.append(part.number)
        failed.set()
        raise Mishap

    def before_read():
        reads.append(1)
        if len(reads) > 1:  # a slow source: the failure of part 1 is old when part 2 is there
            assert failed.wait(10)
            time.sleep(0.1)

    source = Counted(IMAGE)
    source.before_read = before_read
    with pytest.raises(Mishap):
        upload(source, 500, 4, send)
    assert sent == [1]
    assert len(reads) <= 2


@pytest.mark.parametrize("kind", [Mishap, KeyboardInterrupt, SystemExit, GeneratorExit])
@pytest.mark.parametrize("window", [1, 3, 8])
def test_a_failure_of_the_source_waits_for_the_parts_in_flight_and_sends_no_more(kind, window):
    started, finished, error = [], [], kind("no")

    def send(part):
        started.append(part.number)
        time.sleep(0.05)
        finished.append(part.number)

    def before_read():
        if len(reads) == 5:
            raise error
        reads.append(1)

    reads, source = [], Counted(IMAGE)
    source.before_read = before_read
    with pytest.raises(kind) as caught:
        upload(source, 500, window, send)
    assert caught.value is error
    assert sorted(started) == sorted(finished)
    assert max(started) <= 5


def test_data_that_ends_wrong_is_raised_after_the_parts_have_landed():
    landed = {}
    image = bytes(1 << 20) + IMAGE
    source = Source([image], len(image) + 1)
    with pytest.raises(SizeMismatch) as caught:
        upload(source, 50_000, 4, lambda part: landed.setdefault(part.offset, part.data))
    assert caught.value is source.error
    sent = b"".join(landed[offset] for offset in sorted(landed))
    assert image.startswith(sent)
    assert len(sent) < len(image)


def test_a_part_that_has_landed_is_not_kept():
    alive, most = [0], [0]
    lock = threading.Lock()

    class Watched(bytes):
        def __del__(self):
            with lock:
                alive[0] -= 1

    class Watching(Source):
        def read(self, n):
            chunk = Watched(super().read(n))
            with lock:
                alive[0] += 1
                most[0] = max(most[0], alive[0])
            return chunk

    upload(Watching(IMAGE), 100, 3, lambda part: len(part.data))
    # The window, the empty one at the end, and one that a worker is just letting go of.
    assert most[0] <= 5
    assert alive[0] == 0


def test_a_part_is_a_value():
    assert Part(1, 0, b"x") == Part(1, 0, b"x")
    with pytest.raises(AttributeError):
        Part(1, 0, b"x").number = 2


@given(st.integers(1, 50), st.integers(1, 6), st.integers(1, 200), st.none() | st.integers(0, 9000))
def test_no_part_is_longer_than_the_window_and_enough_of_them_hold_the_image(
    part_size, window, max_parts, size
):
    sizes = PartSizes(part_size, window, max_parts, size)
    lengths = [sizes[number] for number in range(1, max_parts + 1)]
    assert lengths == sorted(lengths)
    assert lengths[0] >= part_size
    if size is None:
        assert lengths[-1] <= sizes.budget
    else:
        assert len(set(lengths)) == 1
        assert sum(lengths) >= size
    with pytest.raises(StorageFull, match=f"more than {max_parts} parts"):
        sizes[max_parts + 1]


def test_parts_of_an_image_of_unknown_size_grow_and_fewer_of_them_fly():
    flying, most, lengths = [0], [0], []
    lock = threading.Lock()

    def send(part):
        with lock:
            lengths.append(len(part.data))
            flying[0] += len(part.data)
            most[0] = max(most[0], flying[0])
        time.sleep(0.001)
        with lock:
            flying[0] -= len(part.data)

    upload(Source(iter([IMAGE])), 100, 4, send, max_parts=60)
    assert sum(lengths) == len(IMAGE)
    assert set(lengths[:-1]) >= {100, 200, 400}
    assert max(lengths) == 400
    assert most[0] <= 400
    with pytest.raises(StorageFull):
        upload(Source(iter([IMAGE])), 100, 4, lambda _: None, max_parts=40)
    assert len(upload(Source(IMAGE), 100, 4, lambda _: None, max_parts=40)) == 40


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 300), st.integers(0, 300), st.integers(1, 100), st.integers(1, 6), st.booleans()
)
def test_a_download_gives_its_parts_in_order_whatever_arrives_first(
    begin, length, part_size, window, early
):
    order = random.Random(begin)

    def fetch(start, end, _):
        time.sleep(order.random() / 1000)
        middle = order.randint(start, end)
        return [IMAGE[start:middle], IMAGE[middle:end]]

    download = Download(begin, begin + length, part_size, window, fetch)
    if early:
        download.prefetch()
    assert b"".join(download) == IMAGE[begin : begin + length]
    assert list(download) == []
    wait_for_its_threads()


@pytest.mark.parametrize("window", [1, 2, 4])
def test_a_download_is_never_further_ahead_than_its_window(window):
    started, lock = [], threading.Lock()

    def fetch(start, end, _):
        with lock:
            started.append(start // 100)
        return [IMAGE[start:end]]

    download = Download(0, len(IMAGE), 100, window, fetch)
    assert started == []
    for given_out, part in enumerate(download):
        assert len(part) == 100
        with lock:
            assert max(started) < given_out + window
    wait_for_its_threads()


def test_the_failure_of_a_fetch_comes_in_its_place_and_ends_the_download():
    def fetch(start, end, _):
        if start == 300:
            raise Mishap
        return [IMAGE[start:end]]

    download, parts = Download(0, 1000, 100, 4, fetch), []
    with pytest.raises(Mishap):
        parts.extend(download)
    assert next(download, None) is None
    wait_for_its_threads()


def wait_for_its_threads():
    """A download that is closed does not wait for them."""
    for thread in threading.enumerate():
        if thread.name.startswith("storekit-part"):
            thread.join(10)


def test_a_closed_download_tells_its_fetches_to_give_up():
    started, gave_up = threading.Barrier(3), threading.Semaphore(0)

    def fetch(start, end, closed):
        if start:
            started.wait(10)
            assert closed.wait(10)
            gave_up.release()
        return [IMAGE[start:end]]

    download = Download(0, 1000, 100, 3, fetch)
    assert next(download) == IMAGE[:100]
    download.prefetch()
    started.wait(10)
    download.close()
    assert gave_up.acquire(timeout=10)
    assert gave_up.acquire(timeout=10)
    assert list(download) == []
    wait_for_its_threads()


def test_the_checksum_of_a_part_is_what_object_stores_compare():
    # RFC 1321, A.5
    assert md5_of(b"message digest") == "f96b697d7cb7938d525a2f31aaf161d0"
