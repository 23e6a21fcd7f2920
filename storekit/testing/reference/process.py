"""The reference server as a process that dies with this one, shared by all harnesses in it."""

from __future__ import annotations

import atexit
import http.client
import os
import subprocess
import sys
import threading

__all__ = ["administer", "shared_port"]

_lock = threading.Lock()
_process: subprocess.Popen[str] | None = None
_port = 0


def shared_port() -> int:
    """Give the port of this process's server; the first call starts it.

    Its standard input is a pipe of ours: when we die, however, it ends.
    """
    global _process, _port  # noqa: PLW0603 - one server for the whole process
    with _lock:
        if _process is None or _process.poll() is not None:
            _process = subprocess.Popen(
                [sys.executable, "-m", "storekit.testing.reference.server"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            atexit.register(_end, _process, os.getpid())
            assert _process.stdout is not None  # noqa: S101 - for the type checker
            _port = int(_process.stdout.readline())
        return _port


def _end(process: subprocess.Popen[str], starter: int) -> None:
    if os.getpid() == starter:  # not in a forked child, whose server it is not
        process.communicate()


def administer(method: str, path: str, body: bytes = b"") -> bytes:
    """Ask the server something as its harness.

    Args:
        method: The method.
        path: The path below ``/-/``.
        body: What to send.

    Raises:
        LookupError: It does not know of that.
    """
    connection = http.client.HTTPConnection("127.0.0.1", shared_port(), timeout=30)
    try:
        connection.request(method, f"/-/{path}", body or None)
        response = connection.getresponse()
        answer = response.read()
    finally:
        connection.close()
    if response.status != 200:  # noqa: PLR2004 - HTTP
        raise LookupError(answer.decode())
    return answer
