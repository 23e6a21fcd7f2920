"""Sizes, whole reads and parts, from a sound server."""

import os
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import storekit
from storekit import (
    Capability,
    DataError,
    Forbidden,
    InvalidArgument,
    InvalidLocation,
    NotFound,
    RangeNotSatisfiable,
    Unavailable,
    UnknownScheme,
    Unsupported,
)

from .conftest import SIZE


def test_an_image_is_read_whole(site, web, image):
    with web.get(f"{site.url}/image") as reader:
        assert reader.size == SIZE
        chunks = list(reader)
    assert b"".join(chunks) == image
    assert all(0 < len(chunk) <= web.limits.read_chunk for chunk in chunks)


def test_the_bytes_are_asked_for_as_they_are(site, web, image):
    assert web.get(f"{site.url}/gzip/image").read() == image
    assert web.get_size(f"{site.url}/gzip/image") == SIZE


def test_the_chunks_are_no_longer_than_the_store_says(site, open_web, image):
    chunks = list(open_web(read_chunk=1009).get(f"{site.url}/image", length=50_000))
    assert max(map(len, chunks)) <= 1009
    assert b"".join(chunks) == image[:50_000]


def test_an_empty_image_is_empty(site, web):
    location = f"{site.url}/empty"
    assert web.get_size(location) == 0
    assert web.get(location).size == 0
    assert list(web.get(location)) == []
    assert web.get(location, offset=0, length=5).read() == b""
    with pytest.raises(RangeNotSatisfiable):
        web.get(location, offset=1)


@pytest.mark.parametrize("path", ["image", "no-head/image", "slow/image", "no-etag/image"])
def test_the_size_is_told_without_the_bytes(site, web, path):
    assert web.get_size(f"{site.url}/{path}") == SIZE
    assert [hit.body_bytes for hit in site.hits() if hit.path == f"/{path}"][-1] < 2


@pytest.mark.parametrize(
    ("offset", "length"),
    [
        (0, None),
        (0, 1),
        (1, None),
        (1, 1),
        (65_535, 65_537),
        (1 << 20, 1 << 20),
        (SIZE - 1, None),
        (SIZE - 1, 1),
        (SIZE - 5, 100),
        (0, SIZE),
        (0, SIZE + 1),
        (12_345, 1 << 70),
    ],
)
def test_a_part_is_the_slice(site, web, image, offset, length):
    expected = image[offset:] if length is None else image[offset : offset + length]
    with web.get(f"{site.url}/image", offset=offset, length=length) as reader:
        assert reader.size == len(expected)
        assert reader.read() == expected


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(0, SIZE), st.one_of(st.none(), st.integers(0, SIZE)))
def test_any_part_is_the_slice(site, web, image, offset, length):
    end = SIZE if length is None else offset + length
    assert web.get(f"{site.url}/image", offset=offset, length=length).read() == image[offset:end]


def test_only_the_part_is_sent(site, web):
    web.get(f"{site.url}/image", offset=100, length=50).read()
    hit = site.hits()[-1]
    assert (hit.range, hit.status, hit.body_bytes) == ("bytes=100-149", 206, 50)


def test_an_offset_at_the_end_is_empty_and_past_it_an_error(site, web):
    assert web.get(f"{site.url}/image", offset=SIZE).read() == b""
    assert web.get(f"{site.url}/image", offset=SIZE, length=3).size == 0
    for offset in (SIZE + 1, 1 << 62):
        with pytest.raises(RangeNotSatisfiable):
            web.get(f"{site.url}/image", offset=offset)


def test_a_server_that_ignores_ranges_gives_whole_images_only(site, web, image):
    location = f"{site.url}/no-range/image"
    assert web.get(location).read() == image
    for part in ({"offset": 5}, {"length": 5}, {"offset": 5, "length": 5}):
        with pytest.raises(Unsupported, match="ignores"):
            web.get(location, **part)


def test_a_server_that_stops_to_honour_ranges_is_at_fault(site, web):
    web.get(f"{site.url}/image", offset=5, length=5).read()
    with pytest.raises(DataError, match="whole image"):
        web.get(f"{site.url}/no-range/image", offset=5)


