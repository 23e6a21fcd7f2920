"""The ``storekit`` command.

Each verb is a thin shell around the public API: it parses, calls one verb of the stores, and
prints. What it prints and how it exits is in docs/cli.md.
"""

from __future__ import annotations

import importlib.util
import sys

from storekit.cli.signals import Stopped, stop_on_signals, stopped_in

__all__ = ["main"]


def main() -> int:
    """Run the command with the arguments of the process.

    Returns:
        The exit code: 0 fine, 1 the operation failed, 2 usage or configuration, 141 nobody reads
        standard output, 128 and the number of the signal that stopped it.
    """
    try:
        # Before the imports, so that a signal during them gives no traceback.
        stop_on_signals()
        missing = [name for name in ("click", "rich") if importlib.util.find_spec(name) is None]
        if missing:
            need = " and ".join(missing)
            sys.stderr.write(f"storekit: the command needs {need} (pip install storekit[cli])\n")
            return 2
        from storekit.cli.command import run  # noqa: PLC0415 - it needs click, which may be missing

        return run(sys.argv[1:])
    except (Exception, Stopped) as error:
        stopped = stopped_in(error)
        if stopped is None:
            raise
        return stopped.exit_code
