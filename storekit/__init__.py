"""storekit keeps disk images in storage backends.

``Stores`` is where an image service begins, ``Driver`` where the author of a backend does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from storekit.capabilities import Capability, Limits
from storekit.context import RequestContext
from storekit.errors import (
    BackendError,
    ConfigurationError,
    DataError,
    DigestMismatch,
    DriverConflict,
    DriverInvalid,
    DriverLoadError,
    DriverNotFound,
    Duplicate,
    Forbidden,
    InUse,
    InvalidArgument,
    InvalidLocation,
    NotAuthenticated,
    NotFound,
    OutcomeUnknown,
    RangeNotSatisfiable,
    SizeMismatch,
    StorageFull,
    StoreClosed,
    StoreError,
    Timeout,
    Unavailable,
    UnknownScheme,
    Unsupported,
)
from storekit.loader import drivers_installed
from storekit.location import Location
from storekit.reader import ChunkReader
from storekit.source import Source
from storekit.store import Store
from storekit.stores import Stores, open_store
from storekit.values import Capacity, Content, InstalledDriver, Leftover, Listing, StoredImage

if TYPE_CHECKING:
    from storekit.driver import Driver, DriverOptions

__all__ = [
    "BackendError",
    "Capability",
    "Capacity",
    "ChunkReader",
    "ConfigurationError",
    "Content",
    "DataError",
    "DigestMismatch",
    "Driver",
    "DriverConflict",
    "DriverInvalid",
    "DriverLoadError",
    "DriverNotFound",
    "DriverOptions",
    "Duplicate",
    "Forbidden",
    "InUse",
    "InstalledDriver",
    "InvalidArgument",
    "InvalidLocation",
    "Leftover",
    "Limits",
    "Listing",
    "Location",
    "NotAuthenticated",
    "NotFound",
    "OutcomeUnknown",
    "RangeNotSatisfiable",
    "RequestContext",
    "SizeMismatch",
    "Source",
    "StorageFull",
    "Store",
    "StoreClosed",
    "StoreError",
    "StoredImage",
    "Stores",
    "Timeout",
    "Unavailable",
    "UnknownScheme",
    "Unsupported",
    "drivers_installed",
    "open_store",
]


if not TYPE_CHECKING:  # else a type checker would take any name for one of storekit's

    def __getattr__(name: str) -> object:
        # pydantic takes longer to import than all the rest: it comes with the first driver.
        if name in {"Driver", "DriverOptions"}:
            from storekit import driver  # noqa: PLC0415 - see above

            return getattr(driver, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
