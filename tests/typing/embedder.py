"""An image service, as far as a type checker sees it. Checked, never run."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import assert_type

import storekit
from storekit import (
    Capability,
    Capacity,
    ChunkReader,
    InstalledDriver,
    Leftover,
    Limits,
    Listing,
    Location,
    RequestContext,
    Store,
    StoredImage,
    Stores,
)


def configure(path: Path) -> Stores:
    by_file = Stores.from_config(path)
    assert_type(by_file, Stores)
    assert_type(Stores.from_config(), Stores)
    assert_type(Stores.from_config("storekit.toml"), Stores)
    with Stores({"fast": {"driver": "filesystem", "path": path}}, default="fast") as stores:
        assert_type(stores["fast"], Store)
        assert_type(stores.default, str)
        assert_type([name for name in stores], list[str])  # noqa: C416 - it is the iteration
        assert_type(len(stores), int)
        assert_type("fast" in stores, bool)
    return by_file


def pieces() -> Iterator[memoryview]:
    yield memoryview(b"one")


def add(stores: Stores, path: Path) -> StoredImage:
    seen: list[int] = []
    with path.open("rb") as file:
        stored = stores.add(
            "cirros",
            file,
            21_692_416,
            store="fast",
            hashes=("sha256",),
            expect={"sha256": "ab" * 32},
            verifier=hashlib.sha1(),
            context=RequestContext(token="secret", roles=["reader"]),
            progress=seen.append,
        )
    assert_type(stored.location, Location)
    assert_type(stored.size, int)
    assert_type(stored.digests, dict[str, str])
    assert_type(stored.store, str)
    assert_type(stored.metadata, dict[str, object])
    stores.add("bytes", b"bytes")
    stores.add("array", bytearray(b"bytes"))
    stores.add("view", memoryview(b"bytes"))
    stores.add("list", [b"by", b"tes"])
    stores.add("iterator", pieces())
    stores.add("path", path)
    stores.add("stream", io.BytesIO(b"bytes"))
    stores.add("progress", b"bytes", progress=lambda count: print("so far", count))
    return stored


def read(stores: Stores, location: Location | str) -> bytes:
    with stores.get(location, offset=5, length=None) as reader:
        assert_type(reader, ChunkReader)
        assert_type(reader.size, int)
        assert_type(reader.location, Location)
        assert_type(reader.readinto(bytearray(10)), int)
        for chunk in reader:
            assert_type(chunk, bytes)
        return reader.read(5) + reader.read()


def manage(stores: Stores, stored: StoredImage) -> None:
    assert_type(stores.get_size(stored.location, store="fast"), int)
    copy = stores.copy(
        stored.location, to="archive", image_id="twin", expect=None, digests=stored.digests
    )
    assert_type(copy, StoredImage)
    assert_type(stores.verify(copy.location, stored.digests), dict[str, str])
    stores.delete(copy.location, context=RequestContext())
    for listing in stores.list():
        assert_type(listing, Listing)
        assert_type(listing.modified, datetime | None)
    for leftover in stores.leftovers(older_than=timedelta(hours=1)):
        assert_type(leftover, Leftover)
    assert_type(stores.reclaim("fast"), list[Leftover])
    assert_type(stores.capacity(), Capacity)
    stores.set_acls(stored.location, public=True, read=["a"], write=("b",))
    stores.close()


def one_store(path: Path) -> None:
    store = storekit.open_store("filesystem", name="local", path=path, create=True)
    assert_type(store, Store)
    assert_type(store.name, str)
    assert_type(store.driver, str)
    assert_type(store.state, str)
    assert_type(store.capabilities, Capability)
    assert_type(store.limits, Limits)
    assert_type(store.limits.op_budget, float)
    if Capability.GET_RANGE in store.capabilities:
        assert_type(store.get("file:///a", offset=3), ChunkReader)
    assert_type(store.copy("file:///a", store, "b"), StoredImage)
    for driver in storekit.drivers_installed():
        assert_type(driver, InstalledDriver)
        assert_type(driver.hint, str | None)


def locate() -> Location:
    location = Location.build("file", "", "srv", "images", query={"a": "b"})
    assert_type(location.segments, tuple[str, ...])
    assert_type(location.userinfo, str | None)
    assert_type(location.host_port, tuple[str, int | None])
    return Location(str(location))


def errors(stores: Stores) -> str | None:
    try:
        stores.get_size("file:///a")
    except storekit.NotFound as error:
        by_builtin: FileNotFoundError = error
        return str(by_builtin)
    except storekit.StoreError as error:
        assert_type(error.retriable, bool)
        assert_type(error.store, str | None)
        return error.hint
    return None
