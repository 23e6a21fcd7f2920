"""Mutants: how they are declared, and found."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from storekit.driver import Driver
from storekit.store import Store
from storekit.stores import Stores
from storekit.testing.harness import Harness
from storekit.testing.reference import (
    DirectoryDriver,
    DirectoryHarness,
    MemoryDriver,
    MemoryHarness,
)

__all__ = ["Mutant", "all_mutants", "mutant"]

Kind = TypeVar("Kind", bound=type)

_mutants: dict[str, Mutant] = {}


@dataclass(frozen=True)
class Mutant:
    """Something that is wrong in one way."""

    name: str
    """The name of its class."""
    kills: tuple[str, ...]
    """The ids of the cases that must fail on it."""
    summary: str
    """What is wrong, in one sentence."""
    over: str
    """What it is a mutant of: a driver, the frame, or a harness."""
    harness: type[Harness]
    """The harness that makes stores of it."""


def mutant(
    *, kills: str | tuple[str, ...], over: type[Harness] = MemoryHarness, checked: bool = True
) -> Callable[[Kind], Kind]:
    """Declare a mutant.

    Args:
        kills: The ids of the cases that must fail on it.
        over: For a mutant of ``Store`` or ``Stores``: the harness that it is put into.
        checked: For a mutant of a driver: False where the frame itself would refuse the class, so
            that only the kit can judge it.

    Returns:
        A decorator that registers the class, and gives it back. Its docstring says what is wrong.
    """

    def declared(kind: Kind) -> Kind:
        if kind.__name__ in _mutants:
            raise ValueError(f"there are two mutants {kind.__name__}")
        base, harness = _placed(kind, over, checked)
        _mutants[kind.__name__] = Mutant(
            name=kind.__name__,
            kills=(kills,) if isinstance(kills, str) else kills,
            summary=(kind.__doc__ or "").strip(),
            over=base,
            harness=harness,
        )
        return kind

    return declared


def all_mutants() -> list[Mutant]:
    """Load every module of the zoo.

    Returns:
        All mutants, by the first case that they kill, and by name.
    """
    package = importlib.import_module(__package__ or "storekit.testing.zoo")
    for module in pkgutil.iter_modules(package.__path__):
        if module.name.startswith("mutants_"):
            importlib.import_module(f"{package.__name__}.{module.name}")
    return sorted(_mutants.values(), key=lambda found: (found.kills, found.name))


def _placed(kind: type, over: type[Harness], checked: bool) -> tuple[str, type[Harness]]:
    """Give the name of what a class is a mutant of, and a harness that uses it."""
    fields: dict[str, object]
    if issubclass(kind, Harness):
        return f"{kind.__mro__[1].__name__}", kind
    if issubclass(kind, Store):
        name, base, fields = "Store", over, {"frame": kind}
    elif issubclass(kind, Stores):
        name, base, fields = "Stores", over, {"stores": kind}
    elif issubclass(kind, MemoryDriver):
        name, base, fields = "MemoryDriver", MemoryHarness, {"driver": kind, "checked": checked}
    elif issubclass(kind, DirectoryDriver):
        fields = {"driver": kind, "checked": checked}
        name, base = "DirectoryDriver", DirectoryHarness
    else:
        what = "a driver" if issubclass(kind, Driver) else "a class"
        raise TypeError(f"{kind.__name__} is {what} that no reference harness makes")
    return name, type(f"{kind.__name__}Harness", (base,), fields)
