"""The suite of the swift driver, on a Swift with a Keystone of its own.

Both run on this machine and share its cores with whoever is measured.
"""

from __future__ import annotations

import atexit
import importlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

from contenders import Contender, GlanceStore, Memory, Readable, Storekit
from measure import MIB, Case, Settings, timed
from memory import peak_of
from rawroad import hash_alone

__all__ = ["cases"]

_TESTS = Path(__file__).resolve().parent.parent / "tests"
_CONTAINER = "images"
_BOTH = ("md5", "sha512")
_MEMORY = 160.0  # four segments of 32 MiB, and 32 MiB
_BLOCK = 16 * MIB
_SEGMENT = 32 * MIB
_USER, _PASSWORD, _PROJECT = "glance", "a-password-0123456789", "service"
_REFERENCE = """\
[ref1]
auth_address = {auth_url}
user = {project}:{user}
key = {password}
"""


def cases(settings: Settings) -> Iterator[Case]:
    """Give the cases of the suite.

    Args:
        settings: What the command line asks.

    Yields:
        Each case.
    """
    yield from _Site(settings.directory).cases(max(settings.sizes))


class _Command:
    """What the command ``swift`` does, without the start of a process.

    ``swift upload --segment-size 33554432 --segment-threads 4`` of a file: segments with a
    manifest, and their MD5 compared with the server's, both of which are its defaults. And
    ``swift download --output /dev/null``.

    Args:
        user: Options that say who.
        file: The file that is stored.
    """

    name = "swiftclient"

    def __init__(self, user: Mapping[str, object], file: Path) -> None:
        self._service: Any = importlib.import_module("swiftclient.service")
        self._file = file
        self._options = {
            **user,
            "use_slo": True,
            "segment_size": str(_SEGMENT),
            "segment_threads": 4,
            "retries": 0,
        }

    def add(self, image_id: str, size: int) -> None:
        """Store an image, which is made of the file."""
        if self._file.stat().st_size != size:
            raise AssertionError(f"{self._file} does not have {size} bytes")
        source = self._service.SwiftUploadObject(str(self._file), object_name=image_id)
        with self._service.SwiftService(options=self._options) as service:
            _check(service.upload(_CONTAINER, [source]))

    def get(self, image_id: str) -> None:
        """Read a whole image."""
        with self._service.SwiftService(options=self._options) as service:
            _check(service.download(_CONTAINER, [image_id], {"out_file": os.devnull}))


def _check(answers: Iterator[Mapping[str, Any]]) -> None:
    for answer in answers:
        if not answer["success"]:
            raise AssertionError(f"swiftclient: {answer.get('error')}")


