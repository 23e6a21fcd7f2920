"""Listing: every image once, and nothing that is none."""

import os
import socket
from datetime import UTC, datetime, timedelta

import storekit


def test_every_image_comes_with_its_size_time_and_location(open_store):
    store = open_store()
    stored = {
        image_id: store.add(image_id, bytes(size)).location
        for size, image_id in enumerate(["a", "A", "ä", "a b", "-", "..a", "%41", "é", "e\u0301"])
    }

    listed = {image.image_id: image for image in store.list()}

    assert {name: image.location for name, image in listed.items()} == stored
    assert [listed[name].size for name in stored] == list(range(len(stored)))
    for image in listed.values():
        assert image.modified.tzinfo is UTC
        assert abs(datetime.now(UTC) - image.modified) < timedelta(minutes=5)
        assert store.get_size(image.location) == image.size


def test_more_images_than_are_looked_at_at_once(open_store, tmp_path):
    store = open_store()
    names = {f"image-{number}" for number in range(1000)}
    for name in names:
        (tmp_path / "images" / name).touch()

    listed = [image.image_id for image in store.list()]

    assert len(listed) == len(names)
    assert set(listed) == names


def test_what_is_no_image_is_left_out(open_store, tmp_path):
    place = tmp_path / "images"
    store = open_store()
    store.add("image", b"data")
    (place / "directory").mkdir()
    (place / "link").symlink_to("image")
    (place / ".storekit-something").write_bytes(b"ours")
    (place / "new\nline").write_bytes(b"no id")
    os.mkfifo(place / "pipe")
    with open(os.fsencode(place) + b"/\xff\xfe", "wb"):
        pass
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place / "socket"))

        assert [image.image_id for image in store.list()] == ["image"]


def test_what_comes_and_goes_meanwhile_does_no_harm(open_store, tmp_path):
    store = open_store()
    for number in range(600):
        (tmp_path / "images" / f"image-{number}").touch()

    seen = []
    for image in store.list():
        if not seen:
            for number in range(300):
                (tmp_path / "images" / f"image-{number}").unlink()
                (tmp_path / "images" / f"new-{number}").touch()
        seen.append(image.image_id)

    assert len(seen) == len(set(seen))
    assert {f"image-{number}" for number in range(300, 600)} <= set(seen)


def test_two_listings_at_once_do_not_disturb_each_other(open_store, tmp_path):
    store = open_store()
    for number in range(500):
        (tmp_path / "images" / f"image-{number}").touch()

    pairs = list(zip(store.list(), store.list(), strict=True))

    assert len({one.image_id for one, _ in pairs}) == len({two.image_id for _, two in pairs}) == 500


def test_a_listing_that_is_dropped_gives_everything_back(open_store):
    store = open_store()
    store.add("one", b"")
    store.add("two", b"")
    before = len(os.listdir("/proc/self/fd"))

    next(store.list())

    assert len(os.listdir("/proc/self/fd")) == before


def test_a_deleted_image_that_is_still_read_is_not_listed(open_store, fuse):
    # Such a filesystem gives a removed file another name until it is closed.
    mount = fuse()
    store = open_store(mount.path)
    stored = store.add("image", b"data")

    with store.get(stored.location) as reader:
        store.delete(stored.location)
        assert [name for name in os.listdir(mount.path) if name.startswith(".fuse_hidden")]
        assert list(store.list()) == []
        assert reader.read() == b"data"


def test_ids_end_where_the_filesystem_ends(open_store):
    store = open_store()
    one, two = "x" * 254 + "1", "x" * 254 + "2"

    store.add(one, b"1")
    store.add(two, b"22")

    assert {image.image_id: image.size for image in store.list()} == {one: 1, two: 2}
    assert store.limits.max_id_length == 255
    assert storekit.Capability.LIST in store.capabilities


def test_a_time_that_no_datetime_can_have_is_none(open_store, mounted):
    place = mounted("tmpfs", 4)
    store = open_store(place)
    store.add("image", b"data")
    (place / ".storekit-upload-0").write_bytes(b"data")
    for name in ("image", ".storekit-upload-0"):
        os.utime(place / name, (2**40, 2**40))

    assert [(image.image_id, image.modified) for image in store.list()] == [("image", None)]
    assert [found.modified for found in store.leftovers(timedelta(0))] == [None]
    assert len(store.reclaim(timedelta(0))) == 1
