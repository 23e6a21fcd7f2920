"""Images on real servers: how many requests they take, and what is left of those that fail."""

import json
import os

import pytest

from storekit import (
    DataError,
    Duplicate,
    InvalidLocation,
    NotFound,
    StorageFull,
    Unavailable,
)
from storekit.testing.wire import Reset, Wire

from .conftest import MIB, PART, SIZE

TOKEN = "x-object-meta-storekit-token"


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 2 * PART, SIZE])
@pytest.mark.parametrize("known", [True, False])
def test_an_image_comes_back_as_it_was(server, open_swift, image, size, known):
    store, data = open_swift(server), image[:size]
    stored = store.add("a", data if known else iter([data]))
    assert stored.size == size
    assert store.get(stored.location).read() == data
    assert store.get_size(stored.location) == size
    assert [(item.image_id, item.size) for item in store.list()] == [("a", size)]
    assert [item.location for item in store.list()] == [stored.location]


@pytest.mark.parametrize("image_id", ["ä b%2F#?&", "100%", "a+b=c;d", "'\"\\", "🐋" * 60])
def test_a_long_image_may_have_a_strange_id(server, open_swift, image, image_id):
    container = server.new_container()
    store = open_swift(server, container)
    location = store.add(image_id, image).location
    assert store.get(str(location)).read() == image
    assert [(item.image_id, item.size) for item in store.list()] == [(image_id, SIZE)]
    assert list(open_swift(server, container, upload_idle=0).leftovers()) == []
    store.delete(location)
    assert server.names(container) == server.segments(container) == set()


def test_any_part_of_a_long_image_can_be_read(server, open_swift, image):
    store = open_swift(server, window=3)
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


def test_few_requests_are_enough_for_a_small_image(server, open_swift):
    with Wire(server.endpoint) as wire:
        container = server.new_container()
        store = open_swift(server, container, auth_url=f"{wire.endpoint}/auth/v1.0")
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


def test_the_manifest_names_every_segment_with_its_checksum_and_size(tempauth, open_swift, image):
    container = tempauth.new_container()
    open_swift(tempauth, container).add("a", image)
    with tempauth.client() as user:
        raw = user.get_object(container, "a", query_string="multipart-manifest=get")[1]
        manifest = json.loads(raw)
        assert [entry["bytes"] for entry in manifest] == [PART, PART, 7_919]
        for entry in manifest:
            place, _, name = entry["name"].lstrip("/").partition("/")
            assert place == f"{container}_segments"
            assert user.head_object(place, name)["etag"] == entry["hash"]


def test_segments_are_under_names_that_nobody_can_guess(server, open_swift, image):
    container = server.new_container()
    store = open_swift(server, container)
    for image_id in ("a", "b"):
        store.add(image_id, image)
    prefixes = {name.rpartition("/")[0] for name in server.segments(container)}
    assert len(prefixes) == 2
    assert all(prefix.startswith(".storekit-") for prefix in prefixes)
    assert all(len(prefix.split("/")[0]) > 32 for prefix in prefixes)
    assert server.names(container) == {"a", "b"}


def test_images_are_spread_over_containers_by_their_ids(server, open_swift):
    container = f"{server.new_container()}-several"
    store = open_swift(server, container, containers=3, create_container=True)
    stored = [store.add(f"image-{number}", b"x" * number) for number in range(20)]
    used = {image.location.segments[0] for image in stored}
    assert used == {f"{container}_{number:02x}" for number in range(3)}
    assert {item.image_id for item in store.list()} == {f"image-{n}" for n in range(20)}
    other = open_swift(server, container, containers=1, create_container=True)
    assert all(other.get_size(image.location) == image.size for image in stored)


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_an_add_that_fails_leaves_nothing(server, open_swift, image, kind):
    container, error = server.new_container(), kind("no")
    store = open_swift(server, container)

    def broken():
        yield image
        raise error

    for _ in range(2):
        with pytest.raises(kind) as caught:
            store.add("a", broken())
        assert caught.value is error
    assert server.names(container) == set()
    assert server.segments(container) == set()
    store.add("a", image)


def test_an_image_of_unknown_size_that_is_too_long_leaves_nothing(server, open_swift, image):
    container = server.new_container()
    store = open_swift(server, container, window=1, max_parts=2)
    with pytest.raises(StorageFull):
        store.add("a", iter([image]))
    assert server.names(container) == set()
    assert server.segments(container) == set()


def test_a_copy_of_a_manifest_does_not_own_its_segments(tempauth, open_swift, image):
    container = tempauth.new_container()
    store = open_swift(tempauth, container)
    location = store.add("a", image).location
    with tempauth.client() as user:
        copied = {"X-Copy-From": f"{container}/a"}
        query = "multipart-manifest=get"
        user.put_object(container, "copy", b"", headers=copied, query_string=query)
    assert {item.image_id for item in store.list()} == {"a", "copy"}
    store.delete(f"swift+config://objects/{container}/copy")
    assert store.get(location).read() == image


