"""How much memory some work takes: the peak in a fresh process, over what it had when idle."""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from measure import MIB

__all__ = ["peak_of"]


def peak_of(prepare: Callable[..., Callable[[], object]], *args: object) -> float:
    """Measure the memory of some work in a process of its own.

    Args:
        prepare: A function of a module. Called in the new process with ``args``: it imports and
            opens what the work needs, and returns the work.
        args: Its arguments.

    Returns:
        MiB of resident memory at the peak of the work, over what there was before it.
    """
    # spawn: a forked child would begin with this process's memory.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        return pool.submit(_peak, prepare, args).result()


def _peak(prepare: Callable[..., Callable[[], object]], args: tuple[object, ...]) -> float:
    work = prepare(*args)
    gc.collect()
    # Linux: sets the high-water mark back to what is resident now (proc(5), clear_refs).
    Path("/proc/self/clear_refs").write_text("5")
    idle = _status("VmRSS")
    work()
    peak = _status("VmHWM")
    os.sync()
    return max(0.0, peak - idle)


def _status(field: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024 / MIB
    raise RuntimeError(f"the kernel does not tell {field}")