class _Site:
    """The servers, and who works on them. They end with this process.

    Args:
        directory: Where files can be.
    """

    def __init__(self, directory: Path) -> None:
        sys.path.insert(0, str(_TESTS))
        running = ExitStack()
        atexit.register(running.close)
        identity = running.enter_context(importlib.import_module("servers.keystone").keystone())
        project = identity.add_project(_PROJECT)
        identity.add_user(_USER, _PASSWORD, project, "admin", "member")
        swift = running.enter_context(importlib.import_module("servers.swift").swift(identity))
        self._auth_url = identity.auth_url
        self._swiftclient: Any = importlib.import_module("swiftclient")
        self._user = {
            "os_auth_token": identity.token(_USER, _PASSWORD, _PROJECT),
            "os_storage_url": f"{swift.endpoint}/v1/AUTH_{project}",
        }
        with self._past() as past:
            past.put_container(_CONTAINER)
        self._storekit = _storekit(self._auth_url)
        self._glance = _glance(self._auth_url, directory)
        self._file = directory / "image"
        self._command = _Command(self._user, self._file)
        self._block = os.urandom(_BLOCK)

    def cases(self, size: int) -> Iterator[Case]:
        """Give the cases.

        Args:
            size: Length of an image in bytes.
        """
        both = (self._storekit, self._glance)
        yield Case(
            f"add {size // MIB} MiB, no hash, size known",
            "swift",
            {
                "storekit": partial(self._add, self._storekit, size, (), known=True),
                "swiftclient": partial(self._upload, size),
            },
            amount=size,
            targets={"swiftclient": 0.95},
            setup=partial(self._write, size),
        )
        for known in (True, False):
            words = f"md5 + sha512, size {'known' if known else 'unknown'}"
            yield Case(
                f"add {size // MIB} MiB, {words}",
                "swift",
                {each.name: partial(self._add, each, size, _BOTH, known=known) for each in both},
                amount=size,
                targets={"glance_store": 2.0},
            )
        yield Case(
            f"get {size // MIB} MiB",
            "swift",
            {
                **{each.name: partial(self._get, each, size) for each in both},
                "swiftclient": lambda: timed(partial(self._command.get, "image")),
            },
            amount=size,
            targets={"glance_store": 1.5},
            setup=partial(self._keep, size),
            teardown=partial(self._remove, size),
        )
        for known in (True, False):
            words = f"size {'known' if known else 'unknown'}"
            yield Case(
                f"memory of add, {words}, {size // MIB} MiB",
                "memory",
                {"storekit": partial(peak_of, _memory_of_add, self._auth_url, size, known)},
                unit="MiB",
                limit=_MEMORY,
            )

    def _add(self, contender: Contender, size: int, hashes: Sequence[str], *, known: bool) -> float:
        digests: dict[str, str] = {}

        def work() -> None:
            data: Readable = Memory(self._block, size)
            digests.update(contender.add("image", data, size if known else None, hashes))

        def check() -> None:
            wrong = [
                name for name in digests if digests[name] != hash_alone(self._block, size, name)
            ]
            if wrong:
                raise AssertionError(f"{contender.name} has wrong digests: {wrong}")
            self._remove(size)

        return timed(work, check)

    def _upload(self, size: int) -> float:
        return timed(partial(self._command.add, "image", size), partial(self._remove, size))

    def _get(self, contender: Contender, size: int) -> float:
        reference = "ref1" if contender is self._glance else "store"
        location = f"swift+config://{reference}/{_CONTAINER}/image"

        def work() -> None:
            if contender.get(location) != size:
                raise AssertionError(f"{contender.name} did not give {size} bytes")

        return timed(work)

    def _keep(self, size: int) -> None:
        self._storekit.add("image", Memory(self._block, size), size, ())

    def _write(self, size: int) -> None:
        data = Memory(self._block, size)
        with self._file.open("wb") as file:
            while piece := data.read(MIB):
                file.write(piece)

    def _remove(self, size: int) -> None:
        """See that the image is stored, and remove it and its segments."""
        with self._past() as past:
            stored = int(past.head_object(_CONTAINER, "image")["content-length"])
            for container in past.get_account()[1]:
                for found in past.get_container(container["name"], full_listing=True)[1]:
                    past.delete_object(container["name"], found["name"])
        if stored != size:
            raise AssertionError(f"{stored} of {size} bytes were stored")

    def _past(self) -> Any:  # noqa: ANN401 - swiftclient has no types
        user = self._swiftclient.Connection(
            preauthurl=self._user["os_storage_url"],
            preauthtoken=self._user["os_auth_token"],
            retries=0,
        )
        return closing(user)


def _storekit(auth_url: str) -> Storekit:
    user = {"username": _USER, "password": _PASSWORD, "project": _PROJECT}
    return Storekit("swift", {"name": "store", "auth_url": auth_url, **user})


def _glance(auth_url: str, directory: Path) -> GlanceStore:
    file = directory / "swift-store.conf"
    file.write_text(
        _REFERENCE.format(auth_url=auth_url, project=_PROJECT, user=_USER, password=_PASSWORD)
    )
    options = {
        "swift_store_config_file": str(file),
        "default_swift_reference": "ref1",
        "swift_store_container": _CONTAINER,
    }
    return GlanceStore("swift", options)


def _memory_of_add(
    auth_url: str, size: int, known: bool, hashes: tuple[str, ...] = _BOTH
) -> Callable[[], object]:
    contender = _storekit(auth_url)
    contender.add("warm", Memory(bytes(MIB), 1), 1, ())
    contender.delete(f"swift+config://store/{_CONTAINER}/warm")
    data = Memory(os.urandom(_BLOCK), size)

    def work() -> None:
        contender.add("image", data, size if known else None, hashes)
        contender.delete(f"swift+config://store/{_CONTAINER}/image")

    return work
