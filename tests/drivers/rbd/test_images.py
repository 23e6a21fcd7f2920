"""Images as they lie in the pool: their layout, holes, names, copies, and who wins."""

import json
import socket
import struct
from datetime import timedelta

import pytest
from servers import ceph

import storekit
from drivers.racing import race
from drivers.rbd.conftest import MIB, Pool, shut_out


@pytest.fixture
def pool(cluster):
    return Pool(cluster)


def test_an_image_is_laid_out_as_nova_and_cinder_expect(pool, open_rbd, image):
    stored = open_rbd(pool).add("cirros", image)
    assert str(stored.location) == f"rbd://{pool.cluster.fsid}/{pool.name}/cirros/snap"
    with pool.opened() as (rbd, opened), rbd.Image(opened, "cirros", "snap") as found:
        assert found.is_protected_snap("snap")
        assert found.stat()["order"] == 20
        assert found.features() & rbd.RBD_FEATURE_LAYERING
        assert found.read(0, found.size()) == image


def test_features_and_a_data_pool_are_those_that_are_asked_for(pool, open_rbd, image):
    data = Pool(pool.cluster)
    open_rbd(pool, features=["layering"], data_pool=data.name).add("cirros", image)
    with pool.opened() as (rbd, opened), rbd.Image(opened, "cirros") as found:
        assert found.features() == rbd.RBD_FEATURE_LAYERING | rbd.RBD_FEATURE_DATA_POOL
    assert any(name.startswith("rbd_data.") for name in data.objects())


def test_zeros_become_holes(pool, open_rbd):
    data = b"begin" + bytes(8 * MIB) + b"end"
    store = open_rbd(pool)
    location = store.add("thin", data).location
    written = [name for name in pool.objects() if name.startswith("rbd_data.")]
    assert len(written) == 2
    assert store.get(location).read() == data


def test_holes_are_read_without_a_request(pool, open_rbd, tmp_path):
    conf = tmp_path / "ceph.conf"
    admin = f"[client]\nadmin_socket = {tmp_path}/$cctid.asok\n"
    conf.write_text(pool.cluster.conf.read_text() + admin)
    size = 200 * MIB  # 200 objects, one of them there
    store = open_rbd(pool, conf_file=conf, part_size=50 * MIB)
    location = store.add("a", iter([b"x", bytes(size - 1)])).location
    before = reads_of(tmp_path)
    assert store.get(location).read() == b"x" + bytes(size - 1)
    assert 0 < reads_of(tmp_path) - before < 50


def reads_of(directory):
    """Tell how many requests to read the clients have sent that have an admin socket there."""
    count = 0
    for path in directory.glob("*.asok"):
        with socket.socket(socket.AF_UNIX) as line, line.makefile("rwb") as file:
            line.connect(str(path))
            file.write(b'{"prefix": "perf dump"}\0')
            file.flush()
            (length,) = struct.unpack(">I", file.read(4))
            count += json.loads(file.read(length))["objecter"]["op_r"]
    return count


def test_an_image_of_unknown_size_is_cut_to_its_length(pool, open_rbd, image):
    store = open_rbd(pool)
    pieces = (image[at : at + 99_991] for at in range(0, len(image), 99_991))
    location = store.add("unknown", pieces).location
    assert store.get_size(location) == len(image)
    assert store.get(location).read() == image


@pytest.mark.parametrize("image_id", ["a@b", "ä ö", "x" * 255, "a%2Fb", "a:b", "ä" * 127])
def test_an_id_of_any_text_is_a_name(image_id, pool, open_rbd):
    store = open_rbd(pool)
    location = store.add(image_id, b"bytes").location
    assert store.get(location).read() == b"bytes"
    assert [item.image_id for item in store.list()] == [image_id]
    assert pool.images() == {image_id}
    store.delete(location)
    assert pool.images() == set()


def test_a_location_of_an_old_glance_is_read(pool, open_rbd, image):
    store = open_rbd(pool)
    store.add("old", image)
    assert store.get("rbd://old").read() == image
    assert store.get_size("rbd://old") == len(image)


def test_another_cluster_is_refused(pool, open_rbd):
    with pytest.raises(storekit.InvalidLocation, match="not in this store"):
        open_rbd(pool).get(f"rbd://00000000-0000-0000-0000-000000000000/{pool.name}/a/snap")


def test_namespaces_are_apart(pool, open_rbd):
    with pool.opened() as (rbd, opened):
        rbd.RBD().namespace_create(opened, "glance")
    inside, outside = open_rbd(pool, namespace="glance"), open_rbd(pool)
    location = inside.add("same", b"inside").location
    outside.add("same", b"outside")
    assert inside.get(location).read() == b"inside"
    assert "%2Fglance/" in str(location)
    with pytest.raises(storekit.InvalidLocation):
        outside.get(location)


