"""The suite of the filesystem driver.

All contenders keep their images in one directory, so that they read the same file from the same
page cache.
"""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median

from contenders import Contender, GlanceStore, Memory, Storekit
from measure import MIB, Case, Settings, timed
from memory import peak_of
from rawroad import BareRoad, copy_and_sync, hash_alone

__all__ = ["cases"]

_BLOCK = 64 * MIB
_HASHES = (("md5", "sha512"), ("sha256",), ())
_TARGET_SIZE = 512 * MIB
_THREADS = 8
_THREAD_SIZE = 64 * MIB
_SMALL = 64 << 10
_CALLS = 2000
_READ_PER_ROUND = 1024 * MIB
_LATENCY = 50.0
_MEMORY = 32.0


def cases(settings: Settings) -> Iterator[Case]:
    """Give the cases of the suite.

    Args:
        settings: What the command line asks.

    Yields:
        Each case.
    """
    directory = settings.directory / "images"
    directory.mkdir()
    fixture = _Fixture(directory, settings.directory / "source")
    fixture.warm_up()
    for size in settings.sizes:
        for origin, hashes, known in product(("memory", "file"), _HASHES, (True, False)):
            yield _add_case(fixture, size, origin, hashes, known)
    for size in settings.sizes:
        yield _get_case(fixture, size)
    yield from _latency_cases(fixture)
    yield from _small_cases(fixture, settings.small_images)
    yield from _thread_cases(fixture)
    for size in sorted({min(settings.sizes), max(settings.sizes)}):
        yield from _memory_cases(fixture, size)


class _Fixture:
    """The contenders and what they work on."""

    def __init__(self, directory: Path, source: Path) -> None:
        self.directory = directory
        self.block = os.urandom(_BLOCK)
        self.contenders = [make(directory) for make in _CONTENDERS.values()]
        self._source = source
        self._digests: dict[tuple[str, int], str] = {}

    def warm_up(self) -> None:
        """Let everybody import what they import at first use."""
        for contender in self.contenders:
            contender.add("image", self.memory(4 * MIB), 4 * MIB, ("md5", "sha512"))
            contender.get(self.location("image"))
            contender.delete(self.location("image"))

    def path(self, image_id: str) -> Path:
        return self.directory / image_id

    def location(self, image_id: str) -> str:
        return f"file://{self.path(image_id)}"

    def remove(self, *image_ids: str) -> None:
        for image_id in image_ids:
            self.path(image_id).unlink()

    def memory(self, size: int) -> Memory:
        return Memory(self.block, size)

    def source(self, size: int) -> Path:
        """Give a file of that size, on the same disk."""
        if not self._source.exists() or self._source.stat().st_size != size:
            self.write(self._source, size)
        return self._source

    def write(self, path: Path, size: int) -> None:
        data = self.memory(size)
        with path.open("wb") as file:
            while piece := data.read(MIB):
                file.write(piece)
        os.sync()

    def digest(self, algorithm: str, size: int) -> str:
        """Give the digest that an image of that size has to have."""
        key = (algorithm, size)
        if key not in self._digests:
            self._digests[key] = hash_alone(self.block, size, algorithm)
        return self._digests[key]


_CONTENDERS: Mapping[str, Callable[[Path], Contender]] = {
    "storekit": lambda directory: Storekit("filesystem", {"path": str(directory)}),
    "glance_store": lambda directory: GlanceStore(
        "file", {"filesystem_store_datadir": str(directory)}
    ),
    "bare road": BareRoad,
}
# Nobody waits for the disk, as glance_store never does.
_UNSYNCED: Mapping[str, Callable[[Path], Contender]] = {
    "storekit": lambda directory: Storekit(
        "filesystem", {"path": str(directory), "durable": False}
    ),
    "glance_store": _CONTENDERS["glance_store"],
    "bare road": lambda directory: BareRoad(directory, sync=False),
}


# ---- add ----


