"""The S3 servers for tests: they answer, and are gone when their user is, however that ended."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest

from servers import ceph, moto_server, versitygw
from servers.required import require

STARTED = {
    "versitygw": "from servers.versitygw import versitygw as up",
    "ceph": "from servers.ceph import ceph; up = lambda: ceph(gateway=True)",
}
CODE = """
import glob, os, tempfile, time
{start}
before = set(glob.glob(tempfile.gettempdir() + "/storekit-{name}-*"))
with up() as server:
    (directory,) = set(glob.glob(tempfile.gettempdir() + "/storekit-{name}-*")) - before
    print(directory, flush=True)
    time.sleep(60)
"""


def put_and_get(endpoint, access_key, secret_key):
    s3 = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
    )
    s3.create_bucket(Bucket="images")
    s3.put_object(Bucket="images", Key="a", Body=b"image")
    return s3.get_object(Bucket="images", Key="a")["Body"].read()


def test_moto_keeps_an_object():
    with moto_server.moto_server() as endpoint:
        assert put_and_get(endpoint, "any", "any-secret") == b"image"


def test_versitygw_keeps_an_object_also_over_a_restart():
    require(versitygw.missing())
    with versitygw.versitygw() as server:
        keys = versitygw.ACCESS_KEY, versitygw.SECRET_KEY
        assert put_and_get(server.endpoint, *keys) == b"image"
        server.restart()
        assert (server.data / "images" / "a").read_bytes() == b"image"
    assert not server.data.exists()


def test_radosgw_keeps_an_object():
    require(ceph.missing(gateway=True))
    with ceph.ceph(gateway=True) as cluster:
        assert put_and_get(cluster.endpoint, ceph.ACCESS_KEY, ceph.SECRET_KEY) == b"image"
    assert not cluster.conf.parent.exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", STARTED)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_server_is_gone_when_its_user_is_killed(name, number):
    require(versitygw.missing() if name == "versitygw" else ceph.missing(gateway=True))
    user = subprocess.Popen(
        [sys.executable, "-c", CODE.format(start=STARTED[name], name=name)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    directory = Path(user.stdout.readline().strip())
    assert directory.is_dir()
    assert processes_in(directory)
    user.send_signal(number)
    user.communicate()
    end = time.monotonic() + 20
    while time.monotonic() < end and (directory.exists() or processes_in(directory)):
        time.sleep(0.02)
    assert not directory.exists()
    assert not processes_in(directory)


def processes_in(directory):
    """The processes whose command names the directory, but the guard that removes it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if str(directory).encode() in b" ".join(command) and command[0] != b"/bin/sh":
            found.append(int(process.name))
    return found
