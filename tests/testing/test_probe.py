"""The probe: what is declared and true is OK, what is declared and not true is a lie."""

import copy
import itertools
import os
import threading
import time
from collections import Counter
from contextlib import suppress
from typing import ClassVar

import jsonschema
import pytest

import storekit
from storekit import Capability
from storekit.errors import (
    InUse,
    NotFound,
    OutcomeUnknown,
    StorageFull,
    StoreError,
    Unavailable,
)
from storekit.testing import Harness, Verdict, probe
from storekit.testing.probing.measured import Probed, Row
from storekit.testing.probing.measures import MEASURES
from storekit.testing.reference import (
    DirectoryDriver,
    DirectoryHarness,
    MemoryDriver,
    MemoryHarness,
)
from storekit.testing.reports.measured import probe_document, probe_schema, probe_text
from storekit.testing.zoo.parts import Careless

LIMIT = 300_000
NAMES = [name for measure in MEASURES for name in measure.names]


class FilesystemHarness(Harness):
    absent: ClassVar = {"endpoint": "files have no wire"}

    def make_store(self, **overrides):
        path = self.directory / "images"
        return storekit.open_store("filesystem", path=path, create=True, **overrides)


def harness_of(driver):
    """A harness whose store has this driver, and which knows what is left when it is over."""
    base = MemoryHarness if issubclass(driver, MemoryDriver) else DirectoryHarness

    class Broken(base):
        left = None

        def teardown(self):
            honest = copy.copy(self)
            honest.__class__ = base
            with honest.make_store() as store:
                type(self).left = {image.image_id for image in store.list()}
            super().teardown()

    Broken.driver = driver
    return Broken


def probed(driver):
    """Probe a driver; nothing may be left, whatever is wrong with it."""
    harness = harness_of(driver)
    found = probe(harness, limit=LIMIT)
    assert harness.left == set(found.left)
    assert [row.name for row in found.rows] == NAMES
    return found


# What is right


@pytest.mark.parametrize("harness", [MemoryHarness, DirectoryHarness, FilesystemHarness])
def test_what_declares_no_more_than_it_does_is_no_lie(harness):
    found = probe(harness, limit=LIMIT)
    assert (found.exit_code, found.lies, found.left) == (0, (), ()), probe_text(found)
    assert not found.counts[Verdict.ERROR]
    assert [row.name for row in found.rows] == NAMES
    assert found["exclusive add"].measured == "one of 4, 5 times"
    assert found["visible after add"].numbers["settled"] == 0


def test_requests_are_counted_where_there_is_an_endpoint():
    found = probe(MemoryHarness, limit=LIMIT)
    rows = [row for row in found.rows if row.name.startswith("requests: ")]
    assert {row.verdict for row in rows} == {Verdict.NOTED}
    assert found["requests: get"].measured == "1: GET"
    assert found["requests: delete"].measured == "1: DELETE"
    assert found["requests: add in parts"].numbers["bytes up"] > 2 * (64 << 10)
    assert found["requests: get a range"].numbers["bytes down"] < 997


def test_requests_are_not_measured_without_an_endpoint():
    row = probe(DirectoryHarness, limit=LIMIT)["requests: add"]
    assert (row.verdict, row.why) == (Verdict.NOT_MEASURED, "no endpoint: files have no wire")


def test_a_store_is_measured_as_it_is_and_left_open(tmp_path):
    with storekit.open_store("filesystem", path=tmp_path / "images", create=True) as store:
        kept = store.add("kept", b"not of the probe").location
        found = probe(store, limit=LIMIT)
        assert (found.exit_code, found.driver) == (0, "filesystem"), probe_text(found)
        assert found["requests: add"].why == "no endpoint"
        assert found.harness == "GivenStore"
        assert [image.image_id for image in store.list()] == ["kept"]
        assert store.get(kept).read() == b"not of the probe"
        assert [*store.leftovers(storekit.store.timedelta(0))] == []


