"""A web server, images on it, and stores that may read from loopback addresses."""

import random

import pytest
from servers import nginx as servers_nginx
from servers.required import require

LOOPBACK = ["127.0.0.0/8", "::1/128"]
SIZE = 3_000_017


@pytest.fixture(scope="session")
def site():
    """A running nginx that has ``image``, ``small`` and ``empty``."""
    require(servers_nginx.missing())
    with servers_nginx.nginx() as running:
        (running.root / "image").write_bytes(random.Random(7).randbytes(SIZE))
        (running.root / "small").write_bytes(bytes(range(256)))
        (running.root / "empty").write_bytes(b"")
        yield running


@pytest.fixture(scope="session")
def image(site):
    """The bytes of ``image``."""
    return (site.root / "image").read_bytes()


@pytest.fixture
def open_web(opened):
    """Open http stores that are closed at the end."""

    def open_one(**options):
        given = {"allow_networks": LOOPBACK, "connect_timeout": 5, "io_timeout": 5} | options
        return opened("http", name="web", **given)

    return open_one


@pytest.fixture
def web(open_web):
    """A store that may read from loopback addresses."""
    return open_web()
