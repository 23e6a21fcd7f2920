"""versitygw: an S3 server whose objects are files in a directory."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from servers import golang
from servers.daemons import Daemons, daemons, status_of

__all__ = ["ACCESS_KEY", "SECRET_KEY", "Versitygw", "versitygw"]

ACCESS_KEY, SECRET_KEY = "versity-access", "versity-secret-0123456789"


@dataclass
class Versitygw:
    """A running server."""

    endpoint: str
    """Its URL."""
    data: Path
    """The directory of its buckets."""
    pid: int
    _daemons: Daemons
    _command: list[object]

    def restart(self) -> None:
        """Kill it, and start it again with the same objects."""
        self._daemons.signal("versitygw", 9)
        self.pid = self._daemons.start("versitygw", self._command)
        self._daemons.wait_until("versitygw", self._answers)

    def signal(self, number: int) -> None:
        """Send it a signal.

        Args:
            number: The signal.
        """
        self._daemons.signal("versitygw", number)

    def add_user(self, access_key: str, secret_key: str) -> None:
        """Make one more user, who may do what bucket policies allow.

        Args:
            access_key: The access key, which is the name too.
            secret_key: The secret key.
        """
        us = ("--access", ACCESS_KEY, "--secret", SECRET_KEY, "--endpoint-url", self.endpoint)
        new = ("--access", access_key, "--secret", secret_key, "--role", "user")
        command = (self._command[0], "admin", *us, "create-user", *new)
        subprocess.run([str(word) for word in command], check=True, capture_output=True)

    def _answers(self) -> bool:
        return status_of(self.endpoint) < 500


@contextlib.contextmanager
def versitygw() -> Iterator[Versitygw]:
    """Run it on a new, empty directory, and remove both at the end."""
    with daemons("versitygw") as running:
        (port,) = running.ports(1)
        data, iam, sidecar = (running.directory / name for name in ("data", "iam", "sidecar"))
        for directory in (data, iam, sidecar):
            directory.mkdir()
        command: list[object] = [golang.binary("versitygw"), "--quiet"]
        command += ["--port", f"127.0.0.1:{port}"]
        command += ["--access", ACCESS_KEY, "--secret", SECRET_KEY, "--iam-dir", iam]
        command += ["posix", *(() if _keeps_attributes(data) else ("--sidecar", sidecar)), data]
        pid = running.start("versitygw", command)
        server = Versitygw(f"http://127.0.0.1:{port}", data, pid, running, command)
        running.wait_until("versitygw", server._answers)
        yield server


def _keeps_attributes(directory: Path) -> bool:
    """Whether files there have extended attributes, where versitygw keeps what S3 says of them."""
    try:
        os.setxattr(directory, "user.storekit", b"")
    except OSError:
        return False
    os.removexattr(directory, "user.storekit")
    return True