def _add_case(
    fixture: _Fixture, size: int, origin: str, hashes: tuple[str, ...], known: bool
) -> Case:
    def add(contender: Contender) -> float:
        data = fixture.memory(size) if origin == "memory" else fixture.source(size).open("rb")
        digests: dict[str, str] = {}

        def work() -> None:
            digests.update(contender.add("image", data, size if known else None, hashes))

        taken = timed(work, partial(_check, fixture, size, digests))
        if not isinstance(data, Memory):
            data.close()
        return taken

    runs: dict[str, Callable[[], float]]
    runs = {contender.name: partial(add, contender) for contender in fixture.contenders}
    targets: dict[str, float] = {}
    if hashes == ("md5", "sha512"):
        runs["md5 alone"] = lambda: timed(lambda: hash_alone(fixture.block, size, "md5"))
        if origin == "memory" and size == _TARGET_SIZE:
            targets = {"glance_store": 1.6, "md5 alone": 0.85}
    if origin == "file" and not hashes:
        runs["cp + sync"] = lambda: timed(
            partial(copy_and_sync, fixture.source(size), fixture.path("image")),
            partial(fixture.remove, "image"),
        )
        targets = {"cp + sync": 0.9}
    name = (
        f"add {size // MIB} MiB from {origin}, {' + '.join(hashes) or 'no hash'}, "
        f"size {'known' if known else 'unknown'}"
    )
    setup = partial(fixture.source, size) if origin == "file" else partial(int)
    return Case(name, "add", runs, amount=size, targets=targets, setup=setup)


def _check(fixture: _Fixture, size: int, digests: Mapping[str, str]) -> None:
    """See that the work was done, and remove it."""
    stored = fixture.path("image").stat().st_size
    wrong = [name for name, digest in digests.items() if digest != fixture.digest(name, size)]
    if stored != size or wrong:
        raise AssertionError(f"{stored} of {size} bytes were stored, wrong digests: {wrong}")
    fixture.remove("image")


# ---- get, get_size ----


