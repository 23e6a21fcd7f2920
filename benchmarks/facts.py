"""Facts about the machine and the versions, without which figures mean nothing."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import ssl
import subprocess
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["Facts", "Noise", "gather"]

Facts = dict[str, str | int | float]

_DISTRIBUTIONS = ("storekit", "glance_store")


def gather(directory: Path, checkout: Path) -> Facts:
    """Look at the machine.

    Args:
        directory: Where the images go.
        checkout: Where storekit's sources are.

    Returns:
        Facts by name, JSON-able.
    """
    facts: Facts = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count() or 0,
        "processor": _field("/proc/cpuinfo", "model name"),
        "memory": _field("/proc/meminfo", "MemTotal"),
        "kernel": f"{platform.system()} {platform.release()}",
        "filesystem": _output("findmnt", "--noheadings", "--output", "FSTYPE", "-T", directory),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "openssl": ssl.OPENSSL_VERSION,
        "load before": os.getloadavg()[0],
    }
    for name in _DISTRIBUTIONS:
        facts[name] = importlib.metadata.version(name)
    if commit := _output("git", "-C", checkout, "rev-parse", "--short", "HEAD"):
        changed = _output("git", "-C", checkout, "status", "--porcelain", "--", "storekit")
        facts["commit"] = f"{commit}, changed" if changed else commit
    return facts


class Noise:
    """What others take of the processors while this run goes on (proc(5), stat)."""

    def __init__(self) -> None:
        self._begin = _processor_times()

    def facts(self) -> Facts:
        """Tell what was taken since the beginning.

        Returns:
            Facts by name, JSON-able.
        """
        busy, stolen, total, own = (
            now - then for now, then in zip(_processor_times(), self._begin, strict=True)
        )
        return {
            "taken by other processes": _percent(busy - own, total),
            "taken by other virtual machines": _percent(stolen, total),
        }


def _processor_times() -> tuple[float, float, float, float]:
    """Give seconds of all processors: busy, stolen, in all, and those of this process."""
    first = Path("/proc/stat").read_text().splitlines()[0]
    ticks = [int(field) / os.sysconf("SC_CLK_TCK") for field in first.split()[1:9]]
    user, nice, system, _, _, irq, softirq, stolen = ticks
    # The kernel's own threads, which write to the disk, count as others.
    return user + nice + system + irq + softirq, stolen, sum(ticks), sum(os.times()[:4])


def _percent(part: float, whole: float) -> str:
    return f"{max(0.0, 100 * part / max(whole, 0.01)):.1f} % of the processors"


def _field(path: str, name: str) -> str:
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"


def _output(command: str, *arguments: str | Path) -> str:
    """Give what a command prints, or nothing if it is missing or fails."""
    if shutil.which(command) is None:
        return ""
    done = subprocess.run(
        [command, *arguments], capture_output=True, text=True, check=False, env=_PLAIN
    )
    return done.stdout.strip() if done.returncode == 0 else ""


_PLAIN = {**os.environ, "LC_ALL": "C"}
