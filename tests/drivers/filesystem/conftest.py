"""Stores in temporary directories, and filesystems that are mounted for one test."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from servers import slow_fuse as servers_slow_fuse


def unless_here(missing):
    """Skip what cannot run here; fail where everything must run."""
    if missing and os.environ.get("STOREKIT_REQUIRE_SERVERS"):
        pytest.fail(f"what must be there is not: {missing}")
    if missing:
        pytest.skip(missing)


def let_in(path):
    """Let every user come as far as a temporary directory: pytest keeps its own to one user."""
    top = Path(tempfile.gettempdir())
    for place in (path, *path.parents):
        if top in place.parents:
            place.chmod(0o755)


@contextlib.contextmanager
def unmounted_at_the_end(point):
    """Have a filesystem be mounted for a block, or as long as this process: it may be killed."""
    guard = subprocess.Popen(
        ["/bin/sh", "-c", 'cat > /dev/null; exec umount -l "$1"', "guard", point],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield
    finally:
        guard.stdin.close()
        assert guard.wait() == 0


@pytest.fixture
def open_store(opened, tmp_path):
    """Open filesystem stores that are closed at the end; in ``images`` unless told otherwise."""

    def open_one(path=None, **options):
        if path is None and "paths" not in options:
            path = tmp_path / "images"
            path.mkdir(exist_ok=True)
        if path is not None:
            options["path"] = path
        return opened("filesystem", **options)

    return open_one


@pytest.fixture
def mounted(tmp_path):
    """Mount a filesystem of its own: ``mounted("ext4", 64)`` is a directory on 64 MiB."""
    with contextlib.ExitStack() as mounts:

        def mount(kind, mebibytes, *options):
            unless_here("mounting needs root" if os.geteuid() else None)
            point = tmp_path / f"mounted-{kind}"
            point.mkdir()
            if kind == "tmpfs":
                source, options = "tmpfs", (f"size={mebibytes}m", *options)
            else:
                maker = shutil.which(f"mkfs.{kind}", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
                unless_here(None if maker else f"there is no mkfs.{kind}")
                source = tmp_path / f"{kind}.img"
                with source.open("wb") as image:
                    image.truncate(mebibytes << 20)
                subprocess.run([maker, source], check=True, capture_output=True)
                options = ("loop", *options)
            command = ["mount", "-t", kind, "-o", ",".join(options), source, point]
            subprocess.run(command, check=True, capture_output=True)
            mounts.enter_context(unmounted_at_the_end(point))
            return point

        yield mount


@pytest.fixture
def fuse(tmp_path):
    """Mount a FUSE filesystem over ``backing``: ``fuse(links=False)``."""
    unless_here(servers_slow_fuse.missing())
    with contextlib.ExitStack() as mounts:

        def mount(**features):
            backing, point = tmp_path / "backing", tmp_path / "fuse"
            backing.mkdir()
            point.mkdir()
            return mounts.enter_context(servers_slow_fuse.slow_fuse(backing, point, **features))

        yield mount


@pytest.fixture
def as_nobody():
    """Run a block without root's power over permissions."""

    @contextlib.contextmanager
    def without_power():
        user, group = os.geteuid(), os.getegid()
        os.setegid(65534)
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(user)
            os.setegid(group)

    return without_power


def taken(path):
    """Bytes that a file takes on the disk."""
    return os.stat(path).st_blocks * 512
