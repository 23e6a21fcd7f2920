"""Cluster: one connection for all verbs of a store, and images that are open on it.

A dead cluster does not refuse: librados waits for ever, in calls that nothing interrupts. So every
operation gets the limits of the store as a timeout.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import math
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from storekit.capabilities import Limits
from storekit.drivers.rbd.bindings import rados, rbd
from storekit.drivers.rbd.faults import FAILURES, fault_of, gone, number_of, refusal
from storekit.drivers.rbd.options import Options
from storekit.errors import OutcomeUnknown, Unavailable
from storekit.perprocess import PerProcess

__all__ = ["Cluster", "Connection", "OpenImage"]


_REST = 0.05  # seconds that an image is open at least
_MOST_RESTING = 4


class OpenImage:
    """An image that is open, for several threads. Closed when the last of its users is done.

    Args:
        connection: Where.
        image: The image of librbd.
    """

    def __init__(self, connection: Connection, image: Any) -> None:  # noqa: ANN401 - no types
        self.image = image
        self.pool = connection.pool
        self._connection = connection
        self._opened = time.monotonic()
        self._process = os.getpid()
        self._users = 1
        self._lock = threading.Lock()
        # One that goes away in a forked child would close itself with the parent's connection.
        _keep(image)
        connection.join()

    @contextmanager
    def using(self) -> Iterator[Any]:
        """Give the image; it is not closed within the block.

        Raises:
            ValueError: It was closed already.
        """
        with self._lock:
            if not self._users:
                raise ValueError("the image is closed")
            self._users += 1
        try:
            yield self.image
        finally:
            self.release()

    def release(self) -> None:
        """Be done with it."""
        with self._lock:
            self._users -= 1
            last = not self._users
        if last and self._process == os.getpid():
            self._connection.rest(self.image, self._opened)
            self._connection.leave()


class Connection:
    """A connection to the cluster, and the pool. Thread-safe.

    Args:
        options: Where and who.
        limits: The timeouts.
    """

    def __init__(self, options: Options, limits: Limits) -> None:
        io, connect = math.ceil(limits.io_timeout), math.ceil(limits.connect_timeout)
        settings = {
            "rados_osd_op_timeout": io,
            "rados_mon_op_timeout": io,
            "client_mount_timeout": connect,
            # With write-back a write that fails is told to nobody: every write answers for itself.
            "rbd_cache": "false",
        }
        if options.keyring is not None:
            settings["keyring"] = str(options.keyring)
        try:
            self.rados = rados.Rados(
                conffile=str(options.conf_file),
                rados_id=options.user,
                conf={name: str(value) for name, value in settings.items()},
            )
        except FAILURES as error:
            raise fault_of(error, connecting=True) or error from error
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._users = 1
        self._resting: deque[tuple[Any, float]] = deque()
        _keep(self.rados)
        try:
            # librados draws the number that tells clients apart from a generator of the thread:
            # those that were forked from one would all draw the same, and disturb each other.
            with ThreadPoolExecutor(1, thread_name_prefix="storekit-connect") as thread:
                thread.submit(self.rados.connect).result()
            self.fsid = str(self.rados.get_fsid())
            self.pool = self._open_pool(options.pool, options.namespace)
            if options.data_pool is not None:
                with self.other_pool(options.data_pool, ""):
                    pass  # it is there
        except FAILURES as error:
            self._end()
            raise fault_of(error, connecting=True) or error from error

    @contextmanager
    def other_pool(self, pool: str, namespace: str) -> Iterator[Any]:
        """Open another pool of the cluster for the time of a block.

        Args:
            pool: Its name.
            namespace: A namespace of it, or nothing.
        """
        opened = self._open_pool(pool, namespace)
        try:
            yield opened
        finally:
            opened.close()
            _let_go(opened)

    def check(self) -> None:
        """See whether the pool answers, and whether our user may read it.

        Raises:
            Unavailable: It was deleted: nothing is found in it, and it lists as empty. Or it has
                no such namespace.
            Error: It does not.
        """
        try:
            self.pool.stat("rbd_directory")
        except rados.ObjectNotFound as error:
            # A namespace has it from when it was made, and a pool from its first image.
            if self.pool.get_namespace() and not self.is_gone():
                raise Unavailable(
                    "the namespace is not there",
                    hint="make it: rbd namespace create POOL/NAMESPACE",
                ) from error
        if self.is_gone():
            raise gone()

    def is_gone(self) -> bool:
        """Tell whether the pool was deleted, as far as this client knows. No I/O if it was not."""
        return self.rados.pool_reverse_lookup(self.pool.get_pool_id()) is None

    def pool_stats(self, pool: str) -> tuple[int, int] | None:
        """Tell how many bytes a pool has, and how many of them are free.

        Args:
            pool: Its name.

        Returns:
            Both, or None where the cluster has no manager.

        Raises:
            Unavailable: The pool is so new that the manager does not know it.
        """
        command = json.dumps({"prefix": "df", "format": "json"})
        code, answer, _ = self.rados.mon_command(command, b"")
        if code:
            raise refusal(-code)
        told = json.loads(answer)
        if not told["stats"]["total_bytes"]:
            return None
        for found in told["pools"]:
            stats = found["stats"]
            if found["name"] == pool:
                return stats["stored"] + stats["max_avail"], stats["max_avail"]
        raise Unavailable(
            "the cluster's manager has not heard of the pool yet", hint="try again in some seconds"
        )

    def _open_pool(self, pool: str, namespace: str) -> Any:  # noqa: ANN401 - rados has no types
        opened = self.rados.open_ioctx(pool)
        opened.set_namespace(namespace)
        # A full cluster else lets writes wait until there is space.
        opened.set_osdmap_full_try()
        _keep(opened)
        return opened

    def open_image(
        self, name: str, snapshot: str | None = None, internal: str | None = None
    ) -> OpenImage:
        """Open an image to read it. It is not watched, so nobody takes it for being in use.

        Args:
            name: Its name.
            snapshot: One of its snapshots; None is the image as it is now.
            internal: Its internal id, for one that its name does not open.
        """
        which = {"name": name} if internal is None else {"image_id": internal}
        return OpenImage(self, rbd.Image(self.pool, snapshot=snapshot, read_only=True, **which))

    @contextmanager
    def writing(self, name: str) -> Iterator[Any]:
        """Open an image to write to it, and be seen as its watcher.

        Args:
            name: Its name.
        """
        image, opened = rbd.Image(self.pool, name), time.monotonic()
        _keep(image)
        try:
            yield image
        finally:
            _close(image, opened)

    @contextmanager
    def reading(
        self, name: str, snapshot: str | None = None, internal: str | None = None
    ) -> Iterator[Any]:
        """As ``open_image``, for the time of a block.

        Args:
            name: As there.
            snapshot: As there.
            internal: As there.
        """
        opened = self.open_image(name, snapshot, internal)
        try:
            yield opened.image
        finally:
            opened.release()

    def rest(self, image: Any, opened: float) -> None:  # noqa: ANN401 - rbd has no types
        """Close an image a little later. It is not watched, so nobody minds.

        librbd 16.2 frees an image that is closed while its thread that opened it is not quite done
        (ImageState::complete_action_unlock takes a lock again when it has said that it is open).

        Args:
            image: The image of librbd.
            opened: When it was opened, by the monotonic clock.
        """
        self._resting.append((image, opened))
        while len(self._resting) > _MOST_RESTING:
            self._close_next()

    def _close_next(self) -> None:
        with contextlib.suppress(IndexError):
            _close(*self._resting.popleft())

    def join(self) -> bool:
        """Begin to use it; tell whether it can still be used."""
        with self._lock:
            if not self._users:
                return False
            self._users += 1
            return True

    def leave(self) -> None:
        """Be done with it. The last one shuts it down."""
        with self._lock:
            self._users -= 1
            last = not self._users
        if last:
            self._end()

    def _end(self) -> None:
        if self._process == os.getpid():
            while self._resting:
                self._close_next()
            if pool := getattr(self, "pool", None):
                pool.close()
                _let_go(pool)
            self.rados.shutdown()
            _let_go(self.rados)


def _close(image: Any, opened: float) -> None:  # noqa: ANN401 - rbd has no types
    time.sleep(max(0.0, opened + _REST - time.monotonic()))
    # What fails here is lost only to reading, or was written and answered for before.
    try:
        with contextlib.suppress(*FAILURES):
            image.close()
    finally:
        _let_go(image)


class Cluster:
    """The connection of a store: made when it is needed, and anew after a fork or a blocklist.

    Args:
        options: Where and who.
        limits: The timeouts.
    """

    def __init__(self, options: Options, limits: Limits) -> None:
        self._connections = PerProcess(lambda: Connection(options, limits))

    @contextmanager
    def use(self) -> Iterator[Connection]:
        """Give the connection; it is not shut down within the block.

        Of one that is shut out the driver hears when it translates the error. Where the error says
        what is unknown because of it, it is seen here.
        """
        while not (connection := self._connections.get()).join():
            pass  # it was forgotten between the two
        try:
            yield connection
        except OutcomeUnknown as error:
            # What came first is its cause; its context, what the question after that met.
            if errno.ESHUTDOWN in (number_of(met) for met in (error.__cause__, error.__context__)):
                self.forget()
            raise
        finally:
            connection.leave()

    def forget(self) -> None:
        """Shut the connection down once nobody uses it any more; the next use makes another."""
        if connection := self._connections.take():
            connection.leave()


def _keep(thing: object) -> None:
    """Keep an object for good: what its end would do belongs to the process that made it."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def _let_go(thing: object) -> None:
    ctypes.pythonapi.Py_DecRef(ctypes.py_object(thing))
