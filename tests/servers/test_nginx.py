"""The web server for tests: gone when its user is, however that ended."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from servers import nginx as servers_nginx
from servers.required import require


@pytest.fixture(autouse=True)
def _installed():
    require(servers_nginx.missing())


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid, directory):
    end = time.monotonic() + 10
    while time.monotonic() < end and (alive(pid) or directory.exists()):
        time.sleep(0.01)
    return not alive(pid) and not directory.exists()


def test_it_serves_files_and_is_gone_afterwards():
    with servers_nginx.nginx() as site:
        (site.root / "a").write_bytes(b"image")
        with urllib.request.urlopen(f"{site.url}/a") as answer:
            assert answer.read() == b"image"
        hit = site.hits()[0]
        assert (hit.method, hit.path, hit.status, hit.body_bytes) == ("GET", "/a", 200, 5)
    assert gone(site.pid, site.root.parent)


def test_two_run_beside_each_other():
    with servers_nginx.nginx() as one, servers_nginx.nginx() as two:
        assert one.url != two.url
        assert one.pid != two.pid


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_is_gone_when_its_user_is_killed(number):
    code = (
        "import time; from servers.nginx import nginx\n"
        "with nginx() as site: print(site.pid, site.root, flush=True); time.sleep(60)"
    )
    user = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    pid, root = user.stdout.readline().split()
    assert alive(int(pid))
    user.send_signal(number)
    user.communicate()
    assert gone(int(pid), Path(root).parent)


def test_it_is_gone_when_it_was_frozen():
    with servers_nginx.nginx() as site:
        os.kill(site.pid, signal.SIGSTOP)
    assert gone(site.pid, site.root.parent)
