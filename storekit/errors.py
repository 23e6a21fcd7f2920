"""Every error that storekit raises.

One root, and leaves that also inherit the nearest builtin, so that ``except FileNotFoundError``
works as well as ``except storekit.NotFound``::

    StoreError
    ├── InvalidArgument (ValueError)          the call is wrong; nothing was attempted
    ├── InvalidLocation (ValueError)          no image can be there, or no store owns it
    │   └── UnknownScheme                     no configured store reads such URIs
    ├── RangeNotSatisfiable (ValueError)      the offset is past the end of the image
    ├── Unsupported (NotImplementedError)     the store does not have the capability
    ├── NotFound (FileNotFoundError)          no such image
    ├── Duplicate (FileExistsError)           the id is taken
    ├── InUse                                 somebody holds the image: a clone, an attachment
    ├── Forbidden (PermissionError)           the backend refuses this user
    ├── NotAuthenticated (PermissionError)    the backend does not know this user
    ├── StorageFull (OSError)                 no space, a quota, or larger than the backend takes
    ├── SizeMismatch (ValueError)             the data is not as long as was declared
    ├── DigestMismatch (ValueError)           the data is not what was expected
    ├── DataError (OSError)                   what came back is truncated or corrupt
    ├── Unavailable (ConnectionError)         the backend cannot be used now; retriable
    │   ├── Timeout (TimeoutError)            it did not answer in time; retriable
    │   └── OutcomeUnknown                    the answer to a commit was lost; look before you retry
    ├── StoreClosed (ValueError)              the store or the reader was closed
    ├── ConfigurationError (ValueError)       the configuration is wrong
    │   ├── DriverNotFound (LookupError)      no installed distribution offers this driver
    │   ├── DriverConflict                    several distributions offer it
    │   ├── DriverLoadError (ImportError)     its module, or its library, cannot be imported
    │   └── DriverInvalid (TypeError)         it does not keep to the driver interface
    └── BackendError                          what nobody translated: a fault of the driver
"""

from __future__ import annotations

import errno
from typing import ClassVar, Self

__all__ = [
    "BackendError",
    "ConfigurationError",
    "DataError",
    "DigestMismatch",
    "DriverConflict",
    "DriverInvalid",
    "DriverLoadError",
    "DriverNotFound",
    "Duplicate",
    "Forbidden",
    "InUse",
    "InvalidArgument",
    "InvalidLocation",
    "NotAuthenticated",
    "NotFound",
    "OutcomeUnknown",
    "RangeNotSatisfiable",
    "SizeMismatch",
    "StorageFull",
    "StoreClosed",
    "StoreError",
    "Timeout",
    "Unavailable",
    "UnknownScheme",
    "Unsupported",
]


class StoreError(Exception):
    """Root of every error of storekit.

    Args:
        message: What happened, without the name of the store.
        store: Name of the store.
        driver: Name of the store's driver.
        operation: The verb that failed: ``add``, ``get``, ...
        location: The location or image id that it was about, without credentials.
        hint: The next step for the reader, if there is one.

    The frame fills in what a driver leaves out. ``str()`` gives all of it on one line.
    """

    retriable: ClassVar[bool] = False
    """Whether the same call may succeed later, with nothing changed."""

    def __init__(
        self,
        message: str,
        *,
        store: str | None = None,
        driver: str | None = None,
        operation: str | None = None,
        location: object = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.store = store
        self.driver = driver
        self.operation = operation
        self.location = None if location is None else str(location)
        self.hint = hint

    def complete(
        self,
        *,
        store: str | None = None,
        driver: str | None = None,
        operation: str | None = None,
        location: object = None,
    ) -> Self:
        """Fill in what is not known yet, and return the error itself.

        Args:
            store: As for the constructor.
            driver: As for the constructor.
            operation: As for the constructor.
            location: As for the constructor.
        """
        self.store = self.store or store
        self.driver = self.driver or driver
        self.operation = self.operation or operation
        if self.location is None and location is not None:
            self.location = str(location)
        return self

    def __str__(self) -> str:
        where = f"store {self.store!r}" if self.store else ""
        if self.driver:
            where += f" ({self.driver})" if where else f"driver {self.driver!r}"
        what = self.operation or ""
        if self.location and self.location not in self.message:
            what = f"{what} {self.location}".strip()
        text = ": ".join(part for part in (where, what, self.message) if part)
        # One line, whatever the backend said.
        return " ".join((f"{text} ({self.hint})" if self.hint else text).split())

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.__dict__.copy())


def _rebuild(kind: type[StoreError], fields: dict[str, object]) -> StoreError:
    error = kind(str(fields["message"]))
    error.__dict__.update(fields)
    return error


class InvalidArgument(StoreError, ValueError):
    """The call is wrong. Nothing was attempted and nothing was changed."""


class InvalidLocation(StoreError, ValueError):
    """The text is no location, or none of the asked stores owns it."""


class UnknownScheme(InvalidLocation):
    """No configured store reads URIs of this scheme."""


class RangeNotSatisfiable(StoreError, ValueError):
    """The offset is past the end of the image."""


class Unsupported(StoreError, NotImplementedError):
    """The store does not have the capability that the call needs."""


class NotFound(StoreError, FileNotFoundError):
    """There is no such image."""


