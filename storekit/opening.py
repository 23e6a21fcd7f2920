"""Opening: the life of a store's driver: made, opened at first use, tried again, closed."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from storekit.capabilities import GATES, Capability
from storekit.errors import Duplicate, InUse, NotFound, StoreClosed, StoreError, Unavailable
from storekit.perprocess import ProcessLock
from storekit.secrecy import blot

if TYPE_CHECKING:
    from storekit.driver import Driver

__all__ = ["Opening"]

_FIRST_PAUSE = 0.1  # seconds after a failure during which it is not tried again; doubles
_LONGEST_PAUSE = 30.0
_OF_AN_IMAGE = (NotFound, Duplicate, InUse)  # none is asked for while a store opens


class Opening:
    """One driver, opened when it is first needed.

    A failure is kept and raised again without another try until a pause is over, so that a dead
    backend does not slow down every request that asks for it.

    Args:
        make: Loads the driver and checks its options, without I/O on the backend.
        translate: Makes a StoreError of what ``make`` or the driver's ``open`` raised.
    """

    def __init__(
        self, make: Callable[[], Driver], translate: Callable[[Exception], StoreError]
    ) -> None:
        self._make = make
        self._translate = translate
        self._lock = ProcessLock()
        self._driver: Driver | None = None
        self._chosen: dict[Capability, str] = {}  # what the options alone have withdrawn
        self._process: int | None = None  # which has begun to open it
        self._opened = False
        self._closed = False
        # Apart: a store that is down still knows which locations are its own.
        self._making = _Attempts()
        self._opening = _Attempts()

    @property
    def current(self) -> Driver | None:
        """The driver, if there is one; closed or not."""
        return self._driver

    def instance(self) -> Driver:
        """Give the driver, opened or not. No I/O on the backend.

        Raises:
            ConfigurationError: The driver cannot be loaded, or its options are wrong.
            StoreClosed: The store was closed.
        """
        driver = self._driver
        if driver is not None and not self._closed:
            return driver
        with self._lock.here():
            if self._closed:
                raise StoreClosed("the store is closed")
            if self._driver is None:
                self._making.check()
                try:
                    self._driver = self._make()
                except Exception as error:  # noqa: BLE001 - translated
                    failure = self._making.failed(error, self._translate(error))
                    raise failure from failure.__cause__
                self._chosen = dict(self._driver.withdrawn)
            return self._driver

    def ready(self) -> Driver:
        """Give the driver, opened.

        Raises:
            StoreError: It cannot be opened, or could not a moment ago.
        """
        driver = self._driver
        if driver is not None and self._opened and not self._closed:
            return driver
        with self._lock.here():
            if not self._opened and not self._closed:
                self._opening.check()
                if self._opening.failures or self._process not in {None, os.getpid()}:
                    # Made while it was down: secrets may be others by now. Or the process was
                    # forked while another thread opened it.
                    self._driver = None
                self._process = os.getpid()
                self._open(self.instance())
            return self.instance()

    @property
    def state(self) -> str:
        """``ready``, ``degraded: why``, ``failed: why`` or ``closed``. Asking opens."""
        if self._closed:
            return "closed"
        try:
            driver = self.ready()
        except StoreError as error:
            return f"failed: {error.message}"
        reasons = [
            reason
            for flag, reason in driver.withdrawn.items()
            if flag in GATES and self._chosen.get(flag) != reason
        ]
        if driver.degraded:
            reasons.append(blot(str(driver.degraded), driver.secrets))
        return f"degraded: {'; '.join(dict.fromkeys(reasons))}" if reasons else "ready"

    def close(self) -> None:
        """Close the driver for good. May be called twice."""
        with self._lock.here():
            if self._opened and not self._closed and self._driver is not None:
                self._closed = True
                self._driver.close()
            self._closed = True

    def _open(self, driver: Driver) -> None:
        try:
            driver.open()
        except BaseException as error:
            failure = self._translate(error) if isinstance(error, Exception) else None
            # The next try begins afresh: nothing withdrawn, no client half made.
            self._driver = None
            with suppress(Exception):  # why it did not open is what the caller wants to know
                driver.close()
            if failure is None:
                raise
            if isinstance(failure, _OF_AN_IMAGE):
                failure = self._translate(_odd(failure))
            self._opening.failed(error, failure)
            raise failure from failure.__cause__
        self._opened = True
        self._opening = _Attempts()


def _odd(failure: StoreError) -> Unavailable:
    odd = Unavailable(
        f"the backend answers what no such backend would: {failure.message}",
        hint="check the store's options: is this what its driver speaks to?",
    )
    odd.__cause__ = failure
    return odd


class _Attempts:
    """The last failure, and the pause after it."""

    def __init__(self) -> None:
        self.failures = 0
        self._failure: StoreError | None = None
        self._pause = _FIRST_PAUSE
        self._not_before = 0.0

    def check(self) -> None:
        if self._failure is not None and time.monotonic() < self._not_before:
            raise copy.copy(self._failure) from self._failure.__cause__

    def failed(self, error: BaseException, failure: StoreError) -> StoreError:
        self.failures += 1
        failure.__cause__ = error.__cause__ if failure is error else error
        # A copy: without the frames that a traceback keeps alive.
        self._failure = copy.copy(failure)
        self._failure.__cause__ = failure.__cause__
        self._not_before = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        return failure
