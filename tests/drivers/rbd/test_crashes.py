"""Processes that are killed in the middle of an add or a delete, and what is left of them."""

import contextlib
import os
import random
import signal
import time
from datetime import timedelta

import pytest

from storekit import Duplicate, InUse, Leftover, NotFound, StoreError, Unavailable

from ..children import STEP, child, live_upload
from .conftest import MIB, Pool

ADDS, DELETES = 30, 21  # one of these shows how long it takes: 50 are killed
FIRST = 2 * MIB  # so much is taken before an image is made
NONE = timedelta(0)

pytestmark = pytest.mark.slow


@pytest.fixture
def pool(cluster):
    """A pool of its own."""
    return Pool(cluster)


def killed(work, after):
    """Do something in a child, and kill it so many seconds after it has said that it is there."""
    with child(work) as (process, line):
        assert line.recv(1) == b"x"
        time.sleep(after)
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def add_killed_at(store, image_id, image, at, after):
    """Add, and be killed so many seconds after so many bytes were taken."""

    def work(line):
        def data():
            for offset in range(0, len(image), STEP):
                if offset == at:
                    line.send(b"x")
                    time.sleep(60)
                yield image[offset : offset + STEP]
            line.send(b"x")

        store.add(image_id, data())

    killed(work, after)


def delete_killed(store, location, after):
    """Delete, and be killed so many seconds after that began."""

    def work(line):
        store.get_size(location)  # it has connected
        line.send(b"x")
        store.delete(location)

    killed(work, after)


def seconds_from_the_last_byte(store, image):
    """Tell how long the end of an add takes."""
    begin = []

    def data():
        yield image
        begin.append(time.monotonic())

    store.add("measured", data())
    return time.monotonic() - begin[0]


def seconds_of(work):
    begin = time.monotonic()
    work()
    return time.monotonic() - begin


def is_whole(store, location, image):
    with store.get(location) as reader:
        return reader.read() == image


def all_whole(store, image):
    """See that every image that is visible is whole; give their ids."""
    listed = list(store.list())
    assert [one.image_id for one in listed if not is_whole(store, one.location, image)] == []
    return {one.image_id for one in listed}


def dead_in(pool, there, alive):
    """The images that are listed and not visible: not by another name either."""
    with pool.opened() as (rbd, opened):

        def identity(name):
            with (
                contextlib.suppress(rbd.ImageNotFound),
                rbd.Image(opened, name, read_only=True) as found,
            ):
                return found.id()
            return name

        visible = {identity(name) for name in there}
        return {
            name
            for name in set(rbd.RBD().list(opened)) - there - {alive}
            if identity(name) not in visible
        }


def reclaimed_in_time(store, names):
    """Reclaim until so many are gone: those that were killed are watched for some seconds."""
    end, reclaimed = time.monotonic() + 40, set()
    while not names <= reclaimed and time.monotonic() < end:
        reclaimed |= {item.name for item in store.reclaim(NONE)}
    return reclaimed


def left_in(pool):
    """What is left of a pool without images: the data of snapshots goes a moment later.

    A delete that is killed before its image is listed by the hidden name leaves that name, an
    object of some bytes that leads nowhere.
    """
    end = time.monotonic() + 20
    while (left := named_or_data(pool)) and time.monotonic() < end:
        time.sleep(0.2)
    return left


def named_or_data(pool):
    return {name for name in pool.objects() if not name.startswith("rbd_id..storekit-")}


def test_what_kills_leave_is_found_and_reclaimed_and_a_live_upload_is_not(pool, open_rbd, image):
    store, order = open_rbd(pool), random.Random(11)
    with live_upload(store, image, 2 * MIB) as (process, line):
        line.recv(1)
        (alive,) = pool.images()
        tail = seconds_from_the_last_byte(store, image)
        for number in range(ADDS):
            at = order.randrange(FIRST, len(image) + 5 * STEP, STEP)  # often after the last byte
            after = order.uniform(0, tail / 2 if at >= len(image) else 0.1)
            add_killed_at(store, f"killed-{number}", image, at, after)
        there = all_whole(store, image)
        dead = dead_in(pool, there, alive)
        assert len(dead) > ADDS // 3  # the others were done
        for image_id in {f"killed-{number}" for number in range(ADDS)}:
            with pytest.raises(Duplicate) if image_id in there else contextlib.nullcontext():
                store.add(image_id, image)  # at once: the dead are in nobody's way

        doomed = [store.add(f"doomed-{number}", image).location for number in range(DELETES)]
        whole = seconds_of(lambda: store.delete(doomed.pop()))
        for location in doomed:
            delete_killed(store, location, order.uniform(0, whole))
            with contextlib.suppress(NotFound):
                assert is_whole(store, location, image)
        there = all_whole(store, image)
        dead = dead_in(pool, there, alive)
        assert reclaimed_in_time(store, dead) >= dead  # more: removals that are in the trash
        assert dead_in(pool, there, alive) == set()
        assert list(store.leftovers(NONE)) == []
        assert alive in pool.images()
        line.send(b"x")
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    assert all_whole(store, image) == there | {"live"}
    for listed in list(store.list()):
        store.delete(listed.location)
    assert left_in(pool) == set()


