"""Kill adds and record histories of the filesystem driver, many times, and write what was found.

python3 scripts/conformance_results.py --kills 1000 --histories 1000 docs/conformance/results.md

Where storekit[testing] is installed. It does what the cases CRS-01, CRS-02, CRS-03 and CON-08 of
the conformance kit do, by the same means; but it counts, and does not stop at what is wrong.
"""

import argparse
import os
import platform
import random
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path

import storekit
from storekit.testing import Harness, cases_for
from storekit.testing.cases.con_history import recorded
from storekit.testing.context import Context
from storekit.testing.crash import Doomed, Shot, fire, volley
from storekit.testing.linear import Rules, contradiction
from storekit.testing.reference import fuse
from storekit.testing.timeline import drawn

SIZE = (2 << 20) + 997  # bytes of an image whose add is killed: two chunks and a bit
BATCH = 100  # adds before the leftovers are reclaimed: they take space
PATIENCE = 60.0  # seconds for the end of a child process
NOW = timedelta(0)


@dataclass
class Kills:
    """What was there after adds were killed, in one directory."""

    where: str
    seconds: float = 0.0
    usual: float = 0.0
    """Seconds that an add takes when nobody dies."""
    counts: Counter[str] = field(default_factory=Counter)
    """By the words of the page."""

    @property
    def wrong(self) -> int:
        """How many things were not as they must be."""
        names = ("partial images", "lost after add returned", "ids taken", "still there")
        return sum(self.counts[name] for name in names)


@dataclass
class Histories:
    """What became of recorded histories."""

    count: int = 0
    seconds: float = 0.0
    calls: int = 0
    overlapping: int = 0
    """Calls beside which another one of the same image was under way."""
    unknown: int = 0
    endings: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong: list[list[str]] = field(default_factory=list)
    """A drawing of each contradiction."""


