"""PLG: what a driver is, before it does anything."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator

from storekit.capabilities import Capability
from storekit.driver import Driver
from storekit.errors import ConfigurationError
from storekit.loader import load_driver
from storekit.testing.case import NotApplicable, Over, Violation, case
from storekit.testing.cases.plg_import import import_report
from storekit.testing.context import Context
from storekit.testing.distributions import installed

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")  # RFC 3986, 3.1, in lower case
_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_VERBS = {
    Capability.GET: "get",
    Capability.ADD: "add",
    Capability.DELETE: "delete",
    Capability.LIST: "list",
    Capability.ACL: "set_acls",
    Capability.CAPACITY: "capacity",
}
_MISSING_LIBRARY = "import storekit_needs_a_library_that_nobody_has\nOffered = None\n"


def _driver_class(context: Context) -> type[Driver]:
    return type(context.store.driver)


@case(
    "PLG-01",
    sentence="The entry point MUST load to a subclass of Driver, written for this major of the"
    " interface, under a lower-case name that no other distribution offers.",
    why="The loader finds a driver by its name, and calls what it knows.",
    mistakes="A factory in place of a class; a name with capitals; the major not stated.",
)
def entry_point(context: Context) -> None:
    """Look at the class, and at what is installed under its name."""
    driver = _driver_class(context)
    name = context.store.store.driver
    context.check(issubclass(driver, Driver), "a subclass of Driver", driver)
    context.same(driver.interface, Driver.interface, "the major of the interface")
    context.check(_NAME.fullmatch(name), "a name in lower case", name)
    offered = [entry for entry in context.harness.installed() if entry.name == name]
    for entry in offered:
        context.check(entry.loadable, "a driver that loads", entry.reason)
        context.check("," not in entry.distribution, "one distribution", entry.distribution)
    names = [entry.name for entry in context.harness.installed()]
    context.same(sorted(set(names)), sorted(names), "the names, each once")


@case(
    "PLG-02",
    once=True,
    exclusive=True,
    sentence="A driver whose library is missing MUST still be listed, with what to install; listing"
    " MUST NOT raise ImportError.",
    why="An operator asks for the list exactly then.",
    mistakes="A driver that vanishes from the list; a traceback in place of it.",
)
def without_library(context: Context) -> None:
    """Install a driver whose library is missing, and list."""
    directory = context.harness.directory
    with installed(directory, "unloadable", _MISSING_LIBRARY):
        try:
            entries = context.harness.installed()
        except Exception as error:
            raise Violation("a list of drivers", repr(error), "drivers_installed") from error
        found = [entry for entry in entries if entry.name == "unloadable"]
    context.same(len(found), 1, "entries for a driver whose library is missing")
    entry = found[0]
    context.check(not entry.loadable, "not loadable", entry)
    context.check(entry.reason, "a reason", entry)
    hint = entry.hint or ""
    context.check("pip install" in hint and "[unloadable]" in hint, "the extra to install", hint)
    context.check(len(entries) > 1, "the other drivers too", entries)


@case(
    "PLG-03",
    sentence="Importing the driver's module MUST open no socket, thread or file, and change no"
    " logging, warnings, signal or other setting of the process.",
    why="A service imports drivers that it may never use.",
    mistakes="A client made at import; logging.basicConfig; a patched standard library.",
)
def quiet_import(context: Context) -> None:
    """Import the module in a fresh process, and compare before and after."""
    module = _driver_class(context).__module__
    report = import_report(module, context.budget())
    if report is None:
        raise NotApplicable(f"a fresh process cannot import {module}")
    changed = {name: change for name, change in report.items() if change}
    context.check(not changed, "nothing changed", json.dumps(changed), f"import {module}")


@case(
    "PLG-04",
    sentence="schemes MUST be a tuple of URI schemes in lower case, not empty, and none of them"
    " that of another installed driver.",
    why="A location is routed by its scheme.",
    mistakes="A text in place of a tuple; another driver's scheme, for convenience.",
)
def schemes(context: Context) -> None:
    """Look at the schemes, and at those of the others."""
    driver = _driver_class(context)
    own = driver.schemes
    context.check(isinstance(own, tuple) and own, "a tuple, not empty", own)
    for scheme in own:
        context.check(_SCHEME.fullmatch(scheme), "a URI scheme in lower case", scheme)
    context.same(len(set(own)), len(own), "schemes, each once")
    for entry in context.harness.installed():
        if not entry.loadable:
            continue
        other = load_driver(entry.name)
        same = other is driver or issubclass(driver, other) or issubclass(other, driver)
        stolen = set() if same else set(own) & set(other.schemes)
        context.check(not stolen, "schemes of its own", f"{sorted(stolen)}: of {entry.name}")


@case(
    "PLG-05",
    sentence="Public methods MUST have the interface's signature: names, order, kinds and"
    " defaults.",
    why="The frame calls them by position and by keyword, as the interface says.",
    mistakes="A renamed argument; *args; a context that is required.",
)
def signatures(context: Context) -> None:
    """Compare every method with that of the interface."""
    driver = _driver_class(context)
    for name, theirs in _interface():
        ours = getattr(driver, name)
        if ours is theirs:
            continue
        context.check(callable(ours), f"{name} that can be called", ours)
        context.same(_parameters(ours), _parameters(theirs), f"the parameters of {name}")


@case(
    "PLG-06",
    sentence="A claimed gate MUST have an implementation; what is implemented SHOULD be claimed.",
    why="Capabilities are what an embedder goes by.",
    mistakes="A gate copied from another driver; a verb that nobody can reach.",
)
def gates(context: Context) -> None:
    """Compare the claims with the methods."""
    driver = _driver_class(context)
    context.check(isinstance(driver.capabilities, Capability), "a Capability", driver.capabilities)
    over = []
    for gate, verb in _VERBS.items():
        has = getattr(driver, verb) is not getattr(Driver, verb)
        claimed = gate in driver.capabilities
        context.check(has or not claimed, f"{verb}, since {gate.name} is claimed", "none")
        if has and not claimed:
            over.append(f"{verb} without {gate.name}")
    needed = {
        Capability.GET_RANGE: Capability.GET,
        Capability.ADD_UNKNOWN_SIZE: Capability.ADD,
    }
    for gate, base in needed.items():
        alone = gate in driver.capabilities and base not in driver.capabilities
        context.check(not alone, f"{base.name} where there is {gate.name}", driver.capabilities)
    context.check(driver.get_size is not Driver.get_size, "a get_size", "none")
    if over:
        raise Over(", ".join(over))


@case(
    "PLG-07",
    sentence="Every option MUST have a type, a description, and a default or be required; an"
    " unknown or bad option MUST raise ConfigurationError that names it.",
    why="Options are written by hand, into a file, by somebody in a hurry.",
    mistakes="Any; a typing error that is ignored; an error that says `invalid value`.",
)
def options(context: Context) -> None:
    """Look at the options, and give wrong ones."""
    for name, option in _driver_class(context).options.model_fields.items():
        context.check(option.description, f"a description of {name}", option.description)
        typed = option.annotation not in {None, object, inspect.Parameter.empty}
        context.check(typed and "Any" not in str(option.annotation), f"a type of {name}", "none")
    wrong: list[tuple[str, object]] = [
        ("no_such_option", 1),
        ("max_attempts", 0),
        ("max_attempts", "often"),
        ("io_timeout", -1.0),
        ("connect_timeout", "soon"),
    ]
    for name, value in wrong:
        did = f"opening with {name}={value!r}"
        with context.expect_error(ConfigurationError, did=did) as caught:
            context.harness.make_store(**{name: value})
        context.check(name in caught.text, f"an error that names {name}", caught.text, did)


@case(
    "PLG-08",
    needs=Capability.GET | Capability.ADD,
    hooks=("fault:readonly",),
    sentence="A store whose backend cannot be written MUST open, read, withdraw ADD and DELETE, and"
    " keep the reason.",
    why="The images are still there, and half a store is better than none.",
    mistakes="Failing as a whole; finding out at the first upload.",
)
def write_side(context: Context) -> None:
    """Open on a backend that is read-only."""
    data = context.payload(997)
    location = context.image(data)
    with context.fault("readonly"):
        client = context.client()
        context.holds(location, data, client)
        writes = Capability.ADD | Capability.DELETE
        left = client.capabilities & writes
        context.check(not left, "neither ADD nor DELETE", left, "opening on a read-only backend")
        reason = client.store.withdrawn.get(Capability.ADD)
        context.check(reason, "the reason why ADD is withdrawn", reason)
        state = client.store.state
        shown = state.startswith("degraded") and str(reason) in state
        context.check(shown, f"degraded: {reason}", state, "state")


@case(
    "PLG-09",
    sentence="Two stores of one driver with different options MUST share nothing; a store MUST be"
    " true, and its repr MUST show no secret.",
    why="A service has several stores of one kind, each with its own limits and rights.",
    mistakes="Class attributes changed by one of them; a cache of clients by host; __len__.",
)
def apart(context: Context) -> None:
    """Open two stores, change one, and look at the other."""
    one, two = context.client(max_attempts=1), context.client(max_attempts=2)
    kind = _driver_class(context)
    claimed, limits = kind.capabilities, kind.limits
    context.same(one.limits.max_attempts, 1, "max_attempts of the first")
    context.same(two.limits.max_attempts, 2, "max_attempts of the second")
    context.check(bool(one.store), "a store that is true", "false")
    for secret in filter(None, context.secrets(one)):
        for thing in (one.store, one.driver, one.driver.config):
            context.check(secret not in repr(thing), "a repr without secrets", "it shows one")
    one.driver.narrow(Capability.GET, "only here")
    one.driver.limit(read_chunk=1)
    context.same(two.store.capabilities, two.capabilities, "the capabilities of the other")
    context.same(two.store.limits, two.limits, "the limits of the other")
    context.same((kind.capabilities, kind.limits), (claimed, limits), "those of the class")
    location = context.image(b"apart")
    one.close()
    context.same(two.get_size(location), 5, "get_size after the other store was closed")


def _interface() -> Iterator[tuple[str, Callable[..., object]]]:
    for name, method in vars(Driver).items():
        if not name.startswith("_") and inspect.isfunction(method):
            yield name, method


def _parameters(function: Callable[..., object]) -> list[str]:
    return [
        f"{parameter.kind.description} {parameter.name} default {parameter.default!r}"
        for parameter in inspect.signature(function).parameters.values()
    ]
