"""What servers answer, and what the caller is told."""

import http
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from servers.scripted import head, scripted

import storekit
from storekit import (
    BackendError,
    ConfigurationError,
    DataError,
    Forbidden,
    NotAuthenticated,
    NotFound,
    StorageFull,
    Timeout,
    Unavailable,
    Unsupported,
)

from .conftest import PART, Server

ANSWERS = [
    (404, "NoSuchKey", NotFound, "no such image"),
    (404, "NoSuchBucket", Unavailable, "create_bucket"),
    (403, "AccessDenied", Forbidden, "s3:ListBucket"),
    (403, "InvalidAccessKeyId", NotAuthenticated, "access_key"),
    (403, "SignatureDoesNotMatch", NotAuthenticated, "secret_key"),
    (400, "ExpiredToken", NotAuthenticated, "session_token"),
    (400, "", Forbidden, "session_token"),
    (403, "RequestTimeTooSkewed", Forbidden, "clock"),
    (401, "", NotAuthenticated, "access_key"),
    (503, "SlowDown", Unavailable, "slow down"),
    (400, "RequestTimeout", Timeout, "waited too long"),
    (500, "InternalError", Unavailable, "cannot answer now"),
    (429, "", Unavailable, "slow down"),
    (400, "EntityTooLarge", StorageFull, "larger than the server takes"),
    (403, "QuotaExceeded", StorageFull, "quota"),
    (507, "", StorageFull, "no space left"),
    (403, "InvalidObjectState", Unsupported, "archive"),
    (400, "AuthorizationHeaderMalformed", ConfigurationError, "another region"),
    (501, "NotImplemented", Unsupported, "cannot do it"),
    (418, "Teapot", BackendError, "418"),
]


def error_of(status, code, **fields):
    more = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
    body = f"<Error><Code>{code}</Code><Message>so it is</Message>{more}</Error>" if code else ""
    lengths = {"Content-Length": len(body), "Content-Type": "application/xml"}
    return head(status, lengths) + body.encode()


@pytest.fixture
def answering(open_s3):
    """Open a store on a server that gives every request but that of ``open`` one answer."""
    running = []

    def make(answer, **options):
        opened = [b"<ListBucketResult></ListBucketResult>"]

        def script(exchange):
            if opened:
                body = opened.pop()
                exchange.send(head(200, {"Content-Length": len(body)}) + body)
            else:
                answer(exchange)

        server = running_script = scripted(script)
        there = running_script.__enter__()
        running.append(server)
        return open_s3(
            Server(there.url, "an-access-key", "a-secret-key-0123456789"), "images", **options
        ), there

    yield make
    for server in running:
        server.__exit__(None, None, None)


@pytest.mark.parametrize(("status", "code", "kind", "said"), ANSWERS)
def test_every_answer_of_a_server_has_its_error(answering, status, code, kind, said):
    assert status in set(http.HTTPStatus)
    store, there = answering(lambda exchange: exchange.send(error_of(status, code)), max_attempts=1)
    with pytest.raises(kind) as caught:
        store.get(f"s3+http://{there.host}:{there.port}/images/a")
    assert type(caught.value) is kind
    assert said in str(caught.value)
    assert "a-secret-key" not in str(caught.value)


def test_the_region_that_the_server_names_is_the_hint(answering):
    answer = error_of(400, "AuthorizationHeaderMalformed", Region="eu-west-3")
    store, there = answering(lambda exchange: exchange.send(answer))
    with pytest.raises(ConfigurationError, match="region = eu-west-3"):
        store.get(f"s3+http://{there.host}:{there.port}/images/a")


@pytest.mark.parametrize(
    ("headers", "status", "said"),
    [
        ({}, 200, "whole image in answer to a range"),
        ({}, 206, "does not tell which"),
        ({"Content-Range": "bytes 1-4/9"}, 206, "sends bytes 1 to 4"),
        ({"Content-Range": "bytes 0-4/9"}, 206, "sends bytes 0 to 4"),
        ({"Content-Range": "bytes */9"}, 206, "does not tell which"),
    ],
)
def test_what_was_not_asked_for_is_never_data(answering, headers, status, said):
    answer = head(status, {"Content-Length": 5, "ETag": '"x"', **headers}) + b"12345"
    store, there = answering(lambda exchange: exchange.send(answer))
    with pytest.raises(DataError, match=said):
        store.get(f"s3+http://{there.host}:{there.port}/images/a")


