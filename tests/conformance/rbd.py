"""How the kit gets at an rbd store: a pool of a Ceph cluster of one node."""

import contextlib
import secrets
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, ClassVar

from servers import ceph
from servers.daemons import frozen

import storekit
from storekit.location import Location
from storekit.testing import Harness

__all__ = ["LastingRbdHarness", "RbdHarness"]

_IDLE = 1.0  # seconds: longer than it takes to open what was made, and not too long to wait for
_NO_WIRE = "Ceph's protocol names its daemons by their addresses: a relay cannot be put between"
_USUAL = (0.85, 0.9, 0.95)
_FULL = (1e-9, 2e-9, 3e-9)
_FEATURES = 61  # what rbd_default_features says
_USER = {"mon": "profile rbd", "osd": "profile rbd", "mgr": "profile rbd"}
_READER = {"mon": "profile rbd-read-only", "osd": "profile rbd-read-only"}


class RbdHarness(Harness):
    """A cluster that asks for keys, in memory, with a manager."""

    objects = "memstore"
    absent: ClassVar = {
        "endpoint": _NO_WIRE,
        "tls": _NO_WIRE,
        "fault:eio": "the cluster's disks are its own affair: what they cannot do it answers as"
        " an error",
        "fault:readonly": "a pool has no such state: it can be full, or the user may only read",
        "fault:power": "what an OSD has answered for it has synced: it is killed by restart",
        "restart": "what is in memory does not outlast its OSD",
    }

    def setup(self) -> None:
        super().setup()
        self._running = ExitStack()
        settings = {
            "osd_client_watch_timeout": 10,  # a third of Ceph's own: many clients are killed here
            "osd_heartbeat_interval": 1,  # so often it looks whether it is full
            "osd_mon_heartbeat_interval": 1,
        }
        running = ceph.ceph(store=self.objects, settings=settings, keys=True)
        self.cluster = self._running.enter_context(running)
        self.cluster.start_manager()
        self.cluster.make_pool(self.namespace)
        self.keyrings = {
            "images": self.cluster.make_user("images", **_USER),
            "reader": self.cluster.make_user("reader", **_READER),
        }

    def teardown(self) -> None:
        self._running.close()
        super().teardown()

    def make_store(self, **overrides: object) -> storekit.Store:
        return self.open_as("images", **overrides)

    def denied_backend(self) -> storekit.Store:
        return self.open_as("reader")

    def open_as(self, user: str, **overrides: object) -> storekit.Store:
        """Open a store as some user.

        Args:
            user: The name.
            **overrides: Options.
        """
        options = {
            "conf_file": self.cluster.conf,
            "user": user,
            "keyring": self.keyrings[user],
            "pool": self.namespace,
            "part_size": 4 << 20,
            "object_size": 4 << 20,
            "window": 2,
            "connect_timeout": 2,
            "io_timeout": 10,
            "upload_idle": _IDLE,
        }
        return storekit.open_store("rbd", name="blocks", **{**options, **overrides})

    @contextmanager
    def pool(self) -> Iterator[tuple[Any, Any]]:
        """Give rbd and the pool, past the driver; no longer than this: the kit counts sockets."""
        rados, rbd = ceph.load_bindings()
        with (
            rados.Rados(conffile=str(self.cluster.conf)) as cluster,
            cluster.open_ioctx(self.namespace) as pool,
        ):
            yield rbd, pool

    def peek(self, location: str) -> bytes | None:
        with self.pool() as (rbd, pool):
            _, name, snapshot = Location(location).segments
            try:
                with rbd.Image(pool, name, snapshot, read_only=True) as image:
                    return image.read(0, image.size())
            except rbd.ImageNotFound:
                return None

    def plant(self, image_id: str, data: bytes) -> str:
        with self.pool() as (rbd, pool):
            if image_id in rbd.RBD().list(pool):
                _remove(rbd, pool, image_id)
            _make(rbd, pool, image_id, data)
        fsid = self.cluster.fsid
        return str(Location.build("rbd", fsid, self.namespace, image_id, "snap"))

    def orphans(self) -> set[str]:
        with self.pool() as (rbd, pool):
            return {name for name in rbd.RBD().list(pool) if name.startswith(".storekit-")}

    def plant_leftover(self) -> str:
        name = f".storekit-{secrets.token_hex(8)}.killed"
        with self.pool() as (rbd, pool):
            _make(rbd, pool, name, b"what a killed add has written", snapshot=False)
        time.sleep(_IDLE + 1)  # a second more: its time is told in whole ones
        return name

    @contextmanager
    def in_use(self, location: str) -> Iterator[None]:
        _, name, snapshot = Location(location).segments
        clone = f"{name}-clone"
        with self.pool() as (rbd, pool):
            rbd.RBD().clone(pool, name, snapshot, pool, clone, features=_FEATURES)
            try:
                yield
            finally:
                rbd.RBD().remove(pool, clone)

    @contextmanager
    def fault(self, kind: str) -> Iterator[None]:
        signal_osd = partial(self.cluster.signal, "osd.0")
        if kind == "hung":
            with frozen(signal_osd):
                yield
        elif kind == "gone":
            self.cluster.signal("mon.a", signal.SIGKILL)
            try:
                with frozen(signal_osd):  # killed, it would lose its objects
                    yield
            finally:
                self.cluster.start_monitor()
        elif kind == "full":
            self._have_room(*_FULL)
            try:
                yield
            finally:
                self._have_room(*_USUAL)
        else:
            raise NotImplementedError(kind)

    def _have_room(self, *ratios: float) -> None:
        """Set from where on the cluster is full, and wait until the OSD has seen it."""
        for name, ratio in zip(("nearfull", "backfillfull", "full"), ratios, strict=True):
            self.cluster.ask(f"osd set-{name}-ratio", ratio=ratio)
        full = ratios != _USUAL
        while ("full" in self.cluster.ask("osd dump")["osds"][0]["state"]) != full:
            time.sleep(0.05)


class LastingRbdHarness(RbdHarness):
    """The same on a disk: slower, and the OSD can be killed."""

    objects = "bluestore"
    absent: ClassVar = {k: v for k, v in RbdHarness.absent.items() if k != "restart"}

    def restart(self) -> None:
        self.cluster.signal("osd.0", signal.SIGKILL)
        self.cluster.start_osd()


def _make(rbd: Any, pool: Any, name: str, data: bytes, *, snapshot: bool = True) -> None:
    rbd.RBD().create(pool, name, len(data), 22, old_format=False, features=_FEATURES)
    with rbd.Image(pool, name) as image:
        if data:
            image.write(data, 0)
        if snapshot:
            image.create_snap("snap")
            image.protect_snap("snap")


def _remove(rbd: Any, pool: Any, name: str) -> None:
    with rbd.Image(pool, name) as image:
        for snapshot in list(image.list_snaps()):
            with contextlib.suppress(rbd.InvalidArgument):
                image.unprotect_snap(snapshot["name"])
            image.remove_snap(snapshot["name"])
    rbd.RBD().remove(pool, name)
