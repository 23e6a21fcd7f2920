"""What servers answer, and what the caller is told."""

import threading
import time
from contextlib import ExitStack

import pytest
from servers.scripted import black_hole, head, scripted

import storekit
from storekit import (
    BackendError,
    ConfigurationError,
    DataError,
    Duplicate,
    Forbidden,
    InvalidArgument,
    NotAuthenticated,
    NotFound,
    OutcomeUnknown,
    RequestContext,
    StorageFull,
    Timeout,
    Unavailable,
    Unsupported,
)
from storekit.testing.wire import WRITES, Lose, Wire

from .conftest import PART, Server

WHO = ("acc:joe", "a-secret-key-0123456789")
WHERE = "swift+config://objects/images/a"
EMPTY = head(204, {"Content-Length": 0})
ANSWERS = [
    (401, NotAuthenticated, "check username"),
    (403, Forbidden, "ACLs of the containers"),
    (405, Unsupported, "does not allow"),
    (408, Timeout, "waited too long"),
    (411, BackendError, "Content-Length"),
    (413, StorageFull, "raise the quota"),
    (418, BackendError, "418"),
    (422, DataError, "add it again"),
    (429, Unavailable, "slow down"),
    (498, Unavailable, "limits our rate"),
    (500, Unavailable, "the server's log"),
    (501, Unsupported, "cannot do it"),
    (503, Unavailable, "try again later"),
    (507, StorageFull, "no space left"),
    (302, BackendError, "302"),
]


class Scene:
    """A server of version 1 that lets a script answer what is asked about objects."""

    def __init__(self, script):
        self.script = script
        self.tokens = 0
        self.asked = []

    def __call__(self, exchange):
        request = exchange.request
        if request.target.startswith("/auth/"):
            self.tokens += 1
            known = {
                "X-Storage-Url": f"http://{request.headers['host']}/v1/AUTH_acc",
                "X-Auth-Token": f"token-{self.tokens}",
                "Content-Length": 0,
            }
            exchange.send(head(200, known))
        elif request.target == "/info":
            body = b'{"swift": {"version": "2.38"}, "slo": {"max_manifest_segments": 7}}'
            exchange.send(head(200, {"Content-Length": len(body)}) + body)
        elif request.target.count("/") < 4:  # an account, or a container
            exchange.send(EMPTY)
        else:
            self.asked.append(request)
            self.script(exchange)


@pytest.fixture
def answering(open_swift):
    """Open a store on a server that gives every request about an object one answer."""
    with ExitStack() as running:

        def make(script, **options):
            scene = Scene(script)
            there = running.enter_context(scripted(scene))
            return open_swift(Server(there.url, *WHO), "images", **options), scene

        yield make


def saying(status, **headers):
    body = b"so it is"
    answer = head(status, {"Content-Length": len(body), **headers}) + body

    def script(exchange):
        exchange.send(answer if exchange.request.method != "HEAD" else answer[: -len(body)])
        exchange.close()

    return script


@pytest.mark.parametrize(("status", "kind", "said"), ANSWERS)
@pytest.mark.parametrize("verb", ["get", "delete"])
def test_every_answer_of_a_server_has_its_error(answering, status, kind, said, verb):
    store, _ = answering(saying(status), max_attempts=1)
    with pytest.raises(kind) as caught:
        getattr(store, verb)(WHERE)
    assert type(caught.value) is kind
    assert said in str(caught.value)
    assert caught.value.hint or status in {405, 408, 418, 501, 302}
    assert WHO[1] not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(409, Unavailable), (413, StorageFull), (422, DataError), (507, StorageFull)],
)
def test_every_answer_to_a_write_has_its_error(answering, status, kind):
    refuse = saying(status)

    def script(exchange):
        if exchange.request.method == "HEAD":
            exchange.send(head(404, {"Content-Length": 0}))
        else:
            refuse(exchange)

    store, _ = answering(script, max_attempts=1)
    with pytest.raises(kind) as caught:
        store.add("a", b"image")
    assert type(caught.value) is kind
    assert caught.value.hint


def test_a_conflict_is_a_lost_segment_to_a_reader(answering):
    store, _ = answering(saying(409))
    with pytest.raises(DataError, match="not whole"):
        store.get(WHERE)


def test_what_is_missing_is_not_found(answering):
    store, _ = answering(saying(404))
    for verb in (store.get, store.get_size, store.delete):
        with pytest.raises(NotFound, match="no such image"):
            verb(WHERE)


