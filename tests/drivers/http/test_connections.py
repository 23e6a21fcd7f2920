"""Connections: used again, bounded, given back, and not shared across a fork."""

import gc
import os
import threading
import time

import pytest
from servers.scripted import head, scripted

import storekit
from storekit import Unavailable

from .serving import IMAGE, answer, only


def descriptors():
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def test_a_connection_is_used_again(web):
    with scripted(answer) as server:
        for offset in range(0, 300_000, 50_000):
            assert (
                web.get(f"{server.url}/image", offset=offset, length=9).read()
                == (IMAGE[offset : offset + 9])
            )
            web.get_size(f"{server.url}/image")
        assert server.accepted == 1


def test_an_open_connection_is_used_before_a_closed_one_is_opened_again(web):
    with scripted(answer) as server:
        one, two = web.get(f"{server.url}/image"), web.get(f"{server.url}/image")
        one.read()
        two.close()
        assert web.get_size(f"{server.url}/image") == len(IMAGE)
        assert server.accepted == 2


def test_a_reader_gives_its_connection_back_with_the_last_byte(open_web):
    web = open_web(max_connections=1, io_timeout=0.5)
    with scripted(answer) as server:
        reader = web.get(f"{server.url}/image")
        left = reader.size
        while left:
            left -= len(next(reader))
        assert web.get_size(f"{server.url}/image") == len(IMAGE)
        assert server.accepted == 1
        reader.close()


@pytest.mark.parametrize("read", [0, 1])
@pytest.mark.parametrize("how", ["close", "drop"])
def test_a_reader_that_is_not_read_to_its_end_closes_its_connection(open_web, how, read):
    def endless(exchange):
        exchange.send(head(200, {"Content-Length": 1 << 40}))
        while True:
            exchange.send(bytes(1 << 16))

    web = open_web(max_connections=1, io_timeout=0.5)
    with scripted(endless) as server:
        for _ in range(3):
            reader = web.get(f"{server.url}/image")
            for _ in range(read):
                next(reader)
            if how == "close":
                reader.close()
            else:
                del reader
            assert server.wait_until_open(0)


def test_chunks_that_nobody_took_over_give_their_connection_back(open_web):
    """As the frame would drop them, were it interrupted between the driver and its reader."""
    web = open_web(max_connections=1, io_timeout=0.5)
    driver = web.opening.ready()
    with scripted(answer) as server:
        content = driver.get(storekit.Location(f"{server.url}/image"), 0, None)
        assert content.total == len(IMAGE)
        del content
        assert server.wait_until_open(0)
        assert web.get_size(f"{server.url}/image") == len(IMAGE)


def test_no_verb_leaves_a_connection_in_use(web):
    with scripted(answer) as server:
        web.get_size(f"{server.url}/image")
        web.get(f"{server.url}/image", offset=len(IMAGE)).close()
        with pytest.raises(storekit.RangeNotSatisfiable):
            web.get(f"{server.url}/image", offset=len(IMAGE) + 1)
        web.get(f"{server.url}/image", length=0).close()
        assert server.accepted == 1
        web.close()
        assert server.wait_until_open(0)


def test_when_all_connections_are_in_use_a_verb_waits_and_then_fails(open_web):
    web = open_web(max_connections=2, io_timeout=0.3, max_attempts=3)
    with scripted(answer) as server:
        url = f"{server.url}/image"
        one, two = web.get(url), web.get(url)
        for verb in (web.get, web.get_size):
            started = time.monotonic()
            with pytest.raises(Unavailable, match="all 2 connections"):
                verb(url)
            assert 0.25 < time.monotonic() - started < 1.3
        one.close()
        assert web.get_size(url) == len(IMAGE)
        assert two.read() == IMAGE


def test_who_waits_for_a_connection_gets_the_next_free_one(open_web):
    web = open_web(max_connections=1, io_timeout=5)
    with scripted(answer) as server:
        url = f"{server.url}/image"
        reader = web.get(url)
        sizes = []
        waiting = threading.Thread(target=lambda: sizes.append(web.get_size(url)))
        waiting.start()
        time.sleep(0.1)
        assert sizes == []
        reader.close()
        waiting.join(5)
        assert sizes == [len(IMAGE)]


