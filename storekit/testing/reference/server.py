"""The reference server: keeps images in its memory, speaks a small HTTP API on the loopback.

``python -m storekit.testing.reference.server`` prints its port, and ends when its input does. One
server serves many harnesses, each in a namespace of its own:

============================================ =====================================================
``GET /NS``                                  capacity, and whether it can be written
``GET /NS/images?after=ID``                  a page of the listing
``HEAD GET PUT DELETE /NS/images/ID``        an image; PUT and DELETE carry an Idempotency-Key
``PUT /NS/acls/ID``                          who may use it
``POST /NS/copies/ID?source=&version=``      copy inside the server
``POST /NS/uploads/ID?name=&session=&size=`` begin an upload in parts
``GET /NS/uploads``                          uploads, and whether their session is alive
``PUT /NS/parts/UPLOAD/N``                   a part
``POST DELETE /NS/uploads/UPLOAD``           commit (``?parts=``), abort (``?unless=alive``)
``POST /NS/settle/KEY``                      what became of a request whose answer was lost
``GET /NS/sessions/TOKEN``                   stays open as long as the client lives
``PUT GET POST DELETE /-/NS``                for the harness: set up, look inside, break, remove
============================================ =====================================================
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

from storekit.testing.reference.admin import administer
from storekit.testing.reference.vault import Namespace, Refused

__all__ = ["Server", "main"]

_PAGE = 5  # images; few, so that every listing has pages
_WRITES = frozenset({"PUT", "POST", "DELETE"})


class Server(ThreadingHTTPServer):
    """The server and its namespaces."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.namespaces: dict[str, Namespace] = {}
        self.sessions: set[str] = set()
        self.connections: dict[str, set[socket.socket]] = {}

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that go away are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited
        """Write no log."""

    def do_GET(self) -> None:
        self._serve()

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - the base class asks for them

    def _serve(self) -> None:
        url = urlsplit(self.path)
        parts = [unquote(part) for part in url.path.split("/")[1:]]
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return
        try:
            if parts[0] == "-":
                answer = administer(self.server, self.command, parts[1:], query, body)
                self._answer(200, answer, {})
            else:
                self._client(parts, query, body)
        except Refused as refused:
            self._answer(refused.status, str(refused).encode(), {})

    def _client(self, parts: list[str], query: Mapping[str, str], body: bytes) -> None:
        name, verb, rest = parts[0], (parts[1:2] or [""])[0], parts[2:]
        space = self.server.namespaces.get(name)
        if space is None:
            raise Refused(404, "no such namespace")
        self.server.connections.setdefault(name, set()).add(self.connection)
        space.requests[f"{self.command} {verb}"] += 1
        if space.fault == "gone":
            self.close_connection = True
            return
        if space.fault == "hung":
            space.healthy.wait()
            self.close_connection = True
            return
        self._authorize(space)
        if (crc := self.headers.get("X-CRC32")) and int(crc) != zlib.crc32(body):
            raise Refused(400, "the body changed on the way")
        handler = _ROUTES.get((self.command, verb))
        if handler is None:
            raise Refused(400, "no such request")
        handler(self, space, rest, query, body)

    def _authorize(self, space: Namespace) -> None:
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token not in {space.owner, space.reader}:
            raise Refused(401, "who are you?")
        writes = self.command in _WRITES
        if writes and (token == space.reader or space.fault == "readonly"):
            raise Refused(403, "reading only")

    # One method for each request

    def _info(self, space: Namespace, _r: list[str], _q: Mapping[str, str], _b: bytes) -> None:
        shown = {
            "total": space.total,
            "free": space.free,
            "readonly": space.fault == "readonly",
        }
        self._json(shown)

    def _list(self, space: Namespace, rest: list[str], q: Mapping[str, str], _b: bytes) -> None:
        if rest:
            self._read(space, rest[0])
            return
        page = space.page(q.get("after", ""), _PAGE)
        self._json(
            [
                {"id": image_id, "size": len(image.data), "modified": image.modified}
                for image_id, image in page
            ]
        )

    def _head(self, space: Namespace, rest: list[str], _q: Mapping[str, str], _b: bytes) -> None:
        headers = {"X-Free": str(space.free)}
        try:
            image = space.image(rest[0])
        except Refused:
            self._answer(404, b"", headers)
            return
        headers |= {"ETag": image.version, "X-Key": image.key, "X-ACL": json.dumps(image.acl)}
        self._answer(200, image.data, headers)

    def _read(self, space: Namespace, image_id: str) -> None:
        image = space.image(image_id)
        if self.headers.get("If-Match") not in {None, image.version}:
            raise Refused(412, "the image was replaced")
        headers = {"ETag": image.version}
        total = len(image.data)
        wanted = self.headers.get("Range")
        if wanted is None:
            self._answer(200, image.data, headers)
            return
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        begin, end = int(first), min(int(last or total) + 1, total)
        if begin >= total:
            self._answer(416, b"", headers | {"Content-Range": f"bytes */{total}"})
            return
        headers["Content-Range"] = f"bytes {begin}-{end - 1}/{total}"
        self._answer(206, image.data[begin:end], headers)

    def _put(self, space: Namespace, rest: list[str], _q: Mapping[str, str], body: bytes) -> None:
        self._status(space.put(rest[0], body, self._key()))

    def _delete(self, space: Namespace, rest: list[str], _q: Mapping[str, str], _b: bytes) -> None:
        self._status(space.delete(rest[0], self._key()))

    def _acl(self, space: Namespace, rest: list[str], _q: Mapping[str, str], body: bytes) -> None:
        space.image(rest[0]).acl = json.loads(body)
        self._status(204)

    def _copy(self, space: Namespace, rest: list[str], q: Mapping[str, str], _b: bytes) -> None:
        self._status(space.copy(q["source"], q["version"], rest[0], self._key()))

    def _begin(self, space: Namespace, rest: list[str], q: Mapping[str, str], _b: bytes) -> None:
        if "parts" in q:
            self._status(space.commit(rest[0], int(q["parts"]), self._key()))
            return
        space.begin(q["name"], rest[0], q["session"], int(q["size"]))
        self._status(201)

    def _part(self, space: Namespace, rest: list[str], _q: Mapping[str, str], body: bytes) -> None:
        space.part(rest[0], int(rest[1]), body)
        self._status(204)

    def _abort(self, space: Namespace, rest: list[str], q: Mapping[str, str], _b: bytes) -> None:
        upload = space.uploads.get(rest[0])
        if upload and q.get("unless") == "alive" and upload.session in self.server.sessions:
            raise Refused(409, "the upload is alive")
        space.abort(rest[0])
        self._status(204)

    def _uploads(self, space: Namespace, _r: list[str], _q: Mapping[str, str], _b: bytes) -> None:
        now = time.time()
        self._json(
            [
                {
                    "name": name,
                    "size": upload.size,
                    "modified": upload.modified,
                    "age": now - upload.modified,
                    "alive": upload.session in self.server.sessions,
                }
                for name, upload in sorted(space.uploads.items())
            ]
        )

    def _settle(self, space: Namespace, rest: list[str], _q: Mapping[str, str], _b: bytes) -> None:
        self._answer(200, str(space.settle(rest[0])).encode(), {})

    def _session(self, _s: Namespace, rest: list[str], _q: Mapping[str, str], _b: bytes) -> None:
        token = rest[0]
        self.server.sessions.add(token)
        try:
            self.send_response(200)
            self.end_headers()
            self.wfile.flush()
            # Readable means gone: the client sends nothing more on this connection.
            select.select([self.connection], [], [])
        finally:
            self.server.sessions.discard(token)
            self.close_connection = True

    # Answers

    def _key(self) -> str:
        return self.headers["Idempotency-Key"]

    def _status(self, status: int) -> None:
        self._answer(status, b"", {})

    def _json(self, value: object) -> None:
        self._answer(200, json.dumps(value).encode(), {})

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:  # noqa: PLR2004 - No Content has no length
            self.send_header("Content-Length", str(len(body)))
        bodiless = self.command == "HEAD"
        if not bodiless:
            self.send_header("X-CRC32", str(zlib.crc32(body)))
        self.end_headers()
        if not bodiless:
            self.wfile.write(body)


_Route = Callable[[_Handler, Namespace, list[str], Mapping[str, str], bytes], None]

_ROUTES: dict[tuple[str, str], _Route] = {
    ("GET", ""): _Handler._info,  # noqa: SLF001 - the handler's own table, down to the end
    ("GET", "images"): _Handler._list,  # noqa: SLF001
    ("HEAD", "images"): _Handler._head,  # noqa: SLF001
    ("PUT", "images"): _Handler._put,  # noqa: SLF001
    ("DELETE", "images"): _Handler._delete,  # noqa: SLF001
    ("PUT", "acls"): _Handler._acl,  # noqa: SLF001
    ("POST", "copies"): _Handler._copy,  # noqa: SLF001
    ("POST", "uploads"): _Handler._begin,  # noqa: SLF001
    ("GET", "uploads"): _Handler._uploads,  # noqa: SLF001
    ("DELETE", "uploads"): _Handler._abort,  # noqa: SLF001
    ("PUT", "parts"): _Handler._part,  # noqa: SLF001
    ("POST", "settle"): _Handler._settle,  # noqa: SLF001
    ("GET", "sessions"): _Handler._session,  # noqa: SLF001
}


def main() -> None:
    """Serve until the standard input ends, whatever became of who started us."""
    server = Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
