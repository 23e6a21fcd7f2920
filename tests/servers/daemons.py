"""Daemons: servers as children of the tests, gone with them however they end."""

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

__all__ = ["Daemons", "daemons", "frozen", "lacking", "path", "status_of"]

_PATIENCE = 60.0  # seconds that a server may take to start
# Reads lines, each with the ids of all processes that run now; at the end of its input ends those
# of the last line, and removes the directory.
_GUARD = """
pids=
while read -r line; do pids=$line; done
[ -z "$pids" ] || kill -KILL $pids 2>/dev/null
rm -rf "$1"
"""


class Daemons:
    """Processes that run in a directory of their own. Made by ``daemons``.

    Args:
        directory: The directory.
        guard: The process that ends them when this one is gone.
    """

    def __init__(self, directory: Path, guard: "subprocess.Popen[bytes]") -> None:
        self.directory = directory
        self._guard = guard
        self._ports = contextlib.ExitStack()
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: Sequence[object], **env: str) -> int:
        """Start one.

        Args:
            name: What to call it.
            command: What to run; stays in the foreground.
            **env: Variables of its environment.

        Returns:
            Its process id.
        """
        with (self.directory / f"{name}.out").open("ab") as out:
            process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, "PATH": path(), **env},
                start_new_session=True,  # the terminal's Ctrl-C is for pytest, not for it
            )
        self._running[name] = process
        self._tell_guard()
        return process.pid

    def ports(self, count: int) -> list[int]:
        """Take free ports of the loopback, which nobody else gets until ``stop``.

        A server may bind one of them too, also when it is started again: nobody listens on ours.

        Args:
            count: How many.
        """
        sockets = [self._ports.enter_context(socket.socket()) for _ in range(count)]
        for sock in sockets:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in sockets]

    def wait_until(self, what: str, holds: Callable[[], object]) -> None:
        """Wait for something that they do.

        Args:
            what: What it is, for the error.
            holds: Tells whether it has happened; an OSError says no.

        Raises:
            RuntimeError: One of them ended, or it took too long.
        """
        end = time.monotonic() + _PATIENCE
        while True:
            with contextlib.suppress(OSError):
                if holds():
                    return
            for name, process in self._running.items():
                if process.poll() is not None:
                    raise RuntimeError(f"{name} ended with {process.returncode}: {self.said(name)}")
            if time.monotonic() > end:
                raise RuntimeError(f"{what}: not within {_PATIENCE:.0f} s")
            time.sleep(0.01)

    def said(self, name: str) -> str:
        """Give the end of what one printed.

        Args:
            name: Its name.
        """
        return (self.directory / f"{name}.out").read_text(errors="replace")[-2000:]

    def signal(self, name: str, number: int) -> None:
        """Send one a signal; one that is killed is waited for, and may be started again.

        Args:
            name: Its name.
            number: The signal.
        """
        process = self._running[name]
        process.send_signal(number)
        if number == signal.SIGKILL:
            process.wait()
            del self._running[name]
            self._tell_guard()

    def stop(self) -> None:
        """End all of them, the last one first, and give the ports back."""
        for process in reversed(self._running.values()):
            process.kill()
            process.wait()
        self._running.clear()
        self._ports.close()

    def _tell_guard(self) -> None:
        assert self._guard.stdin is not None
        pids = (str(process.pid) for process in self._running.values())
        self._guard.stdin.write(" ".join(pids).encode() + b"\n")
        self._guard.stdin.flush()


@contextlib.contextmanager
def daemons(name: str) -> Iterator[Daemons]:
    """Make a directory for servers, and remove both at the end.

    Args:
        name: Part of the directory's name.
    """
    directory = Path(tempfile.mkdtemp(prefix=f"storekit-{name}-"))
    guard = subprocess.Popen(
        ["/bin/sh", "-c", _GUARD, "guard", str(directory)],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    running = Daemons(directory, guard)
    try:
        yield running
    finally:
        running.stop()
        guard.kill()  # its processes are gone, and their numbers may be somebody else's by now
        guard.communicate()
        shutil.rmtree(directory)


@contextlib.contextmanager
def frozen(signal_it: Callable[[int], object]) -> Iterator[None]:
    """Have a server not run in a block.

    Args:
        signal_it: Sends it a signal.
    """
    signal_it(signal.SIGSTOP)
    try:
        yield
    finally:
        signal_it(signal.SIGCONT)


def status_of(endpoint: str, path: str = "/") -> int:
    """Ask a server for something, and give the status of its answer.

    Args:
        endpoint: Its URL.
        path: What for.
    """
    asking = http.client.HTTPConnection(endpoint.removeprefix("http://"), timeout=5)
    with contextlib.closing(asking):
        asking.request("GET", path)
        return asking.getresponse().status


def path() -> str:
    """Where programs are looked for, those of the administrator among them."""
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def lacking(programs: Mapping[str, str]) -> str | None:
    """Say which programs are not installed.

    Args:
        programs: Their names, each with the Debian package that has it.

    Returns:
        A sentence, or None where all are there.
    """
    absent = [name for name in programs if shutil.which(name, path=path()) is None]
    if not absent:
        return None
    packages = dict.fromkeys(programs[name] for name in absent)
    return f"not installed: {', '.join(absent)} (Debian: {', '.join(packages)})"