def test_an_upload_of_this_process_or_another_is_alive_however_old(pool, open_rbd, image):
    store, other = open_rbd(pool, upload_idle=0), open_rbd(pool, upload_idle=0)

    def data():
        yield image[: 2 * MIB]
        (name,) = pool.images()
        for asking in (store, other):
            assert list(asking.leftovers(NONE)) == []
        found = Leftover(name, "blocks", 0, None)
        with pytest.raises(InUse):
            other.opening.ready().reclaim(found)
        with child(lambda line: reclaim_there(open_rbd(pool, upload_idle=0), line)) as (_, line):
            assert line.recv(1) == b"0"  # the number of what it has removed
        yield image[2 * MIB :]

    stored = store.add("live", data())
    assert is_whole(store, stored.location, image)


def reclaim_there(store, line):
    line.send(str(len(store.reclaim(NONE))).encode())
    store.close()


def test_an_upload_that_was_reclaimed_is_never_stored(pool, open_rbd, image):
    store = open_rbd(pool)

    def work(line):
        def data():
            yield image[: 2 * MIB]
            line.send(b"x")
            line.recv(1)
            yield image[2 * MIB :]

        try:
            store.add("stopped", data())
        except StoreError as error:
            line.send(type(error).__name__.encode())
        store.add("next", image)  # with a new connection: the old one was shut out
        store.close()
        line.send(b"N")

    with child(work) as (process, line):
        line.recv(1)
        os.kill(process, signal.SIGSTOP)  # it lives, and the cluster takes it for dead
        dead = pool.images()
        assert reclaimed_in_time(store, dead) == dead
        os.kill(process, signal.SIGCONT)
        line.send(b"x")
        assert line.recv(99) == b"Unavailable"  # it may be added again
        assert line.recv(1) == b"N"
    assert all_whole(store, image) == {"next"}
    assert pool.images() == {"next"}


def change_list(pool, method, name, internal):
    """Do with the directory what librbd does with it when it makes or removes an image."""
    from storekit.drivers.rbd.encoding import packed

    with pool.opened() as (_, opened):
        opened.execute("rbd_directory", "rbd", method, packed(name) + packed(internal))


def test_an_image_whose_writer_was_killed_when_it_was_only_listed_is_reclaimed(pool, open_rbd):
    from storekit.drivers.rbd.names import hidden_name

    patient, store = open_rbd(pool, upload_idle=3600, io_timeout=60), open_rbd(pool, upload_idle=0)
    store.delete(store.add("first", b"image").location)  # there is a directory from then on
    hidden = hidden_name("killed")
    change_list(pool, "dir_add_image", hidden, "abcdef012345")
    assert list(patient.leftovers(NONE)) == []  # its writer may be alive
    with pytest.raises(InUse):
        patient.opening.ready().reclaim(Leftover(hidden, "blocks", 0, None))
    assert [found.name for found in store.leftovers(NONE)] == [hidden]
    assert [found.name for found in store.reclaim(NONE)] == [hidden]
    assert pool.images() == left_in(pool) == set()


def test_an_image_that_was_reclaimed_when_it_was_only_listed_is_not_stored(
    pool, open_rbd, monkeypatch
):
    from storekit.drivers.rbd import upload
    from storekit.drivers.rbd.names import internal_id

    create = upload.create

    def stopped(connection, name, size, options):
        create(connection, name, size, options)
        change_list(pool, "dir_remove_image", name, internal_id(connection.pool, name))

    store = open_rbd(pool)
    monkeypatch.setattr(upload, "create", stopped)  # as if stopped behind the first step
    with pytest.raises(Unavailable, match="reclaimed"):
        store.add("a", b"image")
    assert list(store.list()) == []
    assert pool.images() == left_in(pool) == set()


def test_an_image_that_is_made_when_it_was_just_reclaimed_is_not_stored(
    pool, open_rbd, monkeypatch
):
    from storekit.drivers.rbd import upload
    from storekit.drivers.rbd.names import drop_name, take_name

    create, taken = upload.create, []

    def reclaimed(connection, name, size, options):
        if not taken:
            taken.append(name)
            take_name(connection.pool, name, "abcdef012345")  # as remove_listed does
        create(connection, name, size, options)

    store = open_rbd(pool)
    monkeypatch.setattr(upload, "create", reclaimed)
    with pytest.raises(Unavailable, match="reclaimed"):
        store.add("a", b"image")
    drop_name(store.opening.ready()._cluster._connections.get().pool, taken[0], "abcdef012345")
    assert pool.images() == left_in(pool) == set()
    assert is_whole(store, store.add("a", b"image").location, b"image")


