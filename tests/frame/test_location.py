"""Locations: every URI that Glance ever kept, any text at all, and credentials that stay unseen."""

import copy
import os
import pickle
import re
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import storekit
from storekit import InvalidLocation, Location
from storekit.location import redact

UUID = "9f9c1d0e-7a2f-4a55-8bb3-0d2f7a7c4f10"

# text, scheme, authority, segments, query, userinfo
OLD_FORMS = [
    (f"file:///srv/images/{UUID}", "file", "", ("srv", "images", UUID), {}, None),
    (f"filesystem:///srv/images/{UUID}", "filesystem", "", ("srv", "images", UUID), {}, None),
    ("http://host/a/b?x=1&y=", "http", "host", ("a", "b"), {"x": "1", "y": ""}, None),
    ("https://host:8443/a%20b", "https", "host:8443", ("a b",), {}, None),
    ("http://host", "http", "host", (), {}, None),
    ("https://joe:pw@host/a", "https", "host", ("a",), {}, "joe:pw"),
    ("http://host:8080/a@b", "http", "host:8080", ("a@b",), {}, None),
    ("http://host/a?mail=x@y", "http", "host", ("a",), {"mail": "x@y"}, None),
    ("s3+https://host/bucket/key", "s3+https", "host", ("bucket", "key"), {}, None),
    ("s3+http://host:9000/bucket/key", "s3+http", "host:9000", ("bucket", "key"), {}, None),
    ("s3://host/bucket/key", "s3", "host", ("bucket", "key"), {}, None),
    ("s3+https://AK:SK@host/bucket/key", "s3+https", "host", ("bucket", "key"), {}, "AK:SK"),
    ("s3://AK:S/K@host:1/bucket/key", "s3", "host:1", ("bucket", "key"), {}, "AK:S/K"),
    ("s3://AK:/S/K/@host/bucket/key", "s3", "host", ("bucket", "key"), {}, "AK:/S/K/"),
    (f"swift+config://main/box/{UUID}", "swift+config", "main", ("box", UUID), {}, None),
    (f"swift://host/v1/box/{UUID}", "swift", "host", ("v1", "box", UUID), {}, None),
    (
        f"swift+https://acc%3Ajoe:pw@host:5000/v3/box/{UUID}",
        *("swift+https", "host:5000", ("v3", "box", UUID), {}, "acc%3Ajoe:pw"),
    ),
    (
        f"swift+http://acc%3Ajoe:p/w@host/v1/box/{UUID}",
        *("swift+http", "host", ("v1", "box", UUID), {}, "acc%3Ajoe:p/w"),
    ),
    (f"cinder://main/{UUID}", "cinder", "main", (UUID,), {}, None),
    (f"cinder://{UUID}", "cinder", UUID, (), {}, None),
    (
        f"vsphere://10.0.0.1/folder/openstack_glance/{UUID}?dcPath=dc/a%20b&dsName=ds1",
        *("vsphere", "10.0.0.1", ("folder", "openstack_glance", UUID)),
        *({"dcPath": "dc/a b", "dsName": "ds1"}, None),
    ),
    (
        f"vsphere://[fd00::1]:443/folder/{UUID}",
        "vsphere",
        "[fd00::1]:443",
        ("folder", UUID),
        {},
        None,
    ),
    (f"rbd://fsid/pool/{UUID}/snap", "rbd", "fsid", ("pool", UUID, "snap"), {}, None),
    ("rbd://fsid/a%2Fb/i%40j/s%3Ft", "rbd", "fsid", ("a/b", "i@j", "s?t"), {}, None),
    (f"rbd://{UUID}", "rbd", UUID, (), {}, None),
    (f"sheepdog://host:7000:{UUID}", "sheepdog", f"host:7000:{UUID}", (), {}, None),
    (f"sheepdog://[::1]:7000:{UUID}", "sheepdog", f"[::1]:7000:{UUID}", (), {}, None),
    (f"sheepdog://{UUID}", "sheepdog", UUID, (), {}, None),
    (f"gridfs://images/fs/{UUID}", "gridfs", "images", ("fs", UUID), {}, None),
    (f"gridfs://{UUID}", "gridfs", UUID, (), {}, None),
]

NO_LOCATIONS = [
    *("", "/srv/images/x", "file:", "file:/srv/x", "file://", "file:///", "http:///", "://host/x"),
    *("1a://host/x", "a_b://host/x", " http://host/x", "http://host/x#frag", "http//host", "x"),
    *(
        "http://ho\nst/x",
        "http://host/x\n",
        "http://host/%00",
        "http://host/a%0Ab",
        "http://h/\x7f",
    ),
    *("http://host/\ud800", "http://host/%C2%85", "http://h/x?a=\x00", "\u212aind://host/x"),
    *("http://us\ner:pw@host/x", "s3://key:se\rcret@host/bucket/x", "http://\x00@host/x"),
]

