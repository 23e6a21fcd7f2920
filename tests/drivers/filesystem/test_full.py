"""No room: a full disk, a file-size limit, a quota. StorageFull, and nothing is left."""

import contextlib
import os
import random
import resource
import signal
from datetime import timedelta

import pytest

import storekit

CHUNK = 1 << 20
ROOM = 8 << 20
IMAGE = random.Random(6).randbytes(12 << 20)


def fill_up_to(path, free):
    """Fill the disk with a file beside the images, and give so many bytes of it back."""
    with open(path / ".filler", "wb", buffering=0) as filler:
        for piece in (CHUNK, 4096):
            with contextlib.suppress(OSError):  # root's own reserve is used up too
                while filler.write(b"x" * piece):
                    pass
        filler.truncate(filler.tell() - free)
        os.fsync(filler.fileno())


@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
@pytest.mark.parametrize("declared", [False, True], ids=["unknown size", "known size"])
@pytest.mark.parametrize("k", [0, 1, 4096, CHUNK, ROOM // 2, len(IMAGE) - 1])
def test_a_disk_that_is_full_at_byte_k_leaves_nothing(open_store, mounted, kind, declared, k):
    path = mounted(kind, 32 if kind == "ext4" else 16)
    store = open_store(path)
    kept = store.add("kept", b"an image from before")
    image = IMAGE[: max(k + 65536, CHUNK)]
    fill_up_to(path, k // 4096 * 4096)

    with pytest.raises(storekit.StorageFull) as caught:
        store.add("image", [image], len(image) if declared else None)

    assert caught.value.store == "filesystem"
    assert {*os.listdir(path)} <= {"kept", ".filler", "lost+found", ".storekit-lock"}
    assert list(store.leftovers(timedelta(0))) == []
    store.verify(kept.location, kept.digests)
    os.unlink(path / ".filler")
    stored = store.add("image", [image])
    with store.get(stored.location) as reader:
        assert reader.read() == image


@pytest.mark.parametrize("limit", [1, 4096, CHUNK, len(IMAGE) - 1])
def test_a_file_size_limit_is_storage_full_and_kills_nobody(open_store, tmp_path, limit):
    store = open_store(tmp_path)
    pid = os.fork()
    if not pid:
        status = 1
        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as Python does at its start
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            try:
                store.add("image", [IMAGE])
            except storekit.StorageFull:
                status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0
    assert os.listdir(tmp_path) == []
    assert store.add("image", [IMAGE]).size == len(IMAGE)


def test_a_directory_that_became_read_only_is_forbidden_and_still_read(open_store, mounted):
    path = mounted("ext4", 32)
    store = open_store(path)
    kept = store.add("kept", IMAGE[:CHUNK])
    os.system(f"mount -o remount,ro {path}")

    with pytest.raises(storekit.Forbidden):
        store.add("image", IMAGE[:CHUNK])
    with pytest.raises(storekit.Forbidden):
        store.delete(kept.location)

    store.verify(kept.location, kept.digests)
    os.system(f"mount -o remount,rw {path}")
    store.delete(store.add("image", IMAGE[:CHUNK]).location)
