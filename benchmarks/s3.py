"""The suite of the s3 driver, on a radosgw and a versitygw of its own.

Both servers run on this machine and share its cores with whoever is measured.
"""

from __future__ import annotations

import atexit
import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from contenders import Contender, GlanceStore, Memory, Readable, Storekit
from measure import MIB, Case, Settings, timed
from memory import peak_of
from rawroad import hash_alone

__all__ = ["cases"]

_TESTS = Path(__file__).resolve().parent.parent / "tests"
_BUCKET = "images"
_BOTH = ("md5", "sha512")
_MEMORY = 150.0
_BLOCK = 16 * MIB
_FLAT = (64 * MIB, 16 * 1024 * MIB)


def cases(settings: Settings) -> Iterator[Case]:
    """Give the cases of the suite.

    Args:
        settings: What the command line asks.

    Yields:
        Each case.
    """
    size = max(settings.sizes)
    for name in ("radosgw", "versitygw"):
        yield from _Site.start(name).cases(size)
    yield from _flat()


def _flat() -> Iterator[Case]:
    """Give the cases that show whether memory depends on the size: nobody stores the images."""
    command = [sys.executable, str(Path(__file__).parent / "discarding.py")]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(server.kill)
    assert server.stdout is not None
    endpoint = f"http://127.0.0.1:{server.stdout.readline().strip()}"

    def peak(size: int, *, known: bool) -> float:
        return peak_of(_memory_of_add, endpoint, "a-key", "a-secret", size, known, ())

    for size in _FLAT:
        for known in (True, False):
            words = f"add, size {'known' if known else 'unknown'}, {size // MIB} MiB, discarded"
            yield Case(
                f"memory of {words}",
                "memory",
                {"storekit": partial(peak, size, known=known)},
                unit="MiB",
                limit=_MEMORY,
            )


class _Boto3:
    """boto3's own transfer manager, with as many threads and as long parts. It hashes nothing."""

    name = "boto3"

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - boto3 has no types
        self._client = client
        transfer: Any = importlib.import_module("boto3.s3.transfer")
        self._config = transfer.TransferConfig(
            multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB, max_concurrency=4
        )

    def add(
        self, image_id: str, data: Readable, size: int | None, hashes: Sequence[str]
    ) -> Mapping[str, str]:
        """Store an image."""
        self._client.upload_fileobj(data, _BUCKET, image_id, Config=self._config)
        return {}

    def get(self, location: str) -> int:
        """Read a whole image."""
        sink = _Sink()
        key = location.rpartition("/")[2]
        self._client.download_fileobj(_BUCKET, key, sink, Config=self._config)
        return sink.length


class _Sink:
    """A file that forgets what it is given."""

    def __init__(self) -> None:
        self.length = 0
        self._position = 0

    def seek(self, position: int, _: int = 0) -> int:
        """Go somewhere."""
        self._position = position
        return position

    def write(self, data: bytes) -> int:
        """Count."""
        self._position += len(data)
        self.length = max(self.length, self._position)
        return len(data)


