"""The driver's page does what it says, on a cluster that asks for keys."""

import json
import os
import shutil
import subprocess
import sys
import time
import venv
from datetime import timedelta
from pathlib import Path

import pytest
import test_docs
from servers import ceph
from servers.required import require

import storekit
from storekit import Forbidden, InUse, Unavailable

from .conftest import MIB, SETTINGS

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[3] / "docs/drivers/rbd.md"
ETC = "/etc/ceph"
MINE = [b for b in test_docs.blocks_of(PAGE) if (b.reason or "").startswith("here; its own test")]
BINDINGS, *CLUSTER = sorted(MINE, key=lambda block: "BINDINGS=" not in block.text)


@pytest.fixture(scope="module")
def locked():
    """A running cluster that asks for keys, with a manager."""
    require(ceph.missing(manager=True))
    with ceph.ceph(settings=SETTINGS, keys=True) as running:
        running.start_manager()
        yield running


@pytest.fixture
def place(locked, tmp_path, monkeypatch):
    """A directory in the place of /etc/ceph, and an environment for the commands."""
    (tmp_path / "ceph.conf").symlink_to(locked.conf)
    (tmp_path / "cirros.img").write_bytes(bytes(MIB) + b"an image")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CEPH_CONF", str(locked.conf))
    monkeypatch.setenv("STOREKIT_CONFIG", str(tmp_path / "storekit.toml"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def at(place, text):
    """Put our directory in the place of Ceph's; where no file is named that is the default."""
    text = text.replace(ETC, str(place))
    return text if "conf_file" in text else f'{text}conf_file = "{place}/ceph.conf"\n'


def run(text):
    done = subprocess.run(
        ["sh", "-eu", "-c", text], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{text}{done.stdout}{done.stderr}"
    return done.stdout


def test_the_blocks_of_the_page_run_in_order(locked, place):
    run("ceph osd pool create images-data 4")
    tomls = [block for block in CLUSTER if block.language == "toml"]
    shells = [block for block in CLUSTER if block.language == "sh"]
    assert (len(tomls), len(shells)) == (3, 4)
    first, *others = tomls
    user, *rest = shells
    run(user.text.replace(ETC, str(place)))
    run("rbd namespace create images/tenant")
    run(
        "ceph auth caps client.storekit mon 'profile rbd'"
        " osd 'profile rbd pool=images, profile rbd pool=images-data'"
    )
    for block in others:
        Path("storekit.toml").write_text(at(place, block.text), encoding="utf-8")
        (only,) = json.loads(run("storekit stores --json"))
        assert only["state"] == "ready"
        run("storekit check")
    run("ceph auth caps client.storekit mon 'profile rbd' osd 'profile rbd pool=images'")
    Path("storekit.toml").write_text(at(place, first.text), encoding="utf-8")
    for block in rest:
        run(block.text)
    assert run("storekit ls blocks --json").strip() == "[]"


def test_a_user_with_the_rights_of_the_page_can_do_everything(locked, place, image):
    locked.make_pool("least")
    locked.make_pool("other")
    rights = {"mon": "profile rbd", "osd": "profile rbd pool=least"}
    for name, value in rights.items():
        assert f"{name} '{value.replace('least', 'images')}'" in PAGE.read_text(encoding="utf-8")
    keyring = locked.make_user("least", **rights)
    options = {"conf_file": locked.conf, "user": "least", "keyring": keyring, "upload_idle": 0}
    with storekit.open_store("rbd", pool="least", **options) as store:
        stored = store.add("a", image)
        assert store.get(stored.location).read() == image
        copied = store.copy(stored.location, image_id="b", digests=stored.digests)
        assert {listed.image_id for listed in store.list()} == {"a", "b"}
        assert capacity_of(store).total > 0
        plant(locked, "least", ".storekit-0.c")
        assert [item.name for item in store.reclaim(timedelta(0))] == [".storekit-0.c"]
        store.delete(stored.location)
        store.delete(copied.location)
        assert list(store.list()) == []
    with pytest.raises((Forbidden, storekit.NotAuthenticated)):
        storekit.open_store("rbd", pool="other", **options).add("a", image)


def test_a_clone_in_a_pool_that_the_user_cannot_read_keeps_an_image(locked, place, image):
    locked.make_pool("mine")
    locked.make_pool("theirs")
    rights = {"mon": "profile rbd", "osd": "profile rbd pool=mine"}
    keyring = locked.make_user("mine", **rights)
    options = {"conf_file": locked.conf, "user": "mine", "keyring": keyring}
    with storekit.open_store("rbd", pool="mine", **options) as store:
        location = store.add("parent", image).location
        run("rbd clone mine/parent@snap theirs/child")
        with pytest.raises(InUse, match="cannot read"):
            store.delete(location)
        assert store.get(location).read() == image
    with storekit.open_store("rbd", pool="mine", trash=True, **options) as store:
        store.delete(location)
        assert list(store.list()) == []
    assert "parent" in run("rbd trash ls mine")


def test_a_copy_that_the_rights_do_not_allow_leaves_nothing(locked, place, image):
    for name in ("target", "origin", "origin-data"):
        locked.make_pool(name)
    with storekit.open_store(
        "rbd", pool="origin", data_pool="origin-data", conf_file=locked.conf
    ) as store:
        stored = store.add("a", image)
    rights = "profile rbd pool=target, profile rbd-read-only pool=origin"
    keyring = locked.make_user("copier", mon="profile rbd", osd=rights)
    options = {"conf_file": locked.conf, "user": "copier", "keyring": keyring}
    with (
        storekit.open_store("rbd", pool="origin", **options) as origin,
        storekit.open_store("rbd", pool="target", **options) as target,
    ):
        with pytest.raises(Forbidden):  # to be read, when it is streamed
            origin.copy(stored.location, to=target, digests=stored.digests)
        assert list(target.list()) == []
    assert run("rbd ls target") == ""


def capacity_of(store):
    """Ask until the manager has heard of the pool, which is new."""
    end = time.monotonic() + 30
    while True:
        try:
            return store.capacity()
        except Unavailable as error:
            if "not heard of the pool" not in error.message or time.monotonic() > end:
                raise
        time.sleep(0.2)


def plant(cluster, name, hidden):
    rados, rbd = ceph.load_bindings()
    with (
        rados.Rados(conffile=str(cluster.conf)) as connection,
        connection.open_ioctx(name) as pool,
    ):
        rbd.RBD().create(pool, hidden, MIB, old_format=False)


def test_a_user_that_may_only_read_is_told_so(locked, image):
    locked.make_pool("shelf")
    with storekit.open_store("rbd", pool="shelf", conf_file=locked.conf) as store:
        location = store.add("a", image).location
    read_only = {"mon": "profile rbd-read-only", "osd": "profile rbd-read-only pool=shelf"}
    keyring = locked.make_user("reader", **read_only)
    options = {"conf_file": locked.conf, "user": "reader", "keyring": keyring}
    with storekit.open_store("rbd", pool="shelf", **options) as store:
        assert store.get(location).read() == image
        for verb in (lambda: store.add("b", image), lambda: store.delete(location)):
            with pytest.raises(Forbidden, match="profile rbd"):
                verb()


def test_a_key_that_is_wrong_is_not_authenticated(locked, tmp_path):
    keyring = tmp_path / "keyring"
    keyring.write_text("[client.admin]\nkey = AQAAAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAA==\n")
    with pytest.raises(storekit.NotAuthenticated, match="keyring"):
        storekit.open_store("rbd", pool="images", conf_file=locked.conf, keyring=keyring)
    with pytest.raises(Unavailable, match="pool"):
        storekit.open_store("rbd", pool="missing", conf_file=locked.conf)


def test_the_bindings_are_seen_in_a_virtual_environment(tmp_path, monkeypatch):
    require(ceph.missing())
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    venv.create(".venv", symlinks=True)
    run(BINDINGS.text)
    run(".venv/bin/python -c 'import rados, rbd'")
    assert shutil.which("python", path=".venv/bin")


def test_the_driver_finds_the_bindings_without_a_link(monkeypatch):
    require(ceph.missing())
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    drivers = {driver["name"]: driver for driver in json.loads(run("storekit drivers --json"))}
    assert drivers["rbd"]["loadable"] is True
