"""What a process holds and needs, as the kit counts it."""

import os
import socket
import threading

import pytest

from storekit.testing.children import in_child
from storekit.testing.resources import close_waiting, held, needed, settled

MIB = 1 << 20


def test_a_descriptor_and_a_thread_are_seen_and_seen_to_go():
    before = held()
    descriptor = os.open("/dev/null", os.O_RDONLY)
    end = threading.Event()
    thread = threading.Thread(target=end.wait, name="seen")
    thread.start()

    more = held().since(before)
    assert [name.partition(" ")[2] for name in more.descriptors] == ["/dev/null"]
    assert [name.partition(" ")[2] for name in more.threads] == ["seen"]

    os.close(descriptor)
    end.set()
    more = settled(lambda now: not now.descriptors | now.threads, before, 10)
    assert not more.descriptors | more.threads


def test_what_does_not_go_is_told_when_the_time_is_over():
    before = held()
    with open("/dev/null") as file:
        more = settled(lambda now: not now.descriptors, before, 0.05)
        assert more.descriptors == {f"{file.fileno()} /dev/null"}


def test_a_socket_whose_other_end_was_closed_waits_to_be_closed():
    before = held()
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        with client:
            accepted, _ = server.accept()
            assert not close_waiting(held().since(before).descriptors)
            accepted.close()
            client.recv(1)
            waiting = close_waiting(held().since(before).descriptors)
            assert [name.partition(" ")[0] for name in waiting] == [str(client.fileno())]
    assert not close_waiting(held().since(before).descriptors)


@pytest.mark.parametrize("size", [8 * MIB, 32 * MIB])
def test_the_memory_that_something_needed_is_measured_although_it_is_free_again(size):
    taken = in_child(lambda: needed(lambda: len(b"x" * size)), 30)
    assert size - MIB < taken < size + 4 * MIB  # the kernel counts in batches


def test_memory_that_was_freed_before_does_not_hide_what_is_needed():
    def act():
        kept = [b"x" * (100_000 + n) for n in range(200)]  # less than the C library maps by itself
        del kept
        return needed(lambda: [b"x" * (100_000 + n) for n in range(160)])

    assert in_child(act, 30) >= 15 * MIB
