"""Somebody else's driver: installed with pip, configured by name, used as any of ours."""

import pytest

from frame.distributions import TESTS, Site, pip_install

# One store of the driver in a new file, and what a test prints.
PRELUDE = """
import os, pathlib, signal, subprocess, time
from datetime import timedelta
from storekit import *
import storekit

root = pathlib.Path(sys.argv[1])
config = root / "storekit.toml"
config.write_text(f'''
default = "crate"
[stores.crate]
driver = "crate"
path = "{root}/images.crate"
create = true
upload_idle = 0
[stores.files]
driver = "filesystem"
path = "{root}/files"
create = true
''')
stores = Stores.from_config(config)
image = bytes(range(256)) * 4001 + b"odd"
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("downstream") / "site")
    pip_install(TESTS / "downstream", site.path)
    return site


@pytest.fixture
def run(site, tmp_path):
    return lambda code: site.run(PRELUDE + code, str(tmp_path))


def test_it_stores_reads_lists_and_deletes(run, tmp_path):
    code = """
stored = stores.add("cirros", [image[i:i + 7777] for i in range(0, len(image), 7777)])
assert stored.size == len(image) == stores.get_size(stored.location)
with stores.get(stored.location) as reader:
    assert reader.read() == image
for offset, length in [(0, 1), (262144, 5), (262143, 262146), (len(image) - 1, 9), (70_001, None)]:
    with stores.get(stored.location, offset=offset, length=length) as reader:
        end = None if length is None else offset + length
        assert reader.read() == image[offset:end]
stores.verify(stored.location, stored.digests)
(listing,) = stores.list("crate")
assert listing.image_id == "cirros" and listing.modified is not None
assert stores["crate"].state == "ready"
empty = stores.add("empty", b"")
assert stores.get(empty.location).read() == b""
stores.delete(stored.location)
stores.delete(empty.location)
try:
    stores.get(stored.location)
except NotFound:
    print(json.dumps([str(stored.location), list(stores.list())]))
"""
    assert run(code) == [f"crate://{tmp_path}/images.crate/cirros", []]


def test_it_copies_to_and_from_a_driver_of_ours(run):
    code = """
stored = stores.add("cirros", image)
there = stores.copy(stored.location, to="files")
stores.delete(stored.location)
back = stores.copy(there.location, to="crate")
assert back.digests == there.digests == stored.digests
print(json.dumps(stores.get(back.location).read() == image))
"""
    assert run(code) is True


def test_of_many_adds_of_one_id_one_wins(run):
    code = """
from concurrent.futures import ThreadPoolExecutor
def add(number):
    try:
        return stores.add("cirros", bytes([number]) * 300_000)
    except Duplicate:
        return None
with ThreadPoolExecutor(8) as pool:
    won = [each for each in pool.map(add, range(8)) if each]
assert len(won) == 1
assert len(set(stores.get(won[0].location).read())) == 1
print(json.dumps(list(stores.leftovers(older_than=timedelta(0)))))
"""
    assert run(code) == []


def test_an_upload_that_fails_leaves_nothing(run):
    code = """
def broken():
    yield image
    raise KeyboardInterrupt
for data, size, error in [(broken(), None, KeyboardInterrupt), ([image], 5, SizeMismatch)]:
    try:
        stores.add("cirros", data, size)
    except error:
        continue
    raise AssertionError(error)
print(json.dumps([list(stores.list()), list(stores.leftovers(older_than=timedelta(0)))]))
"""
    assert run(code) == [[], []]


def test_an_upload_that_is_killed_is_invisible_and_reclaimed(run):
    code = """
def killed():
    yield from [image] * 9  # more than the frame reads ahead
    os.kill(os.getpid(), signal.SIGKILL)
child = os.fork()
if not child:
    stores.add("cirros", killed())
_, status = os.waitpid(child, 0)
assert os.WTERMSIG(status) == signal.SIGKILL
assert list(stores.list()) == []
(leftover,) = stores.leftovers(older_than=timedelta(0))
assert 0 < leftover.size <= 9 * len(image) and leftover.store == "crate"
assert stores.reclaim(older_than=timedelta(0)) == [leftover]
assert stores.add("cirros", image).size == len(image)
print(json.dumps(list(stores.leftovers(older_than=timedelta(0)))))
"""
    assert run(code) == []


def test_its_options_are_checked_and_explained_like_ours(run):
    code = """
def told(**options):
    try:
        storekit.open_store("crate", name="cold", **options)
    except ConfigurationError as error:
        return str(error)
print(json.dumps([told(), told(path="a.crate"), told(path="/a", pth="/a")]))
"""
    missing, relative, unknown = run(code)
    for text in (missing, relative, unknown):
        assert text.startswith("store 'cold' (crate): ")
        assert "path" in text
    assert "The SQLite file" in missing
    assert "not an absolute path" in relative
    assert "did you mean path?" in unknown


def test_its_backends_errors_are_ours(run):
    code = """
(root / "images.crate").write_bytes(b"this is no database" * 1000)
try:
    stores.add("cirros", image)
except DataError as error:
    print(json.dumps([error.store, error.driver, stores["crate"].state, stores["files"].state]))
"""
    store, driver, state, other = run(code)
    assert (store, driver) == ("crate", "crate")
    assert state.startswith("failed: ")
    assert other == "ready"
