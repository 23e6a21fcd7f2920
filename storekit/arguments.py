"""The checks of what a caller passes to a verb, and of what a driver gives back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TypeGuard, TypeVar

from storekit.errors import BackendError, InvalidArgument

__all__ = [
    "RESERVED_PREFIX",
    "check_age",
    "check_id",
    "check_projects",
    "check_range",
    "fresh_metadata",
    "given",
    "given_size",
]

RESERVED_PREFIX = ".storekit-"
"""How names begin that are storekit's own in a backend, and so no image ids."""

T = TypeVar("T")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def check_id(image_id: object, max_length: int) -> str:
    """Check an image id.

    Args:
        image_id: What the caller gave.
        max_length: The most bytes of UTF-8.

    Returns:
        The id.

    Raises:
        InvalidArgument: It cannot be an image id.
    """
    if not isinstance(image_id, str):
        raise InvalidArgument(f"an image id is text, not {type(image_id).__name__}")
    shown = repr(image_id[:80])
    if image_id in {"", ".", ".."} or "/" in image_id or _CONTROL.search(image_id):
        raise InvalidArgument(
            f"{shown} cannot be an image id",
            hint="not empty, not . or .., no / and no control characters",
        )
    if image_id.startswith(RESERVED_PREFIX):
        raise InvalidArgument(f"{shown} cannot be an image id: {RESERVED_PREFIX}* is reserved")
    try:
        length = len(image_id.encode())
    except UnicodeEncodeError:
        raise InvalidArgument(f"{shown} has half a character (a lone surrogate)") from None
    if length > max_length:
        raise InvalidArgument(f"the image id has {length} bytes, at most {max_length} are allowed")
    return image_id


def check_range(offset: object, length: object) -> tuple[int, int | None]:
    """Check what part of an image a caller wants.

    Args:
        offset: The first byte.
        length: How many bytes, or None.

    Returns:
        Both.

    Raises:
        InvalidArgument: One is no number, or negative.
    """
    if not _is_count(offset):
        raise InvalidArgument(f"offset is {offset!r}", hint="a number of bytes, 0 or more")
    if length is not None and not _is_count(length):
        raise InvalidArgument(f"length is {length!r}", hint="a number of bytes, or None for all")
    return offset, length


def check_age(older_than: object) -> timedelta:
    """Check the least age of leftovers.

    Args:
        older_than: What the caller gave.

    Returns:
        The age.

    Raises:
        InvalidArgument: It is no timedelta, or negative.
    """
    if not isinstance(older_than, timedelta) or older_than < timedelta(0):
        raise InvalidArgument(f"older_than is {older_than!r}", hint="a timedelta of 0 or more")
    return older_than


def check_projects(name: str, projects: object) -> tuple[str, ...]:
    """Check a list of project ids.

    Args:
        name: The argument's name.
        projects: What the caller gave.

    Returns:
        The ids.

    Raises:
        InvalidArgument: It is no sequence of text.
    """
    if (
        isinstance(projects, str)
        or not isinstance(projects, Sequence)
        or not all(isinstance(project, str) and project for project in projects)
    ):
        raise InvalidArgument(f"{name} is {projects!r}", hint="give a list of project ids")
    return tuple(projects)


def given(kind: type[T], value: object) -> T:
    """Check the type of what a driver gave.

    Args:
        kind: What it should be.
        value: What it is.

    Raises:
        BackendError: It is something else.
    """
    if not isinstance(value, kind):
        raise BackendError(f"the driver gave {type(value).__name__}, not {kind.__name__}")
    return value


def given_size(value: object) -> int:
    """Check a size that a driver gave.

    Args:
        value: What it gave.

    Raises:
        BackendError: It is no number of bytes.
    """
    if not _is_count(value):
        raise BackendError(f"the driver gave {value!r} as a size")
    return value


def fresh_metadata(value: object) -> dict[str, object]:
    """Copy a driver's metadata, so that no two callers share it.

    Args:
        value: What the driver gave.

    Returns:
        A deep copy.

    Raises:
        BackendError: It holds something else than dicts, lists and text.
    """
    copied = _plain(value)
    if not isinstance(copied, dict):
        raise BackendError(f"metadata is a {type(value).__name__}, not a dict")
    return copied


def _plain(value: object) -> object:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    raise BackendError(f"metadata holds a {type(value).__name__}: dicts, lists and text only")


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
