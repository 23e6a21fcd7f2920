"""Loading: from a driver's name to its class, through stevedore."""

from __future__ import annotations

import importlib.metadata
import inspect
import re
from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

import stevedore

from storekit.capabilities import Capability, Limits
from storekit.errors import (
    ConfigurationError,
    DriverConflict,
    DriverInvalid,
    DriverLoadError,
    DriverNotFound,
    text_of,
)
from storekit.values import InstalledDriver

if TYPE_CHECKING:
    from storekit.driver import Driver

__all__ = ["GROUP", "check_driver", "drivers_installed", "load_driver"]

GROUP = "storekit.drivers"
"""The entry point group."""

EntryPoint = importlib.metadata.EntryPoint

_NAME = re.compile("[a-z][a-z0-9_-]*")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")  # RFC 3986, 3.1
_VERBS = {
    Capability.GET: "get",
    Capability.ADD: "add",
    Capability.DELETE: "delete",
    Capability.LIST: "list",
    Capability.ACL: "set_acls",
    Capability.CAPACITY: "capacity",
}


def load_driver(name: str) -> type[Driver]:
    """Load a driver.

    Args:
        name: The name that its distribution gave it.

    Returns:
        Its class, checked against the interface.

    Raises:
        DriverNotFound: No installed distribution offers it.
        DriverConflict: Several do.
        DriverLoadError: Its module cannot be imported.
        DriverInvalid: It is no driver, or not of this interface.
    """
    offers = _offers()
    if name not in offers:
        raise DriverNotFound(
            f"there is no driver {name!r}",
            hint=f"installed are {', '.join(sorted(offers)) or 'none'}; see storekit drivers",
        )
    if len(offers[name]) > 1:
        raise DriverConflict(
            f"offered by {_distributions(offers[name])}",
            driver=name,
            hint="uninstall all but one of them",
        )
    entry_point = offers[name][0]
    if not _NAME.fullmatch(name):
        raise DriverInvalid("a driver's name is lower case letters, digits, _ and -", driver=name)
    return check_driver(name, _loaded(entry_point), entry_point.value)


def drivers_installed() -> list[InstalledDriver]:
    """List every driver that is installed, also those that cannot be loaded, and why.

    Returns:
        The drivers, by name.
    """
    found = []
    for name, entry_points in sorted(_offers().items()):
        reason = hint = None
        try:
            load_driver(name)
        except ConfigurationError as error:
            reason, hint = error.message, error.hint
        versions = ", ".join(str(_dist(ep).version) for ep in entry_points)
        distributions = _distributions(entry_points)
        found.append(InstalledDriver(name, distributions, versions, reason is None, reason, hint))
    return found


def check_driver(name: str, loaded: object, where: str) -> type[Driver]:
    """Check a class against the driver interface.

    Args:
        name: The driver's name.
        loaded: What should be a driver.
        where: Where it is, ``module:Class``.

    Returns:
        The same.

    Raises:
        DriverInvalid: What is wrong with it.
    """
    from storekit.driver import Driver  # noqa: PLC0415 - pydantic is loaded with the first driver

    def invalid(what: str, hint: str | None = None) -> DriverInvalid:
        return DriverInvalid(f"{where} {what}", driver=name, hint=hint)

    if not (isinstance(loaded, type) and issubclass(loaded, Driver)):
        raise invalid("is no subclass of storekit.Driver")
    if loaded.interface != Driver.interface:
        raise invalid(
            f"is written for interface {loaded.interface!r}, this is {Driver.interface}",
            "install a version of it that goes with this storekit",
        )
    for problem in _problems(loaded, Driver):
        raise invalid(problem)
    return loaded


def _problems(driver: type[Driver], base: type[Driver]) -> Iterator[str]:
    return chain(_wrong_attributes(driver, base), _wrong_methods(driver, base))


def _wrong_attributes(driver: type[Driver], base: type[Driver]) -> Iterator[str]:
    if not isinstance(driver.capabilities, Capability):
        yield "has capabilities that are no storekit.Capability"
    if not isinstance(driver.limits, Limits):
        yield "has limits that are no storekit.Limits"
    if not (isinstance(driver.options, type) and issubclass(driver.options, base.options)):
        yield "has options that are no subclass of storekit.DriverOptions"
    if not isinstance(driver.schemes, tuple) or not driver.schemes:
        yield "has no schemes: a tuple of URI schemes"
    for scheme in driver.schemes:
        if not (isinstance(scheme, str) and _SCHEME.fullmatch(scheme)):
            yield f"has {scheme!r} among its schemes: lower case letters, digits, + - ."


