"""The relay breaks what it is told to, there and nowhere else, whatever the protocol."""

import gc
import os
import socket
import time

import pytest

from storekit.testing.wire import Cut, Drip, Flip, Reset, Stall, Wire
from tests.testing.backends import echo

SENT = bytes(range(256)) * 40
ALL = len(SENT)


@pytest.fixture
def backend():
    with echo() as (endpoint, came):
        yield endpoint, came


@pytest.fixture
def wire(backend):
    with Wire(backend[0]) as relay:
        yield relay


def connect(wire):
    client = socket.create_connection(("127.0.0.1", wire.port), timeout=5)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def received(client, size=ALL):
    """Read so many bytes, or to the end."""
    data = b""
    while len(data) < size and (block := client.recv(size - len(data))):
        data += block
    return data


def test_it_passes_bytes_of_any_protocol_and_counts_them(wire, backend):
    with connect(wire) as client, connect(wire) as other:
        client.sendall(SENT)
        other.sendall(b"other")
        assert received(client) == SENT
        assert received(other, 5) == b"other"
    assert (wire.up, wire.down) == (ALL + 5, ALL + 5)
    assert wire.opened == 2
    assert bytes(backend[1]).count(b"other") == 1


@pytest.mark.parametrize("after", [0, 1, 997, ALL - 1, ALL])
def test_it_ends_a_connection_after_exactly_so_many_bytes(wire, after):
    wire.answers.arm(Cut(after))
    with connect(wire) as client:
        client.sendall(SENT)
        assert received(client, ALL + 1) == SENT[:after]
    assert wire.answers.fired == 1
    with connect(wire) as client:
        client.sendall(SENT)
        assert received(client) == SENT


def test_it_breaks_a_connection(wire):
    wire.answers.arm(Reset(997))
    with connect(wire) as client:
        client.sendall(SENT)
        with pytest.raises(ConnectionResetError):
            received(client)
    assert wire.answers.fired == 1


def test_it_breaks_what_goes_to_the_backend(wire, backend):
    wire.asked.arm(Reset(997))
    with connect(wire) as client:
        client.sendall(SENT)
        with pytest.raises(ConnectionResetError):
            received(client)
    deadline = time.monotonic() + 5
    while len(backend[1]) < 997 and time.monotonic() < deadline:
        time.sleep(0.005)
    assert bytes(backend[1]) == SENT[:997]


def test_it_does_so_as_often_as_it_is_told(wire):
    wire.answers.arm(Cut(5), times=2)
    got = []
    for _ in range(3):
        with connect(wire) as client:
            client.sendall(b"0123456789")
            got.append(received(client, 10))
    assert got == [b"01234", b"01234", b"0123456789"]
    wire.answers.arm(Cut(5), times=None)
    for _ in range(4):
        with connect(wire) as client:
            client.sendall(b"0123456789")
            assert received(client, 10) == b"01234"


def test_it_loses_answers_to_what_the_backend_has_got(wire, backend):
    wire.lose(2, times=2)
    got = []
    for word in (b"one", b"two", b"three", b"four"):
        with connect(wire) as client:
            client.sendall(word)
            try:
                got.append(received(client, len(word)))
            except ConnectionResetError:
                got.append(b"")
    assert got == [b"one", b"", b"", b"four"]
    assert bytes(backend[1]) == b"onetwothreefour"
    assert (wire.exchanges, wire.lost) == (4, 2)


def test_it_stalls_for_good_and_on_every_connection(wire):
    wire.answers.arm(Stall(997))
    with connect(wire) as client, connect(wire) as other:
        client.sendall(SENT)
        assert received(client, 997) == SENT[:997]
        for silent in (client, other):
            silent.settimeout(0.1)
            silent.sendall(b"more")
            with pytest.raises(TimeoutError):
                silent.recv(1)
        wire.heal()
    with connect(wire) as client:
        client.sendall(b"again")
        assert received(client, 5) == b"again"


def test_it_lets_nothing_through_to_the_backend(wire, backend):
    wire.asked.arm(Stall())
    with connect(wire) as client:
        client.sendall(SENT)
        client.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.recv(1)
    assert not backend[1]


def test_it_changes_one_byte(wire):
    wire.answers.arm(Flip(5000))
    with connect(wire) as client:
        client.sendall(SENT)
        data = received(client)
    assert [at for at in range(ALL) if data[at] != SENT[at]] == [5000]


def test_it_lets_bytes_drip(wire):
    wire.answers.arm(Drip(100, 20, 0.01))
    begin = time.monotonic()
    with connect(wire) as client:
        client.sendall(SENT)
        assert received(client) == SENT
    assert 0.2 <= time.monotonic() - begin < 2
    assert wire.answers.fired == 20


def test_it_refuses_swallows_and_heals(wire):
    with connect(wire) as client:
        client.sendall(b"x")
        assert received(client, 1) == b"x"
        wire.refuse()
        assert received(client, 1) == b""
    with pytest.raises(ConnectionRefusedError):
        connect(wire)
    assert wire.swallow()
    with pytest.raises(TimeoutError):
        socket.create_connection(("127.0.0.1", wire.port), timeout=0.2)
    wire.heal()
    with connect(wire) as client:
        client.sendall(b"x")
        assert received(client, 1) == b"x"


def test_it_cuts_before_a_block(wire, backend):
    wire.cut_before = 1
    with connect(wire) as client:
        client.sendall(b"first")
        assert received(client, 5) == b"first"
        client.sendall(b"second")
        assert received(client, 1) == b""
    assert bytes(backend[1]) == b"first"


def test_it_notices_that_a_backend_is_gone():
    with echo() as (endpoint, _):
        pass
    with Wire(endpoint) as wire, connect(wire) as client:
        assert client.recv(1) == b""


def test_it_gives_everything_back(backend):
    def descriptors():
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    before = descriptors()
    with Wire(backend[0]) as wire:
        clients = [connect(wire) for _ in range(5)]
        for client in clients:
            client.sendall(b"x")
            received(client, 1)
        assert wire.swallow()
    for client in clients:
        client.close()
    deadline = time.monotonic() + 5
    while descriptors() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert descriptors() <= before