def test_of_many_writers_of_one_id_one_wins(pool, open_rbd):
    stores = [open_rbd(pool) for _ in range(4)]
    for number in range(3):
        ((image, stored),) = race(stores, f"raced-{number}", 1000).items()
        assert stores[0].get(stored.location).read() == image
    assert pool.images() == {f"raced-{number}" for number in range(3)}


def test_an_image_that_has_clones_is_kept_as_it_is(pool, open_rbd, image):
    store = open_rbd(pool, copy_mode="clone")
    stored = store.add("parent", image)
    copied = store.copy(stored.location, image_id="child", digests=stored.digests)
    with pytest.raises(storekit.InUse, match="child"):
        store.delete(stored.location)
    assert store.get(stored.location).read() == image
    assert store.get(copied.location).read() == image
    store.delete(copied.location)
    store.delete(stored.location)
    assert pool.images() == set()


def test_a_clone_of_any_snapshot_keeps_an_image_by_whichever_location(pool, open_rbd):
    store = open_rbd(pool)
    location = store.add("parent", b"image").location
    with pool.opened() as (rbd, opened):
        with rbd.Image(opened, "parent") as parent:
            parent.create_snap("backup")
            parent.protect_snap("backup")
        for snapshot in ("snap", "backup"):
            rbd.RBD().clone(opened, "parent", snapshot, opened, "child", features=61)
            for one in (location, "rbd://parent"):
                with pytest.raises(storekit.InUse, match="child"):
                    store.delete(one)
            rbd.RBD().remove(opened, "child")
    store.delete("rbd://parent")
    assert pool.images() == set()


def test_a_clone_in_the_trash_keeps_an_image(pool, open_rbd, image):
    store = open_rbd(pool)
    location = store.add("parent", image).location
    with pool.opened() as (rbd, opened):
        rbd.RBD().clone(opened, "parent", "snap", opened, "child", features=61)
        rbd.RBD().trash_move(opened, "child")
        with pytest.raises(storekit.InUse, match=r"child \(in the trash\)"):
            store.delete(location)
        assert store.get(location).read() == image
        (child,) = rbd.RBD().trash_list(opened)
        rbd.RBD().trash_remove(opened, child["id"])
    store.delete(location)
    assert pool.images() == set()


def test_with_trash_an_image_that_has_clones_goes_there(pool, open_rbd, image):
    store = open_rbd(pool, copy_mode="clone", trash=True)
    stored = store.add("parent", image)
    copied = store.copy(stored.location, image_id="child", digests=stored.digests)
    store.delete(stored.location)
    assert [item.image_id for item in store.list()] == ["child"]
    assert store.get(copied.location).read() == image
    with pool.opened() as (rbd, opened):
        assert [item["name"] for item in rbd.RBD().trash_list(opened)] == ["parent"]
    assert list(store.leftovers(timedelta(0))) == []


def test_with_trash_an_image_whose_rename_was_not_finished_goes_there(pool, open_rbd):
    store = open_rbd(pool, trash=True)
    location = store.add("parent", b"image").location
    hidden = ".storekit-0.parent"
    with pool.opened() as (rbd, opened):
        rbd.RBD().clone(opened, "parent", "snap", opened, "child", features=61)
        internal = opened.read("rbd_id.parent")
        words = [struct.pack("<I", len(name)) + name for name in (b"parent", hidden.encode())]
        opened.execute("rbd_directory", "rbd", "dir_rename_image", b"".join(words) + internal)
        opened.write_full(f"rbd_id.{hidden}", internal)
        store.delete(location)
        assert [item["name"] for item in rbd.RBD().trash_list(opened)] == ["parent"]
    assert pool.images() == {"child"}
    assert not pool.objects() & {"rbd_id.parent", f"rbd_id.{hidden}"}


def test_with_trash_no_other_image_goes_there(pool, open_rbd, monkeypatch):
    from storekit.drivers.rbd import removal

    store, other = open_rbd(pool, trash=True), open_rbd(pool, trash=True)
    location = store.add("parent", b"image").location
    with pool.opened() as (rbd, opened):
        rbd.RBD().clone(opened, "parent", "snap", opened, "child", features=61)

    def replace(*arguments):
        monkeypatch.undo()
        found = at_rest(*arguments)
        other.delete(location)
        other.add("parent", b"another")
        return found

    at_rest = removal._at_rest
    monkeypatch.setattr(removal, "_at_rest", replace)
    with pytest.raises(storekit.NotFound):
        store.delete(location)
    assert store.get(location).read() == b"another"


