"""Processes that are killed in the middle of an upload, and what is left of them."""

import os
import random
import threading
import time
from datetime import timedelta

import pytest

from storekit import InUse

from ..children import add_killed, live_upload
from .conftest import PART

KILLS = 50
NONE = timedelta(0)

pytestmark = pytest.mark.slow


@pytest.fixture(params=["versity", "radosgw"])
def server(request):
    """Each of the real servers."""
    return request.getfixturevalue(request.param)


def test_what_kills_leave_is_found_and_reclaimed_and_a_live_upload_is_not(server, open_s3, image):
    bucket, order = server.new_bucket(), random.Random(11)
    # Whatever idles for so long is dead; the live one below sends a part more often than that.
    store = open_s3(server, bucket, upload_idle=2, conditional_writes="no")
    going_on, half, result = threading.Event(), threading.Event(), []

    def live():
        for offset in range(0, len(image), 1 << 20):
            if offset > PART:
                half.set()
                going_on.wait(120)
            yield image[offset : offset + (1 << 20)]

    adding = threading.Thread(target=lambda: result.append(store.add("live", live())))
    adding.start()
    assert half.wait(30)
    for number in range(KILLS):
        add_killed(store, f"killed-{number}", image, order.randrange(PART + 1, len(image)))
    assert server.keys_of(bucket) == set()
    left = set(server.uploads_of(bucket)) - {"live"}
    assert left <= {f"killed-{number}" for number in range(KILLS)}
    assert len(left) > KILLS // 2  # the others had not begun

    # Those of this process are alive whatever their age; all others are old enough soon.
    end = time.monotonic() + 30
    reclaimed = []
    while len(reclaimed) < len(left) and time.monotonic() < end:
        reclaimed += store.reclaim(NONE)
    assert {item.name.partition("?")[0] for item in reclaimed} == left
    assert server.uploads_of(bucket) == ["live"]
    going_on.set()
    adding.join(60)
    assert store.get(result[0].location).read() == image
    for image_id in left:
        store.add(image_id, b"again")


def test_the_upload_of_another_process_is_alive_as_long_as_parts_come(server, open_s3, image):
    bucket = server.new_bucket()
    store = open_s3(server, bucket, conditional_writes="no")
    with live_upload(store, image, 2 * PART) as (process, line):
        assert line.recv(1) == b"x"
        assert list(store.leftovers(NONE)) == []
        impatient = open_s3(server, bucket, upload_idle=0, conditional_writes="no")
        (found,) = impatient.leftovers(NONE)
        assert found.name.startswith("live?")
        with pytest.raises(InUse):
            store.opening.ready().reclaim(found)
        assert store.reclaim(NONE) == []
        line.send(b"x")
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
        (stored,) = store.list()
        assert store.get(stored.location).read() == image


def test_an_upload_that_was_reclaimed_can_never_be_stored(server, open_s3, image):
    bucket = server.new_bucket()
    store = open_s3(server, bucket, conditional_writes="no")

    def data():
        yield image[: 2 * PART]
        (name,) = server.s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
        server.s3.abort_multipart_upload(Bucket=bucket, Key="a", UploadId=name["UploadId"])
        yield image[2 * PART :]

    with pytest.raises(ConnectionError):  # Unavailable: it may be added again
        store.add("a", data())
    assert server.keys_of(bucket) == set()
    store.add("a", image)
