"""FRM: the framework itself. Judged once for an installation, on the kit's own drivers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from storekit.capabilities import Capability
from storekit.context import RequestContext
from storekit.driver import Content, Driver
from storekit.errors import (
    BackendError,
    ConfigurationError,
    DriverConflict,
    DriverNotFound,
    InvalidArgument,
    InvalidLocation,
    NotFound,
    StoreError,
    UnknownScheme,
    Unsupported,
)
from storekit.location import Location
from storekit.stores import Stores
from storekit.testing.case import Violation, case
from storekit.testing.context import Context
from storekit.testing.distributions import installed
from storekit.testing.journal import Journal
from storekit.testing.reference.harnesses import (
    DirectoryHarness,
    MemoryHarness,
    ReferenceHarness,
)
from storekit.testing.reference.memory import MemoryDriver

Options = Mapping[str, Mapping[str, object]]
_OFFERED = "from storekit.testing.reference import MemoryDriver as Offered\n"


@contextmanager
def _backends(*kinds: type[ReferenceHarness]) -> Iterator[list[dict[str, object]]]:
    """Give the options of stores on fresh backends of the kit's own drivers."""
    harnesses = [kind() for kind in kinds]
    for harness in harnesses:
        harness.setup()
    try:
        yield [{"driver": harness.driver, **harness.options()} for harness in harnesses]
    finally:
        for harness in harnesses:
            harness.teardown()


class _Set:
    """A set of stores that keeps the journal."""

    def __init__(self, stores: Stores, journal: Journal) -> None:
        self.stores = stores
        self._journal = journal

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        function = getattr(self.stores, verb)

        def call(*args: object, **options: object) -> Any:  # noqa: ANN401 - as the verb
            return self._journal.run(f"{verb}{args!r}", function, *args, **options)

        return call


def _open(context: Context, options: Options, default: str | None = None) -> _Set:
    names = ", ".join(options)
    stores = context.journal.run(f"Stores({names})", context.harness.stores, options, default)
    context.exit.callback(stores.close)
    return _Set(stores, context.journal)


def _read(stores: _Set, location: object, **options: str) -> bytes:
    with stores.get(str(location), **options) as reader:
        data: bytes = reader.read()
        return data


@case(
    "FRM-01",
    once=True,
    sentence="A location MUST be routed to the store that owns it, by scheme and by backend; two"
    " backends of one scheme MUST NOT see each other's images.",
    why="The wrong store deletes the wrong image.",
    mistakes="The first store of the scheme; a table by scheme only.",
)
def routing(context: Context) -> None:
    """Keep one id in three stores, two of one scheme."""
    with _backends(MemoryHarness, MemoryHarness, DirectoryHarness) as (one, two, three):
        stores = _open(context, {"one": one, "two": two, "three": three}, "two")
        images = {}
        for name in ("one", "two", "three"):
            stored = stores.add("same-id", name.encode(), store=name)
            context.same(stored.store, name, "the store that has it")
            images[name] = stored.location
        for name, location in images.items():
            context.same(_read(stores, location), name.encode(), f"the image routed to {name}")
            context.same(stores.get_size(location), len(name), f"get_size routed to {name}")
        with context.expect_error(InvalidLocation, did="a get from the wrong store"):
            _read(stores, images["one"], store="two")
        with context.expect_error(UnknownScheme, did="a scheme that nobody reads"):
            stores.get_size("nosuch://host/image")
        with context.expect_error(InvalidArgument, did="a store that is not there"):
            stores.get_size(images["one"], store="four")
        stores.delete(images["one"])
        context.same(_read(stores, images["two"]), b"two", "the image of the other backend")
        with context.expect_error(NotFound, did="a get of the deleted one"):
            stores.get_size(images["one"])
        listed = [listing.location for listing in stores.list("two")]
        context.same(listed, [images["two"]], "the listing of one backend")


class _UnopenableDriver(Driver):
    schemes = ("unopenable",)

    def open(self) -> None:
        raise RuntimeError("the library is of the wrong version")

    def get_size(self, location: Location, context: RequestContext | None = None) -> int:
        return 0


@case(
    "FRM-02",
    once=True,
    sentence="A driver that cannot be found, loaded, configured or opened MUST disable its own"
    " store only, with a reason.",
    why="One broken backend must not stop a service that has others.",
    mistakes="All stores opened at the start, in one try.",
)
def one_broken(context: Context) -> None:
    """Put broken stores beside a good one."""
    with _backends(MemoryHarness) as (good,):
        broken: Options = {
            "unknown": {"driver": "nosuchdriver"},
            "wrong": {**good, "no_such_option": 1},
            "unopenable": {"driver": _UnopenableDriver},
        }
        stores = _open(context, {**broken, "good": good}, "good")
        location = stores.add("beside", b"works").location
        context.same(_read(stores, location), b"works", "an image beside broken stores")
        context.same(stores.stores["good"].state, "ready", "the state of the good store")
        for name in broken:
            state = stores.stores[name].state
            told = state.startswith("failed: ") and len(state) > len("failed: ")
            context.check(told, f"failed: and why, for {name}", state, "state")
            # What open() raised there is nobody's to translate: BackendError is right.
            with context.expect_error(StoreError, BackendError, did=f"an add to {name}"):
                stores.add("x", b"x", store=name)
        with context.expect_error(DriverNotFound, did="an unknown driver"):
            stores.add("x", b"x", store="unknown")
        with context.expect_error(ConfigurationError, did="an unknown option"):
            stores.add("x", b"x", store="wrong")
        context.same([i.image_id for i in stores.list("good")], ["beside"], "the listing")


