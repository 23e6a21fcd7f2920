"""Run Keystone in its own virtual environment: DIRECTORY, and the port.

The configuration is DIRECTORY/keystone.conf; the keys and the database are made here, once.
"""

import base64
import os
import sys

DIRECTORY, PORT = sys.argv[1], int(sys.argv[2])
URL = f"http://127.0.0.1:{PORT}/v3"
CONF, DATABASE = (os.path.join(DIRECTORY, name) for name in ("keystone.conf", "keystone.db"))

# Keystone reads both when it is imported.
sys.argv = ["keystone"]
os.environ["OS_KEYSTONE_CONFIG_FILES"] = CONF

import keystone.server.wsgi  # noqa: E402,F401  # for all children at once
from keystone.cmd import cli  # noqa: E402
from werkzeug.serving import WSGIRequestHandler, make_server  # noqa: E402


class Quiet(WSGIRequestHandler):
    """Keeps connections, and logs nothing."""

    protocol_version = "HTTP/1.1"

    def log_request(self, *_):
        """Say nothing."""


def manage(*words):
    """Run ``keystone-manage`` in a child that has the imports already."""
    pid = os.fork()
    if pid == 0:
        try:
            cli.main(["keystone-manage", "--config-file", CONF, *words])
        except SystemExit as end:
            os._exit(bool(end.code))
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    if os.waitpid(pid, 0)[1]:
        sys.exit(f"keystone-manage {words[0]} failed")


if not os.path.exists(DATABASE):
    for kind in ("fernet-keys", "credential-keys"):
        os.mkdir(os.path.join(DIRECTORY, kind), 0o700)
        for number in "01":
            with open(os.path.join(DIRECTORY, kind, number), "xb") as key:
                key.write(base64.urlsafe_b64encode(os.urandom(32)))
    manage("db_sync")
    urls = [f"--bootstrap-{kind}-url={URL}" for kind in ("public", "internal", "admin")]
    manage("bootstrap", "--bootstrap-region-id=RegionOne", *urls)  # the password: in its variable

from keystone.wsgi.api import application  # noqa: E402

make_server("127.0.0.1", PORT, application, threaded=True, request_handler=Quiet).serve_forever()
