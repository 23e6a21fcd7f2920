"""Opening: the life of a store's driver: made, opened at first use, tried again, closed."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from storekit.capabilities import GATES
from storekit.errors import StoreClosed, StoreError

if TYPE_CHECKING:
    from storekit.driver import Driver

__all__ = ["Opening"]

_FIRST_PAUSE = 0.1  # seconds after a failure during which it is not tried again; doubles
_LONGEST_PAUSE = 30.0


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
        self._lock = threading.RLock()
        self._driver: Driver | None = None
        self._opened = False
        self._closed = False
        self._failure: StoreError | None = None
        self._pause = _FIRST_PAUSE
        self._not_before = 0.0

    @property
    def current(self) -> Driver | None:
        """The driver, if it was made and not closed."""
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
        with self._lock:
            self._check()
            if self._driver is None:
                try:
                    self._driver = self._make()
                except Exception as error:  # noqa: BLE001 - translated
                    failure = self._failed(error)
                    raise failure from (error.__cause__ if failure is error else error)
            return self._driver

    def ready(self) -> Driver:
        """Give the driver, opened.

        Raises:
            StoreError: It cannot be opened, or could not a moment ago.
        """
        driver = self._driver
        if driver is not None and self._opened and not self._closed:
            return driver
        with self._lock:
            driver = self.instance()
            if not self._opened:
                try:
                    driver.open()
                except Exception as error:  # noqa: BLE001 - translated
                    failure = self._failed(error)
                    # The next try begins afresh: nothing withdrawn, no client half made.
                    self._driver = None
                    driver.close()
                    raise failure from (error.__cause__ if failure is error else error)
                except BaseException:
                    self._driver = None
                    driver.close()
                    raise
                self._opened = True
                self._pause = _FIRST_PAUSE
            return driver

    @property
    def state(self) -> str:
        """``ready``, ``degraded: why``, ``failed: why`` or ``closed``. Asking opens."""
        if self._closed:
            return "closed"
        try:
            driver = self.ready()
        except StoreError as error:
            return f"failed: {error.message}"
        reasons = [reason for flag, reason in driver.withdrawn.items() if flag in GATES]
        if driver.degraded:
            reasons.append(driver.degraded)
        return f"degraded: {'; '.join(dict.fromkeys(reasons))}" if reasons else "ready"

    def close(self) -> None:
        """Close the driver for good. May be called twice."""
        with self._lock:
            self._closed = True
            driver, self._driver = self._driver, None
            if driver is not None:
                driver.close()

    def _check(self) -> None:
        if self._closed:
            raise StoreClosed("the store is closed")
        if self._failure is not None and time.monotonic() < self._not_before:
            raise copy.copy(self._failure) from self._failure.__cause__

    def _failed(self, error: Exception) -> StoreError:
        failure = self._translate(error)
        self._failure = copy.copy(failure)  # without the frames that a traceback keeps alive
        self._failure.__cause__ = failure.__cause__ if failure is error else error
        self._not_before = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        return failure
