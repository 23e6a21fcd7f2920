"""What is asked for, from a location and from a redirect."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storekit import BackendError, Forbidden, InvalidLocation, Location
from storekit.drivers.http.target import Target


def target(text):
    return Target.of(Location(text))


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("http://h/a", "http://h/a"),
        ("HTTP://H/A", "http://h/A"),
        ("https://h:443/a", "https://h/a"),
        ("https://h:8443/a", "https://h:8443/a"),
        ("http://h:443/a", "http://h:443/a"),
        ("http://[::1]:80/a", "http://[::1]/a"),
        ("http://[0:0::1]:8080/a", "http://[::1]:8080/a"),
        ("http://2130706433/a", "http://127.0.0.1/a"),
        ("http://u:p@h/a", "http://h/a"),
        ("http://h?id=1", "http://h/?id=1"),
        ("http://h/?id=1", "http://h/?id=1"),
        ("http://h/a/../b//c/./d", "http://h/a/../b//c/./d"),
        ("http://h/a%2Fb%2fc%41", "http://h/a%2Fb%2fc%41"),
        ("http://h/100%/a b", "http://h/100%25/a%20b"),
        ("http://h/\u00fc?\u00fc", "http://h/%C3%BC?%C3%BC"),
        ("http://h/%FF", "http://h/%FF"),
        ("http://h/a+b=c&d;e,f!$'()*~:@?g/h?i", "http://h/a+b=c&d;e,f!$'()*~:@?g/h?i"),
        ('http://h/"<>\\^`{|}[]', "http://h/%22%3C%3E%5C%5E%60%7B%7C%7D%5B%5D"),
    ],
)
def test_a_location_is_asked_for_as_it_is_written(location, url):
    assert target(location).url == url


@pytest.mark.parametrize(
    "location",
    [
        "http:///a",
        "http://:80/a",
        "http://h:/a",
        "http://h:0/a",
        "http://h:65536/a",
        "http://h:8o/a",
        "http://h:\u0661/a",
        "http://h",
        "http://h/",
        "http://u@/a",
        "http://[::1/a",
        "http://::1/a",
        "http://[127.0.0.1]/a",
        "http://[::1]x/a",
        "http://[fe80::1%25eth0]/a",
        "http://a b/a",
        "http://h/../a",
        "http://h/a/../../b",
        "http://h/%2e%2E/a",
        "http://h/./../a",
    ],
)
def test_a_malformed_location_is_refused(location):
    with pytest.raises(InvalidLocation):
        target(location)


@given(st.text(max_size=60), st.sampled_from(["http://", "https://", "http://h/", "http://h/?"]))
def test_any_text_is_a_target_or_refused(text, prefix):
    try:
        found = target(prefix + text)
    except InvalidLocation:
        return
    assert found.url.isascii()
    assert not set(found.path) & set(" \t\r\n#")


@pytest.mark.parametrize(
    ("where", "url"),
    [
        ("/c", "http://h:81/c"),
        ("c", "http://h:81/a/c"),
        ("../c", "http://h:81/c"),
        ("?q=2", "http://h:81/a/b?q=2"),
        ("//other/c", "http://other/c"),
        ("https://other:444/c?x=%41#part", "https://other:444/c?x=%41"),
        ("  http://other/c  ", "http://other/c"),
        ("http://OTHER/c d", "http://other/c%20d"),
        ("http://user:secret@other/c", "http://other/c"),
        ("http://other/\u00c3\u00bc", "http://other/%C3%BC"),  # UTF-8, read as Latin-1
        ("http://0x7f.1/c", "http://127.0.0.1/c"),
    ],
)
def test_a_redirect_is_followed_from_where_it_was_met(where, url):
    assert target("http://h:81/a/b?q=1").redirected(where).url == url


@pytest.mark.parametrize("where", ["ftp://h/a", "file:///etc/passwd", "gopher://h/a"])
def test_a_redirect_leads_to_http_or_https(where):
    with pytest.raises(Forbidden):
        target("http://h/a").redirected(where)


@pytest.mark.parametrize("where", ["http://h:x/a", "http://[::1/a", "javascript:alert(1)", "/"])
def test_a_redirect_to_no_location_is_an_error_of_the_server(where):
    with pytest.raises(BackendError):
        target("http://h/a").redirected(where)


def test_origins_differ_in_scheme_host_and_port():
    origins = {
        target(text).origin
        for text in ("http://h/a", "https://h/a", "http://h:81/a", "http://i/a", "http://H:80/b?c")
    }
    assert len(origins) == 4
