"""moto: an S3 server in a thread of this process, for quick tests. It trusts everybody."""

import contextlib
import logging
import os
from collections.abc import Iterator

__all__ = ["PAGE", "moto_server"]

PAGE = 100  # objects that it lists at once


@contextlib.contextmanager
def moto_server() -> Iterator[str]:
    """Run it, empty, and give its URL."""
    from moto.server import ThreadedMotoServer  # only here: it takes a second

    os.environ["MOTO_S3_DEFAULT_MAX_KEYS"] = str(PAGE)  # read at each request
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()
