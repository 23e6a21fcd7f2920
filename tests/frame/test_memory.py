"""Memory: what passes through the frame does not stay in it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
MIB = 1 << 20
ALLOWED = 32 * MIB

# Each way of passing 512 MiB through the frame, in a process of its own. It prints its resident
# set after a small image went the same way, and the largest that there was during the big one.
SCRIPT = """
import gc, json, os, sys
import storekit
from storekit import transfer
from toys.sink import SinkDriver

MIB = 1 << 20
BIG = 512 * MIB

class Stream:
    def __init__(self, size):
        self._left = size

    def read(self, n):
        n = min(n, self._left)
        self._left -= n
        return os.urandom(1) * n

def pieces(size, length):
    for _ in range(size // length):
        yield bytearray(length)

class PartsDriver(SinkDriver):
    limits = storekit.Limits(part_size=MIB, window=4)

    def add(self, image_id, source, context=None):
        sizes = transfer.upload(source, MIB, self.limits.window, lambda part: len(part.data))
        self._sizes[image_id] = sum(sizes)
        return storekit.Location.build("sink", self.store_name, image_id)

store = storekit.open_store(SinkDriver, name="toys")
parts = storekit.open_store(PartsDriver, name="parts")
other = storekit.open_store(SinkDriver, name="other")
hashes = ("md5", "sha512")

def big(size):
    return store.add(f"big{size}", Stream(size), size, hashes=()).location

ways = {
    "add": lambda size: store.add("x", Stream(size), hashes=hashes),
    "add of small pieces": lambda size: store.add("x", pieces(size, 16384), hashes=hashes),
    "add of big pieces": lambda size: store.add("x", pieces(size, 2 * MIB), size, hashes=()),
    "add in parts": lambda size: parts.add("x", Stream(size), hashes=hashes),
    "get": lambda size: sum(map(len, store.get(big(size)))),
    "get with expect": lambda size: store.verify(big(size), {"md5": ZEROS[size]}),
    "copy": lambda size: store.copy(big(size), other, hashes=("md5",)),
}
# MD5 of so many zeros.
ZEROS = {8 * MIB: "96995b58d4cbf6aaa9041b4f00c7f6ae", BIG: "aa559b4e3523a6c931f08f4df52d58f2"}

def field(name):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith(name))

way = ways[sys.argv[1]]
way(8 * MIB)
gc.collect()
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # the largest resident set begins anew
idle = field("VmRSS")
way(BIG)
print(json.dumps({"idle": idle, "peak": field("VmHWM")}))
"""
WAYS = [
    *("add", "add of small pieces", "add of big pieces", "add in parts"),
    *("get", "get with expect", "copy"),
]


@pytest.mark.parametrize("way", WAYS)
def test_half_a_gibibyte_passes_through_in_a_few_mebibytes(way):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, way],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    memory = json.loads(done.stdout)
    assert memory["peak"] - memory["idle"] <= ALLOWED
    assert memory["idle"] > MIB  # it was measured at all
