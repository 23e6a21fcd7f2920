"""Answers that are wrong or incomplete: an error, or what the server did say."""

import pytest
from servers.scripted import head, in_turn, scripted

from storekit import BackendError, DataError, Forbidden, NotFound, Unavailable, Unsupported

from .serving import IMAGE, TAG, answer, only, sound


@pytest.fixture
def once(open_web):
    return open_web(max_attempts=1)


@pytest.mark.parametrize(
    "span",
    [
        None,
        "",
        "bytes 0-99/300007",
        "bytes 4-103/300007",
        "bytes 6-104/300007",
        "bytes 5-103/300007",
        "bytes 5-105/300007",
        "bytes 5-104/300006x",
        "bytes 5-104/105, bytes 5-104/105",
        "bytes 5-104/50",
        "bytes */300007",
        "items 5-104/300007",
        "5-104/300007",
        "bytes -5-104/300007",
    ],
)
def test_another_part_than_was_asked_for_is_an_error(once, span):
    with scripted(lambda exchange: answer(exchange, Content_Range=span)) as server:
        with pytest.raises(DataError):
            once.get(f"{server.url}/image", offset=5, length=100)
        assert server.wait_until_open(0)


def test_a_part_whose_lengths_contradict_is_an_error(once):
    with (
        scripted(lambda exchange: answer(exchange, Content_Length=99)) as server,
        pytest.raises(DataError),
    ):
        once.get(f"{server.url}/image", offset=5, length=100)


def test_a_part_of_an_image_of_unknown_size_is_not_read(once):
    def script(exchange):
        answer(exchange, Content_Range="bytes 5-104/*")

    with scripted(script) as server, pytest.raises(Unsupported, match="size"):
        once.get(f"{server.url}/image", offset=5, length=100)


def test_several_parts_in_one_answer_are_an_error(once):
    def script(exchange):
        kind = "multipart/byteranges; boundary=b"
        exchange.send(head(206, {"Content-Type": kind, "Content-Length": 3}) + b"--b")

    with scripted(script) as server, pytest.raises(DataError):
        once.get(f"{server.url}/image", offset=5)


def test_a_part_that_nobody_asked_for_is_an_error(once):
    def script(exchange):
        span = f"bytes 0-99/{len(IMAGE)}"
        exchange.send(head(206, {"Content-Range": span, "Content-Length": 100}) + IMAGE[:100])

    with scripted(script) as server, pytest.raises(DataError, match="sends a part"):
        once.get(f"{server.url}/image")


def test_a_range_that_is_ignored_depends_on_the_server(once):
    def whole(exchange):
        exchange.send(head(200, {"Content-Length": len(IMAGE)}) + IMAGE)

    with scripted(in_turn(whole, answer, whole)) as server:
        with pytest.raises(Unsupported):
            once.get(f"{server.url}/image", offset=5, length=9)
        assert once.get(f"{server.url}/image", offset=5, length=9).read() == IMAGE[5:14]
        with pytest.raises(DataError):
            once.get(f"{server.url}/image", offset=5, length=9)


@pytest.mark.parametrize("length", ["x", "-1", "1 2", "5, 6", "0x5", "\u0661", "5;6"])
def test_a_length_that_is_no_number_is_an_error(once, length):
    def script(exchange):
        text = f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nimage"
        exchange.send(text.encode())
        exchange.close()

    with scripted(script) as server:
        for verb in (once.get, once.get_size):
            with pytest.raises(DataError):
                verb(f"{server.url}/image")


