"""Segments: the parts of long images, in a container of their own; and those of the dead.

The name of a segment says which upload sent it and which image it was to become. So what no
manifest names is told from what an image is made of, without reading any manifest but that one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, Self
from urllib.parse import quote

from storekit.arguments import RESERVED_PREFIX
from storekit.drivers.swift.account import Account
from storekit.drivers.swift.answers import Answer
from storekit.drivers.swift.faults import clock_of
from storekit.errors import DataError, InUse, NotFound, StorageFull
from storekit.transfer import is_live
from storekit.values import Leftover

__all__ = [
    "Segment",
    "Unfinished",
    "mark_of",
    "prefix_of",
    "remove",
    "segment_name",
    "segments_of",
    "unfinished",
]

_PARTS_OF_NAME = 4  # token, container, image id, number
_MARK = "reclaimed"  # in place of a number
_AT_ONCE = 4
_ALIVE = "the upload is under way, or has become an image"
_NOT_WHOLE_OBJECTS = frozenset({"sub_slo", "range", "data"})


@dataclass(frozen=True)
class Segment:
    """One segment, as a manifest names it."""

    container: str
    name: str
    etag: str = ""
    size: int = 0

    def entry(self) -> dict[str, object]:
        """Give what a manifest says of it (https://docs.openstack.org/swift/latest/overview_large_objects.html)."""
        path = f"/{self.container}/{self.name}"
        return {"path": path, "etag": self.etag, "size_bytes": self.size}

    def copied_from(self) -> dict[str, str]:
        """Give the headers of a PUT that copies it, in this version."""
        path = quote(f"/{self.container}/{self.name}")
        return {"X-Copy-From": path, "If-Match": self.etag, "X-Fresh-Metadata": "true"}


def prefix_of(token: str, container: str, image_id: str) -> str:
    """Give how the names of all segments of one upload begin. Nobody can guess it.

    Args:
        token: The upload's own token.
        container: Container of the image.
        image_id: Name of the image.
    """
    return f"{RESERVED_PREFIX}{token}/{container}/{image_id}/"


def segment_name(prefix: str, number: int) -> str:
    """Give the name of a segment.

    Args:
        prefix: How the names of all segments of its upload begin.
        number: Its number, from 1.
    """
    return f"{prefix}{number:08d}"


def mark_of(container: str, prefix: str) -> Segment:
    """Give the object that says that an upload is being reclaimed.

    Whoever commits writes the manifest and looks for the mark afterwards; whoever reclaims makes
    the mark and looks for the manifest afterwards. One of them sees the other, and gives way. One
    who reclaims and gives way leaves the mark: another one may rely on it.

    Args:
        container: Container of the segments.
        prefix: How their names begin.
    """
    return Segment(container, f"{prefix}{_MARK}")


def remove(account: Account, segments: Iterable[Segment]) -> None:
    """Remove segments; one that is gone already is fine. The first one goes first.

    Args:
        account: The account.
        segments: They.

    Raises:
        StoreError: One could not be removed; the others are, as far as they could be.
    """

    def remove_one(segment: Segment) -> None:
        with suppress(NotFound):
            account.call("DELETE", segment.container, segment.name)

    rest = iter(segments)
    for first in rest:
        remove_one(first)
        break
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="storekit-part") as workers:
        for done in [workers.submit(remove_one, segment) for segment in rest]:
            done.result()


def segments_of(account: Account, container: str, image_id: str) -> list[Segment] | None:
    """Read which segments a manifest names.

    Args:
        account: The account.
        container: Container of the image.
        image_id: Name of the image.

    Returns:
        They; None where the server does not tell, as radosgw, or where what others wrote has
        parts of objects, manifests of manifests, or data of its own.

    Raises:
        NotFound: There is no such image.
        DataError: The manifest cannot be read.
    """
    answer = account.call("GET", container, image_id, query={"multipart-manifest": "get"})
    if not answer.body:
        return None
    try:
        entries = json.loads(answer.body)
        if any(_NOT_WHOLE_OBJECTS & set(entry) for entry in entries):
            return None
        return [_named(entry) for entry in entries]
    except (ValueError, TypeError, KeyError) as error:
        raise DataError("the manifest of the image cannot be read") from error


def _named(entry: Mapping[str, Any]) -> Segment:
    place, _, name = str(entry["name"]).lstrip("/").partition("/")
    return Segment(place, name, str(entry.get("hash", "")), int(entry["bytes"]))


