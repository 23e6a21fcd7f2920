"""Two small servers to put a relay before: one that echoes, one that speaks HTTP."""

import contextlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextlib.contextmanager
def echo():
    """Give the address of a server that sends back whatever comes, and what came so far."""
    came = bytearray()

    def serve(sock):
        with sock, contextlib.suppress(OSError):
            while block := sock.recv(4096):
                came.extend(block)
                sock.sendall(block)

    def accept(listener):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}", came
        listener.shutdown(socket.SHUT_RDWR)


class Web(ThreadingHTTPServer):
    """GET gives ``body``; what is sent is kept in ``took``."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.body = bytes(range(256)) * 40
        self.took = []

    def handle_error(self, request, client_address):
        pass  # clients that go away are what the tests are about


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format, *args):  # noqa: A002
        pass

    def do_GET(self):
        self._answer(200, self.server.body)

    def do_HEAD(self):
        self._answer(200, self.server.body)

    def do_POST(self):
        if self.path == "/refused":
            self._answer(413, b"")  # and the body is not read before
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        if len(body) < length:
            return
        self.server.took.append(body)
        if self.path != "/refused":
            self._answer(200, b"taken")

    def _answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextlib.contextmanager
def web():
    """Run the HTTP server."""
    with Web() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