def test_the_same_seed_makes_the_same_choices():
    class Chosen(DirectoryDriver):
        ranges: ClassVar = []

        def get(self, location, offset, length, context=None):
            self.ranges.append((offset, length))
            return super().get(location, offset, length, context)

    for _ in range(2):
        probe(harness_of(Chosen), limit=LIMIT, seed=7)
    half = len(Chosen.ranges) // 2
    assert Chosen.ranges[:half] == Chosen.ranges[half:]
    assert probe(DirectoryHarness, limit=1, seed=7).seed == 7


def test_a_limit_below_one_byte_is_none():
    with pytest.raises(ValueError, match="limit is 0"):
        probe(DirectoryHarness, limit=0)


# What is less, and said to be less


def test_more_than_is_declared_is_noted_only():
    class Modest(DirectoryDriver):
        capabilities = DirectoryDriver.capabilities & ~(
            Capability.GET_RANGE
            | Capability.ADD_UNKNOWN_SIZE
            | Capability.EXCLUSIVE_ADD
            | Capability.STRONG_CONSISTENCY
        )
        limits = storekit.Limits(max_id_length=100, max_image_size=200_000)

    found = probed(Modest)
    over = [row.name for row in found.rows if row.verdict is Verdict.OVER]
    assert over == [
        *("visible after add", "gone after delete", "longest id"),
        *("longest id of 3-byte characters", "unknown size", "largest image", "range reads"),
        "exclusive add",
    ]
    assert found["longest id"].measured == "255 bytes"
    assert found["largest image"].measured == "300000 bytes (the limit)"
    assert found.exit_code == 0


def test_a_backend_that_refuses_what_is_above_its_declared_limit_is_fine():
    class Small(DirectoryDriver):
        limits = storekit.Limits(max_image_size=200_000)

        def add(self, image_id, source, context=None):
            if source.size is not None and source.size > 200_000:
                raise StorageFull("that is more than a file can hold")
            return super().add(image_id, source, context)

    row = probed(Small)["largest image"]
    assert (row.verdict, row.declared, row.measured) == (Verdict.OK, "200000 bytes", "200000 bytes")


def test_what_the_driver_could_not_delete_again_is_not_tried():
    class KnowsShortOnes(DirectoryDriver):
        limits = storekit.Limits(max_id_length=100)

        def owns(self, location):
            return super().owns(location) and len(location.segments[-1].encode()) <= 150

    found = probed(KnowsShortOnes)
    assert found["longest id"].measured == "150 bytes"
    assert (found.exit_code, found.left) == (0, ())


def test_what_is_not_declared_and_cannot_be_is_fine():
    class WholeImages(DirectoryDriver):
        capabilities = DirectoryDriver.capabilities & ~Capability.GET_RANGE

        def get(self, location, offset, length, context=None):
            return super().get(location, 0, None, context)

    row = probed(WholeImages)["range reads"]
    assert (row.declared, row.measured, row.verdict) == ("no", "no", Verdict.OK)


def test_of_a_store_that_takes_nothing_nothing_is_measured():
    class ReadOnly(DirectoryDriver):
        def open(self):
            super().open()
            self.narrow(Capability.ADD | Capability.DELETE, "it is read-only")

    found = probed(ReadOnly)
    assert {row.verdict for row in found.rows} == {Verdict.NOT_MEASURED}
    assert {row.why for row in found.rows} == {"the store has no ADD"}
    assert found.exit_code == 0


# Lies


class ShortIds(DirectoryDriver):
    """Cuts long ids."""

    def add(self, image_id, source, context=None):
        cut = image_id.encode()[:200].decode(errors="ignore")
        return super().add(cut, source, context)


class Escapes(MemoryDriver):
    """Asks for ids as they are, in a URL."""

    def _path(self, verb, *names, **query):
        return super()._path(verb, *(name.replace("+", " ") for name in names), **query)