def _wrong_methods(driver: type[Driver], base: type[Driver]) -> Iterator[str]:
    for name, theirs in vars(base).items():
        ours = inspect.getattr_static(driver, name)
        of_interface = name == "__init__" or not name.startswith("_")
        if not of_interface or not inspect.isfunction(theirs) or ours is theirs:
            continue
        if not inspect.isfunction(ours) or inspect.iscoroutinefunction(ours):
            yield f"has {name}, which is no method"
        elif _parameters(ours) != _parameters(theirs):
            yield f"has {name}{_shown(ours)}, the interface has {name}{_shown(theirs)}"
    if driver.get_size is base.get_size:
        yield "has no get_size"
    for gate, verb in _VERBS.items():
        if gate in driver.capabilities and getattr(driver, verb) is getattr(base, verb):
            yield f"claims {gate.name} and has no {verb}"


def _parameters(function: Callable[..., object]) -> list[tuple[str, object, object]]:
    parameters = inspect.signature(function).parameters.values()
    return [(p.name, p.kind, p.default) for p in parameters]


def _shown(function: Callable[..., object]) -> str:
    signature = inspect.signature(function)
    bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return str(inspect.Signature(bare))


class _Manager(stevedore.ExtensionManager["type[Driver]"]):
    """stevedore on given entry points: its own cache goes stale, and forgets the distribution."""

    def __init__(self, entry_point: EntryPoint, failures: list[BaseException]) -> None:
        self._entry_point = entry_point
        super().__init__(
            GROUP, on_load_failure_callback=lambda _, __, error: failures.append(error)
        )

    def list_entry_points(self) -> list[EntryPoint]:
        return [self._entry_point]


def _loaded(entry_point: EntryPoint) -> object:
    failures: list[BaseException] = []
    try:
        extensions = _Manager(entry_point, failures).extensions
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - SystemExit and others, which stevedore lets through
        failures.append(error)
    for failure in failures:
        what, hint = _diagnosis(entry_point, failure)
        raise DriverLoadError(what, driver=entry_point.name, hint=hint) from failure
    return extensions[0].plugin


def _diagnosis(entry_point: EntryPoint, error: BaseException) -> tuple[str, str | None]:
    """Tell why a driver cannot be loaded, and what helps."""
    distribution = _distributions([entry_point])
    what = f"cannot be loaded from {distribution}: {type(error).__name__}: {text_of(error)}"
    if not isinstance(error, ImportError):
        return what, None
    if error.name and f"{entry_point.module}.".startswith(f"{error.name}."):
        return what, f"its own module is missing: install {distribution} again"
    extra = _normalized(entry_point.name)
    if not _brings(_dist(entry_point), extra):
        return what, f"install the module {error.name!r}" if error.name else None
    if isinstance(error, ModuleNotFoundError) and error.name:
        # Nothing is wrong: somebody who does not need the driver has not installed its library.
        what = f"its extra is not installed: {text_of(error)}"
    return what, f"pip install '{distribution}[{extra}]'"


def _brings(distribution: importlib.metadata.Distribution, extra: str) -> bool:
    """Tell whether an extra brings something: one whose library is not on PyPI is no help."""
    requirements = " ".join(distribution.requires or ())
    markers = re.findall(r"extra\s*==\s*['\"]([^'\"]+)", requirements)
    return extra in map(_normalized, markers)


def _normalized(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()  # PEP 685


def _offers() -> dict[str, list[EntryPoint]]:
    offers: dict[str, list[EntryPoint]] = {}
    for entry_point in importlib.metadata.entry_points(group=GROUP):
        offers.setdefault(entry_point.name, []).append(entry_point)
    for entry_points in offers.values():
        entry_points.sort(key=lambda entry_point: _distributions([entry_point]))
    return offers


def _dist(entry_point: EntryPoint) -> importlib.metadata.Distribution:
    assert entry_point.dist is not None  # noqa: S101 - importlib gives it; for the type checker
    return entry_point.dist


def _distributions(entry_points: list[EntryPoint]) -> str:
    # A half removed distribution has no name any more.
    return ", ".join(str(_dist(ep).name or "a distribution without name") for ep in entry_points)