def test_a_length_that_is_said_twice_is_a_length(once):
    def script(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nimage")

    with scripted(script) as server:
        assert once.get(f"{server.url}/image").read() == b"image"


def test_an_image_without_a_length_is_not_empty(once):
    def script(exchange):
        body = b"" if exchange.request.method == "HEAD" else IMAGE
        exchange.send(head(200, {"Connection": "close"}) + body)
        exchange.close()

    with scripted(script) as server:
        for verb in (once.get, once.get_size, lambda place: once.get(place, offset=3)):
            with pytest.raises(Unsupported):
                verb(f"{server.url}/image")


def test_a_length_beside_chunks_counts_for_nothing(once):
    def script(exchange):
        exchange.send(
            head(200, {"Content-Length": 5, "Transfer-Encoding": "chunked"}) + b"0\r\n\r\n"
        )

    with scripted(script) as server:
        for verb in (once.get, once.get_size):
            with pytest.raises(Unsupported):
                verb(f"{server.url}/image")


def test_the_size_may_come_from_a_part(once):
    """A server that makes the image as it sends it may still know how long it is."""

    def script(exchange):
        if exchange.request.range is not None:
            answer(exchange)
        elif exchange.request.method == "HEAD":
            exchange.send(head(200, {"Connection": "close"}))
            exchange.close()
        else:
            exchange.send(head(200, {"Transfer-Encoding": "chunked"}) + b"5\r\nimage\r\n")

    with scripted(script) as server:
        assert once.get_size(f"{server.url}/image") == len(IMAGE)
        assert once.get(f"{server.url}/image").read() == IMAGE


@pytest.mark.parametrize("status", [400, 403, 405, 501])
def test_a_head_may_be_refused(once, status):
    def script(exchange):
        (only(status) if exchange.request.method == "HEAD" else answer)(exchange)

    with scripted(script) as server:
        assert once.get_size(f"{server.url}/image") == len(IMAGE)
        assert [request.method for request in server.requests] == ["HEAD", "GET"]
        assert server.sent < 2000


def test_a_size_from_a_server_without_head_and_ranges_costs_a_connection_and_no_body(once):
    def script(exchange):
        if exchange.request.method == "HEAD":
            return only(405)(exchange)
        exchange.send(head(200, {"Content-Length": 1 << 40}))
        return exchange.hang()

    with scripted(script) as server:
        assert once.get_size(f"{server.url}/image") == 1 << 40
        assert server.wait_until_open(0)


def test_a_head_that_says_zero_is_not_believed(once):
    def script(exchange):
        (only(200) if exchange.request.method == "HEAD" else answer)(exchange)

    with scripted(script) as server:
        assert once.get_size(f"{server.url}/image") == len(IMAGE)


def test_an_empty_image_is_empty_whether_the_server_knows_ranges_or_not(once):
    for script in (only(200), lambda exchange: answer(exchange, image=b"")):
        with scripted(script) as server:
            assert once.get_size(f"{server.url}/image") == 0
            assert once.get(f"{server.url}/image").read() == b""
            assert once.get(f"{server.url}/image", length=7).read() == b""


def test_an_unsatisfiable_range_without_a_size_is_looked_up(once):
    def script(exchange):
        if exchange.request.method == "HEAD":
            return answer(exchange)
        return only(416)(exchange)

    with scripted(script) as server:
        assert once.get(f"{server.url}/image", offset=len(IMAGE)).read() == b""
        with pytest.raises(DataError, match="refuses a part"):
            once.get(f"{server.url}/image", offset=5)


def test_an_unsatisfiable_range_that_exists_is_an_error(once):
    with (
        scripted(only(416, Content_Range="bytes */300007")) as server,
        pytest.raises(DataError),
    ):
        once.get(f"{server.url}/image", offset=5)


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "br", "gzip, identity"])
def test_an_encoded_body_is_not_the_image(once, coding):
    with scripted(lambda exchange: answer(exchange, Content_Encoding=coding)) as server:
        for verb in (once.get, once.get_size, lambda place: once.get(place, offset=3)):
            with pytest.raises(Unsupported, match="encoded"):
                verb(f"{server.url}/image")
        assert server.requests[0].headers["accept-encoding"] == "identity"


def test_a_body_in_no_coding_is_the_image(once):
    with scripted(lambda exchange: answer(exchange, Content_Encoding="identity")) as server:
        assert once.get(f"{server.url}/image").read() == IMAGE


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (100, Unavailable),
        (201, BackendError),
        (202, BackendError),
        (203, BackendError),
        (204, BackendError),
        (205, BackendError),
        (400, BackendError),
        (402, BackendError),
        (403, Forbidden),
        (404, NotFound),
        (405, Unsupported),
        (406, BackendError),
        (408, Unavailable),
        (410, NotFound),
        (412, BackendError),
        (418, BackendError),
        (425, Unavailable),
        (429, Unavailable),
        (451, Forbidden),
        (500, Unavailable),
        (501, Unsupported),
        (505, BackendError),
        (507, Unavailable),
        (522, Unavailable),
        (599, Unavailable),
        (999, Unavailable),
    ],
)
def test_a_status_is_mapped_alike_for_all_verbs(once, status, error):
    def script(exchange):
        exchange.send(head(status, {"Content-Length": 0, "Connection": "close"}))
        exchange.close()

    with scripted(script) as server:
        for verb in (once.get, once.get_size, lambda place: once.get(place, offset=3)):
            with pytest.raises(error) as caught:
                verb(f"{server.url}/image")
            assert type(caught.value) is error


def test_interim_answers_are_passed_over(once):
    def script(exchange):
        for status in (100, 102, 103, 103):
            exchange.send(head(status, {"Link": "</style.css>; rel=preload"}))
        answer(exchange)

    with scripted(script) as server:
        assert once.get_size(f"{server.url}/image") == len(IMAGE)
        assert once.get(f"{server.url}/image").read() == IMAGE


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("/a/../b//c/./d", "/a/../b//c/./d"),
        ("//double", "//double"),
        ("/%41%2F?a=%2F&b=c?d/../e", "/%41%2F?a=%2F&b=c?d/../e"),
        ("/100%/ü", "/100%25/%C3%BC"),
        ("?id=1", "/?id=1"),
        ("/@user:pass", "/@user:pass"),
    ],
)
def test_a_server_is_asked_for_what_was_written(once, written, sent):
    with scripted(answer) as server:
        assert once.get(f"{server.url}{written}").read() == IMAGE
        request = server.requests[0]
        assert request.target == sent
        assert request.headers["host"] == f"127.0.0.1:{server.port}"
        assert request.headers["accept-encoding"] == "identity"


def test_the_right_tag_of_a_sound_server_is_strong():
    """What the scripts of a sound server are built on."""

    class Asked:
        method, headers, range = "GET", {}, None

    assert sound(Asked)[1]["ETag"] == TAG