class LosesFromListing(DirectoryDriver):
    """Takes what begins with a dot for a hidden file."""

    def list(self, context=None):
        return (image for image in super().list() if not image.image_id.startswith("."))


class NeedsSize(DirectoryDriver):
    """Counts with the size as if it were always known."""

    def add(self, image_id, source, context=None):
        assert source.size >= 0
        return super().add(image_id, source, context)


class CutsUnknown(MemoryDriver):
    """Of an image of unknown size stores the first part alone."""

    def add(self, image_id, source, context=None):
        if source.size is not None:
            return super().add(image_id, source, context)
        data = source.read(self.limits.part_size)
        while source.read(self.limits.part_size):
            pass
        self._commit("PUT", self._path("images", image_id), 201, data)
        return storekit.Location.build("memory", self.config.space, image_id)


class OffByOne(DirectoryDriver):
    """Begins a byte late."""

    def get(self, location, offset, length, context=None):
        return super().get(location, offset + 1 if offset else 0, length, context)


class TellsAllThatTheyDeleted(DirectoryDriver):
    """Takes it for deleted if it is not there."""

    def delete(self, location, context=None):
        with suppress(FileNotFoundError, StoreError):
            super().delete(location, context)


class LooksLate(DirectoryDriver):
    """The first looks of a client at an image are at how it was."""

    missed: ClassVar = Counter()

    def get_size(self, location, context=None):
        LooksLate.missed[id(self), str(location)] += 1
        if LooksLate.missed[id(self), str(location)] <= 2:
            raise NotFound("not seen yet")
        return super().get_size(location, context)


class KeepsDeleted(DirectoryDriver):
    """Another client sees for a while what was deleted."""

    seen: ClassVar = Counter()

    def delete(self, location, context=None):
        super().delete(location, context)
        KeepsDeleted.seen[str(location)] = 2

    def get_size(self, location, context=None):
        if KeepsDeleted.seen[str(location)] > 0:
            KeepsDeleted.seen[str(location)] -= 1
            return 1
        return super().get_size(location, context)


class SmallImages(DirectoryDriver):
    """Stores the beginning of a long image."""

    def add(self, image_id, source, context=None):
        location = super().add(image_id, source, context)
        path = self._path(location)
        os.truncate(path, min(path.stat().st_size, 150_000))
        return location


@pytest.mark.parametrize(
    ("driver", "row", "why"),
    [
        (ShortIds, "longest id", "201 bytes: "),
        (ShortIds, "longest id of 3-byte characters", "Duplicate"),
        (Escapes, "id: plus", "Duplicate"),
        (LosesFromListing, "id: leading dot", "not in the listing"),
        (NeedsSize, "unknown size", "BackendError"),
        (CutsUnknown, "unknown size", "of 70001 bytes 65536 are said to be there"),
        (OffByOne, "range reads", "offset 1, length none"),
        (Careless, "exclusive add", " of 4 were told that their image is stored"),
        (TellsAllThatTheyDeleted, "exclusive delete", "4 of 4 were told that they deleted it"),
        (LooksLate, "visible after add", "saw it late"),
        (KeepsDeleted, "gone after delete", "saw it late"),
        (SmallImages, "largest image", "of 300000 bytes 150000 are said to be there"),
    ],
)
def test_a_lie_is_named(driver, row, why):
    found = probed(driver)
    assert found[row].verdict is Verdict.LIE, probe_text(found)
    assert why in found[row].why
    assert found.exit_code == 1
    assert f"More is declared than was measured: {', '.join(found.lies)}." in probe_text(found)


def test_a_lie_is_one_row_and_not_all_that_come_after_it():
    assert probed(ShortIds).lies == ("longest id", "longest id of 3-byte characters")
    assert probed(ShortIds)["longest id"].measured == "200 bytes"
    assert probed(LooksLate).lies == ("visible after add",)
    assert probed(Careless).lies == ("exclusive add",)
    assert probed(OffByOne).lies == ("range reads",)


