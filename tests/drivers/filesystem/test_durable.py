"""Durable: what is synced and when, and where the promise is not made."""

import os
import re
import shutil
import subprocess
import sys
import textwrap

import pytest

import storekit

from .conftest import unless_here

DURABLE = storekit.Capability.DURABLE


def test_it_is_promised_on_a_disk(open_store, mounted):
    assert DURABLE in open_store(mounted("ext4", 16)).capabilities


def test_without_durable_it_is_not_promised(open_store):
    store = open_store(durable=False)

    assert DURABLE not in store.capabilities
    assert store.withdrawn[DURABLE] == "durable = false"


def test_it_is_not_promised_where_all_is_lost_with_the_power(open_store, mounted):
    store = open_store(mounted("tmpfs", 4))

    assert DURABLE not in store.capabilities
    assert "tmpfs" in store.withdrawn[DURABLE]


@pytest.fixture
def calls_of(tmp_path):
    """Run a line with an open ``store``; give the calls that it made, with what they were about."""
    tracer = shutil.which("strace")
    unless_here(None if tracer else "strace is not installed")
    (tmp_path / "images").mkdir()

    def run(line, **options):
        script = textwrap.dedent(f"""
            import os, storekit
            path = {str(tmp_path / "images")!r}
            with storekit.open_store("filesystem", path=path, **{options!r}) as store:
                os.access("/marker", 0)
                {line}
                os.access("/marker", 0)
        """)
        log = tmp_path / "strace"
        calls = "trace=fsync,fdatasync,sync_file_range,linkat,unlink,unlinkat,rename,access"
        subprocess.run(
            [tracer, "-f", "-y", "-o", log, "-e", calls, sys.executable, "-c", script], check=True
        )
        _, between, _ = log.read_text().split('access("/marker"')
        return [
            (name, "directory" if "/images>" in about.split(",")[0] else "file")
            for name, about in re.findall(r"^\d+ +(\w+)\((.*)$", between, re.MULTILINE)
        ]

    return run


def test_the_bytes_are_synced_before_the_name_and_the_name_after_it(calls_of):
    assert calls_of("store.add('image', b'data')") == [
        ("fsync", "file"),
        ("linkat", "file"),
        ("fsync", "directory"),
    ]


def test_a_long_image_is_on_its_way_to_the_disk_before_its_end(calls_of):
    calls = calls_of("store.add('image', bytes([1]) * (20 << 20))")

    assert calls.count(("sync_file_range", "file")) == 2
    assert calls[-3:] == [("fsync", "file"), ("linkat", "file"), ("fsync", "directory")]


def test_a_file_that_the_kernel_copies_is_synced_too(calls_of, tmp_path):
    (tmp_path / "source").write_bytes(os.urandom(1 << 20))

    calls = calls_of(
        f"import pathlib; store.add('image', pathlib.Path({str(tmp_path)!r}, 'source'))"
    )

    assert calls == [("fsync", "file"), ("linkat", "file"), ("fsync", "directory")]


def test_a_deletion_is_synced(calls_of, tmp_path):
    (tmp_path / "images" / "image").write_bytes(b"data")

    calls = calls_of(f"store.delete('file://{tmp_path}/images/image')")

    assert calls == [("unlinkat", "directory"), ("fsync", "directory")]


def test_without_durable_nothing_is_synced(calls_of, tmp_path):
    (tmp_path / "images" / "old").write_bytes(b"data")

    assert calls_of("store.add('image', bytes([1]) * (20 << 20))", durable=False) == [
        ("linkat", "file")
    ]
    assert calls_of(f"store.delete('file://{tmp_path}/images/old')", durable=False) == [
        ("unlinkat", "directory")
    ]


def test_a_directory_that_is_made_is_synced_into_the_one_above(calls_of, tmp_path):
    line = f"storekit.open_store('filesystem', path={str(tmp_path / 'a' / 'b')!r}, create=True)"

    # The one above each, and then its own trial.
    assert [name for name, _ in calls_of(line)].count("fsync") == 3


def test_a_commit_that_the_disk_does_not_confirm_has_an_unknown_outcome(open_store, fuse):
    mount = fuse()
    store = open_store(mount.path)
    mount.fault("eio", "fsyncdir")

    with pytest.raises(storekit.OutcomeUnknown):
        store.add("image", b"data")
    with pytest.raises(storekit.OutcomeUnknown):
        store.delete(f"file://{mount.path}/image")

    mount.fault("none")
    assert list(store.list()) == []
