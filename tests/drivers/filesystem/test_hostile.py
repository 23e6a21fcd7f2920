"""Hostile ids and locations: refused, and nothing outside the directory is touched."""

import os
import stat

import pytest

import storekit

SECRET = b"root:x:0:0"

IDS = {
    "empty": "",
    "dot": ".",
    "dots": "..",
    "climbing": "../x",
    "two parts": "a/b",
    "absolute": "/etc/passwd",
    "NUL": "a\0b",
    "newline": "a\nb",
    "4 KiB": "x" * 4096,
    "256 bytes": "é" * 128,
    "lone surrogate": "a\udc80",
    "escape byte": "a\x1b[2J",
    "C1 control": "a\x9b2J",
    "ours": ".storekit-1234",
    "bytes": b"image",
    "none": None,
    "number": 7,
}


@pytest.fixture
def guarded(tmp_path, open_store):
    """A store in ``inner``, with files around it that nobody may touch."""
    outer = tmp_path / "outer"
    inner = outer / "inner"
    inner.mkdir(parents=True)
    (outer / "passwd").write_bytes(SECRET)
    (outer / "x").write_bytes(SECRET)
    store = open_store(inner)
    store.add("kept", b"kept")
    return store, inner, outer


def tree_of(outer):
    """Every file below, with what a touch would change; reading changes the atime."""
    found = {}
    for base, _, names in os.walk(outer):
        for name in names:
            status = os.lstat(os.path.join(base, name))
            found[os.path.join(base, name)] = (
                status.st_ino,
                status.st_size,
                status.st_mtime_ns,
                # That of a link itself the kernel may set when it refuses to follow it.
                0 if stat.S_ISLNK(status.st_mode) else status.st_atime_ns,
                status.st_nlink,
            )
    return found


@pytest.mark.parametrize("image_id", IDS.values(), ids=IDS)
def test_a_hostile_id_is_refused_before_anything_is_read(guarded, image_id):
    store, _, outer = guarded
    before = tree_of(outer)

    def data():
        raise AssertionError("the data was read")
        yield

    with pytest.raises(storekit.InvalidArgument):
        store.add(image_id, data())

    assert tree_of(outer) == before


LOCATIONS = {
    "elsewhere": "file:///etc/passwd",
    "the directory": "file://{inner}",
    "the directory, slash": "file://{inner}/",
    "climbing": "file://{inner}/../passwd",
    "climbing, encoded": "file://{inner}/%2e%2e/passwd",
    "climbing, encoded whole": "file://{inner}/..%2fpasswd",
    "climbing and back": "file://{inner}/../inner/kept",
    "dots inside": "file://{inner}/./kept",
    "doubled slash": "file://{inner}//kept",
    "below an image": "file://{inner}/kept/more",
    "trailing slash": "file://{inner}/kept/",
    "NUL": "file://{inner}/kept%00",
    "newline": "file://{inner}/kept%0a",
    "query": "file://{inner}/kept?x",
    "host": "file://host{inner}/kept",
    "user": "file://user:word@host{inner}/kept",
    "half a character": "file://{inner}/%80",
    "ours": "file://{inner}/.storekit-lock",
    "4 KiB": "file://{inner}/" + "x" * 4096,
    "other scheme": "http://127.0.0.1{inner}/kept",
    "outer": "file://{outer}/passwd",
}


@pytest.mark.parametrize("text", LOCATIONS.values(), ids=LOCATIONS)
@pytest.mark.parametrize("verb", ["get", "get_size", "delete", "copy"])
def test_a_hostile_location_is_refused_and_nothing_is_touched(guarded, verb, text):
    store, inner, outer = guarded
    before = tree_of(outer)

    with pytest.raises(storekit.InvalidLocation) as caught:
        getattr(store, verb)(text.format(inner=inner, outer=outer))

    assert tree_of(outer) == before
    assert SECRET.decode() not in str(caught.value)


@pytest.mark.parametrize("target", ["passwd", "../passwd", "{outer}/passwd", "/etc/passwd", "kept"])
@pytest.mark.parametrize("verb", ["get", "get_size", "delete"])
def test_a_symbolic_link_in_the_directory_is_no_image(guarded, verb, target):
    store, inner, outer = guarded
    os.symlink(target.format(outer=outer), inner / "link")
    before = tree_of(outer)

    with pytest.raises((storekit.NotFound, storekit.InvalidLocation)):
        getattr(store, verb)(f"file://{inner}/link")
    with pytest.raises(storekit.Duplicate):
        store.add("link", b"through it")

    assert tree_of(outer) == before
    assert [image.image_id for image in store.list()] == ["kept"]


def test_a_parent_that_is_replaced_by_a_link_is_not_followed(guarded, tmp_path):
    store, inner, outer = guarded
    trap = tmp_path / "trap"
    trap.mkdir()
    (trap / "kept").write_bytes(SECRET)
    os.rename(inner, outer / "moved")
    os.symlink(trap, inner)

    for verb in (store.get, store.get_size, store.delete):
        with pytest.raises(storekit.Unavailable):
            verb(f"file://{inner}/missing")
    with pytest.raises(storekit.Unavailable):
        store.add("image", b"image")

    assert os.listdir(trap) == ["kept"]
    assert (trap / "kept").read_bytes() == SECRET
    os.unlink(inner)
    os.rename(outer / "moved", inner)
    assert store.get_size(store.add("image", b"image").location) == 5


def test_the_data_directory_itself_may_be_reached_through_a_link(open_store, tmp_path):
    real = tmp_path / "real"
    real.mkdir()
    os.symlink(real, tmp_path / "way")
    store = open_store(tmp_path / "way")

    stored = store.add("image", b"image")

    assert str(stored.location) == f"file://{tmp_path}/way/image"
    assert os.listdir(real) == ["image"]
    with pytest.raises(storekit.InvalidLocation):
        store.get(f"file://{real}/image")
