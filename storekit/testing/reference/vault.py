"""The vault: what the reference server keeps in memory. No HTTP in here."""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass, field

__all__ = ["Image", "Namespace", "Refused", "Upload"]

_REMEMBERED = 4096  # answers by key, so that a repeated request gets the first one's answer
_TOTAL = 1 << 30  # bytes of a namespace


class Refused(Exception):
    """The request is refused.

    Args:
        status: The HTTP status.
        reason: Why.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass
class Image:
    """One image."""

    data: bytes
    version: str
    modified: float
    key: str
    acl: dict[str, object] = field(default_factory=dict)
    holders: int = 0


@dataclass
class Upload:
    """An image on its way in: no verb but those of uploads sees it."""

    image_id: str
    session: str
    modified: float
    parts: dict[int, bytes] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes so far."""
        return sum(map(len, self.parts.values()))


class Namespace:
    """The images of one harness, and how the server behaves for it. Thread-safe.

    Args:
        owner: The token of the user who may do everything.
        reader: The token of the user who may read.
    """

    def __init__(self, owner: str, reader: str) -> None:
        self.owner = owner
        self.reader = reader
        self.images: dict[str, Image] = {}
        self.uploads: dict[str, Upload] = {}
        self.requests: Counter[str] = Counter()
        self.total = _TOTAL
        self.fault: str | None = None
        self.healthy = threading.Event()
        self.healthy.set()
        self._answers: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.RLock()

    @property
    def free(self) -> int:
        """Bytes that can still be written."""
        if self.fault == "full":
            return 0
        with self._lock:
            used = sum(len(image.data) for image in self.images.values())
            used += sum(upload.size for upload in self.uploads.values())
            return max(0, self.total - used)

    def image(self, image_id: str) -> Image:
        """Find an image."""
        with self._lock:
            if image_id not in self.images:
                raise Refused(404, "no such image")
            return self.images[image_id]

    def page(self, after: str, count: int) -> list[tuple[str, Image]]:
        """List images by id, those behind ``after``."""
        with self._lock:
            ids = sorted(image_id for image_id in self.images if image_id > after)
            return [(image_id, self.images[image_id]) for image_id in ids[:count]]

    def put(self, image_id: str, data: bytes, key: str) -> int:
        """Store an image that came in one request; 201, or 412 where the id is taken."""
        with self._lock:
            if key in self._answers:
                return self._answers[key]
            self._must_fit(len(data))
            return self._publish(image_id, data, key)

    def begin(self, name: str, image_id: str, session: str, size: int) -> None:
        """Begin an upload in parts, under a name that the client chose."""
        with self._lock:
            self._must_fit(size)
            self.uploads.setdefault(name, Upload(image_id, session, time.time()))

    def part(self, name: str, number: int, data: bytes) -> None:
        """Take a part; sent twice, the second one counts."""
        with self._lock:
            upload = self._upload(name)
            self._must_fit(len(data))
            upload.parts[number] = data
            upload.modified = time.time()

    def commit(self, name: str, count: int, key: str) -> int:
        """Make an upload an image; 201, or 412 where the id is taken."""
        with self._lock:
            if key in self._answers:
                return self._answers[key]
            upload = self._upload(name)
            if sorted(upload.parts) != list(range(1, count + 1)):
                raise Refused(400, "parts are missing")
            data = b"".join(upload.parts[number] for number in range(1, count + 1))
            del self.uploads[name]
            return self._publish(upload.image_id, data, key)

    def abort(self, name: str) -> None:
        """Forget an upload."""
        with self._lock:
            self._upload(name)
            del self.uploads[name]

    def copy(self, source: str, version: str, image_id: str, key: str) -> int:
        """Copy one version of an image."""
        with self._lock:
            if key in self._answers:
                return self._answers[key]
            image = self.image(source)
            if image.version != version:
                raise Refused(412, "the image was replaced")
            self._must_fit(len(image.data))
            return self._publish(image_id, image.data, key)

    def delete(self, image_id: str, key: str) -> int:
        """Delete an image; 204, 404, or 409 where somebody holds it."""
        with self._lock:
            if key in self._answers:
                return self._answers[key]
            status = 404
            if image_id in self.images:
                status = 409 if self.images[image_id].holders else 204
            if status == 204:  # noqa: PLR2004 - HTTP
                del self.images[image_id]
            return self._answered(key, status)

    def settle(self, key: str) -> int:
        """Tell what was answered to a request, and see to it that it comes to nothing if late."""
        with self._lock:
            if key not in self._answers:
                self._answered(key, 410)
            return self._answers[key]

    def _publish(self, image_id: str, data: bytes, key: str) -> int:
        if image_id in self.images:
            return self._answered(key, 412)
        self.images[image_id] = Image(data, secrets.token_hex(8), time.time(), key)
        return self._answered(key, 201)

    def _upload(self, name: str) -> Upload:
        if name not in self.uploads:
            raise Refused(404, "no such upload")
        return self.uploads[name]

    def _must_fit(self, size: int) -> None:
        if size > self.free:
            raise Refused(507, "no space")

    def _answered(self, key: str, status: int) -> int:
        self._answers[key] = status
        if len(self._answers) > _REMEMBERED:
            self._answers.popitem(last=False)
        return status