def test_what_is_not_promised_to_be_seen_at_once_is_waited_for():
    class Eventual(LooksLate):
        capabilities = DirectoryDriver.capabilities & ~Capability.STRONG_CONSISTENCY

    found = probed(Eventual)
    assert found["visible after add"].verdict is Verdict.OK
    assert found["visible after add"].numbers["settled"] > 0
    assert found.exit_code == 0, probe_text(found)


def test_a_store_that_is_wrong_from_the_beginning_is_not_asked_for_more():
    class Corrupt(DirectoryDriver):
        def get(self, location, offset, length, context=None):
            raise TypeError("no")

    found = probed(Corrupt)
    assert found.lies == ("a plain image",)
    assert found["exclusive add"].why == "not even a plain image is right"


# What fails, and what is left


def counting(error, nth, *, before=False):
    """A driver whose adds fail from the nth on."""

    class Failing(DirectoryDriver):
        adds = itertools.count(1)

        def add(self, image_id, source, context=None):
            if next(self.adds) < nth:
                return super().add(image_id, source, context)
            if not before:
                super().add(image_id, source, context)
            raise copy.copy(error)

    return Failing


@pytest.mark.parametrize("nth", [1, 9, 30, 50, 61])
@pytest.mark.parametrize("error", [Unavailable("it has died"), StorageFull("there is no room")])
def test_a_backend_that_fails_midway_is_an_error_and_nothing_is_left(nth, error):
    found = probed(counting(error, nth, before=True))
    assert found.exit_code == 3
    (row,) = [row for row in found.rows if row.verdict is Verdict.ERROR]
    assert error.message in row.why
    assert f"The backend failed at {row.name}: " in probe_text(found)
    after = found.rows[found.rows.index(row) + 1 :]
    assert {row.verdict for row in after} == {Verdict.NOT_MEASURED}
    assert found.left == ()


def test_a_store_that_is_full_is_an_error():
    class Full(MemoryHarness):
        def setup(self):
            super().setup()
            self.full = self.fault("full")
            self.full.__enter__()

        def teardown(self):
            self.full.__exit__(None, None, None)
            super().teardown()

    found = probe(Full, limit=LIMIT)
    assert found.exit_code == 3
    assert found["a plain image"].why.startswith("StorageFull: ")
    assert found.left == ()


def test_one_request_that_fails_is_about_what_was_asked_for():
    class Choosy(DirectoryDriver):
        def add(self, image_id, source, context=None):
            if "%" in image_id:
                raise Unavailable("the server cannot parse the request")
            return super().add(image_id, source, context)

    found = probed(Choosy)
    assert found.lies == ("id: percent",)
    assert found.exit_code == 1


@pytest.mark.parametrize("error", [OutcomeUnknown("no answer"), TypeError("after the commit")])
def test_an_add_that_fails_after_it_has_stored_leaves_nothing(error):
    found = probed(counting(error, 9))
    assert found.exit_code == (3 if isinstance(error, OutcomeUnknown) else 1)
    assert found.left == ()