def test_there_are_never_more_connections_than_allowed(open_web):
    web = open_web(max_connections=3, io_timeout=10)
    failures = []
    with scripted(answer) as one, scripted(answer) as two, scripted(answer) as three:
        servers = [one, two, three]
        open_at_once = []

        def work(number):
            try:
                for turn in range(40):
                    url = f"{servers[(number + turn) % 3].url}/image"
                    if turn % 4 == 0:
                        web.get(url).close()
                    elif web.get(url, offset=turn, length=5000).read() != IMAGE[turn:][:5000]:
                        failures.append((number, turn))
                    open_at_once.append(len(established()))
            except Exception as error:
                failures.append(error)

        def established():
            ports = {server.port for server in servers}
            return [port for port in remote_ports() if port in ports]

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert max(open_at_once) <= 3


def remote_ports():
    """The ports that connections of this process lead to."""
    inodes = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    with open("/proc/self/net/tcp") as table:
        rows = [line.split() for line in table][1:]
    # By inode: a table that changes while it is read can show one connection several times.
    remote = {row[9]: row[2] for row in rows if row[9] in inodes and row[3] == "01"}
    return [int(address.split(":")[1], 16) for address in remote.values()]


def test_idle_connections_give_way_to_those_of_another_host(open_web):
    web = open_web(max_connections=1)
    with scripted(answer) as one, scripted(answer) as two:
        for _ in range(3):
            for server in (one, two):
                assert web.get_size(f"{server.url}/image") == len(IMAGE)
                assert one.wait_until_open(1 if server is one else 0)
                assert two.wait_until_open(1 if server is two else 0)


def test_nothing_is_left_when_the_store_is_closed(open_web):
    with scripted(answer) as server:
        web = open_web()
        before, threads = descriptors(), threading.active_count()
        readers = [web.get(f"{server.url}/image") for _ in range(5)]
        for reader in readers:
            reader.read()
        web.get_size(f"{server.url}/image")
        assert descriptors() > before
        web.close()
        assert server.wait_until_open(0)
        assert descriptors() <= before
        assert threading.active_count() <= threads
        web.close()


def test_a_reader_outlives_its_store_and_leaves_nothing(open_web):
    with scripted(answer) as server:
        web = open_web()
        reader = web.get(f"{server.url}/image")
        web.close()
        assert reader.read() == IMAGE
        assert server.wait_until_open(0)


def test_parent_and_child_read_on_after_a_fork(open_web):
    web = open_web()
    with scripted(answer) as server:
        url = f"{server.url}/image"
        assert web.get_size(url) == len(IMAGE)
        child = os.fork()
        if child == 0:
            fine = False
            try:
                fine = all(web.get(url, offset=at).read() == IMAGE[at:] for at in (0, 7, 11))
                web.close()
            finally:
                os._exit(0 if fine else 1)
        for at in (3, 5, 9):
            assert web.get(url, offset=at).read() == IMAGE[at:]
        assert os.waitpid(child, 0)[1] == 0
        of_child = {r.connection for r in server.requests if r.range and r.range[0] in (7, 11)}
        of_parent = {r.connection for r in server.requests if r.range and r.range[0] in (3, 5, 9)}
        assert of_child.isdisjoint(of_parent)
        assert len(of_parent) == 1


def test_a_failed_verb_leaves_no_connection_in_use(open_web):
    web = open_web(max_connections=1, max_attempts=1, io_timeout=0.3)
    for script in (
        only(404),
        only(503),
        only(302, Location="http://10.0.0.1/a"),
        only(302, Location="/image"),
        lambda exchange: exchange.reset(),
        lambda exchange: exchange.hang(),
        lambda exchange: answer(exchange, Content_Range="bytes 0-1/2"),
        lambda exchange: answer(exchange, Content_Encoding="gzip"),
        lambda exchange: answer(exchange, Content_Length="x"),
    ):
        with scripted(script) as server:
            for offset in (3, 4):
                with pytest.raises(storekit.StoreError) as caught:
                    web.get(f"{server.url}/image", offset=offset)
                assert "connections" not in str(caught.value)
    with scripted(answer) as server:
        assert web.get(f"{server.url}/image").read() == IMAGE