def in_parts(image, shaped):
    """Give parts of an image, as a function of the first byte and the bytes makes them."""

    def script(exchange):
        first, last = exchange.request.range
        span = f"bytes {first}-{min(last, len(image) - 1)}/{len(image)}"
        body = shaped(first, image[first : last + 1])
        headers = {"Content-Length": len(body), "Content-Range": span, "ETag": '"x"'}
        exchange.send(head(206, headers) + body)

    return script


@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize("more", [-3, 1])
def test_a_body_that_is_not_as_long_as_its_part_is_never_data(answering, part, more):
    def shaped(first, body):
        if first // PART == part or first % PART:
            return body[:more] if more < 0 else body + bytes(more)
        return body

    store, there = answering(in_parts(bytes(range(256)) * (4 * PART // 256), shaped), window=2)
    with pytest.raises(DataError, match="part that it names"):
        store.get(f"s3+http://{there.host}:{there.port}/images/a").read()


def test_a_body_that_is_cut_short_is_read_on_at_the_right_byte(answering):
    image = bytes(range(251)) * (4 * PART // 251)

    def shaped(first, body):
        return body[: PART // 2] if first == PART else body

    store, there = answering(in_parts(image, shaped), window=2)
    assert store.get(f"s3+http://{there.host}:{there.port}/images/a").read() == image


def test_names_of_headers_may_be_written_in_any_way(answering):
    stored = {}

    def script(exchange):
        request = exchange.request
        if request.method == "PUT":
            marks = {k.title(): v for k, v in request.headers.items() if "x-amz-meta-" in k}
            stored.update(marks)
            # Said, so that the next request does not meet a connection that goes.
            exchange.send(head(503, {"Content-Length": 0, "Connection": "close"}))
            exchange.close()
        elif stored:
            exchange.send(head(200, {"Content-Length": 5, "ETag": '"x"', **stored}))
        else:
            exchange.send(head(404, {"Content-Length": 0}))

    store, _ = answering(script, conditional_writes="no", max_attempts=1)
    store.add("a", b"image")  # the answer said no, and it is ours


def test_nobody_listening_is_unavailable(open_s3):
    server = Server("http://127.0.0.1:9", "an-access-key", "a-secret-key-0123456789")
    store = storekit.Stores(
        {
            "s": {
                "driver": "s3",
                "endpoint": server.endpoint,
                "bucket": "images",
                **server.keys,
                "max_attempts": 1,
            }
        }
    )
    with store, pytest.raises(Unavailable, match="cannot be reached"):
        store.add("a", b"image")


def test_a_server_without_checksums_is_sent_none(answering):
    seen = []

    def script(exchange):
        seen.append(exchange.request)
        if exchange.request.method == "HEAD":
            exchange.send(head(404, {"Content-Length": 0}))
        elif any("crc32" in name for name in exchange.request.headers):
            exchange.send(error_of(501, "NotImplemented"))
            exchange.close()
        else:
            exchange.send(head(200, {"Content-Length": 0, "ETag": '"x"'}))
            exchange.close()

    store, _ = answering(script, conditional_writes="no")
    store.add("a", b"")
    store.add("b", b"")
    checked = [
        any("crc32" in name for name in request.headers)
        for request in seen
        if request.method == "PUT"
    ]
    assert checked == [True, False, False]


def test_first_adds_share_the_failure_to_find_out_what_the_server_can_do(answering):
    writers, looks, probes = 8, threading.Semaphore(0), []

    def script(exchange):
        if exchange.request.method == "HEAD":
            exchange.send(head(404, {"Content-Length": 0}))
            looks.release()
        else:
            probes.append(exchange.request.target)
            if len(probes) == 1:
                for _ in range(writers):
                    assert looks.acquire(timeout=30)
                time.sleep(1)  # until all who have looked wait
            exchange.send(error_of(403, "AccessDenied"))

    store, _ = answering(script, max_attempts=1)
    with ThreadPoolExecutor(writers) as pool:
        adds = [pool.submit(store.add, f"a-{number}", b"image") for number in range(writers)]
        failures = [add.exception() for add in adds]
    assert {type(failure) for failure in failures} == {Forbidden}
    assert len(set(map(id, failures))) == writers
    assert len(probes) == 1
    with pytest.raises(Forbidden):
        store.add("b", b"image")
    assert len(probes) == 2