@pytest.mark.parametrize("listing", [True, False])
@pytest.mark.parametrize("nth", [1, 2, 9, 30])
def test_an_interrupt_leaves_nothing(listing, nth):
    class Interrupted(counting(KeyboardInterrupt(), nth)):
        capabilities = DirectoryDriver.capabilities & ~(
            Capability(0) if listing else Capability.LIST
        )

    harness = harness_of(Interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        probe(harness, limit=LIMIT)
    if nth == 1 and not listing:  # no image is known beside which it could be
        assert len(harness.left) == 1
        assert caught.value.__notes__ == [f"still in the store: {harness.left.pop()!r}"]
    else:
        assert harness.left == set()
        assert not hasattr(caught.value, "__notes__")


def test_an_interrupt_of_the_clean_up_leaves_nothing():
    class Interrupted(DirectoryDriver):
        ended = False

        def add(self, image_id, source, context=None):
            if "CASE" in image_id:
                Interrupted.ended = True
                raise Unavailable("it is away for a moment")
            if self.ended:
                raise Unavailable("it is away for a moment")
            return super().add(image_id, source, context)

        def delete(self, location, context=None):
            if self.ended:
                Interrupted.ended = False
                raise KeyboardInterrupt
            super().delete(location, context)

    harness = harness_of(Interrupted)
    with pytest.raises(KeyboardInterrupt):
        probe(harness, limit=LIMIT)
    assert harness.left == set()


def test_an_interrupt_behind_the_relay_leaves_nothing():
    class Interrupted(MemoryDriver):
        straight = None

        def add(self, image_id, source, context=None):
            location = super().add(image_id, source, context)
            Interrupted.straight = self.straight or self.config.endpoint
            if self.config.endpoint != self.straight:
                raise KeyboardInterrupt
            return location

    harness = harness_of(Interrupted)
    with pytest.raises(KeyboardInterrupt):
        probe(harness, limit=LIMIT)
    assert harness.left == set()


def test_a_race_that_is_interrupted_leaves_nothing(monkeypatch):
    racing = threading.Event()

    class Slow(DirectoryDriver):
        def add(self, image_id, source, context=None):
            location = super().add(image_id, source, context)
            if threading.current_thread() is not threading.main_thread():
                racing.set()
                time.sleep(0.3)
            return location

    join = threading.Thread.join

    def interrupted(thread, timeout=None):
        if thread.name == "add 1" and racing.wait(30):
            raise KeyboardInterrupt
        join(thread, timeout)

    monkeypatch.setattr(threading.Thread, "join", interrupted)
    harness = harness_of(Slow)
    with pytest.raises(KeyboardInterrupt):
        probe(harness, limit=LIMIT)
    assert racing.is_set()
    assert harness.left == set()


def test_what_cannot_be_removed_is_told_and_no_success():
    class Sticky(DirectoryDriver):
        def delete(self, location, context=None):
            if location.segments[-1].endswith("+b"):
                raise InUse("somebody holds it")
            super().delete(location, context)

    found = probed(Sticky)
    assert len(found.left) == 1
    assert found.exit_code == 1
    assert f"Left behind, could not be removed: '{found.left[0]}'." in probe_text(found)


def test_a_backend_that_is_gone_for_good_is_not_asked_for_ever():
    class Gone(counting(Unavailable("it has died"), 25, before=True)):
        deletes = 0

        def delete(self, location, context=None):
            if self.adds.__reduce__()[1][0] > 25:
                Gone.deletes += 1
                raise Unavailable("it has died")
            super().delete(location, context)

    found = probed(Gone)
    assert found.exit_code == 3
    assert found.left
    assert Gone.deletes <= 6


# The forms


def test_the_document_has_a_version_and_a_schema():
    for harness in (MemoryHarness, harness_of(ShortIds)):
        jsonschema.validate(probe_document(probe(harness, limit=LIMIT)), probe_schema())


def test_what_a_backend_says_cannot_move_the_cursor():
    class Rude(DirectoryDriver):
        def add(self, image_id, source, context=None):
            raise Unavailable("\x1b[2J\udc80")

    found = probed(Rude)
    text = probe_text(found)
    assert "\x1b" not in text
    assert text.encode()
    assert found.exit_code == 3


def test_the_table_has_boxes_only_where_there_are_colours():
    row = Row(name="longest id", declared="255 bytes", measured="9 bytes", verdict=Verdict.LIE)
    found = Probed(harness="H", store="s", driver="d", seed=1, limit=1 << 20, rows=(row,))
    plain, boxed = probe_text(found), probe_text(found, colour=True, width=100)
    assert plain.splitlines()[1].split() == ["longest", "id", "255", "bytes", "9", "bytes", "LIE"]
    assert "\x1b[" in boxed
    assert "\x1b[" not in plain
    assert "seed 1, limit 1 MiB" in plain
    with pytest.raises(KeyError):
        _ = found["nothing"]
