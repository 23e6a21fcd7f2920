"""Modes: of images and directories, whatever the process's umask is."""

import os
import stat
import sys

import pytest

import storekit


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct, autouse=True)
def umask(request):
    """A umask that changes what new files would have."""
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode_of(path):
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.mark.parametrize(
    ("option", "mode"), [("0604", 0o604), ("0o644", 0o644), (0o600, 0o600), ("440", 0o440)]
)
def test_an_image_has_the_mode_that_was_asked_for(open_store, tmp_path, option, mode):
    open_store(file_mode=option).add("image", b"data")

    assert mode_of(tmp_path / "images" / "image") == mode


def test_an_image_is_not_for_all_by_default(open_store, tmp_path):
    open_store().add("image", b"data")

    assert mode_of(tmp_path / "images" / "image") == 0o640


def test_directories_that_are_made_have_the_mode_that_was_asked_for(open_store, tmp_path):
    open_store(tmp_path / "a" / "b", create=True, dir_mode="0711")

    assert mode_of(tmp_path / "a") == mode_of(tmp_path / "a" / "b") == 0o711


def test_a_link_put_in_place_of_a_directory_being_made_is_not_followed(open_store, tmp_path):
    (tmp_path / "other").mkdir(0o700)
    path = tmp_path / "images"

    def swap(_, event, function):
        if event == "c_return" and function is os.mkdir:
            sys.setprofile(None)
            path.rmdir()
            path.symlink_to("other")

    before = mode_of(tmp_path / "other")
    sys.setprofile(swap)
    try:
        with pytest.raises(storekit.Unavailable):
            open_store(path, create=True, dir_mode="0777", watch="never")
    finally:
        sys.setprofile(None)

    assert path.is_symlink()
    assert mode_of(tmp_path / "other") == before


def test_a_directory_that_is_there_keeps_its_mode(open_store, tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images").chmod(0o705)

    open_store(create=True)

    assert mode_of(tmp_path / "images") == 0o705


@pytest.mark.parametrize("option", ["rw-r-----", "0888", "", "01777", 0o1777, -1, True, 640, None])
def test_what_is_no_mode_is_refused(open_store, option):
    with pytest.raises(storekit.ConfigurationError, match="file_mode"):
        open_store(file_mode=option)


def test_an_upload_under_way_is_for_its_owner_alone(open_store, fuse):
    mount = fuse()
    modes = []

    def data():
        yield b"data"
        modes.extend(mode_of(entry) for entry in mount.path.iterdir())

    open_store(mount.path, file_mode="0644").add("image", data())

    assert modes == [0o600]
    assert mode_of(mount.path / "image") == 0o644