@case(
    "FRM-03",
    once=True,
    exclusive=True,
    sentence="A driver name offered by two distributions MUST raise DriverConflict that names"
    " both.",
    why="Which of them is used must not depend on the order of a directory.",
    mistakes="The last one wins.",
)
def conflict(context: Context) -> None:
    """Install one driver twice."""
    directory = context.harness.directory
    both = ("storekit-first", "storekit-second")
    with installed(directory, "twice", _OFFERED, distributions=both):
        stores = _open(context, {"x": {"driver": "twice"}})
        with context.expect_error(DriverConflict, did="a driver offered twice") as caught:
            stores.add("x", b"x")
        for name in both:
            context.check(name in caught.text, f"an error that names {name}", caught.text)
        entries = [entry for entry in context.harness.installed() if entry.name == "twice"]
        context.same(len(entries), 1, "entries for the driver")
        context.check(not entries[0].loadable, "not loadable", entries[0])


class _TooMuchDriver(Driver):
    """Implements delete and a range, and claims neither."""

    schemes = ("toomuch",)
    capabilities = Capability.GET
    deleted = 0

    def get(
        self,
        location: Location,
        offset: int,
        length: int | None,
        context: RequestContext | None = None,
    ) -> Content:
        return Content(3, (b"abc"[offset:][:length],))

    def get_size(self, location: Location, context: RequestContext | None = None) -> int:
        return 3

    def delete(self, location: Location, context: RequestContext | None = None) -> None:
        type(self).deleted += 1

    def metadata(
        self, location: Location, context: RequestContext | None = None
    ) -> dict[str, object]:
        return {}


@case(
    "FRM-04",
    once=True,
    sentence="A gate MUST be enforced by the frame, whatever the driver implements, and without the"
    " driver's help.",
    why="A driver's author must not be able to forget it.",
    mistakes="Gates as decorators that each driver has to apply.",
)
def gates_enforced(context: Context) -> None:
    """Call what a driver implements and does not claim."""
    stores = _open(context, {"x": {"driver": _TooMuchDriver}})
    before = _TooMuchDriver.deleted
    with context.expect_error(Unsupported, did="a delete that is not claimed"):
        stores.delete("toomuch://host/image")
    context.same(_TooMuchDriver.deleted, before, "calls of the driver's delete")
    with context.expect_error(Unsupported, did="a range that is not claimed"):
        stores.get("toomuch://host/image", offset=1)
    context.same(_read(stores, "toomuch://host/image"), b"abc", "a whole read")


@case(
    "FRM-05",
    once=True,
    sentence="Metadata of dicts, lists and text MUST reach the embedder, each time a fresh copy;"
    " anything else MUST NOT. Stores MUST keep their order and their default.",
    why="An embedder writes metadata as JSON, and shows stores in the operator's order.",
    mistakes="The driver's own dict handed out; a set of names.",
)
def metadata_and_order(context: Context) -> None:
    """Give metadata of all kinds, and look at the order of stores."""
    with _backends(MemoryHarness, MemoryHarness, MemoryHarness) as backends:
        good: dict[str, object] = {"list": ["a", {"b": "c"}], "text": "d"}
        kinds = (_metadata_driver(good), _metadata_driver({"a": 1}), _metadata_driver({"a": {1}}))
        names = ("z", "a", "m")
        options = {
            name: {**backend, "driver": kind}
            for name, kind, backend in zip(names, kinds, backends, strict=True)
        }
        stores = _open(context, options, "a")
        context.same(tuple(stores.stores), names, "the order of the stores")
        context.same(stores.stores.default, "a", "the default store")
        context.same(stores.add("default", b"x").store, "a", "the store of an add")
        stored = stores.add("good", b"x", store="z")
        context.same(stored.metadata, good, "metadata of dicts, lists and text")
        stored.metadata.clear()
        again = stores.add("again", b"x", store="z")
        context.same(again.metadata, good, "metadata after the caller changed its copy")
        for name in ("a", "m"):
            shown = stores.add("bad", b"x", store=name).metadata
            if shown:
                raise Violation("no metadata that JSON may not hold", shown, "add")
    with context.expect_error(ConfigurationError, did="several stores and no default"):
        _open(context, options)


def _metadata_driver(value: dict[str, object]) -> type[Driver]:
    class MetadataDriver(MemoryDriver):
        def metadata(
            self, location: Location, context: RequestContext | None = None
        ) -> dict[str, object]:
            return value

    return MetadataDriver
