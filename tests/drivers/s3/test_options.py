"""What can be configured, and what is said of what cannot."""

import base64
import re

import pytest

import storekit
from storekit import ConfigurationError
from storekit.drivers.s3 import Options, S3Driver

KEY = base64.b64encode(bytes(32)).decode()


def driver(**options):
    return S3Driver("objects", Options(**{"bucket": "images", **options}))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "bucket"),
        ({"bucket": ""}, "bucket"),
        ({"bucket": "a/b"}, "bucket"),
        ({"endpoint": "s3.example.net"}, "a URL such as"),
        ({"endpoint": "ftp://s3.example.net"}, "a URL such as"),
        ({"endpoint": "https://key:secret@s3.example.net"}, "no credential in the URL"),
        ({"endpoint": "https://s3.example.net:99999"}, "endpoint"),
        ({"prefix": "/a"}, "prefix"),
        ({"prefix": "a//b"}, "prefix"),
        ({"prefix": "../b"}, "prefix"),
        ({"prefix": "a" * 513}, "at most 512 bytes"),
        ({"access_key": "AK"}, "go together"),
        ({"secret_key": "SK"}, "go together"),
        ({"session_token": "T"}, "session_token goes with"),
        ({"profile": "p", "access_key": "AK", "secret_key": "SK"}, "either profile or"),
        ({"part_size": 1 << 20}, "part_size"),
        ({"part_size": 6 << 30}, "part_size"),
        ({"max_parts": 10_001}, "max_parts"),
        ({"sse": "customer"}, "sse_customer_key goes with"),
        ({"sse": "customer", "sse_customer_key": "short"}, "32 bytes in Base64"),
        ({"sse_customer_key": KEY}, "sse_customer_key goes with"),
        ({"sse_kms_key_id": "k"}, "sse_kms_key_id goes with"),
        (
            {"sse": "customer", "sse_customer_key": KEY, "endpoint": "http://a.example"},
            "needs an https endpoint",
        ),
        (
            {"sse": "customer", "sse_customer_key": KEY, "endpoint": "HTTP://a.example"},
            "needs an https endpoint",
        ),
        ({"conditional_writes": "maybe"}, "conditional_writes"),
        ({"addressing_style": "host"}, "addressing_style"),
    ],
)
def test_a_bad_option_is_named(options, said):
    given = {"bucket": "images", **options} if options else {}
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        storekit.open_store("s3", name="objects", **given)


def test_no_secret_is_shown():
    shown = repr(
        Options(
            bucket="images",
            access_key="AK",
            secret_key="very-secret",
            session_token="also-secret",
            sse="customer",
            sse_customer_key=KEY,
        )
    )
    assert not {"very-secret", "also-secret", KEY} & set(re.findall(r"[\w+/=-]+", shown))


def test_the_largest_image_is_what_the_parts_can_hold():
    assert driver().limits.max_image_size == 10_000 * 4 * (8 << 20)
    assert driver(part_size=5 << 20, window=1).limits.max_image_size == 10_000 * (5 << 20)
    assert driver(part_size=1 << 30).limits.max_image_size == 5 << 40
    assert driver(max_image_size=7).limits.max_image_size == 7


def test_an_id_and_a_prefix_fit_into_a_key():
    assert driver().limits.max_id_length == 255
    assert driver(prefix="a/" * 256).limits.max_id_length == 255
    assert driver(prefix="ä" * 256).limits.max_id_length == 255


@pytest.mark.parametrize(
    ("endpoint", "uri", "owned"),
    [
        ("https://s3.example.net", "s3+https://s3.example.net/images/a", True),
        ("https://s3.example.net", "s3+https://S3.Example.Net:443/images/a", True),
        ("https://s3.example.net", "s3+http://s3.example.net:443/images/a", True),
        ("https://s3.example.net", "s3://key:secret@s3.example.net/images/a", True),
        ("https://s3.example.net", "s3://key:sec/ret@s3.example.net/images/a", True),
        ("https://s3.example.net", "s3+https://s3.example.net:8443/images/a", False),
        ("https://s3.example.net", "s3+https://other.example.net/images/a", False),
        ("https://s3.example.net", "s3+https://s3.example.net/other/a", False),
        ("https://s3.example.net", "s3+https://s3.example.net/images", False),
        ("https://s3.example.net", "s3+https://s3.example.net/images/", False),
        ("https://s3.example.net", "s3+https://s3.example.net/images/a/b", False),
        ("https://s3.example.net", "s3+https://s3.example.net/images/..", False),
        ("https://s3.example.net", "s3+https://s3.example.net/images/.storekit-x", False),
        ("http://192.0.2.1:7480", "s3+http://192.0.2.1:7480/images/a", True),
        ("http://[2001:db8::1]:7480", "s3+http://[2001:db8::1]:7480/images/a", True),
        ("https://s3.eu-west-1.amazonaws.com", "s3://s3.amazonaws.com/images/a", True),
        (None, "s3://s3.amazonaws.com/images/a", None),
        (None, "s3://s3.amazonaws.com/other/a", False),
    ],
)
def test_a_location_is_owned_by_its_server_and_bucket(endpoint, uri, owned):
    assert driver(endpoint=endpoint).owns(storekit.Location(uri)) is owned


def test_a_prefix_is_part_of_what_is_owned():
    store = driver(endpoint="https://s3.example.net", prefix="glance/v2-")
    location = storekit.Location("s3+https://s3.example.net/images/glance/v2-a%20b")
    assert store.owns(location)
    assert store.image_id(location) == "a b"
    assert not store.owns(storekit.Location("s3+https://s3.example.net/images/glance/a"))
    assert not store.owns(storekit.Location("s3+https://s3.example.net/images/a"))
