"""The relay tells requests apart, and breaks the one that it is told to."""

import http.client
import socket
import ssl
import time

import pytest

from storekit.testing.authority import Authority
from storekit.testing.wire import (
    WRITES,
    Answer,
    Append,
    Delay,
    Lose,
    Rechunk,
    Wire,
    http_answer,
)
from tests.testing.backends import web


@pytest.fixture
def backend():
    with web() as server:
        yield server


@pytest.fixture
def wire(backend):
    with Wire(f"http://127.0.0.1:{backend.server_port}") as relay:
        yield relay


@pytest.fixture
def client(wire):
    connection = http.client.HTTPConnection("127.0.0.1", wire.port, timeout=5)
    yield connection
    connection.close()


def ask(client, method="GET", path="/", body=None, headers=()):
    client.request(method, path, body, dict(headers))
    answer = client.getresponse()
    return answer.status, answer.read()


def test_it_notes_requests_and_keeps_their_connection(wire, client, backend):
    assert ask(client) == (200, backend.body)
    assert ask(client, "HEAD", "/a?b=c", headers={"X-One": "1"}) == (200, b"")
    assert ask(client, "POST", "/d", b"body") == (200, b"taken")
    assert [request.kind for request in wire.requests] == [
        ("GET", "/"),
        ("HEAD", "/a"),
        ("POST", "/d"),
    ]
    assert wire.requests[1].path == "/a?b=c"
    assert wire.requests[1].headers["x-one"] == "1"
    assert wire.requests[0].at < wire.requests[1].at
    assert wire.opened == 1


def test_it_passes_a_body_in_chunks(wire, client, backend):
    assert ask(client, "POST", "/", iter([b"one", b"two" * 9000])) == (200, b"taken")
    assert ask(client, "POST", "/", b"next") == (200, b"taken")
    assert backend.took == [b"one" + b"two" * 9000, b"next"]


def test_it_passes_an_answer_that_another_one_announced(wire, backend):
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    with socket.create_connection(("127.0.0.1", wire.port), timeout=5) as client:
        client.sendall(head)
        assert client.recv(4096).startswith(b"HTTP/1.1 100 ")
        client.sendall(b"body")
        assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
    assert backend.took == [b"body"]