def test_an_image_whose_name_the_directory_did_not_take_is_no_leftover(pool, open_rbd):
    from storekit.drivers.rbd.names import directory_name, hidden_name, internal_id

    store, hidden = open_rbd(pool, upload_idle=0), hidden_name("a")
    location = store.add("a", b"image").location
    with pool.opened() as (_, opened):
        internal = internal_id(opened, "a")
    change_list(pool, "dir_remove_image", "a", internal)
    change_list(pool, "dir_add_image", hidden, internal)
    change_list(pool, "dir_add_image", "a", "abcdef012345")  # of a removal that was killed
    assert [found.image_id for found in store.list()] == ["a"]
    assert list(store.leftovers(NONE)) == []
    with pytest.raises(NotFound):
        store.opening.ready().reclaim(Leftover(hidden, "blocks", 0, None))
    assert is_whole(store, location, b"image")
    store.delete(location)
    with pool.opened() as (_, opened):
        assert directory_name(opened, internal) is None


def test_a_delete_that_was_stopped_takes_the_name_of_no_other_image(pool, open_rbd, monkeypatch):
    store = open_rbd(pool, io_timeout=2)
    location = store.add("a", b"image").location
    from storekit.drivers.rbd import removal
    from storekit.drivers.rbd.names import drop_name

    def work(line):
        def slow(*arguments):
            line.send(b"x")
            line.recv(1)
            drop_name(*arguments)

        monkeypatch.setattr(removal, "drop_name", slow)
        with contextlib.suppress(StoreError):
            store.delete(location)
        line.send(b"E")

    with child(work) as (process, line):
        assert line.recv(1) == b"x"  # as if it were stopped just there, with the claim of the image
        store.delete(location)
        store.add("a", b"another")
        line.send(b"x")
        assert line.recv(1) == b"E"
        os.waitpid(process, 0)
    assert all_whole(store, b"another") == {"a"}
    assert pool.images() == {"a"}


def test_an_image_whose_writer_was_killed_when_it_was_visible_can_be_deleted(pool, open_rbd):
    store = open_rbd(pool, io_timeout=2)
    location = store.add("a", b"image").location
    with pool.opened() as (rbd, opened), rbd.Image(opened, "a", read_only=True) as image:
        opened.lock_exclusive(f"rbd_header.{image.id()}", "storekit", "of the dead", "", 4)
    store.delete(location)
    assert pool.images() == set()


def test_an_image_whose_writer_was_killed_when_he_named_it_is_left_once_his_claim_ran_out(
    pool, open_rbd
):
    store, name = open_rbd(pool, upload_idle=0), ".storekit-0.a"
    with pool.opened() as (rbd, opened):
        rbd.RBD().create(opened, name, MIB, old_format=False)
        with rbd.Image(opened, name, read_only=True) as image:
            header = f"rbd_header.{image.id()}"
        opened.lock_exclusive(header, "storekit", "of the dead", "", 60)
        assert list(store.leftovers(NONE)) == []  # what is listed can be reclaimed
        opened.unlock(header, "storekit", "of the dead")  # as if it had run out
    assert [found.name for found in store.leftovers(NONE)] == [name]
    assert [found.name for found in store.reclaim(NONE)] == [name]


def test_with_trash_an_image_that_somebody_makes_visible_waits_for_him(pool, open_rbd):
    store = open_rbd(pool, trash=True, io_timeout=1)
    location = store.add("parent", b"image").location
    with pool.opened() as (rbd, opened):
        rbd.RBD().clone(opened, "parent", "snap", opened, "child", features=61)
        with rbd.Image(opened, "parent", read_only=True) as image:
            header = f"rbd_header.{image.id()}"
        opened.lock_exclusive(header, "storekit", "of another", "", 60)
        with pytest.raises(InUse, match="makes it visible"):
            store.delete(location)
    assert store.get(location).read() == b"image"


def test_a_lock_that_a_dead_cluster_did_not_take_back_hinders_no_reclaim(pool, open_rbd):
    store = open_rbd(pool, upload_idle=0)
    name = ".storekit-0.a"
    with pool.opened() as (rbd, opened):
        rbd.RBD().create(opened, name, MIB, old_format=False)
        with rbd.Image(opened, name, read_only=True) as image:
            header = f"rbd_header.{image.id()}"
    with store.opening.ready()._cluster.use() as connection:
        # As librbd locks: of a client that is alive, and of an image that it has closed.
        connection.pool.lock_exclusive(header, "rbd_lock", "auto 1", "internal")
    assert [item.name for item in store.reclaim(NONE)] == [name]
    assert pool.images() == set()