SCHEMES = st.sampled_from(["file", "http", "s3+https", "swift+config", "rbd", "x-1.y"])
ANY_TEXT = st.text(st.characters())  # with control characters and surrogates
# What a path may hold once it is decoded: any bytes, as the file system's own functions show them.
SEGMENTS = (
    st.binary(max_size=20)
    .map(os.fsdecode)
    .filter(lambda text: not re.search("[\x00-\x1f\x7f-\x9f]", text))
)
QUERIES = st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3)
AUTHORITIES = st.from_regex(r"[a-z0-9.:\[\]%-]{0,20}", fullmatch=True)
CREDENTIAL = st.text("AZaz09/+=%:.~-_ ", max_size=12)


@pytest.mark.parametrize(
    ("text", "scheme", "authority", "segments", "query", "userinfo"), OLD_FORMS
)
def test_every_form_that_glance_wrote_is_read(text, scheme, authority, segments, query, userinfo):
    place = Location(text)
    assert (place.scheme, place.authority, place.segments) == (scheme, authority, segments)
    assert (dict(place.query), place.userinfo) == (query, userinfo)
    assert str(place) == (text if userinfo is None else text.replace(f"{userinfo}@", ""))


@pytest.mark.parametrize("text", NO_LOCATIONS)
def test_what_is_no_location_is_refused(text):
    with pytest.raises(InvalidLocation) as caught:
        Location(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("value", [None, b"http://host/x", 5, ["http://host/x"], object()])
def test_what_is_no_text_is_refused(value):
    with pytest.raises(InvalidLocation, match=type(value).__name__):
        Location(value)
    with pytest.raises(InvalidLocation):
        Location.of(value)


@given(st.one_of(ANY_TEXT, st.builds("{}://{}".format, SCHEMES, ANY_TEXT)))
@example("http://h/%ff%fe")
@example("a://b:c/d@e@f/g")
def test_any_text_is_a_location_or_invalid_and_nothing_else(text):
    try:
        place = Location(text)
    except InvalidLocation:
        return
    assert place.scheme == place.scheme.lower()
    assert "@" not in place.authority
    for part in (*place.segments, place.authority, *place.query, *place.query.values()):
        assert isinstance(part, str)
    assert Location.of(place) is place
    if place.userinfo is None:
        assert Location(str(place)) == place


@given(SCHEMES, AUTHORITIES, st.lists(SEGMENTS, min_size=1, max_size=4), QUERIES)
@example("file", "", ["..", ".", "", "@", "a/b", "%2F", "#?;=&+ "], {"a&b": "c=d ?#+%"})
@example("http", "host:80", ["a@b"], {"": ""})
def test_what_build_made_is_parsed_into_its_parts_again(scheme, authority, segments, query):
    try:
        place = Location.build(scheme, authority, *segments, query=query)
    except InvalidLocation:
        assert not authority
        assert not any(segments)
        return
    for again in (place, Location(str(place)), pickle.loads(pickle.dumps(place))):
        assert again == place
        assert (again.scheme, again.authority) == (scheme, authority)
        assert again.segments == tuple(segments)
        assert dict(again.query) == query
        assert again.userinfo is None


@pytest.mark.parametrize(
    "authority", ["a/b", "a?b", "a#b", "user:pw@host", "a b", "a\tb", "a\x01b"]
)
def test_build_refuses_what_cannot_be_an_authority(authority):
    with pytest.raises(InvalidLocation):
        Location.build("http", authority, "x")


@pytest.mark.parametrize(
    ("segments", "query"),
    [(("a\nb",), {}), (("\x7f",), {}), (("\ud800",), {}), (("x",), {"a": "\ud800"}), ((), {})],
)
def test_build_refuses_what_no_location_can_hold(segments, query):
    with pytest.raises(InvalidLocation):
        Location.build("http", "host" if segments else "", *segments, query=query)


@pytest.mark.parametrize("scheme", ["", "1a", "a b", "a:b", "a/b", "\u0131"])
def test_build_refuses_what_is_no_scheme(scheme):
    with pytest.raises(InvalidLocation):
        Location.build(scheme, "host", "x")


SECRETS = [
    *(
        "S3CR3T",
        "S3CR3T/x",
        "x/S3CR3T",
        "/S3CR3T",
        "S3CR3T/",
        "a/b/S3CR3T/c",
        "S3CR3T+=%2F",
        "%40S3CR3T",
    ),
    # A number before the slash looks like a port: only an http URI may be read so.
    *("8080/S3CR3T", "1/S3CR3T", "99999/S3CR3T", "443/a/S3CR3T"),
]
CARRIERS = [
    "s3://AKIA:{}@host/bucket/key",
    "s3+https://AKIA:{}@host:9000/bucket/key",
    "swift://joe:{}@host/v1/box/key",
    "swift+https://acc%3Ajoe:{}@host:5000/v3/box/key",
    "swift+http://dom/acc%3Ajoe:{}@host/v1/box/key",
]


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_in_an_old_uri_is_never_shown(carrier, secret):
    place = Location(carrier.format(secret))
    assert place.userinfo.endswith(f":{secret}")
    assert place.host_port[0] == "host"
    assert place.segments[-1] == "key"
    for shown in (str(place), repr(place), f"{place}", f"{place!s:>80}", redact(str(place))):
        assert "S3CR3T" not in shown
        assert "@" not in shown


@pytest.mark.parametrize(
    "text",
    [
        "http://joe:S3CR3T@host/x#fragment",
        "http://joe:S3CR3T@host/%00",
        "http://jo@e:S3CR3T@host/x",
        "s3://key:a/S3CR3T@b@host/bucket/x",
        "s3://key:a/b@S3CR3T@host/bucket/x",
        "s3:/key:S3CR3T@host/bucket/x",
        "s3:key:S3CR3T@host/bucket/x",
        "key:S3CR3T@host/bucket/x",
        "s 3://key:S3CR3T@host/bucket/x",
        "s3://key:S3CR3T@host/bucket/x\n",
        "s3://key:S3CR3T\n@host/bucket/x",
        f"s3://key:S3CR3T{'x' * 300}@host/bucket/x\n",
        f"s3://me@corp:S3CR3T{'x' * 300}@host/bucket/x\n",
        f"key:S3CR3T{'x' * 300}@host/bucket/x",
        "http://host/x://joe:S3CR3T@other/\x00",
    ],
)
def test_a_secret_in_what_is_no_location_is_not_in_the_error_either(text):
    with pytest.raises(InvalidLocation) as caught:
        Location(text)
    error = caught.value
    assert "S3CR3T" not in f"{error} {error!r} {vars(error)} {redact(text)}"


@given(st.sampled_from(CARRIERS), CREDENTIAL, CREDENTIAL, st.text(st.characters(), max_size=5))
def test_no_surroundings_bring_a_secret_to_light(carrier, before, after, end):
    text = carrier.format(f"{before}S3CR3T{after}") + end
    try:
        shown = [str(Location(text)), repr(Location(text))]
    except InvalidLocation as error:
        shown = [str(error), repr(error)]
    if "@" not in end:  # what is behind the last "@" cannot be told from a path
        assert not any("S3CR3T" in one for one in shown)


def test_locations_with_one_text_are_equal_and_hash_alike():
    one, two = Location("s3://host/bucket/key"), Location("S3://host/bucket/key")
    assert one == two
    assert hash(one) == hash(two)
    assert len({one, two}) == 1
    assert one != Location("s3://host/bucket/KEY")
    assert one != "s3://host/bucket/key"
    assert one != Location("s3://a:b@host/bucket/key")
    assert Location("s3://a:b@host/x") == Location("s3://a:b@host/x")


@pytest.mark.parametrize("text", [form[0] for form in OLD_FORMS])
@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda place: pickle.loads(pickle.dumps(place))]
)
def test_a_location_can_be_copied_and_pickled_with_its_credential(text, copied):
    place = Location(text)
    again = copied(place)
    assert again == place
    assert hash(again) == hash(place)
    assert (str(again), again.userinfo) == (str(place), place.userinfo)


