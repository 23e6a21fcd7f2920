"""Answers: what a server says of objects, of containers and of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from storekit.errors import DataError

__all__ = ["TOKEN", "Answer", "Facts", "Head", "items_of"]

TOKEN = "X-Object-Meta-Storekit-Token"  # noqa: S105 - the name of a mark, no secret
"""The metadata of an object that says which add wrote it."""


@dataclass(frozen=True)
class Answer:
    """An answer, read to its end."""

    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Head:
    """What a server says of an object."""

    headers: Mapping[str, str]

    @property
    def size(self) -> int:
        """Its length in bytes."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise DataError("the server does not tell the size of the image")
        return int(length)

    @property
    def etag(self) -> str:
        """Its version; nothing where the server has no name for it."""
        return self.headers.get("ETag", "").strip('"')

    @property
    def token(self) -> str | None:
        """Which add wrote it; None for what others wrote."""
        return self.headers.get(TOKEN)

    @property
    def is_static(self) -> bool:
        """Whether a manifest names its segments."""
        # The second is how radosgw marks a manifest.
        marks = ("X-Static-Large-Object", "X-Object-Meta-Static-Large-Object")
        return any(self.headers.get(mark, "").lower() in {"true", "1"} for mark in marks)

    @property
    def dynamic(self) -> str | None:
        """Container and prefix of its segments, as sent, where a prefix names them."""
        return self.headers.get("X-Object-Manifest")


@dataclass(frozen=True)
class Facts:
    """What a server says of itself."""

    is_swift: bool = False
    """Whether it is Swift itself, which knows ``If-None-Match: *``, and ``If-Match`` of every
    object. radosgw ignores the one, and takes the other amiss where an object has segments; it has
    no ``/info`` there either."""
    max_manifest_segments: int | None = None
    max_file_size: int | None = None

    @classmethod
    def of(cls, body: bytes) -> Facts:
        """Read what it says.

        Args:
            body: The body of its answer.
        """
        try:
            told = json.loads(body)
        except ValueError:
            return cls()
        if not isinstance(told, dict) or "swift" not in told:
            return cls()
        slo, swift = told.get("slo"), told["swift"]
        return cls(
            is_swift=True,
            max_manifest_segments=_number(slo, "max_manifest_segments"),
            max_file_size=_number(swift, "max_file_size"),
        )


def items_of(body: bytes) -> list[Mapping[str, Any]]:
    """Read a listing.

    Args:
        body: The body of the answer that it is.

    Raises:
        DataError: It cannot be read.
    """
    if not body:
        return []
    try:
        items = json.loads(body)
    except ValueError as error:
        raise DataError("the server's listing cannot be read") from error
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise DataError("the server's listing is not as it should be")
    return [item for item in items if "name" in item]


def _number(told: object, name: str) -> int | None:
    value = told.get(name) if isinstance(told, dict) else None
    return value if type(value) is int and value > 0 else None
