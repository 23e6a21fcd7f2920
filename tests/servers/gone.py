"""Whether a server is gone: what the tests of the servers ask."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

__all__ = ["closed", "processes_in", "when_killed"]

_CODE = """
import glob, tempfile, time
{start}
with up() as server:
    (directory,) = glob.glob(tempfile.gettempdir() + "/storekit-{name}-*")
    print(directory, flush=True)
    time.sleep(60)
"""


def closed(endpoint):
    """Whether nobody listens at a URL of this machine."""
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", int(endpoint.rpartition(":")[2]))) != 0


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


def when_killed(name, start, number):
    """Whether a server and its directory go when the process that uses it gets a signal.

    Args:
        name: What the directory is called after.
        start: Python that makes ``up``, whose context it is.
        number: The signal.
    """
    # Its own: beside us other tests may start a server of the same name.
    with tempfile.TemporaryDirectory() as parent:
        os.chmod(parent, 0o755)
        return _is_gone(_user(name, start, parent), number)


def _user(name, start, parent):
    env = {"PYTHONPATH": str(Path(__file__).parents[1]), "TMPDIR": parent}
    return subprocess.Popen(
        [sys.executable, "-c", _CODE.format(start=start, name=name)],
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _is_gone(user, number):
    directory = Path(user.stdout.readline().strip())
    ran = directory.is_dir() and processes_in(directory)
    user.send_signal(number)
    user.communicate()
    end = time.monotonic() + 20
    while time.monotonic() < end and (directory.exists() or processes_in(directory)):
        time.sleep(0.02)
    return ran and not directory.exists() and not processes_in(directory)
