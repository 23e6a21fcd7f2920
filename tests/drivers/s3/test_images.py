"""Images on real servers: how many requests they take, and what is left of those that fail."""

import contextlib
import os
import time

import pytest

from storekit import (
    Capability,
    DataError,
    Duplicate,
    NotFound,
    OutcomeUnknown,
    StorageFull,
    Unavailable,
)
from storekit.testing.wire import Answer, Delay, Lose, Reset, Wire, http_answer

from ..racing import race
from .conftest import MIB, PART, SIZE


@pytest.fixture(params=["moto", "versity", "radosgw"])
def server(request):
    """Each of the servers."""
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 2 * PART, SIZE])
@pytest.mark.parametrize("known", [True, False])
def test_an_image_comes_back_as_it_was(server, open_s3, image, size, known):
    store, data = open_s3(server), image[:size]
    stored = store.add("a", data if known else iter([data]))
    assert stored.size == size
    assert store.get(stored.location).read() == data
    assert store.get_size(stored.location) == size


def test_any_part_of_a_long_image_can_be_read(server, open_s3, image):
    store = open_s3(server, window=3)
    location = store.add("a", image).location
    for offset, length in [
        (0, 1),
        (PART - 1, 2),
        (PART, PART),
        (1, SIZE - 2),
        (SIZE - 1, None),
        (7, 10 * SIZE),
        (SIZE, None),
    ]:
        end = SIZE if length is None else offset + length
        assert store.get(location, offset, length).read() == image[offset:end]


def test_few_requests_are_enough_for_a_small_image(server, open_s3):
    with Wire(server.endpoint) as wire:
        bucket = server.new_bucket()
        store = open_s3(server, bucket, endpoint=wire.endpoint)
        store.add("warm", b"to find out what the server can do")
        asked = []

        def counted(verb):
            before = len(wire.requests)
            result = verb()
            asked.append([request.method for request in wire.requests[before:]])
            return result

        location = counted(lambda: store.add("a", bytes(1 << 16))).location
        counted(lambda: store.get(location).read())
        counted(lambda: store.get_size(location))
        counted(lambda: store.delete(location))
    assert asked == [["HEAD", "PUT"], ["GET"], ["HEAD"], ["HEAD", "DELETE"]]


def test_keys_keep_their_prefix(server, open_s3):
    bucket = server.new_bucket()
    server.s3.put_object(Bucket=bucket, Key="foreign", Body=b"x")
    server.s3.put_object(Bucket=bucket, Key="glance/below/foreign", Body=b"x")
    store = open_s3(server, bucket, prefix="glance/")
    stored = store.add("ä b%2F#", b"image")
    assert server.keys_of(bucket) == {"foreign", "glance/below/foreign", "glance/ä b%2F#"}
    assert [item.image_id for item in store.list()] == ["ä b%2F#"]
    assert store.get(str(stored.location)).read() == b"image"


def test_of_writers_of_one_id_one_wins_where_the_server_can_say_who(versity, open_s3):
    store = open_s3(versity)
    store.add("warm", b"")
    assert Capability.EXCLUSIVE_ADD in store.capabilities
    for size in (1000, PART + 1000):
        ((image, stored),) = race([store], f"race-{size}", size).items()
        assert store.get(stored.location).read() == image
        assert store.verify(stored.location, stored.digests)
    assert list(store.leftovers()) == []


def test_a_server_that_cannot_say_who_wins_is_found_out(radosgw, open_s3):
    store = open_s3(radosgw)
    store.add("a", b"image")
    assert Capability.EXCLUSIVE_ADD not in store.capabilities
    assert "both may win" in store.withdrawn[Capability.EXCLUSIVE_ADD]


def test_who_says_that_writes_are_not_conditional_is_believed(versity, open_s3):
    store = open_s3(versity, conditional_writes="no")
    assert Capability.EXCLUSIVE_ADD not in store.capabilities
    bucket = versity.new_bucket()
    open_s3(versity, bucket, conditional_writes="no").add("a", b"image")
    listed = versity.s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert [item["Key"] for item in listed] == ["a"]


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_an_add_that_fails_leaves_nothing(server, open_s3, image, kind):
    bucket, error = server.new_bucket(), kind("no")
    store = open_s3(server, bucket)

    def broken():
        yield image
        raise error

    for _ in range(2):
        with pytest.raises(kind) as caught:
            store.add("a", broken())
        assert caught.value is error
    assert server.keys_of(bucket) == set()
    assert server.uploads_of(bucket) == []
    store.add("a", image)