def test_the_url_of_another_account_is_no_image_of_this_store(tempauth, open_swift):
    container = tempauth.new_container()
    store = open_swift(tempauth, container)
    store.add("a", b"image")
    host = tempauth.endpoint.removeprefix("http://")
    assert store.get(f"swift+http://{host}/v1/AUTH_test/{container}/a").read() == b"image"
    for verb in (store.get, store.get_size, store.delete):
        with pytest.raises(InvalidLocation):
            verb(f"swift+http://{host}/v1/AUTH_test2/{container}/a")


def test_an_image_that_is_replaced_while_it_is_read_is_an_error(server, open_swift, image):
    container = server.new_container()
    store = open_swift(server, container, window=1)
    reader = store.get(store.add("a", image).location)
    begun = reader.read(PART // 2)
    with server.client() as user:
        user.put_object(container, "a", bytes(SIZE))
    with pytest.raises(DataError, match="changed while it was read"):
        reader.read()
    assert begun == image[: PART // 2]


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_an_image_without_one_of_its_segments_is_never_short(server, open_swift, image, lost):
    container = server.new_container()
    # radosgw stops sending where a segment is gone, and is waited for.
    store = open_swift(server, container, max_attempts=2, io_timeout=3)
    location = store.add("a", image).location
    with server.client() as user:
        user.delete_object(f"{container}_segments", sorted(server.segments(container))[lost])
    for offset in (0, PART - 10, PART, 2 * PART - 10):
        if offset < (lost + 1) * PART:
            with pytest.raises(DataError):
                store.get(location, offset).read()
    store.delete(location)
    assert server.names(container) == server.segments(container) == set()


def test_a_read_that_is_cut_goes_on_where_it_was(server, open_swift, image):
    container = server.new_container()
    location = open_swift(server, container).add("a", image).location
    with Wire(server.endpoint) as wire:
        wire.answers.arm(Reset(SIZE // 5), times=3)
        auth_url = f"{wire.endpoint}/auth/v1.0"
        behind = open_swift(server, container, auth_url=auth_url, window=2)
        assert behind.get(location).read() == image
        assert wire.answers.fired == 3


def test_an_image_of_others_is_read_and_deleted_with_its_segments(server, open_swift, image):
    container = server.new_container()
    store = open_swift(server, container)
    with server.client() as user:
        user.put_object(container, "plain", b"image")
        segments = {f"old-{number:05d}": image[number * MIB :][:MIB] for number in range(3)}
        for name, data in segments.items():
            user.put_object(container, name, data)
        user.put_object(container, "old-but-an-image", b"not a segment")
        user.put_object(container, "old", b"", headers={"X-Object-Manifest": f"{container}/old-"})
        user.put_object(container, "only", image[:MIB])
    place = "swift+config://objects/" + container
    assert store.get(f"{place}/plain").read() == b"image"
    store.delete(f"{place}/plain")
    with server.client() as user:
        user.delete_object(container, "old-but-an-image")
    assert store.get_size(f"{place}/old") == SIZE
    assert store.get(f"{place}/old").read() == image
    assert store.get(f"{place}/old", PART - 3, 6).read() == image[PART - 3 : PART + 3]
    assert {(item.image_id, item.size) for item in store.list()} == {("old", SIZE), ("only", MIB)}
    with server.client() as user:
        user.put_object(container, "old-but-an-image", b"not a segment")
    store.delete(f"{place}/old")
    assert server.names(container) == {"only", "old-but-an-image"}


def test_an_image_with_a_manifest_of_others_is_read_and_deleted(server, open_swift, image):
    container, elsewhere = server.new_container(), server.new_container()
    store = open_swift(server, container)
    with server.client() as user:
        manifest = []
        for number in range(3):
            data = image[number * MIB :][:MIB]
            etag = user.put_object(elsewhere, f"s{number}", data)
            path = f"/{elsewhere}/s{number}"
            manifest.append({"path": path, "etag": etag, "size_bytes": len(data)})
        put = {"query_string": "multipart-manifest=put"}
        user.put_object(container, "a", json.dumps(manifest), **put)
    location = f"swift+config://objects/{container}/a"
    assert store.get(location).read() == image
    store.delete(location)
    assert server.names(container) == server.names(elsewhere) == set()


def test_an_image_with_a_manifest_of_manifests_is_read_copied_and_deleted(
    tempauth, open_swift, image
):
    container, elsewhere = tempauth.new_container(), tempauth.new_container()
    store = open_swift(tempauth, container)
    put = {"query_string": "multipart-manifest=put"}
    with tempauth.client() as user:
        for name, data in (("s0", image[:MIB]), ("s1", image[MIB:])):
            user.put_object(elsewhere, name, data)
        inner = json.dumps([{"path": f"/{elsewhere}/s1"}])
        user.put_object(elsewhere, "inner", inner, **put)
        outer = [{"path": f"/{elsewhere}/s0"}, {"path": f"/{elsewhere}/inner"}]
        user.put_object(container, "a", json.dumps(outer), **put)
    location = f"swift+config://objects/{container}/a"
    assert store.get(location).read() == image
    copy = store.copy(location, image_id="b", digests={"md5": "0" * 32})
    assert store.get(copy.location).read() == image
    for place in (location, copy.location):
        store.delete(place)
    assert tempauth.names(container) == tempauth.names(elsewhere) == set()


def test_segments_of_an_image_whose_metadata_was_replaced_are_no_leftovers(
    tempauth, open_swift, image
):
    container = tempauth.new_container()
    store = open_swift(tempauth, container, upload_idle=0)
    location = store.add("a", image).location
    with tempauth.client() as user:
        assert TOKEN in user.head_object(container, "a")
        user.post_object(container, "a", {"X-Object-Meta-Color": "blue"})
        assert TOKEN not in user.head_object(container, "a")
    assert list(store.leftovers()) == []
    assert store.get(location).read() == image
    store.delete(location)
    assert tempauth.segments(container) == set()


def test_a_copy_is_made_by_the_server(tempauth, open_swift, image):
    container, another = tempauth.new_container(), tempauth.new_container()
    with Wire(tempauth.endpoint) as wire:
        auth_url = f"{wire.endpoint}/auth/v1.0"
        store = open_swift(tempauth, container, auth_url=auth_url)
        to = open_swift(tempauth, another, auth_url=auth_url)
        for data in (b"", b"small", image):
            stored = store.add(f"ä-{len(data)}", data)
            passed = wire.down + wire.up
            copy = store.copy(stored.location, to=to, digests=stored.digests)
            assert wire.down + wire.up - passed < 20_000
            assert copy.digests == stored.digests
            with pytest.raises(Duplicate):
                store.copy(stored.location, to=to, digests=stored.digests)
            store.delete(stored.location)
            assert to.get(copy.location).read() == data
    assert tempauth.segments(container) == set()
    assert len(tempauth.segments(another)) == 3


def test_a_copy_that_lacks_a_segment_is_none(tempauth, open_swift, image):
    container = tempauth.new_container()
    store = open_swift(tempauth, container)
    stored = store.add("a", image)
    with tempauth.client() as user:
        lost = sorted(tempauth.segments(container))[1]
        user.delete_object(f"{container}_segments", lost)
    with pytest.raises(DataError):
        store.copy(stored.location, image_id="b", digests=stored.digests)
    assert tempauth.names(container) == {"a"}
    store.delete(stored.location)
    assert tempauth.segments(container) == set()


def test_a_location_of_old_times_is_read_and_its_credential_is_not_used(server, open_swift):
    container = server.new_container()
    store = open_swift(server, container)
    location = store.add("old", b"image").location
    assert str(location) == f"swift+config://objects/{container}/old"
    host = server.endpoint.removeprefix("http://")
    uri = f"swift+http://someone%3Aelse:whose-secret@{host}/auth/v1.0/{container}/old"
    assert store.get(uri).read() == b"image"
    store.delete(uri)
    with pytest.raises(NotFound) as caught:
        store.get(uri)
    assert "whose-secret" not in str(caught.value)


def test_a_missing_container_is_not_a_missing_image(server, open_swift):
    name = f"{server.new_container()}-missing"
    with pytest.raises(Unavailable, match="create_container"):
        open_swift(server, name)
    store = open_swift(server, name, create_container=True)
    location = store.add("a", b"image").location
    with server.client() as user:
        user.delete_object(name, "a")
        user.delete_container(name)
    for verb in (store.get, store.get_size, store.delete):
        with pytest.raises(Unavailable, match="there is no container"):
            verb(location)
    with pytest.raises(Unavailable, match="there is no container"):
        list(store.list())
    assert store.get(store.add("a", b"again").location).read() == b"again"


def test_a_quota_is_storage_full_and_leaves_nothing(tempauth, open_swift, image):
    container = tempauth.new_container()
    store = open_swift(tempauth, container)
    with tempauth.client() as user:
        for name in (container, f"{container}_segments"):
            # The last segment has room, the others do not.
            user.put_container(name, {"X-Container-Meta-Quota-Bytes": str(PART // 2)})
    for size in (SIZE, PART // 2 + 1):
        with pytest.raises(StorageFull, match="quota"):
            store.add("large", image[:size])
    store.add("small", image[:1000])
    assert tempauth.names(container) == {"small"}
    assert tempauth.segments(container) == set()


def test_a_forked_child_and_its_parent_both_go_on(server, open_swift, image):
    store = open_swift(server)
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


def test_tokens_that_are_refused_are_replaced_in_the_middle_of_an_upload_and_of_a_read(
    tempauth, open_swift, image
):
    # While the server is restarted, segments meet a closed port.
    store = open_swift(tempauth, max_attempts=20)

    def data():
        yield image[:PART]
        yield image[PART : 2 * PART]
        tempauth.swift.forget_tokens()
        yield image[2 * PART :]

    location = store.add("a", data()).location
    reader = open_swift(tempauth, location.segments[0], window=1).get(location)
    begun = reader.read(1000)
    tempauth.swift.forget_tokens()
    assert begun + reader.read() == image