def test_it_follows_an_answer_that_comes_before_the_body(wire, backend):
    with socket.create_connection(("127.0.0.1", wire.port), timeout=5) as client:
        client.sendall(b"POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 413 ")
        client.sendall(b"GET / HTTP/1.1\r\n\r\n".ljust(30, b"."))
        client.sendall(b"HEAD /next HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
    assert [request.kind for request in wire.requests] == [("POST", "/refused"), ("HEAD", "/next")]


def test_it_aims_at_a_request_by_method_path_and_number(wire, client):
    aimed = wire.aim(Answer(http_answer(503)), methods={"GET"}, path="^/a", nth=2, times=2)
    asked = [("GET", "/b"), ("GET", "/a1"), ("HEAD", "/a"), *(("GET", f"/a{n}") for n in (2, 3, 4))]
    assert [ask(client, *one)[0] for one in asked] == [200, 200, 200, 503, 503, 200]
    assert [request.path for request in aimed.hits] == ["/a2", "/a3"]


def test_it_goes_on_for_ever_where_it_is_told_to(wire, client):
    wire.aim(Answer(http_answer(429, b"wait", Retry_After="1")), nth=2, times=None)
    assert [ask(client)[0] for _ in range(4)] == [200, 429, 429, 429]
    wire.heal()
    assert ask(client)[0] == 200


def test_what_it_answers_itself_does_not_reach_the_backend(wire, client, backend):
    wire.aim(Answer(http_answer(503)))
    assert ask(client, "POST", "/", b"lost")[0] == 503
    assert backend.took == []
    assert wire.up == 0


def test_it_loses_an_answer_after_the_backend_acted(wire, client, backend):
    aimed = wire.aim(Lose(), methods=WRITES, nth=2)
    assert ask(client, "POST", "/", b"first") == (200, b"taken")
    with pytest.raises(ConnectionResetError):
        ask(client, "POST", "/", b"second")
    client.close()
    assert backend.took == [b"first", b"second"]
    assert len(aimed.hits) == 1
    assert ask(client, "POST", "/", b"third") == (200, b"taken")


def test_it_makes_an_answer_chunked_and_cuts_it(wire, client, backend):
    wire.aim(Rechunk(5000))
    client.request("GET", "/")
    answer = client.getresponse()
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert answer.headers["Content-Length"] is None
    with pytest.raises(http.client.IncompleteRead) as caught:
        answer.read()
    assert backend.body.startswith(caught.value.partial)
    client.close()
    assert ask(client) == (200, backend.body)


def test_a_chunked_answer_without_a_body_is_not_touched(wire, client):
    wire.aim(Rechunk(5000))
    assert ask(client, "HEAD") == (200, b"")


def test_it_sends_more_than_an_answer_declares(wire, backend):
    wire.aim(Append(b"forged"))
    with socket.create_connection(("127.0.0.1", wire.port), timeout=5) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        data = b""
        while not data.endswith(b"forged"):
            data += client.recv(4096)
    assert data.endswith(backend.body + b"forged")


def test_it_says_what_nobody_asked_for(wire, client):
    ask(client)
    wire.say(http_answer(200, b"forged"))
    assert ask(client, "GET", "/next") == (200, b"forged")


def test_it_delays_a_request(wire, client, backend):
    wire.aim(Delay(0.2), nth=2)
    begin = time.monotonic()
    ask(client)
    middle = time.monotonic()
    assert ask(client) == (200, backend.body)
    assert time.monotonic() - middle >= 0.2 > middle - begin


def test_it_cuts_before_a_request(wire, client, backend):
    wire.cut_before = 1
    assert ask(client, "POST", "/", b"first") == (200, b"taken")
    with pytest.raises(http.client.RemoteDisconnected):
        ask(client, "POST", "/", b"second")
    assert backend.took == [b"first"]


def test_it_speaks_tls_where_the_backend_does_not(backend, tmp_path):
    ours, theirs = Authority(), Authority()
    endpoint = f"http://127.0.0.1:{backend.server_port}"
    with Wire(endpoint, tls=ours.server("127.0.0.1")) as wire:
        assert wire.endpoint == f"https://127.0.0.1:{wire.port}"
        assert wire.location(f"{endpoint}/image") == f"{wire.endpoint}/image"
        trusting = ssl.create_default_context(cadata=ours.certificate.decode())
        client = http.client.HTTPSConnection("127.0.0.1", wire.port, timeout=5, context=trusting)
        assert ask(client) == (200, backend.body)
        assert ask(client, "POST", "/", b"x" * 100_000) == (200, b"taken")
        client.close()
        doubting = ssl.create_default_context(cadata=theirs.certificate.decode())
        client = http.client.HTTPSConnection("127.0.0.1", wire.port, timeout=5, context=doubting)
        with pytest.raises(ssl.SSLCertVerificationError):
            ask(client)
        client.close()
    assert [request.method for request in wire.requests] == ["GET", "POST"]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"host": "elsewhere.invalid"}, "not valid for"), ({"expired": True}, "expired")],
)
def test_an_authority_certifies_wrongly_on_request(backend, options, message):
    ours = Authority()
    tls = ours.server(**{"host": "127.0.0.1", **options})
    with Wire(f"http://127.0.0.1:{backend.server_port}", tls=tls) as wire:
        trusting = ssl.create_default_context(cadata=ours.certificate.decode())
        client = http.client.HTTPSConnection("127.0.0.1", wire.port, timeout=5, context=trusting)
        with pytest.raises(ssl.SSLCertVerificationError, match=message):
            client.connect()
        client.close()
