"""A read that was cut goes on at the right byte of the same bytes, or fails."""

import pytest
from servers.scripted import head, in_turn, scripted

from storekit import DataError, NotFound, StoreError, Unavailable

from .serving import IMAGE, TAG, answer, cut, only

TIMES = {"io_timeout": 0.5, "connect_timeout": 0.5}


def to(place):
    """Make a script that redirects to where ``place()`` says at the time."""

    def script(exchange):
        only(302, Location=place())(exchange)

    return script


@pytest.mark.parametrize("end", ["close", "reset", "hang"])
def test_a_cut_read_goes_on_where_it_was_cut(open_web, end):
    with scripted(in_turn(cut(100_000, end), answer)) as server:
        assert open_web(**TIMES).get(f"{server.url}/image").read() == IMAGE
        first, second = server.requests
        assert "range" not in first.headers
        assert "if-range" not in first.headers
        # What a reset throws away in the kernel is asked for again.
        assert second.range[0] == 100_000 or end == "reset"
        assert second.range[1] == len(IMAGE) - 1
        assert second.headers["if-range"] == TAG


def test_a_cut_part_goes_on_to_its_own_end(open_web):
    with scripted(in_turn(cut(50), cut(50), answer)) as server:
        reader = open_web(**TIMES).get(f"{server.url}/image", offset=1000, length=200)
        assert reader.read() == IMAGE[1000:1200]
        assert [request.range for request in server.requests] == [
            (1000, 1199),
            (1050, 1199),
            (1100, 1199),
        ]


def test_a_read_that_is_cut_again_and_again_but_moves_on_ends_well(open_web):
    with scripted(cut(30_000)) as server:
        assert open_web(max_attempts=2, **TIMES).get(f"{server.url}/image").read() == IMAGE
        assert len(server.requests) == 11


def test_a_read_that_does_not_move_on_ends(open_web):
    with scripted(in_turn(cut(1000), cut(0))) as server:
        with pytest.raises(DataError):
            open_web(max_attempts=3, **TIMES).get(f"{server.url}/image").read()
        assert len(server.requests) == 3


@pytest.mark.parametrize("tag", [None, 'W/"v1"', "v1", '"v1', "", '"v1", "v1"'])
def test_without_a_strong_tag_a_cut_read_is_an_error(open_web, tag):
    with scripted(in_turn(cut(1000, tag=tag), answer)) as server:
        with pytest.raises(DataError):
            open_web(**TIMES).get(f"{server.url}/image").read()
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "then",
    [
        lambda exchange: answer(exchange, image=IMAGE[::-1], tag='"v2"'),
        lambda exchange: answer(exchange, image=IMAGE[:500], tag=TAG),
        lambda exchange: answer(exchange, image=IMAGE + b"x", tag=TAG),
        lambda exchange: answer(exchange, ETag='"v2"'),
        lambda exchange: answer(exchange, ETag='W/"v1"', Content_Range="bytes 0-9/10"),
        lambda exchange: answer(exchange, Content_Range="bytes 999-300006/300007"),
        lambda exchange: answer(exchange, Content_Range=None),
        only(416, Content_Range="bytes */500"),
        lambda exchange: exchange.send(head(200, {"ETag": TAG, "Content-Length": 300_007})),
    ],
)
def test_other_bytes_than_the_read_began_with_are_never_mixed_in(open_web, then):
    with scripted(in_turn(cut(1000), then)) as server:
        with pytest.raises(DataError):
            open_web(max_attempts=4, **TIMES).get(f"{server.url}/image").read()
        assert len(server.requests) == 2


def test_a_server_that_says_it_has_no_ranges_is_not_asked_for_one(open_web):
    def script(exchange):
        exchange.send(
            head(200, {"ETag": TAG, "Accept-Ranges": "none", "Content-Length": 10}) + b"12345"
        )
        exchange.close()

    with scripted(script) as server:
        with pytest.raises(DataError):
            open_web(**TIMES).get(f"{server.url}/image").read()
        assert len(server.requests) == 1


def test_an_image_that_is_gone_meanwhile_is_not_found(open_web):
    with (
        scripted(in_turn(cut(1000), only(404))) as server,
        pytest.raises(NotFound),
    ):
        open_web(**TIMES).get(f"{server.url}/image").read()


def test_a_server_that_is_busy_meanwhile_is_asked_again(open_web):
    with scripted(in_turn(cut(1000), only(503), answer)) as server:
        assert open_web(max_attempts=3, **TIMES).get(f"{server.url}/image").read() == IMAGE
        assert len(server.requests) == 3


def test_one_attempt_means_no_second_one(open_web):
    with scripted(in_turn(cut(1000), answer)) as server:
        with pytest.raises(DataError):
            open_web(max_attempts=1, **TIMES).get(f"{server.url}/image").read()
        assert len(server.requests) == 1


def test_a_read_goes_on_at_the_server_that_a_redirect_led_to(open_web):
    with (
        scripted(in_turn(cut(1000), answer)) as mirror,
        scripted(to(lambda: f"{mirror.url}/image")) as server,
    ):
        assert open_web(**TIMES).get(f"{server.url}/a").read() == IMAGE
        assert len(server.requests) == 1
        assert mirror.requests[1].headers["if-range"] == TAG


def test_a_redirect_that_has_expired_is_asked_for_anew(open_web):
    """As object stores do it: the location redirects to a URL that is signed for a short time."""
    valid = ["1"]

    def signed(exchange):
        if not exchange.request.target.endswith(f"={valid[0]}"):
            return only(403)(exchange)
        return (answer if exchange.request.range else cut(1000))(exchange)

    with (
        scripted(signed) as mirror,
        scripted(to(lambda: f"{mirror.url}/image?signature={valid[0]}")) as server,
    ):
        reader = open_web(**TIMES).get(f"{server.url}/a")
        valid[0] = "2"
        assert reader.read() == IMAGE
        shown = [request.target.partition("=")[2] for request in mirror.requests]
        assert shown == ["1", "1", "2"]
        assert len(server.requests) == 2


def test_a_redirect_to_another_server_does_not_go_on_there(open_web):
    with (
        scripted(in_turn(cut(1000), only(403))) as mirror,
        scripted(answer) as other,
        scripted(
            in_turn(to(lambda: f"{mirror.url}/image"), to(lambda: f"{other.url}/image"))
        ) as server,
    ):
        with pytest.raises(DataError, match="another server"):
            open_web(**TIMES).get(f"{server.url}/a").read()
        assert len(other.requests) == 1


def test_a_resumed_read_gives_its_connection_back(open_web):
    web = open_web(max_connections=1, **TIMES)
    for failing in (cut(1000), cut(1000, "hang"), cut(1000, "reset")):
        with scripted(in_turn(failing, answer)) as server:
            assert web.get(f"{server.url}/image").read() == IMAGE
            assert web.get_size(f"{server.url}/image") == len(IMAGE)
            assert server.most_open <= 2
        with scripted(in_turn(failing, only(404), answer)) as server:
            with pytest.raises(StoreError):
                web.get(f"{server.url}/image").read()
            assert web.get_size(f"{server.url}/image") == len(IMAGE)


def test_a_server_that_goes_away_in_the_middle_is_unavailable(open_web):
    with scripted(cut(1000, "hang")) as server:
        reader = open_web(max_attempts=2, **TIMES).get(f"{server.url}/image")
        assert reader.read(1000) == IMAGE[:1000]
    with pytest.raises((Unavailable, DataError)):
        reader.read()
