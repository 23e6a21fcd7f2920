"""Strange files in a data directory: they are no images, and nothing waits for them."""

import os
import socket
import stat
import time

import pytest

import storekit


@pytest.fixture(params=["link", "dangling", "loop", "directory", "pipe", "socket", "device"])
def strange(request, open_store, tmp_path):
    """A store, and a location under which something strange is."""
    store = open_store()
    (tmp_path / "secret").write_bytes(b"secret")
    path = tmp_path / "images" / "strange"
    match request.param:
        case "link":
            path.symlink_to(tmp_path / "secret")
        case "dangling":
            path.symlink_to("missing")
        case "loop":
            path.symlink_to("strange")
        case "directory":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "socket":
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(str(path))
        case "device":
            if os.geteuid():
                pytest.skip("a device is made by root alone")
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))  # /dev/zero
    return store, f"file://{path}"


def test_reading_it_finds_no_image(strange):
    store, location = strange

    begin = time.monotonic()
    for verb in (store.get, store.get_size):
        with pytest.raises(storekit.NotFound):
            verb(location)
    assert time.monotonic() - begin < 5


def test_deleting_it_finds_no_image_and_leaves_it(strange, tmp_path):
    store, location = strange

    with pytest.raises(storekit.NotFound):
        store.delete(location)

    assert os.listdir(tmp_path / "images") == ["strange"]
    assert (tmp_path / "secret").exists()


def test_its_name_is_taken(strange, tmp_path):
    store, _ = strange

    with pytest.raises(storekit.Duplicate):
        store.add("strange", b"data")

    assert (tmp_path / "secret").read_bytes() == b"secret"
