"""Processes that are killed in the middle of an upload, and what is left of them."""

import os
import random
import threading
import time
from datetime import timedelta
from functools import partial

import pytest

from storekit import InUse, NotFound, Unavailable
from storekit.testing.wire import Wire

from ..children import add_killed, live_upload
from .conftest import MIB, PART

KILLS = 50
NONE = timedelta(0)

pytestmark = pytest.mark.slow


def image_of(leftover):
    """The id that an upload was to become an image of."""
    return leftover.name.rstrip("/").rpartition("/")[2]


def test_what_kills_leave_is_found_and_reclaimed_and_a_live_upload_is_not(
    server, open_swift, image
):
    container, order = server.new_container(), random.Random(11)
    # Whatever idles for so long is dead; that of this process is alive whatever its age.
    store = open_swift(server, container, upload_idle=2)
    longer = image + image
    going_on, half, result = threading.Event(), threading.Event(), []

    def live():
        for offset in range(0, len(image), 1 << 18):
            if offset > PART:
                half.set()
                going_on.wait(120)
            yield image[offset : offset + (1 << 18)]

    adding = threading.Thread(target=lambda: result.append(store.add("live", live())))
    adding.start()
    assert half.wait(30)

    def has_sent(image_id):
        return any(f"/{image_id}/" in name for name in server.segments(container))

    for number in range(KILLS):
        image_id = f"killed-{number}"
        known = {"has_sent": partial(has_sent, image_id)} if number % 2 else {}
        # The frame looks ahead, so the first segment goes once there is more than two.
        after = order.randrange(2 * PART + MIB, len(longer))
        add_killed(store, image_id, longer, after, **known)
    assert server.names(container) == set()
    left = {name.split("/")[2] for name in server.segments(container)} - {"live"}
    assert left <= {f"killed-{number}" for number in range(KILLS)}
    assert len(left) >= KILLS // 2  # the others may have sent nothing

    end = time.monotonic() + 30
    reclaimed = []
    while len(reclaimed) < len(left) and time.monotonic() < end:
        reclaimed += store.reclaim(NONE)
    assert {image_of(leftover) for leftover in reclaimed} == left
    assert {name.split("/")[2] for name in server.segments(container)} <= {"live"}
    going_on.set()
    adding.join(60)
    assert store.get(result[0].location).read() == image
    for image_id in left:
        store.add(image_id, b"again")


def test_the_upload_of_another_process_is_alive_as_long_as_segments_come(server, open_swift, image):
    container = server.new_container()
    store = open_swift(server, container, window=1)
    with live_upload(store, image, 2 * PART, 2 * PART + 1) as (process, line):
        assert line.recv(1) == b"x"
        assert list(store.leftovers(NONE)) == []
        impatient = open_swift(server, container, upload_idle=0)
        (found,) = impatient.leftovers(NONE)
        assert image_of(found) == "live"
        with pytest.raises(InUse):
            store.opening.ready().reclaim(found)
        assert store.reclaim(NONE) == []
        line.send(b"x")
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
        (stored,) = store.list()
        assert store.get(stored.location).read() == image
        # What has become an image is no leftover, whatever one was shown before.
        with pytest.raises(InUse):
            impatient.opening.ready().reclaim(found)
        assert list(impatient.leftovers(NONE)) == []


def test_an_upload_that_was_reclaimed_can_never_be_stored(server, open_swift, image):
    container = server.new_container()
    store = open_swift(server, container, window=1)

    def data():
        yield image[: 2 * PART]
        yield image[2 * PART : 2 * PART + 1]
        with server.client() as user:
            for name in server.segments(container):
                user.delete_object(f"{container}_segments", name)
        yield image[2 * PART + 1 :]

    with pytest.raises(Unavailable, match="segments of the upload are gone"):
        store.add("a", data())
    assert server.names(container) == server.segments(container) == set()
    store.add("a", image)


def test_an_upload_that_is_reclaimed_while_it_is_committed_is_taken_back(server, open_swift, image):
    container = server.new_container()
    with Wire(server.endpoint) as wire:
        store = open_swift(server, container, auth_url=f"{wire.endpoint}/auth/v1.0", window=1)
        gone = []

        def reclaim(request):
            # The manifest is there, and was looked at; now somebody takes the segments.
            if request.method == "HEAD" and "_segments/" in request.path and not gone:
                gone.extend(sorted(server.segments(container)))
                with server.client() as user:
                    user.delete_object(f"{container}_segments", gone[0])

        wire.script = reclaim
        with pytest.raises(Unavailable, match="reclaimed"):
            store.add("a", image)
    assert len(gone) == 3
    assert server.names(container) == server.segments(container) == set()


def test_an_upload_that_ends_just_when_it_is_reclaimed_is_whole_or_taken_back(
    server, open_swift, image
):
    container = server.new_container()
    straight = open_swift(server, container, window=1)
    with (
        Wire(server.endpoint) as wire,
        live_upload(straight, image, 2 * PART, 2 * PART + 1) as (process, line),
    ):
        ended = []

        def end_first(request):
            # It was seen to be dead; now its writer goes on, and ends before anything is removed.
            if request.method == "DELETE" and not ended:
                line.send(b"x")
                ended.append(os.waitpid(process, 0))

        assert line.recv(1) == b"x"
        options = {"auth_url": f"{wire.endpoint}/auth/v1.0", "upload_idle": 0}
        store = open_swift(server, container, **options)
        wire.script = end_first
        store.reclaim(NONE)
        assert ended
    seen = list(straight.list())
    assert [straight.get(item.location).read() for item in seen] == [image] * len(seen)
    open_swift(server, container, upload_idle=0).reclaim(NONE)
    assert bool(server.segments(container)) is bool(seen)


def test_what_a_killed_delete_leaves_is_no_image_and_is_found(tempauth, open_swift, image):
    container = tempauth.new_container()
    location = open_swift(tempauth, container).add("a", image).location
    with Wire(tempauth.endpoint) as wire:
        behind = open_swift(
            tempauth, container, auth_url=f"{wire.endpoint}/auth/v1.0", max_attempts=1
        )

        def cut(request):
            return b"" if request.method == "DELETE" and "_segments/" in request.path else None

        wire.script = cut
        behind.delete(location)
    store = open_swift(tempauth, container, upload_idle=0)
    with pytest.raises(NotFound):
        store.get(location)
    (found,) = store.leftovers(NONE)
    assert (image_of(found), found.size) == ("a", len(image))
    assert store.reclaim(NONE) == [found]
    assert tempauth.segments(container) == set()
