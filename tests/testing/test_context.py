"""What a case has at hand does what it says."""

import gc
import os
import threading
import time

import pytest

from storekit.errors import NotFound, StoreError
from storekit.location import Location
from storekit.testing import Harness, NotRun, Violation
from storekit.testing.children import in_child
from storekit.testing.context import Context
from storekit.testing.journal import shown
from storekit.testing.reference import DirectoryHarness, MemoryHarness
from storekit.testing.wire import Wire, http_answer
from tests.testing.made_up import made_up, passes


class LongParts(MemoryHarness):
    def options(self):
        return {"part_size": 64 << 20, **super().options()}


@pytest.fixture
def context_of():
    begun = []

    def begin(kind=MemoryHarness, **more):
        harness = kind()
        harness.setup()
        context = Context(made_up("ADD-01", passes, **more), harness, seed=1, token="t", escapes=[])
        begun.append((harness, context))
        return context

    yield begin
    for harness, context in begun:
        context.exit.close()
        harness.teardown()


def test_long_parts_are_made_short_where_the_driver_takes_the_option(context_of):
    client, size = context_of(LongParts).small_parts()
    assert size == client.limits.part_size == 16 << 20
    context = context_of()
    assert context.small_parts() == (context.store, context.limits.part_size)


def test_sizes_are_around_the_given_ones_and_never_below_one(context_of):
    assert context_of().around(1, 10) == [1, 2, 9, 10, 11]


def test_ids_are_unique_and_never_too_long(context_of):
    class Short(MemoryHarness):
        def options(self):
            return {"max_id_length": 12, **super().options()}

    context = context_of(Short)
    ids = {context.new_id("é") for _ in range(10)}
    assert len(ids) == 10
    assert all(len(image_id.encode()) <= 12 and image_id.endswith("é") for image_id in ids)


def test_a_difference_in_long_bytes_is_told_by_its_place(context_of):
    with pytest.raises(Violation, match=r"10 bytes; got 10 bytes, different from byte 3 on"):
        context_of().same(b"abcXefghij", b"abcdefghij", "it")


def test_a_fault_needs_its_hook(context_of):
    class Faultless(DirectoryHarness):
        fault = Harness.fault

    with pytest.raises(NotRun), context_of(Faultless).fault("gone"):
        pass
    with pytest.raises(NotRun, match="hung"), context_of(DirectoryHarness).fault("hung"):
        pass


def test_orphans_are_for_cases_that_run_alone(context_of):
    with pytest.raises(RuntimeError, match="alone"):
        context_of().orphans()
    assert context_of(exclusive=True).orphans() == set()


def test_the_journal_shows_no_credential():
    assert "secret" not in shown("s3+https://key:secret@host/bucket/key")
    assert shown(b"x" * 100) == "<100 bytes>"


def test_a_child_gives_its_answer_or_a_violation():
    assert in_child(os.getpid, 10) != os.getpid()
    with pytest.raises(Violation, match="boom"):
        in_child(lambda: {}["boom"], 10)
    with pytest.raises(Violation, match="none within"):
        in_child(lambda: threading.Event().wait(60), 0.2)
    with pytest.raises(Violation, match="none within"):
        in_child(lambda: os._exit(1), 10)


def test_the_wire_counts_alters_cuts_and_answers(context_of):
    context = context_of()
    data = context.payload(100_000)
    location = context.image(data)
    wire = context.wire()
    client = context.client_behind(wire, max_attempts=1)
    before = wire.down
    context.holds(location, data, client)
    assert len(data) < wire.down - before < len(data) + 2000
    assert wire.open == 1
    wire.cut_before = 0
    with pytest.raises(StoreError):
        client.get_size(location)
    wire.cut_before = None
    assert client.get_size(location) == len(data)
    wire.alter = lambda block: block.replace(b"100000", b"100001")
    assert client.get_size(location) == len(data) + 1


def test_the_wire_answers_in_the_backend_s_place(context_of):
    context = context_of()
    location = context.image(b"x")
    wire = context.wire()
    wire.script = lambda request: http_answer(404) if request.method == "HEAD" else None
    client = context.client_behind(wire)
    with pytest.raises(NotFound):
        client.get_size(location)
    context.holds(location, b"x", client)
    assert [request.method for request in wire.requests] == ["GET", "HEAD", "GET"]


def test_the_wire_gives_locations_as_the_client_behind_it_knows_them():
    with Wire("http://127.0.0.1:1") as wire:
        assert wire.endpoint == f"http://127.0.0.1:{wire.port}"
        seen = wire.location(Location("http://127.0.0.1:1/image?a=b"))
        assert seen == f"http://127.0.0.1:{wire.port}/image?a=b"
        assert wire.location("memory://space/image") == "memory://space/image"
    with Wire("127.0.0.1:1") as wire:
        assert wire.endpoint == f"127.0.0.1:{wire.port}"


def test_the_wire_gives_everything_back(context_of):
    context = context_of()
    location = context.image(b"x")
    before = len(os.listdir("/proc/self/fd"))
    with Wire(context.harness.endpoint) as wire:
        client = context.client_behind(wire)
        client.get_size(location)
        client.close()
    deadline = time.monotonic() + 5
    while len(os.listdir("/proc/self/fd")) > before and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.01)
    assert len(os.listdir("/proc/self/fd")) <= before
