"""How often a request is tried, how long in all, and what a server asks for."""

import time
from email.utils import formatdate

import pytest
from servers.scripted import in_turn, scripted

from storekit import NotFound, StoreError, Timeout, Unavailable
from storekit.retry import Clock, Refusal, RetryPolicy

from .serving import IMAGE, answer, only

SLACK = 1.0  # seconds that a busy machine may add


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(web, status):
    for verb, result in ((web.get_size, len(IMAGE)), (lambda at: web.get(at).read(), IMAGE)):
        with scripted(in_turn(only(status), only(status), answer)) as server:
            assert verb(f"{server.url}/image") == result
            assert len(server.requests) == 3


def test_a_broken_connection_is_tried_again(web):
    scripts = (lambda exchange: exchange.reset(), lambda exchange: exchange.close(), answer)
    with scripted(in_turn(*scripts)) as server:
        assert web.get(f"{server.url}/image").read() == IMAGE


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_the_first_time_counts_as_an_attempt(open_web, attempts):
    web = open_web(max_attempts=attempts)
    with scripted(only(503)) as server:
        for verb in (web.get, web.get_size):
            server.requests.clear()
            with pytest.raises(Unavailable, match="503"):
                verb(f"{server.url}/image")
            assert len(server.requests) == attempts


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 501])
def test_what_is_final_is_asked_once(web, status):
    with scripted(only(status)) as server:
        with pytest.raises(StoreError):
            web.get(f"{server.url}/image")
        assert len(server.requests) == 1


def test_every_attempt_begins_at_the_location(web):
    with scripted(in_turn(only(302, Location="/b"), only(503), answer)) as server:
        assert web.get(f"{server.url}/a").read() == IMAGE
        assert [request.target for request in server.requests] == ["/a", "/b", "/a"]


@pytest.mark.parametrize("after", ["1", lambda: formatdate(time.time() + 2, usegmt=True)])
def test_a_server_is_left_in_peace_as_long_as_it_asks(web, after):
    text = after if isinstance(after, str) else after()
    with scripted(in_turn(only(429, Retry_After=text), answer)) as server:
        started = time.monotonic()
        assert web.get_size(f"{server.url}/image") == len(IMAGE)
        assert 0.9 < time.monotonic() - started < 2 + SLACK


def test_a_server_that_asks_for_more_than_there_is_time_is_not_waited_for(open_web):
    web = open_web(max_attempts=3, connect_timeout=1, io_timeout=1)
    with scripted(only(503, Retry_After=3600)) as server:
        started = time.monotonic()
        with pytest.raises(Unavailable, match="wait 3600 s"):
            web.get(f"{server.url}/image")
        assert time.monotonic() - started < SLACK
        assert len(server.requests) == 1


@pytest.mark.parametrize("text", ["soon", "-5", "1.5", "Thu, 01 Jan 1970 00:00:00 GMT", "9" * 400])
def test_an_odd_retry_after_does_no_harm(open_web, text):
    web = open_web(max_attempts=2, connect_timeout=1, io_timeout=1)
    with scripted(only(503, Retry_After=text)) as server, pytest.raises(Unavailable):
        web.get(f"{server.url}/image")


def test_all_attempts_together_keep_to_the_budget(open_web):
    web = open_web(max_attempts=3, connect_timeout=0.1, io_timeout=0.3)
    with scripted(lambda exchange: exchange.hang()) as server:
        started = time.monotonic()
        with pytest.raises(Timeout):
            web.get(f"{server.url}/image")
        assert time.monotonic() - started < web.limits.op_budget + SLACK
        assert len(server.requests) <= 3


def test_redirects_do_not_stretch_the_budget(open_web):
    """Each hop is fast enough for itself; together they are not."""

    def onwards(exchange):
        exchange.server.stopping.wait(0.25)
        number = int(exchange.request.target.rpartition("/")[2])
        only(302, Location=f"/{number + 1}")(exchange)

    web = open_web(max_attempts=2, connect_timeout=0.1, io_timeout=0.4, max_redirects=50)
    with scripted(onwards) as server:
        started = time.monotonic()
        with pytest.raises(Timeout):
            web.get(f"{server.url}/0")
        assert time.monotonic() - started < web.limits.op_budget + SLACK


def test_a_hop_has_no_more_time_than_is_left(open_web):
    def slow_then_silent(exchange):
        if exchange.request.target == "/a":
            exchange.server.stopping.wait(1.8)
            return only(302, Location="/b")(exchange)
        return exchange.hang()

    web = open_web(max_attempts=1, connect_timeout=0.1, io_timeout=2)
    with scripted(slow_then_silent) as server:
        started = time.monotonic()
        with pytest.raises(Timeout):
            web.get(f"{server.url}/a")
        assert time.monotonic() - started < web.limits.op_budget + SLACK
        assert len(server.requests) == 2


def test_the_policy_waits_longer_from_attempt_to_attempt_but_not_for_ever():
    policy = RetryPolicy(attempts=9, budget=60, first_pause=0.01, longest_pause=0.02)
    tried = []

    def attempt(clock):
        tried.append(clock.left())
        raise Unavailable("no")

    started = time.monotonic()
    with pytest.raises(Unavailable):
        policy.run(attempt)
    assert len(tried) == 9
    assert tried == sorted(tried, reverse=True)
    assert time.monotonic() - started < 8 * 0.02 + SLACK


def test_the_policy_returns_what_the_attempt_returns_and_raises_what_is_final():
    policy = RetryPolicy(attempts=3, budget=10)
    assert policy.run(lambda clock: clock.left() > 9) is True
    tried = []

    def attempt(_clock):
        tried.append(1)
        raise NotFound("no")

    with pytest.raises(NotFound):
        policy.run(attempt)
    assert tried == [1]


def test_the_policy_gives_up_when_the_pause_would_outlast_the_budget():
    policy = RetryPolicy(attempts=3, budget=1)
    tried = []

    def attempt(_clock):
        tried.append(1)
        raise Unavailable("no") from Refusal(503, retry_after=2)

    with pytest.raises(Unavailable):
        policy.run(attempt)
    assert tried == [1]


def test_a_clock_that_has_run_out_says_so():
    clock = Clock(0.01)
    assert clock.within(5) <= 0.01
    time.sleep(0.02)
    with pytest.raises(Timeout):
        clock.within(5)