def test_a_commit_that_may_come_late_is_no_failure(versity, open_s3):
    bucket = versity.new_bucket()
    straight = open_s3(versity, bucket)
    with Wire(versity.endpoint) as wire:
        store = open_s3(versity, bucket, endpoint=wire.endpoint, io_timeout=1)
        commit = {"methods": {"PUT"}, "path": f"^/{bucket}/a([?]|$)"}
        wire.aim(Delay(8), **commit)
        wire.aim(Answer(http_answer(503)), times=None, **commit)
        with pytest.raises(OutcomeUnknown):
            store.add("a", b"image")
        end = time.monotonic() + 20
        while not list(straight.list()) and time.monotonic() < end:
            time.sleep(0.1)
    (late,) = straight.list()
    assert straight.get(late.location).read() == b"image"


@pytest.mark.parametrize(
    ("status", "kind"), [(507, StorageFull), (504, OutcomeUnknown), (503, Unavailable)]
)
@pytest.mark.parametrize("lost", [True, False])
def test_a_commit_is_judged_by_all_its_attempts(status, kind, lost, versity, open_s3):
    bucket = versity.new_bucket()
    straight = open_s3(versity, bucket)
    with Wire(versity.endpoint) as wire:
        store = open_s3(versity, bucket, endpoint=wire.endpoint)
        commit = {"methods": {"PUT"}, "path": f"^/{bucket}/a([?]|$)"}
        wire.aim(Lose(), times=int(lost), **commit)
        wire.aim(Answer(http_answer(status)), times=None, **commit)
        with contextlib.nullcontext() if lost else pytest.raises(kind) as caught:
            store.add("a", b"image")
    assert lost or caught.type is kind
    seen = [straight.get(one.location).read() for one in straight.list()]
    assert seen == ([b"image"] if lost else [])


def test_an_image_of_unknown_size_that_is_too_long_leaves_nothing(moto, open_s3, image):
    bucket = moto.new_bucket()
    store = open_s3(moto, bucket, window=1, max_parts=2)
    with pytest.raises(StorageFull):
        store.add("a", iter([image]))
    assert moto.keys_of(bucket) == set()
    assert moto.uploads_of(bucket) == []


def test_an_image_that_is_replaced_while_it_is_read_is_an_error(server, open_s3, image):
    bucket = server.new_bucket()
    store = open_s3(server, bucket, window=1)
    reader = store.get(store.add("a", image).location)
    begun = reader.read(MIB)
    server.s3.put_object(Bucket=bucket, Key="a", Body=bytes(SIZE))
    with pytest.raises(DataError, match="changed while it was read"):
        reader.read()
    assert begun == image[:MIB]


def test_a_read_that_is_cut_goes_on_where_it_was(server, open_s3, image):
    bucket = server.new_bucket()
    location = open_s3(server, bucket).add("a", image).location
    with Wire(server.endpoint) as wire:
        wire.answers.arm(Reset(SIZE // 5), times=3)
        behind = open_s3(server, bucket, endpoint=wire.endpoint, window=2)
        assert behind.get(wire.location(location)).read() == image
        assert wire.answers.fired == 3


def test_a_copy_is_made_by_the_server(server, open_s3, image):
    bucket = server.new_bucket()
    with Wire(server.endpoint) as wire:
        store = open_s3(server, bucket, endpoint=wire.endpoint)
        for data in (b"small", image):
            stored = store.add(f"a-{len(data)}", data)
            passed = wire.down
            copy = store.copy(stored.location, image_id=f"b-{len(data)}", digests=stored.digests)
            assert wire.down - passed < 20_000
            assert copy.digests == stored.digests
            assert store.get(copy.location).read() == data
            with pytest.raises(Duplicate):
                store.copy(stored.location, image_id=f"b-{len(data)}", digests=stored.digests)
    assert server.uploads_of(bucket) == []


def test_an_image_of_old_times_is_read_and_its_credential_is_not_used(server, open_s3):
    bucket = server.new_bucket()
    server.s3.put_object(Bucket=bucket, Key="old", Body=b"image")
    store = open_s3(server, bucket)
    host = server.endpoint.removeprefix("http://")
    uri = f"s3://someone:whose-secret@{host}/{bucket}/old"
    assert store.get(uri).read() == b"image"
    store.delete(uri)
    with pytest.raises(NotFound) as caught:
        store.get(uri)
    assert "whose-secret" not in str(caught.value)


def test_a_forked_child_and_its_parent_both_go_on(server, open_s3, image):
    store = open_s3(server)
    location = store.add("a", image).location
    child = os.fork()
    if not child:
        code = 1
        try:
            code = 0 if store.get(location).read() == image else 2
        finally:
            os._exit(code)
    assert store.get(location).read() == image
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