@pytest.mark.parametrize("status", [429, 498, 503])
def test_a_server_that_says_when_to_come_back_is_believed(answering, status):
    times = []

    def script(exchange):
        times.append(time.monotonic())
        if len(times) < 3:
            exchange.send(head(status, {"Content-Length": 0, "Retry-After": 1}))
        else:
            exchange.send(head(200, {"Content-Length": 5, "ETag": "x"}))

    store, _ = answering(script, max_attempts=3)
    assert store.get_size(WHERE) == 5
    assert times[1] - times[0] >= 1
    assert times[2] - times[1] >= 1


@pytest.mark.parametrize(
    ("headers", "status", "said"),
    [
        ({}, 200, "whole image in answer to a range"),
        ({}, 206, "does not tell which"),
        ({"Content-Range": "bytes 1-4/9"}, 206, "sends bytes 1 to 4"),
        ({"Content-Range": "bytes 0-4/9"}, 206, "sends bytes 0 to 4"),
    ],
)
def test_what_was_not_asked_for_is_never_data(answering, headers, status, said):
    store, _ = answering(saying(status, ETag="x", **headers))
    with pytest.raises(DataError, match=said):
        store.get(WHERE)


def test_a_size_that_is_not_told_is_never_guessed(answering):
    store, _ = answering(lambda exchange: (exchange.send(head(200, {})), exchange.close()))
    with pytest.raises(DataError, match="does not tell the size"):
        store.get_size(WHERE)


def test_a_redirect_is_not_followed_and_the_token_stays(answering):
    seen = []

    def elsewhere(exchange):
        seen.append(exchange.request)
        exchange.send(EMPTY)

    with scripted(elsewhere) as other:
        store, _ = answering(saying(307, Location=f"{other.url}/v1/AUTH_acc/images/a"))
        with pytest.raises(BackendError, match="307"):
            store.get(WHERE)
    assert seen == []


