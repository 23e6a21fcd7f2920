"""Where redirects lead, and where not."""

import pytest
from servers.scripted import head, in_turn, scripted

from storekit import BackendError, Forbidden

from .conftest import SIZE


def to(place, status=302):
    """Make a script that redirects."""
    return lambda exchange: exchange.send(head(status, {"Location": place, "Content-Length": 0}))


def small(exchange):
    body = b"" if exchange.request.method == "HEAD" else b"image"
    exchange.send(head(200, {"Content-Length": 5}) + body)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("kind", ["redirect", "relative"])
def test_every_kind_of_redirect_is_followed(site, web, image, kind, status):
    location = f"{site.url}/{kind}/{status}/image"
    assert web.get_size(location) == SIZE
    assert web.get(location).read() == image
    assert web.get(location, offset=3, length=7).read() == image[3:10]


def test_a_redirect_to_another_host_and_scheme_is_followed(site, open_web, image):
    web = open_web(ca_file=site.ca)
    assert web.get(f"{site.url}/cross/image").read() == image
    assert web.get(f"{site.tls}/plain/image").read() == image


def test_redirects_in_a_circle_are_an_error_of_the_server(site, web):
    for verb in (web.get, web.get_size):
        with pytest.raises(BackendError, match="circle"):
            verb(f"{site.url}/loop")


def test_a_limit_ends_redirects_that_never_come_back(open_web):
    def onwards(exchange):
        number = int(exchange.request.target.rpartition("/")[2])
        to(f"/{number + 1}")(exchange)

    with scripted(onwards) as server:
        with pytest.raises(BackendError, match="one redirect too many"):
            open_web(max_redirects=4, max_attempts=3).get(f"{server.url}/0")
        assert [request.target for request in server.requests] == ["/0", "/1", "/2", "/3", "/4"]


@pytest.mark.parametrize(("limit", "fine"), [(0, False), (1, False), (2, True)])
def test_as_many_redirects_as_allowed_are_followed(open_web, limit, fine):
    with scripted(in_turn(to("/1"), to("/2"), small)) as server:
        web = open_web(max_redirects=limit)
        if fine:
            assert web.get(f"{server.url}/0").read() == b"image"
        else:
            with pytest.raises(BackendError):
                web.get(f"{server.url}/0")


@pytest.mark.parametrize("place", ["", "http://[::1/a", "http://h:x/a", "//"])
def test_a_redirect_to_nowhere_is_an_error_of_the_server(web, place):
    with scripted(to(place)) as server:
        for verb in (web.get, web.get_size):
            with pytest.raises(BackendError, match="redirects"):
                verb(f"{server.url}/a")


@pytest.mark.parametrize(
    "place",
    [
        "http://10.0.0.1/a",
        "http://169.254.169.254/latest/meta-data",
        "http://0xa9fea9fe/",
        "http://[::ffff:10.0.0.1]/a",
        "http://[64:ff9b::a00:1]/a",
        "http://user@10.0.0.1/a",
    ],
)
def test_a_redirect_to_a_closed_address_is_forbidden(web, place):
    place = place if not place.endswith("/") else f"{place}a"
    with scripted(to(place)) as server:
        for verb in (web.get, web.get_size):
            with pytest.raises(Forbidden, match="address policy") as caught:
                verb(f"{server.url}/a")
            assert not caught.value.retriable
        assert len(server.requests) == 2


def test_every_hop_is_judged(site, open_web):
    web = open_web(allow_networks=["127.0.0.1/32", "127.0.0.2/32"])
    before = len(site.hits())
    with pytest.raises(Forbidden, match=r"127\.0\.1\.1"):
        web.get(f"{site.url}/cross/inner/image")
    assert [hit.address for hit in site.hits()[before:]] == ["127.0.0.1", "127.0.0.2"]


@pytest.mark.parametrize("place", ["ftp://127.0.0.1/a", "file:///etc/passwd", "gopher://h/a"])
def test_a_redirect_away_from_http_is_forbidden(web, place):
    with scripted(to(place)) as server, pytest.raises(Forbidden):
        web.get(f"{server.url}/a")


def test_the_body_of_a_redirect_is_not_read(web):
    def endless(exchange):
        exchange.send(head(302, {"Location": "/image", "Content-Length": 1 << 40}))
        while True:
            exchange.send(bytes(1 << 16))

    with scripted(in_turn(endless, small)) as server:
        assert web.get(f"{server.url}/a").read() == b"image"
        assert server.sent < 1 << 24


@pytest.mark.parametrize("status", [300, 304, 305, 306])
def test_other_answers_of_the_300s_are_no_redirects(web, status):
    with (
        scripted(to("/elsewhere", status)) as server,
        pytest.raises(BackendError, match=str(status)),
    ):
        web.get(f"{server.url}/a")
