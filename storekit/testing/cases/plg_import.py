"""PLG: what importing a module does to a process, seen from a fresh one."""

from __future__ import annotations

import json
import os
import subprocess
import sys

__all__ = ["import_report"]

# Runs in the fresh process. What storekit itself imports is imported first; so are standard
# modules that keep a descriptor or a handler for themselves.
_SCRIPT = """
import importlib, json, logging, os, signal, socket, sys, threading, warnings
import random, tempfile, ssl, asyncio, http.client, urllib.request, concurrent.futures, uuid
import storekit, storekit.driver, storekit.transfer

def state():
    root = logging.getLogger()
    return {
        "threads": sorted(t.name for t in threading.enumerate()),
        "descriptors": sorted(os.listdir("/proc/self/fd"), key=int),
        "root logger": [root.level, len(root.handlers), logging.root.manager.disable],
        "storekit's logger": [logging.getLogger("storekit").level],
        "socket timeout": socket.getdefaulttimeout(),
        "socket class": f"{socket.socket.__module__}.{socket.socket.__qualname__}",
        "signals": [str(signal.getsignal(s)) for s in (signal.SIGINT, signal.SIGTERM)],
        "directory": os.getcwd(),
        "environment": sorted(os.environ),
        "excepthook": sys.excepthook is sys.__excepthook__,
        "recursion": sys.getrecursionlimit(),
    }

before = state()
try:
    importlib.import_module(sys.argv[1])
except ModuleNotFoundError as error:
    if error.name and sys.argv[1].startswith(error.name):
        print("null")
        sys.exit()
    raise
after = state()
changes = {n: [before[n], after[n]] if before[n] != after[n] else None for n in before}
print(json.dumps(changes))
"""


def import_report(module: str, seconds: float) -> dict[str, object] | None:
    """Import a module in a fresh process.

    Args:
        module: Its name.
        seconds: How long that may take.

    Returns:
        What changed, by what was looked at; None if a fresh process does not know the module.
    """
    if module == "__main__":
        return None
    path = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-c", _SCRIPT, module],
        capture_output=True,
        text=True,
        timeout=max(seconds, 30.0),
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    if done.returncode:
        return {"import": [None, done.stderr[-500:]]}
    report: dict[str, object] | None = json.loads(done.stdout.splitlines()[-1])
    return report
