"""What can be configured, what is said of what cannot, and which locations are a store's."""

import re
import subprocess
import sys

import pytest
from servers import ceph
from servers.required import require

import storekit
from storekit import Capability, ConfigurationError, DriverLoadError, Location

from .conftest import Pool

FSID = "b9ef2b0e-3f1c-4a4e-9a38-2f1d6a0c7f11"


@pytest.fixture(autouse=True)
def _bindings():
    require(ceph.missing())


def driver(**options):
    from storekit.drivers.rbd import Options, RbdDriver

    return RbdDriver("blocks", Options(**{"pool": "images", **options}))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"pool": ""}, "pool"),
        ({"user": ""}, "user"),
        ({"object_size": 3 << 20}, "a power of two"),
        ({"object_size": 2048}, "object_size"),
        ({"object_size": 64 << 20}, "object_size"),
        ({"features": ("layering", "fast")}, "no such feature: fast"),
        ({"features": ("layering", "journaling")}, "no such feature: journaling"),
        ({"features": ("exclusive-lock",)}, "layering must be among them"),
        ({"features": ("layering", "object-map")}, "object-map needs exclusive-lock"),
        ({"copy_mode": "shallow"}, "copy_mode"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_a_bad_option_is_named(options, said):
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        storekit.open_store("rbd", name="blocks", **{"pool": "images", **options})


def test_a_missing_pool_is_named():
    with pytest.raises(ConfigurationError, match="pool"):
        storekit.open_store("rbd", name="blocks")


def test_a_configuration_file_that_is_missing_is_told(tmp_path):
    with pytest.raises(storekit.Unavailable, match="check pool, data_pool, conf_file"):
        storekit.open_store("rbd", name="blocks", pool="images", conf_file=tmp_path / "none")


def test_a_pool_that_is_missing_is_told(cluster):
    with pytest.raises(storekit.Unavailable, match="check pool"):
        storekit.open_store("rbd", name="blocks", pool="nowhere", conf_file=cluster.conf)


def test_a_data_pool_that_is_missing_is_told(cluster):
    name = Pool(cluster).name
    with pytest.raises(storekit.Unavailable, match="check pool, data_pool"):
        storekit.open_store("rbd", pool=name, data_pool="nowhere", conf_file=cluster.conf)


def test_a_namespace_that_is_missing_is_told(cluster):
    name = Pool(cluster).name
    with pytest.raises(storekit.Unavailable, match="rbd namespace create"):
        storekit.open_store("rbd", pool=name, namespace="nowhere", conf_file=cluster.conf)


def test_trash_takes_the_guard_away():
    assert Capability.IN_USE_GUARD in driver().capabilities
    assert Capability.IN_USE_GUARD not in driver(trash=True).capabilities


@pytest.mark.parametrize(
    ("text", "owned"),
    [
        (f"rbd://{FSID}/images/a%20b/snap", None),
        (f"rbd://{FSID}/volumes/a/snap", False),
        (f"rbd://{FSID}/images/a", False),
        (f"rbd://{FSID}/images/a/snap/b", False),
        (f"rbd://{FSID}/images//snap", False),
        (f"rbd://{FSID}/images/.storekit-a/snap", False),
        ("rbd://cirros", None),
    ],
)
def test_a_location_is_owned_by_its_pool_and_its_cluster_once_that_is_known(text, owned):
    assert driver().owns(Location(text)) is owned


def test_a_namespace_is_part_of_the_pool():
    inside = driver(namespace="glance")
    assert inside.owns(Location(f"rbd://{FSID}/images%2Fglance/a/snap")) is None
    assert inside.owns(Location(f"rbd://{FSID}/images/a/snap")) is False


def test_the_id_is_the_name_of_the_image():
    assert driver().image_id(Location(f"rbd://{FSID}/images/a%20b%40c/snap")) == "a b@c"
    assert driver().image_id(Location("rbd://cirros")) == "cirros"


def test_bindings_that_are_nowhere_are_told_with_what_to_do(tmp_path):
    from storekit.drivers.rbd.bindings import load

    with pytest.raises(DriverLoadError) as told:
        load("radosgone", tmp_path)
    assert "ln -s" in told.value.hint
    assert "python3-rados" in told.value.hint


def test_bindings_for_another_python_are_told(tmp_path):
    from storekit.drivers.rbd.bindings import load

    (tmp_path / "radosgone.cpython-39-x86_64-linux-gnu.so").touch()
    with pytest.raises(DriverLoadError) as told:
        load("radosgone", tmp_path)
    assert "for another Python" in told.value.hint


def test_a_directory_of_their_name_is_not_taken_for_the_bindings(tmp_path):
    (tmp_path / "rbd").mkdir()
    code = "from storekit.drivers.rbd.bindings import rbd; print(rbd.Error.__module__)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("rbd\n", "")
