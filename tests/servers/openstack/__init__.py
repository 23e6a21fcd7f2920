"""What runs in the virtual environments of OpenStack's servers, and where those are."""

import functools
import subprocess
from pathlib import Path

__all__ = ["HERE", "missing", "python"]

HERE = Path(__file__).parent
_BUILD = HERE.with_name("build-openstack")


def missing(*servers: str) -> str | None:
    """Say what the machine lacks to run some servers; None where it lacks nothing.

    The first time on a machine this installs them, which takes half a minute each.

    Args:
        *servers: ``swift`` or ``keystone``.
    """
    for server in servers:
        try:
            python(server)
        except RuntimeError as error:
            return str(error)
    return None


def python(server: str) -> str:
    """Give the Python of a server's virtual environment, which is made if it is not there yet.

    Args:
        server: Which.

    Raises:
        RuntimeError: It cannot be made.
    """
    path, error = _built(server)
    if error is not None:
        raise RuntimeError(f"{server} cannot be installed: {error}")
    return path


@functools.cache  # also that it fails: without a network that takes its time
def _built(server: str) -> tuple[str, str | None]:
    done = subprocess.run([_BUILD, server], capture_output=True, text=True, check=False)
    return done.stdout.strip(), done.stderr.strip()[-2000:] if done.returncode else None