def main(arguments: list[str] | None = None) -> int:
    """Run it, and write the page.

    Args:
        arguments: Those of the command line.

    Returns:
        0 if nothing was wrong, else 1.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=50, help="in each filesystem; %(default)s")
    parser.add_argument("--histories", type=int, default=50, help="%(default)s")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 32))
    parser.add_argument("--dir", type=Path, help="where the images go; else a temporary one")
    parser.add_argument("page", type=Path, nargs="?", help="else standard output")
    chosen = parser.parse_args(arguments)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="storekit-results-", dir=chosen.dir) as made:
        directory = Path(made)
        killed = list(_all_kills(directory, chosen.kills, chosen.seed))
        told = _histories(directory / "histories", chosen.histories, chosen.seed)
        about = _machine(directory)
    about |= {"Seed": str(chosen.seed), "Took": f"{time.monotonic() - begin:.0f} s"}
    how = f"--kills {chosen.kills} --histories {chosen.histories} --seed {chosen.seed}"
    text = _page(how, about, killed, told)
    if chosen.page:
        chosen.page.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    return 1 if told.wrong or any(isinstance(one, Kills) and one.wrong for one in killed) else 0


# Kills


def _all_kills(directory: Path, count: int, seed: int) -> Iterator[Kills | str]:
    """Kill adds where files can be without a name, and where they cannot."""
    kind = _filesystem_of(directory)
    (directory / "images").mkdir()
    yield _kills(directory / "images", count, seed, kind)
    if lacking := fuse.lacks():
        yield f"FUSE over {kind}: not run, it takes {lacking}"
        return
    for name in ("backing", "mirror"):
        (directory / name).mkdir()
    with fuse.mirrored(directory / "backing", directory / "mirror") as mirror:
        yield _kills(mirror.path, count, seed, f"FUSE over {kind}")


def _kills(path: Path, count: int, seed: int, where: str) -> Kills:
    """Kill adds, look with a fresh store after each, and reclaim what is left."""
    chance = random.Random(f"{seed}:kills:{where}")
    data = chance.randbytes(SIZE)
    opened = partial(storekit.open_store, "filesystem", path=path, upload_idle=0)
    found, begin = Kills(where), time.monotonic()
    found.usual = _usual(opened, data)
    timed = count - count // 2
    # More than are needed, for some adds return before their time has come.
    for shot in volley(chance, 2 * timed, count // 2, SIZE):
        if shot.byte is None and found.counts["kills at a time"] == timed:
            continue
        size = SIZE if shot.number % 2 else None
        act = partial(_add, opened, f"shot-{shot.number}", data, size, shot, found.usual)
        ended, _ = fire(act, PATIENCE)
        at = "at a time" if shot.byte is None else "at a byte"
        found.counts[f"kills {at}"] += not ended
        found.counts["add returned before"] += ended
        _look(opened, f"shot-{shot.number}", data, found.counts, ended=ended)
        if shot.number % BATCH == 0:
            _reclaim(opened, path, found.counts)
    _reclaim(opened, path, found.counts)
    found.seconds = time.monotonic() - begin
    return found


def _add(
    opened: Callable[[], storekit.Store],
    image_id: str,
    data: bytes,
    size: int | None,
    shot: Shot | None,
    seconds: float,
) -> float:
    """Add an image in a child process that is to be killed; the seconds that it took, if not."""
    doomed = Doomed(shot, seconds)
    store = opened()
    begin = time.perf_counter()
    doomed.begins()
    store.add(image_id, doomed.source(data), size)
    return time.perf_counter() - begin


def _usual(opened: Callable[[], storekit.Store], data: bytes) -> float:
    """Measure an add that is not killed: the median of five, in seconds."""
    took = []
    for number in range(5):
        act = partial(_add, opened, f"usual-{number}", data, SIZE, None, 0.0)
        took.append(float(fire(act, PATIENCE)[1]))
        with opened() as store:
            for listing in list(store.list()):
                store.delete(listing.location)
    return sorted(took)[2]


def _look(
    opened: Callable[[], storekit.Store],
    image_id: str,
    data: bytes,
    counts: Counter[str],
    *,
    ended: bool,
) -> None:
    """Count what is there: nothing but that image, whole. Delete it, and add its id again."""
    with opened() as store:
        whole = False
        for listing in list(store.list()):
            with store.get(listing.location) as reader:
                right = listing.image_id == image_id and reader.read() == data
            whole = whole or right
            counts["partial images"] += not right
            store.delete(listing.location)
        counts["whole images"] += whole
        counts["no image"] += not whole
        counts["lost after add returned"] += ended and not whole
        try:
            store.delete(store.add(image_id, data[:997]).location)
        except storekit.StoreError:
            counts["ids taken"] += 1


def _reclaim(opened: Callable[[], storekit.Store], path: Path, counts: Counter[str]) -> None:
    """Reclaim what is left, and see past the driver that nothing is there."""
    with opened() as store:
        counts["files left"] += len(os.listdir(path))
        counts["leftovers listed"] += len(list(store.leftovers(NOW)))
        counts["reclaimed"] += len(store.reclaim(NOW))
    counts["still there"] += len(os.listdir(path))


# Histories


class Files(Harness):
    """A filesystem store in one directory.

    Args:
        path: The directory.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_store(self, **overrides: object) -> storekit.Store:
        """Open the store."""
        options = {"path": self._path, "create": True, **overrides}
        return storekit.open_store("filesystem", name="files", **options)


def _histories(path: Path, count: int, seed: int) -> Histories:
    """Record histories as CON-08 does, and judge each."""
    harness = Files(path)
    context = Context(cases_for()["CON-08"], harness, seed=seed, token="results", escapes=[])
    found, begin = Histories(count), time.monotonic()
    with context.exit:
        clients = [context.store, context.other]
        rules = Rules.of(context.capabilities)
        for number in range(1, count + 1):
            history, names = recorded(context, clients, number)
            found.calls += len(history.moves)
            found.unknown += len(history.doubts)
            for name in names:
                moves = history.of(name)
                found.overlapping += sum(
                    any(move.overlaps(other) for other in moves if other is not move)
                    for move in moves
                )
                found.endings.update((move.verb, move.ending.value) for move in moves)
                if wrong := contradiction(moves, rules):
                    found.wrong.append(drawn(wrong, history.sizes))
    found.seconds = time.monotonic() - begin
    return found


# The page