@pytest.mark.parametrize("kind", ["chunked", "no-length"])
def test_a_server_that_does_not_tell_the_size_is_not_read(site, web, kind):
    location = f"{site.url}/{kind}/small"
    with pytest.raises(Unsupported, match="does not tell the size"):
        web.get_size(location)
    with pytest.raises(Unsupported, match="does not tell the size"):
        web.get(location)


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("missing", NotFound),
        ("status/410", NotFound),
        ("status/403", Forbidden),
        ("auth/image", storekit.NotAuthenticated),
        ("status/429", Unavailable),
        ("status/500", Unavailable),
        ("status/502", Unavailable),
        ("status/503", Unavailable),
        ("status/504", Unavailable),
    ],
)
def test_a_refusal_is_the_same_error_from_every_verb(site, open_web, path, error):
    web = open_web(max_attempts=1)
    for verb in (
        web.get_size,
        web.get,
        lambda location: web.get(location, offset=7),
        lambda location: web.get(location, length=0),
    ):
        with pytest.raises(error) as caught:
            verb(f"{site.url}/{path}")
        assert type(caught.value) is error
        assert caught.value.__cause__ is not None
        assert caught.value.retriable == (error is Unavailable)
        assert str(caught.value.location) == f"{site.url}/{path}"


def test_a_missing_image_is_named(site, web):
    with pytest.raises(NotFound, match=r"store 'web' \(http\): get .*/missing: .*no such image"):
        web.get(f"{site.url}/missing")


def test_what_a_web_server_does_not_take_is_refused_without_a_request(site, web):
    before = len(site.hits())
    with pytest.raises(Unsupported):
        web.add("id", b"data")
    with pytest.raises(Unsupported):
        web.delete(f"{site.url}/image")
    for location in ("http://", "http://127.0.0.1:x/a", "http://10.0.0.1/a", "http://127.0.0.1"):
        with pytest.raises(InvalidLocation):
            web.get(location)
    with pytest.raises(UnknownScheme):
        web.get("ftp://127.0.0.1/a")
    with pytest.raises(InvalidArgument):
        web.get(f"{site.url}/image", offset=-1)
    assert len(site.hits()) == before


def test_the_store_claims_what_it_can_do(web):
    assert web.capabilities == (
        Capability.GET | Capability.GET_RANGE | Capability.THREAD_SAFE | Capability.FORK_SAFE
    )
    assert web.state == "ready"


def test_a_name_is_asked_for_as_it_was_written(site, web):
    name = "a b+%2F#?ü\udcff"
    (site.root / os.fsencode(name).decode("utf-8", "surrogateescape")).write_bytes(b"odd")
    location = storekit.Location.build("http", site.url[7:], name)
    assert web.get(location).read() == b"odd"
    assert web.get(str(location)).read() == b"odd"


def test_a_slow_server_and_a_slow_reader_are_no_faults(site, open_web, image):
    web = open_web(io_timeout=1.0)
    assert web.get(f"{site.url}/slow/image", length=400_000).read() == image[:400_000]
    with web.get(f"{site.url}/image") as reader:
        first = next(reader)
        time.sleep(1.2)
        assert first + reader.read() == image


def test_many_threads_read_one_store(site, web, image):
    failures = []

    def read(number):
        try:
            for turn in range(8):
                offset = (number * 7919 + turn * 104_729) % SIZE
                if (
                    web.get(f"{site.url}/image", offset=offset, length=70_001).read()
                    != (image[offset : offset + 70_001])
                ):
                    failures.append((number, turn))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_two_readers_in_turn_do_not_mix(site, web, image):
    with (
        web.get(f"{site.url}/image") as one,
        web.get(f"{site.url}/image", offset=11) as other,
        web.get(f"{site.url}/small") as small,
    ):
        ones, others = b"", b""
        while len(ones) < SIZE:
            ones += one.read(99_991)
            others += other.read(65_537)
        assert small.read() == bytes(range(256))
        assert ones == image
        assert others + other.read() == image[11:]
