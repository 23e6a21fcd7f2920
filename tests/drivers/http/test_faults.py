"""Servers and networks that fail: a mapped error, in time, and never wrong bytes."""

import socket
import time

import pytest
from servers.scripted import black_hole, head, in_turn, scripted

from storekit import DataError, StoreError, Timeout, Unavailable

from .serving import IMAGE, answer, cut, only, sound

TIMES = {"connect_timeout": 0.4, "io_timeout": 0.5}
SLACK = 1.0  # seconds that a busy machine may add


@pytest.fixture
def once(open_web):
    """A store that tries once."""
    return open_web(max_attempts=1, **TIMES)


def verbs(store):
    return (
        store.get,
        store.get_size,
        lambda location: store.get(location, offset=3),
        lambda location: store.get(location, length=0),
    )


def test_a_refused_connection_is_unavailable(once):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for verb in verbs(once):
        with pytest.raises(Unavailable, match="Connection refused") as caught:
            verb(f"http://127.0.0.1:{port}/image")
        assert type(caught.value) is Unavailable
        assert isinstance(caught.value.__cause__, ConnectionRefusedError)


def test_a_black_hole_is_left_within_the_connect_timeout(once):
    with black_hole() as url:
        for verb in verbs(once)[:2]:
            started = time.monotonic()
            with pytest.raises(Timeout, match="no connection"):
                verb(f"{url}/image")
            assert 0.3 < time.monotonic() - started < 0.4 + SLACK


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_never_answers_is_left_in_time(once, scheme):
    with scripted(lambda exchange: exchange.hang()) as server:
        for verb in verbs(once):
            started = time.monotonic()
            with pytest.raises(Timeout):
                verb(f"{scheme}://127.0.0.1:{server.port}/image")
            assert 0.3 < time.monotonic() - started < 0.5 + SLACK


def test_a_head_that_drips_is_left_in_time(once):
    def script(exchange):
        exchange.drip(head(200, {"Content-Length": 5, "X-Long": "x" * 9000}), 0.02)

    with scripted(script) as server:
        for verb in verbs(once)[:2]:
            started = time.monotonic()
            with pytest.raises(Timeout):
                verb(f"{server.url}/image")
            assert time.monotonic() - started < 0.5 + SLACK
        assert server.wait_until_open(0)


def test_heads_that_never_end_are_left(once):
    def script(exchange):
        while True:
            exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    with scripted(script) as server, pytest.raises(StoreError):
        once.get(f"{server.url}/image")


def test_a_stall_in_the_middle_is_left_in_time(once):
    with scripted(cut(1000, "hang")) as server:
        reader = once.get(f"{server.url}/image")
        assert reader.read(1000) == IMAGE[:1000]
        started = time.monotonic()
        with pytest.raises(Timeout, match="after 1000 bytes"):
            reader.read()
        assert 0.3 < time.monotonic() - started < 0.5 + SLACK
        assert server.wait_until_open(0)


def test_a_body_that_drips_is_right(once):
    def script(exchange):
        exchange.send(head(200, {"Content-Length": 100}))
        exchange.drip(IMAGE[:100], 0.01)

    with scripted(script) as server:
        assert once.get(f"{server.url}/image").read() == IMAGE[:100]


@pytest.mark.parametrize("end", ["close", "reset"])
@pytest.mark.parametrize("after", [0, 1, 100_000])
def test_a_body_that_breaks_off_is_never_taken_for_whole(once, end, after):
    with scripted(cut(after, end)) as server:
        reader = once.get(f"{server.url}/image")
        with pytest.raises(DataError) as caught:
            reader.read()
        assert caught.value.store == "web"
        assert server.wait_until_open(0)


def test_a_chunked_body_that_breaks_off_is_never_taken_for_whole(once):
    def script(exchange):
        _, headers, body = sound(exchange.request)
        del headers["Content-Length"]
        exchange.send(head(206, headers | {"Transfer-Encoding": "chunked"}))
        exchange.send(b"%x\r\n%s\r\n" % (100, body[:100]))
        exchange.send(b"%x\r\n%s" % (len(body) - 100, body[100:200]))
        exchange.close()

    with scripted(script) as server, pytest.raises(DataError):
        once.get(f"{server.url}/image", offset=5).read()


@pytest.mark.parametrize("garbage", [b"zz\r\n", b"-5\r\n", b"5\r\nabcde", b"\r\n" * 5])
def test_broken_chunks_are_an_error(once, garbage):
    def script(exchange):
        _, headers, _ = sound(exchange.request)
        del headers["Content-Length"]
        exchange.send(head(206, headers | {"Transfer-Encoding": "chunked"}) + garbage)
        exchange.close()

    with scripted(script) as server, pytest.raises(DataError):
        once.get(f"{server.url}/image", offset=5).read()


def test_a_part_in_chunks_is_right_and_its_connection_used_again(once):
    def script(exchange):
        _, headers, body = sound(exchange.request)
        del headers["Content-Length"]
        exchange.send(head(206, headers | {"Transfer-Encoding": "chunked"}))
        for at in range(0, len(body), 70_001):
            piece = body[at : at + 70_001]
            exchange.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        exchange.send(b"0\r\n\r\n")

    with scripted(script) as server:
        for offset in (5, 100_000, 299_999):
            assert once.get(f"{server.url}/image", offset=offset).read() == IMAGE[offset:]
        assert server.accepted == 1


def test_a_chunked_part_that_is_too_long_is_an_error(once):
    def script(exchange):
        _, headers, body = sound(exchange.request)
        del headers["Content-Length"]
        exchange.send(head(206, headers | {"Transfer-Encoding": "chunked"}))
        exchange.send(b"%x\r\n%sx\r\n0\r\n\r\n" % (len(body) + 1, body))

    with scripted(script) as server, pytest.raises(DataError, match="more than"):
        once.get(f"{server.url}/image", offset=5).read()


def test_bytes_behind_the_end_are_not_read_nor_taken_for_an_answer(once):
    def script(exchange):
        answer(exchange)
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")

    with scripted(script) as server:
        for _ in range(3):
            assert once.get(f"{server.url}/image").read() == IMAGE
            time.sleep(0.05)


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\r\n\r\n",
        b"garbage\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 30",
        b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n",
    ],
)
def test_what_is_no_http_is_unavailable(once, garbage):
    def script(exchange):
        exchange.send(garbage)
        exchange.close()

    with scripted(script) as server:
        for verb in verbs(once):
            with pytest.raises(StoreError) as caught:
                verb(f"{server.url}/image")
            assert isinstance(caught.value, Unavailable | DataError)
            assert not isinstance(caught.value, Timeout)


@pytest.mark.parametrize("end", ["close", "reset"])
def test_a_connection_that_ends_before_the_answer_is_unavailable(once, end):
    with scripted(lambda exchange: getattr(exchange, end)()) as server:
        for verb in verbs(once):
            with pytest.raises(Unavailable):
                verb(f"{server.url}/image")


def test_an_idle_connection_that_the_server_closed_is_replaced(once):
    def script(exchange):
        answer(exchange)
        exchange.close()

    with scripted(script) as server:
        for _ in range(3):
            assert once.get(f"{server.url}/image").read() == IMAGE
            time.sleep(0.05)  # until the end of the connection is here


def test_a_failure_in_the_middle_leaves_the_store_usable(once):
    with scripted(in_turn(cut(10), cut(10, "reset"), only(404), answer)) as server:
        for _ in range(3):
            with pytest.raises(StoreError):
                once.get(f"{server.url}/image").read()
        assert once.get(f"{server.url}/image").read() == IMAGE
