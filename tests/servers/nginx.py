"""A real nginx on free loopback ports, for tests of a client that only reads.

::

    with nginx() as site:
        (site.root / "image").write_bytes(data)
        store.get(f"{site.url}/image")

Every file of ``site.root`` answers under ``/NAME`` and, with one property each, under

==========================  =============================================================
``/redirect/CODE/NAME``     301, 302, 303, 307 or 308 to the same server, with a whole URI
``/relative/CODE/NAME``     likewise, with a path alone
``/cross/NAME``             302 to ``site.other``, which is 127.0.0.2
``/plain/NAME``             302 to ``site.url``: from https to http, if asked at ``site.tls``
``/inner/NAME``             302 to ``site.closed``, which is 127.0.1.1
``/elsewhere``              302 to an ftp location
``/loop``                   302 to itself, for ever
``/auth/NAME``              Basic authentication with ``USER`` and ``PASSWORD``
``/status/CODE``            403, 410, 429, 500, 502, 503 or 504
``/no-head/NAME``           HEAD is answered with 405
``/slow/NAME``              256 KiB a second
``/stalled/NAME``           64 KiB, then a byte a second
``/gzip/NAME``              compressed, for a client that takes it
``/no-range/NAME``          ranges are ignored
``/no-etag/NAME``           no ETag
``/chunked/NAME``           no Content-Length, no ETag, no ranges
``/no-length/NAME``         likewise, and ends with the connection
==========================  =============================================================

``site.tls`` has a certificate of ``site.ca`` for 127.0.0.1 and localhost, but not for the
127.0.0.2 of ``site.tls_other``; that of ``site.expired`` ran out.

Needs nginx (Debian: nginx-light) and trustme, and no root. The server ends with the ``with``
block, or with this process however it ends: a shell waits at a pipe for that, and removes the
directory; nginx itself has a parent-death signal, in case the shell is killed too.
"""

import contextlib
import datetime as dt
import http.client
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import trustme

__all__ = ["PASSWORD", "USER", "Site", "missing", "nginx"]

USER, PASSWORD = "reader", "correct horse"

_HOSTS = {
    "url": "127.0.0.1",
    "other": "127.0.0.2",
    "closed": "127.0.1.1",
    "tls": "127.0.0.1",
    "tls_other": "127.0.0.2",
    "expired": "127.0.0.1",
}
_CERTIFICATES = {"tls": "good.pem", "tls_other": "good.pem", "expired": "old.pem"}
# A filter that may change a body takes away what was known of the body beforehand.
_NO_LENGTH = f"sub_filter {'nowhere' * 9} ''; sub_filter_types *;"
_PROPERTIES = {
    "auth": "auth_basic images; auth_basic_user_file users;",
    "no-head": "if ($request_method = HEAD) { return 405; }",
    "slow": "limit_rate 256k;",
    "stalled": "limit_rate_after 64k; limit_rate 1;",
    "gzip": "gzip on; gzip_types *; gzip_min_length 0;",
    "no-range": "max_ranges 0;",
    "no-etag": "etag off;",
    "chunked": _NO_LENGTH,
    "no-length": f"{_NO_LENGTH} chunked_transfer_encoding off;",
}
_REDIRECTS = (301, 302, 303, 307, 308)
_STATUSES = (403, 410, 429, 500, 502, 503, 504)
_LOCATIONS = "\n".join(
    [f"location /{name}/ {{ alias root/; {how} }}" for name, how in _PROPERTIES.items()]
    + [f"location /redirect/{code}/ {{ return {code} $rest; }}" for code in _REDIRECTS]
    + [
        f"location /relative/{code}/ {{ return {code} $rest; absolute_redirect off; }}"
        for code in _REDIRECTS
    ]
    + [f"location = /status/{code} {{ return {code}; }}" for code in _STATUSES]
    + ["location = /loop { return 302 /loop; }"]
    + ["location = /elsewhere { return 302 ftp://127.0.0.1/image; }"]
)
# $rest comes from $request_uri, so that what was percent-encoded still is.
_CONFIGURATION = """
daemon off; master_process off; pid pid; error_log error.log; events { }
http {
root root; default_type application/octet-stream; keepalive_requests 1000000;
map $request_uri $rest {
    ~^/(?:cross|plain|inner|(?:redirect|relative)/[0-9]+)(?<path>/.*)$ $path;
}
log_format line '$server_addr $request_method $request_uri $status $body_bytes_sent '
                '"$http_range" "$http_authorization" $connection'; access_log access.log line;
client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4;
scgi_temp_path t5;
"""
# Ends nginx and removes the directory as soon as standard input ends.
_GUARD = """
setpriv --pdeathsig KILL nginx -p "$1" -c nginx.conf -e error.log </dev/null &
server=$!
cat >/dev/null
kill -KILL $server
wait $server 2>/dev/null
rm -rf "$1"
"""
_MARK = re.compile("/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PATIENCE = 20.0  # seconds that nginx may take to start, or to answer


@dataclass(frozen=True)
class Hit:
    """One request that nginx answered."""

    address: str
    """The address that it came in at."""
    method: str
    path: str
    status: int
    body_bytes: int
    """How many bytes of body were sent."""
    range: str
    """The Range that was asked for; ``-`` if none was."""
    authorization: str
    """The credential that was sent; ``-`` if none was."""
    connection: int
    """The number of the connection."""


@dataclass(frozen=True)
class Site:
    """A running nginx: base URLs without a final slash, and what a test looks at or changes."""

    root: Path
    """The directory that it serves."""
    ca: Path
    """The certificates to trust."""
    pid: int
    """Its process, to freeze it or kill it."""
    url: str
    other: str
    closed: str
    tls: str
    tls_other: str
    expired: str
    _listeners: int

    def hits(self) -> list[Hit]:
        """The requests so far whose answers ended."""
        log = self.root.parent / "access.log"
        # What nginx did before it answers this, it has written to its log.
        mark = f"/{uuid.uuid4()}"
        asking = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=_PATIENCE)
        with contextlib.closing(asking):
            asking.request("HEAD", mark)
            asking.getresponse().read()
        while mark not in log.read_text():
            time.sleep(0.002)
        hits = [_hit(line) for line in log.read_text().splitlines()]
        return [hit for hit in hits if not _MARK.fullmatch(hit.path)]

    def connections(self) -> int:
        """How many clients are connected now."""
        return _sockets(self.pid) - self._listeners