def _machine(directory: Path) -> dict[str, str]:
    """Describe where it ran."""
    cpus = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in cpus if line.startswith("model name")]
    return {
        "Processor": f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores",
        "System": f"Linux {platform.release().partition('-')[0]}, {_filesystem_of(directory)}",
        "Versions": f"storekit {version('storekit')}, Python {platform.python_version()}",
        "Date": f"{datetime.now(UTC):%Y-%m-%d}",
    }


def _filesystem_of(path: Path) -> str:
    """Name the filesystem of a directory."""
    command = ["findmnt", "--noheadings", "--output", "FSTYPE", "--target", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


PAGE = """\
# Results: kills and histories

What came of many kills and many recorded histories of the filesystem driver. A script wrote this
page. The same seed makes the same choices; where in a call a process dies, and how threads meet,
is up to the machine as well.

<!-- not run: takes minutes -->
```sh
python3 scripts/conformance_results.py {how} docs/conformance/results.md
```

| | |
| --- | --- |
{about}

## SIGKILL during add

A forked child opens the store and adds an image of {size:,} bytes, its size known and unknown in
turn. The kernel kills it at a time, or it kills itself when it is asked for a byte. Then a fresh
store lists and reads whatever is there, adds the same id, and deletes it. What is left is reclaimed
after every {batch} adds. FUSE has no files without a name: there an upload is a hidden file, and
that of a killed process stays. Elsewhere the kernel removes it with the process.

{kills}

## Recorded histories

Each is recorded and judged as CON-08 does it: threads of two clients make calls of two images at
once, and an order of the calls must explain all answers about an image ([how](histories.md)).

{histories}
"""

WHAT = {
    "kills at a time": "SIGKILL at a random time of the add",
    "kills at a byte": "SIGKILL at a random byte of its source",
    "add returned before": "more adds, which returned before their time came",
    "no image": "afterwards no image",
    "whole images": "afterwards the whole image",
    "partial images": "**afterwards anything else under any id: must be 0**",
    "lost after add returned": "**no image although add had returned: must be 0**",
    "ids taken": "**the same id could not be added then: must be 0**",
    "files left": "files left behind, as the directory shows",
    "leftovers listed": "of them listed by `leftovers`",
    "reclaimed": "of them removed by `reclaim`",
    "still there": "**files still there after that: must be 0**",
}


def _page(how: str, about: dict[str, str], killed: list[Kills | str], told: Histories) -> str:
    """Write the page."""
    return PAGE.format(
        how=how,
        about="\n".join(f"| {name} | {value} |" for name, value in about.items()),
        size=SIZE,
        batch=BATCH,
        kills="\n".join(_of_kills(killed)),
        histories="\n".join(_of_histories(told)),
    )


def _of_kills(killed: list[Kills | str]) -> Iterator[str]:
    """Write the table of the kills, line by line."""
    ran = [one for one in killed if isinstance(one, Kills)]
    yield f"| | {' | '.join(one.where for one in ran)} |"
    yield f"| --- |{' ---: |' * len(ran)}"
    for name, words in WHAT.items():
        yield f"| {words} | {' | '.join(f'{one.counts[name]:,}' for one in ran)} |"
    yield f"| an add takes, unkilled | {' | '.join(f'{1000 * one.usual:.1f} ms' for one in ran)} |"
    yield f"| all of it took | {' | '.join(f'{one.seconds:.0f} s' for one in ran)} |"
    for one in killed:
        if isinstance(one, str):
            yield f"\n{one}."


def _of_histories(told: Histories) -> Iterator[str]:
    """Write the tables of the histories, line by line."""
    rows = {
        "histories, of two images each": told.count,
        "calls": told.calls,
        "of them beside another call of the same image": told.overlapping,
        "of them with an unknown outcome": told.unknown,
        "**images whose history no order explains: must be 0**": len(told.wrong),
    }
    yield from ["| | |", "| --- | ---: |"]
    yield from (f"| {words} | {count:,} |" for words, count in rows.items())
    yield from [f"| all of it took | {told.seconds:.0f} s |", ""]
    yield from ["| call | told | times |", "| --- | --- | ---: |"]
    for (verb, ending), count in sorted(told.endings.items()):
        yield f"| `{verb}` | {ending} | {count:,} |"
    for drawing in told.wrong[:5]:
        yield from ["", "```text", *drawing, "```"]


if __name__ == "__main__":
    sys.exit(main())
