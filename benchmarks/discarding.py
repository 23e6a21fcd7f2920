"""A server that takes S3 uploads and forgets them: images of any size, and no disk.

It knows the requests of an add, one at a time, and gives zeros to a get. Of an image it keeps the
size and the metadata.
"""

from __future__ import annotations

import re
import socketserver
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import urlsplit

__all__ = ["main"]

_BLOCK = 1 << 20
_ETAG = '"00000000000000000000000000000000-1"'
_STARTED = (
    b"<InitiateMultipartUploadResult><UploadId>only</UploadId></InitiateMultipartUploadResult>"
)
_DONE = b"<CompleteMultipartUploadResult></CompleteMultipartUploadResult>"
_EMPTY = b"<ListBucketResult></ListBucketResult>"
_NOTHING: Mapping[str, str] = {}
_lock = threading.Lock()


@dataclass
class _Object:
    """What is kept of an image."""

    size: int
    marks: dict[str, str]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    objects: ClassVar[dict[str, _Object]] = {}
    upload = _Object(0, {})

    def do_HEAD(self) -> None:
        found = self.objects.get(self._key)
        if found is None:
            self._answer(404)
        else:
            self._answer(200, length=found.size, more=found.marks)

    def do_GET(self) -> None:
        found = self.objects.get(self._key)
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if span is None or found is None:
            self._answer(200, _EMPTY)
            return
        begin, last = int(span[1]), min(int(span[2]), found.size - 1)
        ranged = {"Content-Range": f"bytes {begin}-{last}/{found.size}"}
        self._answer(206, length=last + 1 - begin, more=ranged)
        for offset in range(begin, last + 1, _BLOCK):
            self.wfile.write(bytes(min(_BLOCK, last + 1 - offset)))

    def do_PUT(self) -> None:
        taken = self._discarded()
        if "partNumber=" in self.path:
            with _lock:
                self.upload.size += taken
        else:
            self.objects[self._key] = _Object(taken, self._marks())
        self._answer(200)

    def do_POST(self) -> None:
        self._discarded()
        if self.path.endswith("?uploads"):
            type(self).upload = _Object(0, self._marks())
            self._answer(200, _STARTED)
        else:
            self.objects[self._key] = self.upload
            self._answer(200, _DONE)

    def do_DELETE(self) -> None:
        self.objects.pop(self._key, None)
        self._answer(204)

    @property
    def _key(self) -> str:
        return urlsplit(self.path).path

    def _marks(self) -> dict[str, str]:
        return {key: value for key, value in self.headers.items() if key.startswith("x-amz-meta-")}

    def _discarded(self) -> int:
        """Read a body; those of the drivers here always tell their length."""
        left = total = int(self.headers["Content-Length"])
        while left:
            left -= len(self.rfile.read(min(_BLOCK, left)))
        return total

    def _answer(
        self,
        status: int,
        body: bytes = b"",
        *,
        length: int | None = None,
        more: Mapping[str, str] = _NOTHING,
    ) -> None:
        self.send_response(status)
        for name, value in {"ETag": _ETAG, **more}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # The name of the host would be looked up, which may take its time.
    server_bind = socketserver.TCPServer.server_bind


def main() -> None:
    """Serve on a free port of loopback, which is printed, until standard input ends."""
    server = _Server(("127.0.0.1", 0), _Handler)
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