class Duplicate(StoreError, FileExistsError):
    """The id is taken by another image, which was left as it is."""


class InUse(StoreError):
    """Somebody holds the image, for example a clone or an attachment. It was left as it is."""


class Forbidden(StoreError, PermissionError):
    """The backend, or the store's policy, does not let this user do this."""


class NotAuthenticated(StoreError, PermissionError):
    """The backend does not accept who we say we are."""


class StorageFull(StoreError, OSError):
    """No space, a quota reached, or more than the backend takes. Nothing was stored."""


class SizeMismatch(StoreError, ValueError):
    """The data is shorter or longer than its declared size. Nothing was stored."""


class DigestMismatch(StoreError, ValueError):
    """The data does not have the expected digest."""


class DataError(StoreError, OSError):
    """What the backend delivered is truncated, too long, or corrupt."""


class Unavailable(StoreError, ConnectionError):
    """The backend cannot be used now."""

    retriable = True


class Timeout(Unavailable, TimeoutError):
    """The backend did not answer in time."""


class OutcomeUnknown(Unavailable):
    """The answer to a commit was lost and cannot be found out.

    The image is there whole, or not at all. Look (``get_size``) before you add it again.
    """

    retriable = False


class StoreClosed(StoreError, ValueError):
    """The store, or the reader, was closed or used up."""


class ConfigurationError(StoreError, ValueError):
    """The configuration is wrong. The message names store, option and accepted values."""


class DriverNotFound(ConfigurationError, LookupError):
    """No installed distribution offers a driver of this name."""


class DriverConflict(ConfigurationError):
    """Several installed distributions offer a driver of this name."""


class DriverLoadError(ConfigurationError, ImportError):
    """The driver's module, or a library that it needs, cannot be imported."""


class DriverInvalid(ConfigurationError, TypeError):
    """What the entry point names does not keep to the driver interface."""


class BackendError(StoreError):
    """The backend failed in a way that the driver did not translate."""


_BY_ERRNO: dict[int, type[StoreError]] = {
    errno.ENOENT: NotFound,
    errno.EEXIST: Duplicate,
    errno.EACCES: Forbidden,
    errno.EPERM: Forbidden,
    errno.EROFS: Forbidden,
    errno.ENOSPC: StorageFull,
    errno.EDQUOT: StorageFull,
    errno.EFBIG: StorageFull,
    errno.EIO: DataError,
    errno.EBUSY: InUse,
    errno.ETXTBSY: InUse,
    errno.ENAMETOOLONG: InvalidArgument,
    errno.ETIMEDOUT: Timeout,
    errno.ECONNREFUSED: Unavailable,
    errno.ECONNRESET: Unavailable,
    errno.ECONNABORTED: Unavailable,
    errno.EPIPE: Unavailable,
    errno.EHOSTUNREACH: Unavailable,
    errno.EHOSTDOWN: Unavailable,
    errno.ENETUNREACH: Unavailable,
    errno.ENETDOWN: Unavailable,
    errno.EAGAIN: Unavailable,
    errno.EMFILE: Unavailable,
    errno.ENFILE: Unavailable,
    errno.ENOMEM: Unavailable,
    errno.ESTALE: Unavailable,
    errno.ENOTCONN: Unavailable,
    errno.ENODEV: Unavailable,
    errno.ENXIO: Unavailable,
}

_HINTS = {
    errno.EACCES: "give the user of this process the permission",
    errno.EPERM: "give the user of this process the permission",
    errno.EROFS: "it is mounted read-only",
    errno.ENOSPC: "make room, or use another store",
    errno.EDQUOT: "the quota is used up: raise it, or use another store",
    errno.EFBIG: "this process (ulimit -f) or the filesystem limits the size of a file",
    errno.EIO: "see the kernel's log: the disk may be failing",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}


def from_exception(error: Exception) -> StoreError:
    """Map an exception that no driver translated.

    Args:
        error: Any exception. ``OSError`` is mapped by its errno, ``TimeoutError`` and
            ``ConnectionError`` by their type, everything else becomes ``BackendError``.

    Returns:
        A new error, or the given one where it is a StoreError already.
    """
    if isinstance(error, StoreError):
        return error
    text = text_of(error)
    if isinstance(error, OSError) and error.errno in _BY_ERRNO and _has_errno(error):
        return _BY_ERRNO[error.errno](text, hint=_HINTS.get(error.errno))
    if isinstance(error, TimeoutError):
        return Timeout(text)
    if isinstance(error, ConnectionError):
        return Unavailable(text)
    return BackendError(f"{type(error).__name__}: {text}")


def text_of(error: BaseException) -> str:
    """Tell what an exception says, whatever it is.

    Args:
        error: Any exception, also one that cannot be shown.
    """
    if isinstance(error, OSError) and isinstance(error.strerror, str):
        named = isinstance(error.filename, str) and error.filename.startswith("/")
        return f"{error.filename}: {error.strerror}" if named else error.strerror
    try:
        return str(error) or type(error).__name__
    except Exception:  # noqa: BLE001 - somebody else's __str__
        return type(error).__name__


def _has_errno(error: OSError) -> bool:
    # ssl and socket number their own errors from 1 as well.
    return not any(kind.__module__ in {"ssl", "socket"} for kind in type(error).__mro__)