def test_a_deep_copy_is_by_itself_and_keeps_its_digests(pool, open_rbd, image):
    store = open_rbd(pool)
    stored = store.add("parent", image)
    copied = store.copy(stored.location, image_id="copy", digests=stored.digests)
    store.delete(stored.location)
    assert copied.digests == stored.digests
    assert store.get(copied.location).read() == image
    with pool.opened() as (rbd, opened), rbd.Image(opened, "copy") as found:
        assert found.metadata_get("storekit.md5") == stored.digests["md5"]


def test_a_copy_of_an_image_that_is_deleted_meanwhile_is_none(pool, open_rbd, image, monkeypatch):
    store, other = open_rbd(pool), open_rbd(pool)
    stored = store.add("doomed", image)
    rbd = ceph.load_bindings()[1]

    class Image(rbd.Image):
        def copy(self, *arguments, **layout):
            other.delete(stored.location)
            super().copy(*arguments, **layout)

    monkeypatch.setattr(rbd, "Image", Image)
    with pytest.raises(storekit.DataError, match="deleted while it was copied"):
        store.copy(stored.location, image_id="copy", digests=stored.digests)
    assert pool.images() == set()


def test_a_read_of_an_image_that_is_deleted_meanwhile_gives_no_zeros(pool, open_rbd):
    store = open_rbd(pool)
    data = b"x" * (8 * MIB)
    location = store.add("doomed", data).location
    with store.get(location) as reader:
        begin = next(reader)
        open_rbd(pool).delete(location)
        with pytest.raises(storekit.StoreError):
            begin += reader.read()
    assert data.startswith(begin)


def test_a_read_by_name_of_an_image_that_is_deleted_meanwhile_gives_no_zeros(pool, open_rbd):
    store, other = open_rbd(pool), open_rbd(pool)
    store.add("a", b"x" * (12 * MIB))
    reader = store.get("rbd://a")
    got = reader.read(MIB)
    other.delete("rbd://a")
    with pytest.raises(storekit.DataError, match="deleted"):
        got += reader.read()
    assert set(got) == set(b"x")


def test_a_read_that_goes_on_takes_no_other_image_of_the_same_name(pool, open_rbd):
    store, other = open_rbd(pool), open_rbd(pool, copy_mode="clone", trash=True)
    stored = other.add("a", b"x" * (12 * MIB))
    other.copy(stored.location, image_id="child", digests=stored.digests)
    reader = store.get(stored.location)
    got = reader.read(MIB)
    other.delete(stored.location)  # its data stays: it has a clone
    assert other.add("a", b"y" * (12 * MIB)).location == stored.location
    shut_out(pool, store)
    with pytest.raises(storekit.DataError):
        got += reader.read()
    assert set(got) == set(b"x")


def test_what_a_killed_removal_of_another_tool_left_hinders_nobody(pool, open_rbd, image):
    store = open_rbd(pool)
    with pool.opened() as (_, opened):  # rbd rm takes a name out of the directory last
        words = b"".join(struct.pack("<I", len(text)) + text for text in (b"a", b"123"))
        opened.execute("rbd_directory", "rbd", "dir_add_image", words)
    for _ in range(2):
        location = store.add("a", image).location
        assert store.get(location).read() == image
        assert [one.image_id for one in store.list()] == ["a"]
        store.delete(location)
        assert list(store.list()) == []
    assert pool.images() == {"a"}  # as it was before


def test_an_image_without_the_snapshot_is_none(pool, open_rbd):
    with pool.opened() as (rbd, opened):
        rbd.RBD().create(opened, "half", 1000)
    store = open_rbd(pool)
    assert list(store.list()) == []
    with pytest.raises(storekit.NotFound):
        store.get(f"rbd://{pool.cluster.fsid}/{pool.name}/half/snap")
    with pytest.raises(storekit.Duplicate):
        store.add("half", b"bytes")


def test_without_a_manager_there_is_no_capacity(pool, open_rbd):
    store = open_rbd(pool)
    assert storekit.Capability.CAPACITY not in store.capabilities
    with pytest.raises(storekit.Unsupported, match="no manager"):
        store.capacity()


def test_two_clusters_live_in_one_process(pool, open_rbd, image):
    with ceph.ceph() as second:
        other = Pool(second)
        one, two = open_rbd(pool), open_rbd(other)
        location = one.add("same", image).location
        copied = one.copy(location, to=two)
        assert two.get(copied.location).read() == image
        with pytest.raises(storekit.InvalidLocation):
            two.get(location)
        two.close()