def test_many_threads_that_are_refused_get_one_new_token(answering):
    together = threading.Barrier(8)

    def script(exchange):
        if exchange.request.headers["x-auth-token"] == "token-1":
            together.wait(10)
            exchange.send(head(401, {"Content-Length": 0}))
        else:
            exchange.send(head(200, {"Content-Length": 5}))

    store, scene = answering(script)
    sizes = []
    threads = [
        threading.Thread(target=lambda: sizes.append(store.get_size(WHERE))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sizes == [5] * 8
    assert scene.tokens == 2


def test_a_token_that_is_refused_again_is_not_replaced_again(answering):
    store, scene = answering(saying(401))
    with pytest.raises(NotAuthenticated):
        store.get(WHERE)
    assert scene.tokens == 2
    assert len(scene.asked) == 2


TOKENS = ["AUTH_tk0123\n", " AUTH_tk0123", "AUTH_tk\r\nX: 0123", "AUTH_tk\udc80", "\udc80AUTH_tk"]


@pytest.mark.parametrize("token", TOKENS)
def test_a_token_that_cannot_be_sent_is_told_without_it(opened, token):
    with scripted(lambda exchange: exchange.send(EMPTY)) as there:
        endpoint = {"interface": "public", "url": f"{there.url}/v1/AUTH_acc"}
        catalog = [{"type": "object-store", "endpoints": [endpoint]}]
        store = opened("swift", name="objects", container="images")
        with pytest.raises(NotAuthenticated, match="check token") as caught:
            store.add("a", b"image", context=RequestContext(token=token, catalog=catalog))
        assert not any("x-auth-token" in request.headers for request in there.requests)
    error, seen = caught.value, []
    while error is not None:
        seen.append(repr(error) + str(error))
        error = error.__cause__ or error.__context__
    assert "AUTH_tk" not in "".join(seen)


def test_a_project_that_cannot_be_sent_is_the_callers_mistake(answering):
    store, _ = answering(lambda exchange: exchange.send(EMPTY), multi_tenant=True)
    with pytest.raises(InvalidArgument, match="ids of projects"):
        store.set_acls("swift+config://objects/images_a/a", read=["one\ntwo"])


@pytest.mark.parametrize("container", ["images", "images_b", "images_"])
def test_a_container_that_is_not_the_images_alone_is_never_opened(open_swift, container):
    with scripted(Scene(lambda exchange: exchange.send(EMPTY))) as there:
        store = open_swift(Server(there.url, *WHO), "images", multi_tenant=True)
        before = len(there.requests)
        with pytest.raises(Unsupported, match="not this image's alone"):
            store.set_acls(f"swift+config://objects/{container}/a", public=True)
        assert len(there.requests) == before
        store.set_acls("swift+config://objects/images_a/a", public=True)
        opened = [(request.method, request.target) for request in there.requests[before:]]
    assert [target.rpartition("/")[2] for method, target in opened if method == "POST"] == [
        "images-segments_a",
        "images_a",
    ]


def test_a_page_that_is_no_authentication_is_named(open_swift):
    page = head(200, {"Content-Length": 5}) + b"hello"
    with (
        scripted(lambda exchange: exchange.send(page)) as there,
        pytest.raises(ConfigurationError, match="auth_url"),
    ):
        open_swift(Server(there.url, *WHO), "images")


def test_nobody_listening_is_unavailable(open_swift):
    with pytest.raises(Unavailable, match="cannot be reached"):
        open_swift(Server("http://127.0.0.1:9", *WHO), "images", max_attempts=1)


def test_a_server_that_never_answers_is_a_timeout(open_swift):
    with black_hole() as there, pytest.raises(Timeout):
        open_swift(
            Server(there, *WHO),
            "images",
            max_attempts=1,
            io_timeout=0.5,
            connect_timeout=0.5,
        )


def test_the_server_says_how_many_segments_it_takes(answering):
    store, _ = answering(saying(404))
    assert store.limits.max_parts == 7
    assert store.limits.max_image_size == 7 * 4 * PART


def test_threads_that_wait_for_what_a_silent_server_is_wait_once_and_together(open_swift):
    asked = []

    class Silent(Scene):
        def __call__(self, exchange):
            if exchange.request.target != "/info":
                super().__call__(exchange)
                return
            asked.append(exchange.request)
            exchange.hang()

    missing = head(404, {"Content-Length": 0})
    with scripted(Silent(lambda exchange: exchange.send(missing))) as there:
        store = open_swift(Server(there.url, *WHO), "images", io_timeout=1, max_attempts=1)
        assert len(asked) == 1
        failed = []

        def get():
            try:
                store.get(WHERE)
            except NotFound as error:
                failed.append(error)

        threads = [threading.Thread(target=get) for _ in range(6)]
        begun = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(failed) == 6
        assert time.monotonic() - begun < 3
        assert len(asked) == 2  # a failure is shared, and not kept


@pytest.mark.parametrize("size", [1000, 2 * PART + 1])
def test_a_commit_whose_answer_is_lost_is_settled_by_looking(tempauth, open_swift, image, size):
    container = tempauth.new_container()
    writes = 1 if size < PART else 4
    with Wire(tempauth.endpoint) as wire:
        store = open_swift(tempauth, container, auth_url=f"{wire.endpoint}/auth/v1.0", window=1)
        open_swift(tempauth, container).add("warm", image)  # the containers are there
        aimed = wire.aim(Lose(), methods=WRITES, nth=writes)
        location = store.add("a", image[:size]).location
        assert len(aimed.hits) == 1
    assert open_swift(tempauth, container).get(location).read() == image[:size]


@pytest.mark.parametrize("size", [1000, 2 * PART + 1])
def test_a_commit_that_cannot_be_looked_for_is_unknown_and_never_half_an_image(
    tempauth, open_swift, image, size
):
    container = tempauth.new_container()
    writes = 1 if size < PART else 4
    with Wire(tempauth.endpoint) as wire:
        store = open_swift(tempauth, container, auth_url=f"{wire.endpoint}/auth/v1.0", window=1)
        open_swift(tempauth, container).add("warm", image)
        aimed = wire.aim(Lose(), methods=WRITES, nth=writes)
        wire.script = lambda _: b"" if aimed.hits else None
        with pytest.raises(OutcomeUnknown):
            store.add("a", image[:size])
    straight = open_swift(tempauth, container, upload_idle=0)
    place = f"swift+config://objects/{container}/a"
    assert straight.get(place).read() == image[:size]
    assert list(straight.leftovers()) == []
    with pytest.raises(Duplicate):
        straight.add("a", b"again")


def test_an_error_holds_no_socket(tempauth, open_swift, image):
    container = tempauth.new_container()
    errors = []
    with Wire(tempauth.endpoint) as wire:
        auth_url = f"{wire.endpoint}/auth/v1.0"
        store = open_swift(tempauth, container, auth_url=auth_url, max_attempts=1)
        wire.script = lambda _: b""
        for verb in (store.get, store.get_size, store.delete):
            with pytest.raises(Unavailable) as caught:
                verb(f"swift+config://objects/{container}/a")
            errors.append(caught.value)
        wire.script = None
        store.close()
        end = time.monotonic() + 5
        while wire.open and time.monotonic() < end:
            time.sleep(0.01)
        assert wire.open == 0
    assert all(isinstance(error, storekit.StoreError) for error in errors)