@pytest.mark.parametrize("name", ["scheme", "authority", "userinfo", "segments", "query", "new"])
def test_a_location_cannot_be_changed(name):
    place = Location("s3://key:secret@host/bucket/key?a=b")
    before = (str(place), hash(place))
    with pytest.raises(AttributeError):
        setattr(place, name, "x")
    with pytest.raises(AttributeError):
        delattr(place, name)
    assert (str(place), hash(place)) == before
    assert place.userinfo == "key:secret"


def test_what_a_location_gave_out_cannot_change_it():
    place = Location("vsphere://host/folder/x?dcPath=a&dsName=b")
    with suppress(TypeError):
        place.query["dcPath"] = "elsewhere"
    assert place.query["dcPath"] == "a"


@pytest.mark.parametrize(
    ("authority", "host", "port"),
    [
        ("host", "host", None),
        ("host:80", "host", 80),
        ("host:65535", "host", 65535),
        ("10.0.0.1:1", "10.0.0.1", 1),
        ("[::1]", "::1", None),
        ("[fd00::1%25eth0]:443", "fd00::1%25eth0", 443),
    ],
)
def test_host_and_port_are_told_apart(authority, host, port):
    assert Location(f"http://{authority}/x").host_port == (host, port)


@pytest.mark.parametrize(
    "authority",
    [
        *("host:", "host:0", "host:65536", "host:x", "host:1:2", ":80", "[::1", "::1", "[]:1"),
        *("", "host:-1", "host:+1", "host:1_0", "host:\u0661", "host:" + "9" * 5000),
    ],
)
def test_a_bad_host_or_port_is_an_invalid_location(authority):
    place = Location(f"http://{authority}/x")
    with pytest.raises(InvalidLocation):
        _ = place.host_port


def test_a_location_is_an_argument_like_its_text():
    assert storekit.Location is Location
    assert Location.of("s3://host/b/k") == Location("s3://host/b/k")
