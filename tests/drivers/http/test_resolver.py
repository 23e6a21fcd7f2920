"""One look-up for one connection, and the connection goes where the look-up said.

``socket.getaddrinfo`` is replaced here: it is the network's, and answers as an attacker's would.
"""

import socket
import threading
import time

import pytest
from servers.scripted import black_hole, scripted

from storekit import Forbidden, Timeout, Unavailable

from .serving import IMAGE, answer, only


class Resolver:
    """Answers look-ups, in turn; counts them; and knows who asked for what."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def __call__(self, host, port, *_, **__):
        self.asked.append(host)
        given = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(given, Exception):
            raise given
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
            if ":" in address
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in given
        ]


@pytest.fixture
def resolve(monkeypatch):
    """Put a resolver in the place of the system's."""

    def use(*answers):
        resolver = Resolver(*answers)
        monkeypatch.setattr(socket, "getaddrinfo", resolver)
        return resolver

    return use


def test_a_name_that_changes_its_address_is_connected_to_where_it_was_checked(open_web, resolve):
    web = open_web(allow_networks=["127.0.0.1/32"])
    with scripted(answer) as server, scripted(answer, host="127.0.0.2", port=server.port) as inner:
        resolver = resolve(["127.0.0.1"], ["127.0.0.2"])
        assert web.get(f"http://name.example:{server.port}/image").read() == IMAGE
        assert resolver.asked == ["name.example"]
        assert inner.accepted == 0


def test_each_new_connection_is_checked_anew(open_web, resolve):
    web = open_web(allow_networks=["127.0.0.1/32"])
    with scripted(answer) as server, scripted(answer, host="127.0.0.2", port=server.port) as inner:
        resolver = resolve(["127.0.0.1"], ["127.0.0.2"])
        url = f"http://name.example:{server.port}/image"
        web.get(url).close()  # unread, so its connection is not used again
        with pytest.raises(Forbidden):
            web.get(url)
        assert resolver.asked == ["name.example", "name.example"]
        assert (server.accepted, inner.accepted) == (1, 0)


@pytest.mark.parametrize("address", ["127.0.0.2", "::1", "::ffff:127.0.0.2", "169.254.169.254"])
def test_a_name_at_a_closed_address_is_forbidden(open_web, resolve, address):
    web = open_web(allow_networks=["127.0.0.1/32"])
    resolver = resolve([address])
    for verb in (web.get, web.get_size):
        with pytest.raises(
            Forbidden, match=r"name\.example is outside the address policy"
        ) as caught:
            verb("http://name.example/image")
        assert not caught.value.retriable
        assert address not in str(caught.value)
        assert "allow_hosts" in str(caught.value)
    assert len(resolver.asked) == 2


def test_of_several_addresses_only_the_open_ones_are_tried(open_web, resolve):
    web = open_web(allow_networks=["127.0.0.1/32"])
    with scripted(answer) as server, scripted(answer, host="127.0.0.2", port=server.port) as inner:
        resolve(["127.0.0.2", "10.0.0.1", "127.0.0.1", "fe80::1"])
        assert web.get(f"http://name.example:{server.port}/image").read() == IMAGE
        assert inner.accepted == 0


def test_an_address_that_refuses_or_swallows_leaves_time_for_the_next(open_web, resolve):
    web = open_web(max_attempts=1, connect_timeout=2, allow_networks=["127.0.0.0/8"])
    with scripted(answer) as server, black_hole("127.0.0.2", server.port):
        resolve(["127.0.0.3", "127.0.0.2", "127.0.0.1"])
        started = time.monotonic()
        assert web.get(f"http://name.example:{server.port}/image").read() == IMAGE
        assert time.monotonic() - started < 2


def test_a_redirect_to_a_name_at_a_closed_address_is_forbidden(open_web, resolve):
    web = open_web(allow_networks=["127.0.0.1/32"])
    with scripted(only(302, Location="http://inner.example/a")) as server:
        resolver = resolve(["127.0.0.1"], ["10.0.0.1"])
        with pytest.raises(Forbidden, match=r"inner\.example"):
            web.get(f"http://name.example:{server.port}/image")
        assert resolver.asked == ["name.example", "inner.example"]


def test_an_allowed_host_may_be_anywhere_and_its_neighbours_not(open_web, resolve):
    web = open_web(allow_hosts=["Inner.Example."], allow_networks=[])
    with scripted(answer) as server:
        resolve(["127.0.0.1"])
        assert web.get(f"http://inner.example:{server.port}/image").read() == IMAGE
        assert web.get(f"http://INNER.example.:{server.port}/image").read() == IMAGE
        for name in ("sub.inner.example", "inner.example.org", "localhost"):
            with pytest.raises(Forbidden):
                web.get(f"http://{name}:{server.port}/image")


def test_an_address_needs_no_look_up(open_web, resolve):
    web = open_web()
    resolver = resolve(OSError("asked"))
    with scripted(answer) as server, scripted(answer, host="::1") as server6:
        for host in ("127.0.0.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"):
            assert web.get(f"http://{host}:{server.port}/image").read() == IMAGE
        assert web.get(f"{server6.url}/image").read() == IMAGE
    assert resolver.asked == []


def test_a_name_that_nobody_knows_is_unavailable_alike_for_all_verbs(open_web, resolve):
    web = open_web(max_attempts=2)
    resolver = resolve(socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
    for verb in (web.get, web.get_size, lambda place: web.get(place, offset=3)):
        with pytest.raises(Unavailable, match=r"name\.example cannot be looked up") as caught:
            verb("http://name.example/image")
        assert isinstance(caught.value.__cause__, socket.gaierror)
    assert len(resolver.asked) == 6


def test_a_resolver_that_hangs_is_left_within_the_connect_timeout(open_web, monkeypatch):
    release = threading.Event()
    before = threading.active_count()

    def hang(*_, **__):
        release.wait(20)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    web = open_web(max_attempts=1, connect_timeout=0.2, max_connections=2)
    try:
        for failure in (Timeout, Timeout, Unavailable, Unavailable):
            started = time.monotonic()
            with pytest.raises(failure, match=r"look|resolver"):
                web.get("http://name.example/image")
            assert time.monotonic() - started < 1.2
        assert threading.active_count() == before + 2  # what hangs is bounded
    finally:
        release.set()
    while threading.active_count() > before:
        time.sleep(0.005)