@dataclass(frozen=True)
class Unfinished:
    """The segments of one upload. Those that no manifest names are left over."""

    segments_container: str
    token: str
    container: str
    image_id: str
    size: int
    """Bytes that have arrived."""
    modified: datetime
    """When the newest one arrived."""
    age: timedelta
    """How long ago that was, by the server's clock."""
    names: tuple[str, ...]

    @property
    def prefix(self) -> str:
        """How the names of its segments begin."""
        return prefix_of(self.token, self.container, self.image_id)

    @classmethod
    def of(cls, account: Account, leftover: Leftover) -> Self:
        """Look at a leftover again.

        Args:
            account: The account.
            leftover: What ``leftover`` gave.

        Raises:
            NotFound: It is gone, or none of ours.
        """
        container, _, prefix = leftover.name.partition("/")
        if prefix.startswith(RESERVED_PREFIX):
            listed = list(account.objects(container, prefix))
            upload = cls.seen(container, listed) if listed else None
            if upload is not None:
                return upload
        raise NotFound("there is no such upload")

    @classmethod
    def seen(
        cls, segments_container: str, listed: Sequence[tuple[Mapping[str, Any], Answer]]
    ) -> Self | None:
        """Make it of what a listing says of its segments.

        Args:
            segments_container: Their container.
            listed: What is said of each, and the answer that it stands in.

        Returns:
            It; None where they are none of ours.
        """
        parts = str(listed[0][0]["name"]).removeprefix(RESERVED_PREFIX).split("/")
        if len(parts) != _PARTS_OF_NAME:
            return None
        token, container, image_id, _ = parts
        now = clock_of(listed[-1][1].headers)
        clock = datetime.now(UTC) if now is None else datetime.fromtimestamp(now, UTC)
        sent = [item for item, _ in listed if not str(item["name"]).endswith(f"/{_MARK}")]
        newest = max(when(item) for item in sent or [listed[0][0]])
        return cls(
            segments_container,
            token,
            container,
            image_id,
            size=sum(int(item.get("bytes", 0)) for item, _ in listed),
            modified=newest,
            age=max(clock - newest, timedelta(0)),
            names=tuple(str(item["name"]) for item, _ in listed),
        )

    def leftover(self, store: str) -> Leftover:
        """Show it.

        Args:
            store: Name of the store.
        """
        name = f"{self.segments_container}/{self.prefix}"
        return Leftover(name, store, self.size, self.modified)

    def is_dead(self, account: Account, idle: float) -> bool:
        """Tell whether nobody works on it any more, and no image is made of it.

        Args:
            account: The account.
            idle: Seconds without a new segment after which an upload counts as dead.
        """
        if is_live(self.prefix) or self.age < timedelta(seconds=idle):
            return False
        return not self._is_image(account)

    def check_dead(self, account: Account, idle: float) -> None:
        """Refuse to touch it while somebody works on it.

        Args:
            account: The account.
            idle: As of ``is_dead``.

        Raises:
            InUse: Somebody does, or an image is made of it.
        """
        if not self.is_dead(account, idle):
            raise InUse(_ALIVE)

    def remove(self, account: Account) -> None:
        """Remove it. After this it can never be committed: the server misses the segments.

        Args:
            account: The account.

        Raises:
            InUse: It has become an image meanwhile.
        """
        mark = mark_of(self.segments_container, self.prefix)
        with suppress(StorageFull):  # by a quota: it is room that is wanted
            account.call("PUT", mark.container, mark.name, data=b"")
        if self._is_image(account):
            raise InUse(_ALIVE)
        # The first one too where it came after the listing: by it a writer sees that all are gone.
        names = {segment_name(self.prefix, 1), *self.names} - {mark.name}
        remove(account, (Segment(mark.container, name) for name in sorted(names)))
        remove(account, [mark])

    def _is_image(self, account: Account) -> bool:
        head = account.find(self.container, self.image_id)
        if head is None:
            return False
        if head.token:
            return head.token == self.token
        if not head.is_static:
            return False
        # Whoever sets metadata of an object takes ours away.
        named = segments_of(account, self.container, self.image_id)
        return named is None or any(segment.name.startswith(self.prefix) for segment in named)


def unfinished(account: Account, container: str) -> Iterator[Unfinished]:
    """Go through the uploads that have segments in a container, those of images too.

    Args:
        account: The account.
        container: The container of segments.
    """

    def upload_of(entry: tuple[Mapping[str, Any], Answer]) -> str:
        return str(entry[0]["name"]).rpartition("/")[0]

    for _, entries in groupby(account.objects(container, RESERVED_PREFIX), upload_of):
        upload = Unfinished.seen(container, list(entries))
        if upload is not None:
            yield upload


def when(item: Mapping[str, Any]) -> datetime:
    """Tell when an object of a listing was written, in UTC.

    Args:
        item: What the listing says of it.

    Raises:
        DataError: It does not tell.
    """
    try:
        found = datetime.fromisoformat(str(item.get("last_modified", "")))
    except ValueError as error:
        raise DataError("the server's listing has no time that can be read") from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
