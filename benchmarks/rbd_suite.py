"""The suite of the rbd driver, on a Ceph cluster of its own, which holds everything in memory.

The cluster runs on this machine and shares its cores with whoever is measured.
"""

from __future__ import annotations

import atexit
import importlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from contenders import Contender, GlanceStore, Memory, Readable, Storekit
from measure import MIB, Case, Settings, timed
from memory import peak_of
from rawroad import hash_alone

__all__ = ["cases"]

_TESTS = Path(__file__).resolve().parent.parent / "tests"
_IN_MEMORY = Path("/dev/shm")  # tmpfs
_POOL = "images"
_BOTH = ("md5", "sha512")
_MEMORY = 150.0
_BLOCK = 16 * MIB
_CAPACITY = 16 << 30
_FLAT = (64 * MIB, 8 * 1024 * MIB)
_HOLE = 63 * MIB  # of zeros, after each MiB of data, in a sparse image


def cases(settings: Settings) -> Iterator[Case]:
    """Give the cases of the suite.

    Args:
        settings: What the command line asks.

    Yields:
        Each case.
    """
    yield from _Site.start(settings.directory).cases(max(settings.sizes))


class _Command:
    """The command ``rbd``: imports a file and exports to one, ten requests at once. No digests.

    Args:
        conf: Ceph's configuration.
        directory: Where the files are: in memory, if that is possible.
    """

    name = "rbd command"

    def __init__(self, conf: Path, directory: Path) -> None:
        self._conf = conf
        self._directory = directory

    @contextmanager
    def holding(self, block: bytes, size: int) -> Iterator[None]:
        """Have the file that is imported.

        Args:
            block: What it is made of.
            size: Its length in bytes.
        """
        data = Memory(block, size)
        with self._file.open("wb") as file:
            while piece := data.read(MIB):
                file.write(piece)
        try:
            yield
        finally:
            self._file.unlink()

    def add(
        self, image_id: str, data: Readable, size: int | None, hashes: Sequence[str]
    ) -> Mapping[str, str]:
        """Store the file that is held; it has the same bytes as the data."""
        self._run("import", "--object-size", "8M", self._file, f"{_POOL}/{image_id}")
        return {}

    def get(self, location: str) -> int:
        """Read a whole image."""
        out = self._directory / "storekit-export"
        self._run("export", f"{_POOL}/{location.split('/')[-2]}@snap", out)
        length = out.stat().st_size
        out.unlink()
        return length

    @property
    def _file(self) -> Path:
        return self._directory / "storekit-import"

    def _run(self, verb: str, *words: object) -> None:
        command = ["rbd", "--conf", str(self._conf), verb, "--no-progress", *map(str, words)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


class _Site:
    """A cluster, and who works on it."""

    def __init__(self, cluster: Any, bindings: tuple[Any, Any], directory: Path) -> None:  # noqa: ANN401 - the tests' own
        self._cluster = cluster
        self._rados, self._rbd = bindings
        self._options = {"conf_file": str(cluster.conf), "pool": _POOL}
        self._storekit = Storekit("rbd", self._options)
        self._glance = GlanceStore(
            "rbd", {"rbd_store_ceph_conf": str(cluster.conf), "rbd_store_pool": _POOL}
        )
        self._command = _Command(cluster.conf, directory)
        self._block = os.urandom(_BLOCK)

    @classmethod
    def start(cls, directory: Path) -> _Site:
        """Start a cluster, which ends with this process.

        Args:
            directory: For files where the machine has no directory in memory.
        """
        sys.path.insert(0, str(_TESTS))
        ceph: Any = importlib.import_module("servers.ceph")
        running = ExitStack()
        atexit.register(running.close)
        # glance_store takes its store for disabled where it cannot import them.
        bindings = ceph.load_bindings()
        cluster = running.enter_context(ceph.ceph(store="memstore", size=_CAPACITY))
        cluster.make_pool(_POOL)
        parent = _IN_MEMORY if _IN_MEMORY.is_dir() else directory
        own = running.enter_context(tempfile.TemporaryDirectory(dir=parent))
        return cls(cluster, bindings, Path(own))

    def cases(self, size: int) -> Iterator[Case]:
        """Give the cases on this cluster.

        Args:
            size: Length of an image in bytes.
        """
        everybody = (self._storekit, self._glance, self._command)
        with self._command.holding(self._block, size):
            bare = (self._storekit, self._command)
            yield self._add(size, bare, {self._command.name: 0.8}, hashes=(), known=True)
        hashing, target = (self._storekit, self._glance), {self._glance.name: 1.7}
        yield self._add(size, hashing, target, hashes=_BOTH, known=True)
        yield self._add(size, hashing, target, hashes=_BOTH, known=False)
        yield Case(
            f"get {size // MIB} MiB",
            "rbd",
            {each.name: partial(self._get, each, size) for each in everybody},
            amount=size,
            targets={self._glance.name: 1.5, self._command.name: 0.8},
            setup=lambda: self._storekit.add("image", Memory(self._block, size), size, ()),
            teardown=self._remove,
        )
        for known in (True, False):
            yield Case(
                f"memory of add, size {'known' if known else 'unknown'}, {size // MIB} MiB",
                "memory",
                {"storekit": partial(self._peak, _BLOCK, 0, size, known)},
                unit="MiB",
                limit=_MEMORY,
            )
        for length, known in product(_FLAT, (True, False)):
            words = f"add, size {'known' if known else 'unknown'}, {length // MIB} MiB, sparse"
            yield Case(
                f"memory of {words}",
                "memory",
                {"storekit": partial(self._peak, MIB, _HOLE, length, known)},
                unit="MiB",
                limit=_MEMORY,
            )

    def _add(
        self,
        size: int,
        contenders: Sequence[Any],
        targets: Mapping[str, float],
        *,
        hashes: tuple[str, ...],
        known: bool,
    ) -> Case:
        def add(contender: Contender) -> float:
            digests: dict[str, str] = {}

            def work() -> None:
                data = Memory(self._block, size)
                digests.update(contender.add("image", data, size if known else None, hashes))

            return timed(work, partial(self._check, size, digests))

        words = f"{' + '.join(hashes) or 'no hash'}, size {'known' if known else 'unknown'}"
        return Case(
            f"add {size // MIB} MiB, {words}",
            "rbd",
            {each.name: partial(add, each) for each in contenders},
            amount=size,
            targets=targets,
        )

    def _check(self, size: int, digests: Mapping[str, str]) -> None:
        """See that the work was done, and remove it."""
        with self._pool() as pool, self._rbd.Image(pool, "image", read_only=True) as image:
            stored, last = image.size(), image.read(size - MIB, MIB)
        wrong = [name for name in digests if digests[name] != hash_alone(self._block, size, name)]
        if stored != size or wrong or not any(last):
            raise AssertionError(f"{stored} of {size} bytes were stored, wrong: {wrong}")
        self._remove()

    def _get(self, contender: Any, size: int) -> float:  # noqa: ANN401 - the command has one verb less
        location = f"rbd://{self._cluster.fsid}/{_POOL}/image/snap"

        def work() -> None:
            if contender.get(location) != size:
                raise AssertionError(f"{contender.name} did not give {size} bytes")

        return timed(work)

    def _peak(self, data: int, hole: int, size: int, known: bool) -> float:
        options, fsid = self._options, self._cluster.fsid
        return peak_of(_memory_of_add, options, fsid, data, hole, size, known)

    def _remove(self) -> None:
        with self._pool() as pool:
            with self._rbd.Image(pool, "image") as image:
                for snapshot in list(image.list_snaps()):
                    if image.is_protected_snap(snapshot["name"]):
                        image.unprotect_snap(snapshot["name"])
                    image.remove_snap(snapshot["name"])
            self._rbd.RBD().remove(pool, "image")

    @contextmanager
    def _pool(self) -> Iterator[Any]:
        conf = str(self._cluster.conf)
        with self._rados.Rados(conffile=conf) as connection, connection.open_ioctx(_POOL) as pool:
            yield pool


def _memory_of_add(
    options: Mapping[str, str], fsid: str, data: int, hole: int, size: int, known: bool
) -> Callable[[], object]:
    contender = Storekit("rbd", options)
    contender.add("warm", Memory(bytes(MIB), 1), 1, ())
    contender.delete(f"rbd://{fsid}/{_POOL}/warm/snap")
    image = Memory(os.urandom(data) + bytes(hole), size)

    def work() -> None:
        contender.add("image", image, size if known else None, _BOTH)
        contender.delete(f"rbd://{fsid}/{_POOL}/image/snap")

    return work