class _Site:
    """A server, and who works on it."""

    def __init__(self, name: str, endpoint: str, keys: tuple[str, str]) -> None:
        self._name = name
        self._endpoint, self._keys = endpoint, keys
        boto3: Any = importlib.import_module("boto3")
        self._client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id=keys[0],
            aws_secret_access_key=keys[1],
        )
        self._client.create_bucket(Bucket=_BUCKET)
        self._storekit = _storekit(endpoint, *keys)
        self._glance = _glance(endpoint, *keys)
        self._boto3 = _Boto3(self._client)
        self._block = os.urandom(_BLOCK)

    @classmethod
    def start(cls, name: str) -> _Site:
        """Start a server, which ends with this process.

        Args:
            name: ``radosgw`` or ``versitygw``.
        """
        sys.path.insert(0, str(_TESTS))
        running = ExitStack()
        atexit.register(running.close)
        if name == "radosgw":
            ceph: Any = importlib.import_module("servers.ceph")
            store = ceph.ceph(gateway=True, store="memstore", size=8 << 30)
            endpoint = running.enter_context(store).endpoint
            return cls(name, endpoint, (ceph.ACCESS_KEY, ceph.SECRET_KEY))
        versity: Any = importlib.import_module("servers.versitygw")
        endpoint = running.enter_context(versity.versitygw()).endpoint
        return cls(name, endpoint, (versity.ACCESS_KEY, versity.SECRET_KEY))

    def cases(self, size: int) -> Iterator[Case]:
        """Give the cases on this server.

        Args:
            size: Length of an image in bytes.
        """
        everybody = (self._storekit, self._glance, self._boto3)
        bare = (self._storekit, self._boto3)
        yield self._add(size, bare, 0.95, hashes=(), known=True)
        yield self._add(size, everybody[:2], 1.3, hashes=_BOTH, known=True)
        yield self._add(size, everybody[:2], 20.0, hashes=_BOTH, known=False)
        yield Case(
            f"{self._name}: get {size // MIB} MiB",
            "s3",
            {each.name: partial(self._get, each, size) for each in everybody},
            amount=size,
            targets={"glance_store": 1.3, "boto3": 0.95},
            setup=lambda: self._boto3.add("image", Memory(self._block, size), size, ()),
            teardown=partial(self._remove, "image"),
        )
        for known in (True, False):
            words = f"add, size {'known' if known else 'unknown'},"
            yield Case(
                f"{self._name}: memory of {words} {size // MIB} MiB",
                "memory",
                {"storekit": partial(self._peak, size, known)},
                unit="MiB",
                limit=_MEMORY,
            )

    def _add(
        self,
        size: int,
        contenders: Sequence[Any],
        target: float,
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
            f"{self._name}: add {size // MIB} MiB, {words}",
            "s3",
            {each.name: partial(add, each) for each in contenders},
            amount=size,
            targets={contenders[1].name: target},
        )

    def _check(self, size: int, digests: Mapping[str, str]) -> None:
        """See that the work was done, and remove it."""
        stored = self._client.head_object(Bucket=_BUCKET, Key="image")["ContentLength"]
        wrong = [name for name in digests if digests[name] != hash_alone(self._block, size, name)]
        if stored != size or wrong:
            raise AssertionError(f"{stored} of {size} bytes were stored, wrong: {wrong}")
        self._remove("image")

    def _get(self, contender: Any, size: int) -> float:  # noqa: ANN401 - boto3's has one verb less
        host = self._endpoint.removeprefix("http://")
        # glance_store takes the credential from the location, storekit from its configuration.
        user = f"{':'.join(self._keys)}@" if contender is self._glance else ""
        location = f"s3+http://{user}{host}/{_BUCKET}/image"

        def work() -> None:
            if contender.get(location) != size:
                raise AssertionError(f"{contender.name} did not give {size} bytes")

        return timed(work)

    def _peak(self, size: int, known: bool) -> float:
        return peak_of(_memory_of_add, self._endpoint, *self._keys, size, known)

    def _remove(self, key: str) -> None:
        self._client.delete_object(Bucket=_BUCKET, Key=key)


def _storekit(endpoint: str, access_key: str, secret_key: str) -> Storekit:
    options = {"endpoint": endpoint, "bucket": _BUCKET, "addressing_style": "path"}
    return Storekit("s3", {**options, "access_key": access_key, "secret_key": secret_key})


def _glance(endpoint: str, access_key: str, secret_key: str) -> GlanceStore:
    options = {
        "s3_store_host": endpoint,
        "s3_store_access_key": access_key,
        "s3_store_secret_key": secret_key,
        "s3_store_bucket": _BUCKET,
        "s3_store_bucket_url_format": "path",
    }
    return GlanceStore("s3", options)


def _memory_of_add(
    endpoint: str,
    access_key: str,
    secret_key: str,
    size: int,
    known: bool,
    hashes: tuple[str, ...] = _BOTH,
) -> Callable[[], object]:
    contender = _storekit(endpoint, access_key, secret_key)
    contender.add("warm", Memory(bytes(MIB), 1), 1, ())
    contender.delete(f"s3+{endpoint}/{_BUCKET}/warm")
    data = Memory(os.urandom(_BLOCK), size)

    def work() -> None:
        contender.add("image", data, size if known else None, hashes)
        contender.delete(f"s3+{endpoint}/{_BUCKET}/image")

    return work
