"""MinIO: an S3 server whose objects are files of its own kind, for those who ask for it."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from servers import golang
from servers.daemons import Daemons, daemons, status_of

__all__ = ["ACCESS_KEY", "SECRET_KEY", "Minio", "minio"]

ACCESS_KEY, SECRET_KEY = "minio-access", "minio-secret-0123456789"
_SETTINGS = {
    "MINIO_ROOT_USER": ACCESS_KEY,
    "MINIO_ROOT_PASSWORD": SECRET_KEY,
    "MINIO_BROWSER": "off",
    "MINIO_UPDATE": "off",
    "MINIO_CI_CD": "1",  # the directory may be on the disk of the system
}


@dataclass
class Minio:
    """A running server."""

    endpoint: str
    """Its URL."""
    _daemons: Daemons
    _command: list[object]

    def start(self) -> None:
        """Start it, with the objects that it had."""
        self._daemons.start("minio", self._command, **_SETTINGS)
        self._daemons.wait_until("minio", self._answers)

    def restart(self) -> None:
        """Kill it, and start it again with the same objects."""
        self.signal(9)
        self.start()

    def signal(self, number: int) -> None:
        """Send it a signal.

        Args:
            number: The signal.
        """
        self._daemons.signal("minio", number)

    def _answers(self) -> bool:
        return status_of(self.endpoint, "/minio/health/live") == 200


@contextlib.contextmanager
def minio() -> Iterator[Minio]:
    """Run it on a new, empty directory, and remove both at the end."""
    with daemons("minio") as running:
        port, console = running.ports(2)
        (data := running.directory / "data").mkdir()
        addresses = ("--address", f"127.0.0.1:{port}", "--console-address", f"127.0.0.1:{console}")
        command = [golang.binary("minio"), "server", "--quiet", *addresses, data]
        server = Minio(f"http://127.0.0.1:{port}", running, command)
        server.start()
        yield server
