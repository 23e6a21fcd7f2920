"""Measures storekit beside glance_store and the raw road, in one run.

Starts itself again in a virtual environment of its own, which it makes, so that any Python of the
right version can start it. ``--help`` lists what can be chosen.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path

from facts import Noise, gather
from measure import MIB, Case, Result, Settings, SuiteCases, measure
from plot import draw
from report import Report, load, markdown, save, verdicts, write_docs

__all__ = ["main"]

CHECKOUT = Path(__file__).resolve().parent.parent
BUILD = CHECKOUT / "build"
# Each with its module; Ceph has a module rbd.
SUITES = {"filesystem": "filesystem", "s3": "s3", "swift": "swift", "rbd": "rbd_suite"}
LARGE = 4096


def main(arguments: list[str]) -> int:
    """Run what the command line asks.

    Args:
        arguments: The command line, without the program's name.

    Returns:
        The exit code: 0, whatever the figures are.
    """
    asked = _parser().parse_args(arguments)
    _enter(asked.venv, arguments)
    if asked.from_json:
        report = load(asked.from_json)
    else:
        report = _measured(asked)
        save(report, asked.output)
        print(f"results: {asked.output}")
    print(f"\n{markdown(report)}")
    own = len(asked.suite or ()) == 1 and asked.suite != ["filesystem"]
    page = CHECKOUT / "docs" / (f"performance-{asked.suite[0]}.md" if own else "performance.md")
    plot = page.with_suffix(".svg") if asked.write_docs else asked.plot
    draw(report, plot)
    print(f"plot: {plot}")
    if asked.write_docs:
        write_docs(report, page, plot)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, prog="benchmarks/run.py")
    add = parser.add_argument
    add("--suite", action="append", choices=SUITES, help="what to measure; all unless given")
    add("--only", metavar="PATTERN", default="*", help="only cases whose name fits, like 'get *'")
    add("--rounds", type=int, default=5, help="how often each contender runs (%(default)s)")
    add("--sizes", type=_sizes, default="64,512", help="MiB, with commas (%(default)s)")
    add("--large", action="store_true", help=f"{LARGE} MiB too: takes an hour and 13 GiB of disk")
    add("--small-images", type=int, default=1000, help="how many (%(default)s)")
    add("--dir", type=Path, default=BUILD, help="on the disk to measure (%(default)s)")
    add("--output", type=Path, default=BUILD / "benchmark.json", help="JSON (%(default)s)")
    add("--plot", type=Path, default=BUILD / "benchmark.svg", help="SVG or PNG (%(default)s)")
    add("--write-docs", action="store_true", help="put tables and plot into docs/")
    add("--from-json", type=Path, metavar="FILE", help="show an earlier result, measure nothing")
    add("--venv", type=Path, default=BUILD / "benchmark-venv", help="made there (%(default)s)")
    return parser


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _enter(directory: Path, arguments: list[str]) -> None:
    """Go on in the benchmark's virtual environment, made if need be."""
    directory = directory.resolve()
    if Path(sys.prefix).resolve() == directory:
        return
    python = directory / "bin" / "python"
    if not python.exists():
        venv.create(directory, with_pip=True, clear=True)
    pip: list[str | Path] = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    # Every time, so that the entry points are those of the checkout as it is now.
    requirements = Path(__file__).parent / "requirements.txt"
    subprocess.run(
        [*pip, "--requirement", requirements, "--editable", f"{CHECKOUT}[s3,swift]"], check=True
    )
    sys.stdout.flush()
    os.execv(python, [str(python), __file__, *arguments])


def _measured(asked: argparse.Namespace) -> Report:
    sizes = (*asked.sizes, LARGE) if asked.large else asked.sizes
    results: list[Result] = []
    with _own_directory(asked.dir) as directory:
        facts = gather(directory, CHECKOUT)
        noise = Noise()
        settings = Settings(directory, tuple(size * MIB for size in sizes), asked.small_images)
        for name in asked.suite or SUITES:
            suite: SuiteCases = importlib.import_module(SUITES[name]).cases
            wanted = (case for case in suite(settings) if fnmatch(case.name, asked.only))
            results += [_shown(case, asked.rounds, directory) for case in wanted]
        facts["load after"] = os.getloadavg()[0]
        facts |= noise.facts()
    return Report(facts, asked.rounds, results)


def _shown(case: Case, rounds: int, directory: Path) -> Result:
    result = measure(case, rounds, directory)
    print(result.name)
    for name, values in result.values.items():
        ratio = result.ratios.get(name)
        beside = (
            f"  storekit is x {ratio.median:.2f} ({ratio.least:.2f} to {ratio.most:.2f})"
            if ratio
            else ""
        )
        figures = " ".join(f"{value:.4g}" for value in values)
        print(f"    {name:14} {figures} {result.unit}{beside}")
    for verdict in verdicts([result]):
        print(f"    {verdict.word}: {verdict.target}: {verdict.reached}")
    sys.stdout.flush()
    return result


@contextmanager
def _own_directory(parent: Path) -> Iterator[Path]:
    parent.mkdir(parents=True, exist_ok=True)
    # Ended by a signal, it would leave gigabytes behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    directory = Path(tempfile.mkdtemp(prefix="benchmark-", dir=parent))
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
