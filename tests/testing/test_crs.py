"""Crashes are real: processes die, and a disk whose power fails loses what was not synced."""

import ctypes
import os
import random
import time

import pytest

from storekit.testing import Level, Outcome, Violation, cases_for, power, run
from storekit.testing.children import in_child
from storekit.testing.crash import Doomed, Shot, fire, volley
from storekit.testing.reference import DirectoryHarness, MemoryHarness

DATA = bytes(range(256)) * 400


def test_every_case_of_crashes_is_there_and_hard():
    there = {item.id: item.level for item in cases_for() if item.group == "CRS"}
    assert there == {f"CRS-0{n}": Level.HARD for n in range(1, 7)}


def test_the_same_seed_shoots_at_the_same_instants():
    shots = volley(random.Random("7:CRS-01"), 25, 25, 70_001)
    assert shots == volley(random.Random("7:CRS-01"), 25, 25, 70_001)
    assert shots != volley(random.Random("8:CRS-01"), 25, 25, 70_001)
    assert [shot.number for shot in shots] == [*range(1, 51)]
    assert all(0 <= shot.byte <= 70_001 for shot in shots[25:])
    assert {shot.byte for shot in shots[:25]} == {None}


@pytest.mark.parametrize("byte", [0, 1, 70_001, len(DATA)])
def test_a_shot_at_a_byte_kills_when_so_many_were_read(byte):
    seen, told = os.pipe()

    def act():
        source = Doomed(Shot(1, byte), 0.0).source(DATA)
        while True:
            os.write(told, f"{source.position} ".encode())
            if not source.read(10_000):
                return

    assert fire(act, 30) == (False, None)
    os.close(told)
    with open(seen) as pipe:
        assert int(pipe.read().split()[-1]) == byte


def test_a_shot_at_a_time_kills_then_though_the_process_is_in_a_call():
    def act():
        Doomed(Shot(1, None, 0.5), 0.2).begins()
        time.sleep(60)

    begin = time.monotonic()
    assert fire(act, 30) == (False, None)
    assert time.monotonic() - begin >= 0.1


def test_who_is_not_shot_tells_its_value_and_its_error():
    def act():
        doomed = Doomed(None, 0.0)
        doomed.begins()
        return doomed.source(DATA).read()

    assert fire(act, 30) == (True, DATA)
    with pytest.raises(Violation, match="ZeroDivisionError"):
        fire(lambda: 1 // 0, 30)
    with pytest.raises(Violation, match="hangs"):
        fire(lambda: time.sleep(60), 0.05)


@pytest.fixture
def disk(tmp_path):
    lacking = power.lacks()
    if lacking and not os.environ.get("STOREKIT_REQUIRE_SERVERS"):
        pytest.skip(f"it takes {lacking}")
    point = tmp_path / "disk"
    point.mkdir()
    with power.disk(tmp_path / "disk.ext4", point) as made:
        yield made


def synced(path):
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def unnamed(directory, name, *, sync):
    """Write as stores do that take a file without a name, and link it."""
    fd = os.open(directory, os.O_TMPFILE | os.O_RDWR, 0o600)
    os.write(fd, DATA)
    if sync:
        os.fsync(fd)
    at = os.open(directory, os.O_RDONLY)
    os.link(f"/proc/self/fd/{fd}", name, dst_dir_fd=at, follow_symlinks=True)
    os.close(at)
    os.close(fd)


def there(disk):
    found = {path.name: path.read_bytes() for path in disk.path.iterdir() if path.is_file()}
    assert set(found.values()) <= {DATA, b""}
    return {name: bool(data) for name, data in found.items()}


def test_what_was_not_synced_is_lost_and_what_was_is_not(disk):
    unnamed(disk.path, "whole", sync=True)
    synced(disk.path)
    unnamed(disk.path, "nameless", sync=True)
    (disk.path / "nothing").write_bytes(DATA)
    with disk.without_power():
        assert not disk.path.is_mount()
    assert there(disk) == {"whole": True}


def test_a_name_that_was_synced_without_its_bytes_is_empty(disk):
    unnamed(disk.path, "empty", sync=False)
    (disk.path / "written").write_bytes(DATA)
    synced(disk.path)
    with disk.without_power():
        pass
    assert there(disk) == {"empty": False, "written": False}


def test_a_copy_by_the_kernel_and_a_rename_are_lost_unless_they_are_synced(disk):
    source = disk.path / "source"
    source.write_bytes(DATA)
    synced(source)
    synced(disk.path)
    with source.open("rb") as origin, (disk.path / "copy").open("wb") as copy:
        assert os.copy_file_range(origin.fileno(), copy.fileno(), len(DATA)) == len(DATA)
    source.rename(disk.path / "renamed")
    with disk.without_power():
        pass
    assert there(disk) == {"source": True}


def test_a_sync_of_the_whole_disk_keeps_all(disk):
    (disk.path / "one").write_bytes(DATA)
    at = os.open(disk.path, os.O_RDONLY)
    assert ctypes.CDLL(None).syncfs(at) == 0
    os.close(at)
    with disk.without_power():
        pass
    assert there(disk) == {"one": True}


def test_the_power_cannot_fail_under_somebody_who_is_told_nothing(disk):
    file = (disk.path / "open").open("wb")
    with pytest.raises(RuntimeError, match="busy"), disk.without_power():
        pass
    file.close()


def test_what_a_process_wrote_that_was_killed_is_lost_with_the_power(disk):
    in_child(lambda: (disk.path / "child").write_bytes(DATA), 30)
    assert there(disk) == {"child": True}
    with disk.without_power():
        pass
    assert there(disk) == {}


@pytest.mark.slow
@pytest.mark.parametrize("harness", [MemoryHarness, DirectoryHarness])
def test_the_references_survive_or_say_why_it_is_no_matter_of_theirs(harness):
    report = run(harness, level="hard", select="CRS,RES-08")
    outcomes = {result.case.id: result.outcome for result in report.results}
    reasons = {result.case.id: result.reason for result in report.results}
    # Files have no server, and a server that keeps images in its memory promises no DURABLE.
    other = "CRS-05" if harness is MemoryHarness else "CRS-06"
    if harness is MemoryHarness or not power.lacks():
        assert outcomes.pop(other) is Outcome.NOT_APPLICABLE, reasons
        assert {*outcomes.values()} == {Outcome.PASS}, reasons
    assert report.left == ()
