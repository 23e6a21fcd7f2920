"""A process that forks: an open, quiet store works on in the parent and in every child."""

import os
import subprocess
import sys
import textwrap

import pytest

from frame.distributions import TESTS

PRELUDE = """
import os, pathlib, sys, traceback
from storekit import Duplicate, Stores
from toys.depot import DepotDriver
from toys.shelf import ShelfDriver

def forked(work):
    "Run work in a child; its number. The child ends without running anybody's cleanup."
    child = os.fork()
    if child:
        return child
    try:
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)

def wait(*children):
    for child in children:
        _, status = os.waitpid(child, 0)
        assert status == 0, f"a child ended with {status}"

def use(stores, name):
    "Every verb, on an image of one's own."
    image = name.encode() * 3000
    stored = stores.add(name, image)
    assert stores.get(stored.location).read() == image
    assert stores.get(stored.location, offset=5, length=7).read() == image[5:12]
    assert name in [each.image_id for each in stores.list()]
    twin = stores.copy(stored.location, to=stores.default, image_id=name + "-twin")
    stores.delete(twin.location)
    return stored.location

root = pathlib.Path(sys.argv[2])
OPTIONS = {
    "shelf": {"driver": ShelfDriver},
    "depot": {"driver": DepotDriver, "path": root},
    "filesystem": {"driver": "filesystem", "path": root},
}
stores = Stores({"s": OPTIONS[sys.argv[1]]})
"""

SHARED = ["depot", "filesystem"]
ALL = ["shelf", *SHARED]


def run(code, driver, path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PRELUDE + textwrap.dedent(code), driver, str(path)],
        env={**os.environ, "PYTHONPATH": f"{TESTS}:{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("driver", ALL)
def test_parent_and_child_go_on_after_a_store_was_used(driver, tmp_path):
    code = """
    before = use(stores, "before")

    def child():
        assert stores.get(before).read() == b"before" * 3000
        use(stores, "child")

    one = forked(child)
    use(stores, "parent")
    wait(one)
    use(stores, "after")
    assert stores["s"].state == "ready"
    stores.close()
    """
    run(code, driver, tmp_path)


@pytest.mark.parametrize("driver", SHARED)
def test_what_one_process_did_the_others_see(driver, tmp_path):
    code = """
    before = use(stores, "before")
    gone = use(stores, "gone")

    def child():
        use(stores, "child")
        stores.delete(gone)

    wait(forked(child))
    assert sorted(each.image_id for each in stores.list()) == ["before", "child"]
    assert list(stores.leftovers()) == []
    """
    run(code, driver, tmp_path)


@pytest.mark.parametrize("driver", ALL)
def test_a_store_that_was_not_used_yet_is_opened_by_each_process(driver, tmp_path):
    code = """
    one, two = (forked(lambda name=name: use(stores, name)) for name in ("one", "two"))
    use(stores, "parent")
    wait(one, two)
    """
    run(code, driver, tmp_path)


@pytest.mark.parametrize("driver", ALL)
def test_a_child_that_closes_its_stores_closes_nobody_elses(driver, tmp_path):
    code = """
    before = use(stores, "before")

    def child():
        stores.close()
        assert stores["s"].state == "closed"

    wait(forked(child))
    assert stores["s"].state == "ready"
    assert stores.get(before).read() == b"before" * 3000
    use(stores, "after")
    """
    run(code, driver, tmp_path)


@pytest.mark.parametrize("driver", ALL)
def test_a_grandchild_works_too(driver, tmp_path):
    code = """
    before = use(stores, "before")

    def child():
        wait(forked(lambda: use(stores, "grandchild")))
        use(stores, "child")

    wait(forked(child))
    """
    run(code, driver, tmp_path)


@pytest.mark.parametrize("driver", SHARED)
def test_of_many_children_that_add_one_id_exactly_one_wins(driver, tmp_path):
    code = """
    use(stores, "before")

    def child(number):
        try:
            stores.add("teddy", bytes([number]) * 5000)
        except Duplicate:
            return
        (root.parent / f"winner-{number}").touch()

    wait(*[forked(lambda number=number: child(number)) for number in range(8)])
    (winner,) = root.parent.glob("winner-*")
    (teddy,) = [each for each in stores.list() if each.image_id == "teddy"]
    assert stores.get(teddy.location).read() == bytes([int(winner.name[7:])]) * 5000
    assert list(stores.leftovers()) == []
    """
    root = tmp_path / "images"
    root.mkdir()
    run(code, driver, root)


def test_a_store_that_failed_before_the_fork_recovers_in_the_child(tmp_path):
    code = """
    assert stores["s"].state.startswith("failed: ")

    def child():
        root.mkdir()
        import time
        end = time.monotonic() + 20
        while stores["s"].state != "ready":
            assert time.monotonic() < end
            time.sleep(0.01)
        use(stores, "child")

    wait(forked(child))
    """
    run(code, "depot", tmp_path / "later")


def test_a_child_is_not_held_by_a_thread_of_its_parent_that_opens_the_store(tmp_path):
    code = """
    import signal, threading
    from storekit.perprocess import PerProcess

    parent, begun, end = os.getpid(), threading.Event(), threading.Event()

    def slow():
        if os.getpid() == parent:
            begun.set()
            end.wait(30)
        return os.getpid()

    class Slow(ShelfDriver):
        def open(self):
            assert not hasattr(self, "opened")
            self.opened = slow()
            super().open()

    def child():
        signal.alarm(20)
        assert lazy.get() == os.getpid()
        use(stores, "child")

    for lazy, act in ((PerProcess(slow), "get"), (PerProcess(os.getpid), "open")):
        begun.clear(); end.clear()
        stores = Stores({"s": {"driver": Slow}})
        opening = lazy.get if act == "get" else lambda: stores["s"].state
        thread = threading.Thread(target=opening)
        thread.start()
        assert begun.wait(30)
        one = forked(child)
        wait(one)
        end.set()
        thread.join()
        use(stores, "parent")
    """
    run(code, "shelf", tmp_path)