def missing() -> str | None:
    """Say what the machine lacks to run nginx; None where it lacks nothing."""
    lacking = [name for name in ("nginx", "setpriv") if shutil.which(name, path=_path()) is None]
    return (
        f"{' and '.join(lacking)} not installed (Debian: nginx-light, util-linux)"
        if lacking
        else None
    )


@contextlib.contextmanager
def nginx() -> Iterator[Site]:
    """Run nginx on a new, empty directory, and remove both at the end."""
    top = Path(tempfile.mkdtemp(prefix="storekit-nginx-"))
    with contextlib.ExitStack() as reserved:
        guard = None
        try:
            at = {key: _reserve(reserved, host) for key, host in _HOSTS.items()}
            _write_files(top, at)
            guard = subprocess.Popen(
                ["/bin/sh", "-c", _GUARD, "guard", str(top)],
                stdin=subprocess.PIPE,
                env={**os.environ, "PATH": _path()},
                start_new_session=True,  # the terminal's Ctrl-C is for pytest, not for it
            )
            pid = _started(top, guard)
            scheme = {key: "https" if key in _CERTIFICATES else "http" for key in at}
            urls = {key: f"{scheme[key]}://{address}" for key, address in at.items()}
            yield Site(top / "root", top / "ca.pem", pid, **urls, _listeners=_sockets(pid))
        finally:
            if guard is None:
                shutil.rmtree(top)
            else:
                guard.communicate()


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def _reserve(reserved: contextlib.ExitStack, host: str) -> str:
    """Take a free port for nginx, which may bind it too, as nobody listens on ours."""
    sock = reserved.enter_context(socket.socket())
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, 0))
    return f"{host}:{sock.getsockname()[1]}"


def _started(top: Path, guard: "subprocess.Popen[bytes]") -> int:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end and guard.poll() is None:
        try:
            return int((top / "pid").read_text())
        except (FileNotFoundError, ValueError):
            time.sleep(0.005)
        if (top / "error.log").exists() and "[emerg]" in (top / "error.log").read_text():
            break
    log = top / "error.log"
    raise RuntimeError(f"nginx does not start: {log.read_text() if log.exists() else 'no log'}")


def _sockets(pid: int) -> int:
    targets = (os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir())
    return sum(1 for target in targets if target.startswith("socket:"))


def _hit(line: str) -> Hit:
    head, asked, _, credential, connection = line.split('"')
    address, method, path, status, sent = head.split()
    return Hit(address, method, path, int(status), int(sent), asked, credential, int(connection))


def _write_files(top: Path, at: dict[str, str]) -> None:
    (top / "root").mkdir()
    (top / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n")
    ca, past = trustme.CA(), dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    ca.cert_pem.write_to_path(str(top / "ca.pem"))
    for name, end in (("good.pem", None), ("old.pem", past)):
        issued = ca.issue_cert("127.0.0.1", "localhost", not_after=end)
        issued.private_key_and_cert_chain_pem.write_to_path(str(top / name))
    places = "\n".join(
        [
            _LOCATIONS,
            f"location /cross/ {{ return 302 http://{at['other']}$rest; }}",
            f"location /plain/ {{ return 302 http://{at['url']}$rest; }}",
            f"location /inner/ {{ return 302 http://{at['closed']}$rest; }}",
        ]
    )
    pems = {
        key: f" ssl; ssl_certificate {pem}; ssl_certificate_key {pem}"
        for key, pem in _CERTIFICATES.items()
    }
    servers = [
        f"server {{\nlisten {address}{pems.get(key, '')};\n{places}\n}}"
        for key, address in at.items()
    ]
    (top / "nginx.conf").write_text(_CONFIGURATION + "\n".join(servers) + "\n}\n")