def _get_case(fixture: _Fixture, size: int) -> Case:
    location = fixture.location("image")
    times = max(1, _READ_PER_ROUND // size)

    def get(contender: Contender) -> float:
        begin = time.perf_counter()
        for _ in range(times):
            if contender.get(location) != size:
                raise AssertionError(f"{contender.name} did not give {size} bytes")
        return (time.perf_counter() - begin) / times

    return Case(
        f"get {size // MIB} MiB",
        "get",
        {each.name: partial(get, each) for each in fixture.contenders},
        amount=size,
        targets={"glance_store": 0.9, "bare road": 0.9},
        setup=partial(fixture.write, fixture.path("image"), size),
        teardown=partial(fixture.remove, "image"),
    )


def _latency_cases(fixture: _Fixture) -> Iterator[Case]:
    here, nowhere = fixture.location("image"), fixture.location("missing")
    verbs: dict[str, Callable[[Contender], Callable[[], object]]] = {
        "get_size": lambda contender: partial(contender.get_size, here),
        "get_size, NotFound": lambda contender: partial(contender.get_size, nowhere),
        "get, NotFound": lambda contender: partial(contender.get_missing, nowhere),
    }
    for name, verb in verbs.items():
        yield Case(
            name,
            "latency",
            {each.name: partial(_latency, verb(each)) for each in fixture.contenders},
            unit="us",
            limit=_LATENCY,
            setup=partial(fixture.write, fixture.path("image"), 1),
            teardown=partial(fixture.remove, "image"),
        )


def _latency(call: Callable[[], object]) -> float:
    """Give the median of many calls, in microseconds."""
    taken = []
    for _ in range(_CALLS):
        begin = time.perf_counter_ns()
        call()
        taken.append(time.perf_counter_ns() - begin)
    return median(taken) / 1000


# ---- many images ----


def _small_cases(fixture: _Fixture, count: int) -> Iterator[Case]:
    small = _SmallImages(fixture, count)
    for kind, makers in (("synced", _CONTENDERS), ("not synced", _UNSYNCED)):
        contenders = [make(fixture.directory) for make in makers.values()]
        for verb, run in (("add", small.add), ("delete", small.delete)):
            yield Case(
                f"{verb} {count} images of 64 KiB, {kind}",
                "small images",
                {each.name: partial(run, each) for each in contenders},
            )
    yield Case(
        f"get {count} images of 64 KiB",
        "small images",
        {each.name: partial(small.get, each) for each in fixture.contenders},
        setup=small.write,
        teardown=partial(fixture.remove, *small.ids),
    )


class _SmallImages:
    """What is done to many small images, one after the other."""

    def __init__(self, fixture: _Fixture, count: int) -> None:
        self.ids = [f"small-{number}" for number in range(count)]
        self._fixture = fixture
        self._locations = [fixture.location(image_id) for image_id in self.ids]
        self._image = fixture.block[:_SMALL]

    def write(self) -> None:
        for image_id in self.ids:
            self._fixture.path(image_id).write_bytes(self._image)
        os.sync()

    def add(self, contender: Contender) -> float:
        def work() -> None:
            for image_id in self.ids:
                contender.add(image_id, io.BytesIO(self._image), _SMALL, ("md5", "sha512"))

        return timed(work, partial(self._fixture.remove, *self.ids))

    def get(self, contender: Contender) -> float:
        def work() -> None:
            for location in self._locations:
                contender.get(location)

        return timed(work)

    def delete(self, contender: Contender) -> float:
        def work() -> None:
            for location in self._locations:
                contender.delete(location)

        self.write()
        return timed(work)


def _thread_cases(fixture: _Fixture) -> Iterator[Case]:
    ids = [f"thread-{number}" for number in range(_THREADS)]

    def write() -> None:
        for image_id in ids:
            fixture.write(fixture.path(image_id), _THREAD_SIZE)

    def add(contender: Contender, image_id: str) -> None:
        contender.add(image_id, fixture.memory(_THREAD_SIZE), _THREAD_SIZE, ("md5", "sha512"))

    def get(contender: Contender, image_id: str) -> None:
        contender.get(fixture.location(image_id))

    def at_once(verb: Callable[[Contender, str], None], contender: Contender) -> None:
        _at_once([partial(verb, contender, image_id) for image_id in ids])

    remove = partial(fixture.remove, *ids)
    yield Case(
        f"add, {_THREADS} threads at once, 64 MiB each",
        "threads",
        {
            each.name: partial(timed, partial(at_once, add, each), remove)
            for each in fixture.contenders
        },
        amount=_THREADS * _THREAD_SIZE,
    )
    yield Case(
        f"get, {_THREADS} threads at once, 64 MiB each",
        "threads",
        {each.name: partial(timed, partial(at_once, get, each)) for each in fixture.contenders},
        amount=_THREADS * _THREAD_SIZE,
        setup=write,
        teardown=remove,
    )


def _at_once(works: Sequence[Callable[[], None]]) -> None:
    failures: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
            failures.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


# ---- memory ----


def _memory_cases(fixture: _Fixture, size: int) -> Iterator[Case]:
    directory, location = fixture.directory, fixture.location("image")

    def add(name: str, known: bool) -> float:
        peak = peak_of(_memory_of_add, name, directory, size, known)
        fixture.remove("image")
        return peak

    title = f"{size // MIB} MiB"
    for known in (True, False):
        yield Case(
            f"memory of add {title}, size {'known' if known else 'unknown'}",
            "memory",
            {name: partial(add, name, known) for name in _CONTENDERS},
            unit="MiB",
            limit=_MEMORY,
        )
    yield Case(
        f"memory of get {title}",
        "memory",
        {name: partial(peak_of, _memory_of_get, name, directory, location) for name in _CONTENDERS},
        unit="MiB",
        limit=_MEMORY,
        setup=partial(fixture.write, fixture.path("image"), size),
        teardown=partial(fixture.remove, "image"),
    )


def _memory_of_add(name: str, directory: Path, size: int, known: bool) -> Callable[[], object]:
    contender = _CONTENDERS[name](directory)
    data = Memory(os.urandom(8 * MIB), size)
    return partial(contender.add, "image", data, size if known else None, ("md5", "sha512"))


def _memory_of_get(name: str, directory: Path, location: str) -> Callable[[], object]:
    return partial(_CONTENDERS[name](directory).get, location)
