"""Servers that are written in Go, built from source once into the user's cache by ``build-go``."""

import functools
import subprocess
from pathlib import Path

__all__ = ["binary", "missing"]

_BUILD = Path(__file__).with_name("build-go")


def missing(server: str) -> str | None:
    """Say what the machine lacks to run a server; None where it lacks nothing.

    The first time on a machine this builds it, which takes minutes.

    Args:
        server: ``versitygw`` or ``minio``.
    """
    try:
        binary(server)
    except RuntimeError as error:
        return str(error)
    return None


def binary(server: str) -> str:
    """Give the path of a program, built if it is not yet; its name tells the version.

    Args:
        server: Which.

    Raises:
        RuntimeError: It cannot be built.
    """
    path, error = _built(server)
    if error is not None:
        raise RuntimeError(f"{server} cannot be built: {error}")
    return path


@functools.cache  # also that it fails: without a network that takes its time
def _built(server: str) -> tuple[str, str | None]:
    done = subprocess.run([_BUILD, server], capture_output=True, text=True, check=False)
    return done.stdout.strip(), done.stderr.strip()[-2000:] if done.returncode else None
