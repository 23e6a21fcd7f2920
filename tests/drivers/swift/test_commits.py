"""Commits on real servers: who is told what, and what is there, when something comes between."""

import os
import signal
import threading
import time
from datetime import timedelta

import pytest

from storekit import Duplicate, OutcomeUnknown, Unavailable
from storekit.testing.wire import Answer, Delay, Drip, Lose, Wire, http_answer

from ..racing import WRITERS, race
from .conftest import PART


def commit_in(container):
    """What to aim at: whatever makes an image ``a`` visible."""
    return {"methods": {"PUT"}, "path": f"^/v1/AUTH_test/{container}/a([?]|$)"}


def test_a_writer_that_is_overtaken_is_told_and_leaves_nothing(server, open_swift, image):
    container = server.new_container()
    store, rival = open_swift(server, container), open_swift(server, container)

    def slow(size):
        yield image[:size]
        rival.add(f"a-{size}", b"the rival's")
        time.sleep(0.05)  # a look at the name is good for some milliseconds: a rival can be faster
        yield b"the end"

    for size in (1000, 2 * PART):
        with pytest.raises(Duplicate):
            store.add(f"a-{size}", slow(size))
    assert server.segments(container) == set()
    assert {store.get(item.location).read() for item in store.list()} == {b"the rival's"}


def test_of_two_slow_writers_the_one_that_is_written_over_is_told(tempauth, open_swift, image):
    container = tempauth.new_container()
    rival, told = open_swift(tempauth, container), []
    with Wire(tempauth.endpoint) as wire:
        store = open_swift(tempauth, container, auth_url=f"{wire.endpoint}/auth/v1.0")
        wire.asked.arm(Drip(after=PART // 4, count=60, pause=0.05))

        def overtake():
            while not wire.asked.fired:
                time.sleep(0.01)
            # The server has begun to take ours, and takes this one too: it is the one that stays.
            told.append(rival.add("a", b"the rival's"))

        overtaking = threading.Thread(target=overtake)
        overtaking.start()
        with pytest.raises(Duplicate):
            store.add("a", image[: PART // 2])
        overtaking.join()
    assert rival.get(told[0].location).read() == b"the rival's"


@pytest.mark.parametrize("size", [1000, 2 * PART + 7])
def test_of_many_writers_of_one_id_what_is_left_is_whole_and_one_winners(server, open_swift, size):
    container = server.new_container()
    store = open_swift(server, container, max_connections=WRITERS, upload_idle=0)
    told = race([store], "a", size)
    location = next(iter(told.values())).location
    image = store.get(location).read()
    assert image in told
    store.reclaim(timedelta(0))  # what those left who were overtaken later still
    assert store.get(location).read() == image
    store.delete(location)
    assert server.names(container) == server.segments(container) == set()


def test_a_signal_in_the_middle_of_the_commit_leaves_a_whole_image_or_none(
    server, open_swift, image
):
    container = server.new_container()
    straight = open_swift(server, container)
    with Wire(server.endpoint) as wire:
        store = open_swift(server, container, auth_url=f"{wire.endpoint}/auth/v1.0")

        def interrupt(answer):
            if "multipart-manifest=put" in wire.requests[-1].path:
                wire.alter = None
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.5)
            return answer

        wire.alter = interrupt
        with pytest.raises(KeyboardInterrupt):
            store.add("a", image)
    seen = list(straight.list())
    assert [straight.get(item.location).read() for item in seen] == [image] * len(seen)


@pytest.mark.parametrize("size", [1000, 2 * PART])
def test_a_commit_that_may_come_late_is_no_failure(size, tempauth, open_swift, image):
    container = tempauth.new_container()
    straight = open_swift(tempauth, container)
    with Wire(tempauth.endpoint) as wire:
        options = {"auth_url": f"{wire.endpoint}/auth/v1.0", "io_timeout": 1}
        store = open_swift(tempauth, container, **options)
        wire.aim(Delay(4), **commit_in(container))
        wire.aim(Answer(http_answer(503)), times=None, **commit_in(container))
        with pytest.raises(OutcomeUnknown):
            store.add("a", image[:size])
        end = time.monotonic() + 20
        while not list(straight.list()) and time.monotonic() < end:
            time.sleep(0.1)
    (late,) = straight.list()
    assert straight.get(late.location).read() == image[:size]


@pytest.mark.parametrize("size", [1000, 2 * PART])
def test_a_commit_whose_answer_was_lost_is_found_whatever_the_next_attempt_says(
    size, tempauth, open_swift, image
):
    container = tempauth.new_container()
    with Wire(tempauth.endpoint) as wire:
        store = open_swift(tempauth, container, auth_url=f"{wire.endpoint}/auth/v1.0")
        wire.aim(Lose(), **commit_in(container))
        used_up = Answer(http_answer(413))  # as of a quota
        wire.aim(used_up, times=None, **commit_in(container))
        store.add("a", image[:size])
    straight = open_swift(tempauth, container)
    (found,) = straight.list()
    assert straight.get(found.location).read() == image[:size]


@pytest.mark.parametrize("size", [1000, 2 * PART])
@pytest.mark.parametrize(("status", "kind"), [(504, OutcomeUnknown), (503, Unavailable)])
def test_who_gave_up_waiting_for_the_server_does_not_know_what_it_does(
    status, kind, size, tempauth, open_swift, image
):
    container = tempauth.new_container()
    with Wire(tempauth.endpoint) as wire:
        store = open_swift(tempauth, container, auth_url=f"{wire.endpoint}/auth/v1.0")
        wire.aim(Answer(http_answer(status)), times=None, **commit_in(container))
        with pytest.raises(Unavailable) as caught:
            store.add("a", image[:size])
    assert type(caught.value) is kind
    assert bool(tempauth.segments(container)) is (status == 504 and size > PART)


def test_an_image_that_the_server_took_and_does_not_have_is_not_stored(tempauth, open_swift):
    container = tempauth.new_container()
    with Wire(tempauth.endpoint) as wire:
        store = open_swift(tempauth, container, auth_url=f"{wire.endpoint}/auth/v1.0")
        wire.aim(Answer(http_answer(202)), **commit_in(container))
        with pytest.raises(Unavailable, match="deleted later"):
            store.add("a", b"image")
        stored = store.add("a", b"image")
        assert store.get(stored.location).read() == b"image"
