"""Disk images that other people made, through the whole of storekit.

``make test`` fetches them from Debian's packages and names their directory in
``STOREKIT_IMAGES_DIR``.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import storekit

ROOT = Path(__file__).parent.parent
IMAGES = ["memtest86+x64.iso", "ipxe.iso", "linux", "initrd.gz"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=IMAGES)
def image(request):
    directory = os.environ.get("STOREKIT_IMAGES_DIR")
    path = Path(directory or "") / request.param
    if directory is None or not path.is_file():
        why = f"STOREKIT_IMAGES_DIR has no {request.param}; scripts/fetch-images fetches it"
        if os.environ.get("STOREKIT_REQUIRE_SERVERS"):
            pytest.fail(why)
        pytest.skip(why)
    return path


@pytest.fixture
def store(tmp_path):
    with storekit.open_store("filesystem", path=tmp_path / "store", create=True) as store:
        yield store


def digest(path, algorithm):
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def pieces(path):
    """The bytes of a file in chunks of odd lengths, as a network would bring them."""
    with path.open("rb") as file:
        for step in range(1 << 62):
            chunk = file.read(65_521 + step % 7)
            if not chunk:
                return
            yield chunk


def check_stored(store, stored, path):
    size = path.stat().st_size
    wanted = path.read_bytes()
    assert stored.size == size
    assert stored.digests == {name: digest(path, name) for name in ("md5", "sha512")}
    assert store.get_size(stored.location) == size
    with store.get(stored.location) as reader:
        assert reader.size == size
        assert b"".join(reader) == wanted
    middle = size // 2 + 1
    with store.get(stored.location, offset=middle, length=70_001) as reader:
        assert b"".join(reader) == wanted[middle : middle + 70_001]


def test_an_image_added_by_path_comes_back_byte_for_byte(store, image):
    stored = store.add(image.name, image, expect={"sha256": digest(image, "sha256")})
    assert stored.digests.pop("sha256") == digest(image, "sha256")
    check_stored(store, stored, image)


def test_an_image_added_as_a_stream_of_unknown_size_comes_back_byte_for_byte(store, image):
    check_stored(store, store.add(image.name, pieces(image)), image)


def test_an_image_with_one_byte_changed_is_refused_and_nothing_is_stored(store, image):
    changed = bytearray(image.read_bytes())
    changed[len(changed) // 2] ^= 1
    with pytest.raises(storekit.DigestMismatch):
        store.add(image.name, changed, expect={"sha512": digest(image, "sha512")})
    assert list(store.list()) == []
    check_stored(store, store.add(image.name, image), image)


def test_the_demo_stores_the_image_reads_it_back_and_leaves_the_users_files_alone(image, tmp_path):
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    home.mkdir()
    temporary.mkdir()
    done = subprocess.run(
        ["sh", "scripts/demo"],
        cwd=ROOT,
        env={
            **os.environ,
            "IMAGE": str(image),
            "HOME": str(home),
            "XDG_DATA_HOME": str(home / "data"),
            "TMPDIR": str(temporary),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert digest(image, "sha512") in done.stdout
    assert [*home.iterdir(), *temporary.iterdir()] == []
