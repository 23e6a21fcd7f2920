"""How the kit gets at an http store: a real nginx, whose files the harness writes."""

import os
import time
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote, unquote

from servers.daemons import frozen
from servers.nginx import nginx

import storekit
from storekit.location import Location
from storekit.testing import Harness

__all__ = ["HttpHarness"]

READ_ONLY = "a web server is only read"
_AGO = 3600  # seconds before now that what is planted first was written


class HttpHarness(Harness):
    """An http store, and a web server on the loopback."""

    absent: ClassVar = {
        "fault:full": READ_ONLY,
        "fault:readonly": READ_ONLY,
        "denied_backend": READ_ONLY,
        "in_use": READ_ONLY,
        "orphans": READ_ONLY,
        "plant_leftover": READ_ONLY,
        "reclaim": READ_ONLY,
        "restart": READ_ONLY,
        "fault:eio": "a server whose disk fails answers 500, or cuts the body",
        "fault:gone": "a server that is gone refuses connections",
    }

    def setup(self) -> None:
        super().setup()
        self._running = ExitStack()
        site = self._running.enter_context(nginx())
        self._root: Path = site.root
        self._pid: int = site.pid
        self.endpoint = site.url

    def teardown(self) -> None:
        self._running.close()
        super().teardown()

    def make_store(self, **overrides: object) -> storekit.Store:
        # The server lets everybody in; the credential is there to be watched.
        options = {
            "allow_hosts": ["127.0.0.1"],
            "username": "reader",
            "password": "a-password-to-be-seen-nowhere",
            "connect_timeout": 2,
            "io_timeout": 4,
        }
        return storekit.open_store("http", name="web", **{**options, **overrides})

    def plant(self, image_id: str, data: bytes) -> str:
        path = self._root / image_id
        # The server makes its ETag of the size and the time, in whole seconds: without this an
        # image and what replaces it within a second would be one version.
        before = int(path.stat().st_mtime) if path.exists() else int(time.time()) - _AGO
        path.write_bytes(data)
        os.utime(path, (before + 1, before + 1))
        return f"{self.endpoint}/{quote(image_id, safe='')}"

    def peek(self, location: str) -> bytes | None:
        path = self._root / unquote(Location(location).segments[-1])
        return path.read_bytes() if path.exists() else None

    def fault(self, kind: str) -> AbstractContextManager[None]:
        if kind != "hung":
            raise NotImplementedError(kind)
        return frozen(partial(os.kill, self._pid))
