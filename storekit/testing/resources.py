"""Resources: what this process holds, and how much memory it has needed. Read from /proc."""

from __future__ import annotations

import ctypes
import gc
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from storekit.testing.case import NotRun
from storekit.testing.looks import looks

__all__ = ["Held", "allocated", "close_waiting", "held", "needed", "resident", "settled"]

_SELF = Path("/proc/self")
_CLOSE_WAIT = "08"  # include/net/tcp_states.h of the kernel
_KIB = 1024


@dataclass(frozen=True)
class Held:
    """What the process holds at one instant, each by a name that is not used again soon."""

    descriptors: frozenset[str]
    """Open descriptors: the number, and what is open."""
    threads: frozenset[str]
    """Threads, those of libraries too: the kernel's number, and Python's name."""

    def since(self, before: Held) -> Held:
        """Tell what is held now and was not before.

        Args:
            before: What was held then.
        """
        return Held(self.descriptors - before.descriptors, self.threads - before.threads)


def held() -> Held:
    """Look what the process holds, once the garbage is collected.

    Raises:
        NotRun: There is no /proc to tell it.
    """
    if not (_SELF / "fd").is_dir():
        raise NotRun("it is told by /proc, which is not here")
    gc.collect()
    descriptors = set()
    for name in os.listdir(_SELF / "fd"):
        with suppress(FileNotFoundError):  # the one by which we list
            descriptors.add(f"{name} {(_SELF / 'fd' / name).readlink()}")
    names = {str(thread.native_id): thread.name for thread in threading.enumerate()}
    tasks = os.listdir(_SELF / "task")
    return Held(frozenset(descriptors), frozenset(f"{n} {names.get(n, '')}" for n in tasks))


def settled(fine: Callable[[Held], bool], before: Held, seconds: float) -> Held:
    """Look until it is fine: a thread that has ended is there for a little while.

    Args:
        fine: Judges what is held and was not before.
        before: What was held before.
        seconds: How long to look at most.

    Returns:
        What was seen last.
    """
    for _ in looks(seconds):
        more = held().since(before)
        if fine(more):
            break
    return more


def close_waiting(descriptors: frozenset[str]) -> set[str]:
    """Tell which sockets wait for us to close them: the other end did so already.

    Args:
        descriptors: Those that count, as in ``Held``.
    """
    waiting = set()
    for table in ("tcp", "tcp6"):
        with suppress(FileNotFoundError):
            for line in (_SELF / "net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _CLOSE_WAIT:
                    waiting.add(f"socket:[{fields[9]}]")
    return {name for name in descriptors if name.partition(" ")[2] in waiting}


def needed(act: Callable[[], object]) -> int:
    """Measure how much more memory the process had at most while it did something.

    Only in a child process with one thread: elsewhere others would be measured too.

    Args:
        act: What to do.

    Returns:
        Bytes, beyond what it had before.

    Raises:
        NotRun: There is no /proc to tell it.
    """
    if not (_SELF / "status").exists():
        raise NotRun("it is told by /proc, which is not here")
    _trim()
    with suppress(OSError):
        (_SELF / "clear_refs").write_text("5")  # the peak is now; see proc(5)
    before = _status("VmRSS")
    act()
    return _status("VmHWM") - before


def resident() -> int:
    """Tell how much memory the process has, in bytes, once it has given back what it can.

    Raises:
        NotRun: There is no /proc to tell it.
    """
    _trim()
    return _status("VmRSS")


def allocated() -> int:
    """Tell how many bytes of the C library's are in use, whoever asked it for them.

    What is resident varies with the holes between them. Where the C library does not tell, it is
    what is resident.

    Raises:
        NotRun: There is no /proc to tell it.
    """
    try:
        tell = ctypes.CDLL(None).mallinfo2  # glibc from 2.33 on
    except (AttributeError, OSError):
        return resident()
    tell.restype = _MallocInfo
    told = tell()
    return int(told.uordblks + told.hblkhd)


class _MallocInfo(ctypes.Structure):
    """``struct mallinfo2`` of mallinfo(3): ``uordblks`` is in use, ``hblkhd`` is mapped alone."""

    _fields_ = [
        *((name, ctypes.c_size_t) for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd")),
        *((name, ctypes.c_size_t) for name in ("usmblks", "fsmblks", "uordblks", "fordblks")),
        ("keepcost", ctypes.c_size_t),
    ]


def _trim() -> None:
    """Give back what is garbage, and what the C library keeps of it: it would hide the rest."""
    gc.collect()
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def _status(field: str) -> int:
    for line in (_SELF / "status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * _KIB
    raise NotRun(f"/proc/self/status has no {field}")
