"""Settings: what to hold to the contract, read from a file or from a configured store."""

from __future__ import annotations

import importlib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from storekit.config import make_driver, read_configuration
from storekit.errors import ConfigurationError
from storekit.store import Store
from storekit.testing.case import Case, Level
from storekit.testing.harness import Harness
from storekit.testing.runner import cases_for, level_of, selected
from storekit.testing.waivers import Waiver, read_waivers

__all__ = ["Settings", "harness_named", "harness_of_store", "read_settings"]

_KEYS = frozenset({"harness", "store", "config", "level", "select", "seed", "waive"})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What to run."""

    harness: type[Harness]
    """The class of the harness."""
    level: Level = Level.CORE
    """The highest level."""
    select: str | None = None
    """Beginnings of ids, or all."""
    seed: int | None = None
    """The seed, or a new one."""
    waivers: Mapping[str, Waiver] = field(default_factory=dict)
    """Signed failures."""

    def cases(self) -> list[Case]:
        """Give the cases to run."""
        return selected(cases_for(self.harness), self.level, self.select)


def read_settings(path: str | os.PathLike[str]) -> Settings:
    """Read the table ``[conform]`` of a TOML file.

    Args:
        path: The file. Other files that it names are beside it.

    Raises:
        ConfigurationError: It cannot be read, or is wrong.
    """
    file = Path(path)
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8")).get("conform")
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{file}: {error}") from error
    if not isinstance(table, dict) or set(table) - _KEYS:
        known = ", ".join(sorted(_KEYS))
        raise ConfigurationError(f"{file}: a table [conform] with {known} is expected")
    harness = _harness(file, table)
    known_ids = {item.id for item in cases_for(harness)}
    waive = table.get("waive")
    return Settings(
        harness=harness,
        level=level_of(str(table.get("level", "core"))),
        select=table.get("select"),
        seed=table.get("seed"),
        waivers=read_waivers(file.parent / waive, known_ids) if waive else {},
    )


def harness_named(name: str) -> type[Harness]:
    """Import a harness.

    Args:
        name: ``module:Class``.

    Raises:
        ConfigurationError: There is none.
    """
    module, _, attribute = name.partition(":")
    try:
        found: object = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"no harness {name!r}: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Harness)):
        raise ConfigurationError(f"{name!r} is no Harness", hint="write it as module:Class")
    found.check()
    return found


def harness_of_store(name: str | None, config: str | os.PathLike[str] | None) -> type[Harness]:
    """Make a harness of a configured store. It has no hooks, and the store's images are left alone.

    Args:
        name: The store; the default one if None.
        config: The configuration file; found as for every verb if None.

    Raises:
        ConfigurationError: There is no such store.
    """
    configuration = read_configuration(config)
    chosen = name or configuration.default
    if chosen not in configuration.stores:
        raise ConfigurationError(
            f"there is no store {chosen!r}", hint=f"there are {', '.join(configuration.stores)}"
        )
    options = configuration.stores[chosen]

    class ConfiguredStore(Harness):
        """One store of a configuration file."""

        def make_store(self, **overrides: object) -> Store:
            """Open the store afresh."""
            merged = {**options, **overrides}
            store = Store(chosen, str(options.get("driver")), lambda: make_driver(chosen, merged))
            _ = store.capabilities  # opens it
            return store

    return ConfiguredStore


def _harness(file: Path, table: Mapping[str, Any]) -> type[Harness]:
    if "harness" in table and "store" in table:
        raise ConfigurationError(f"{file}: [conform] names a harness and a store: one of them")
    if "harness" in table:
        return harness_named(str(table["harness"]))
    if "store" not in table:
        raise ConfigurationError(f"{file}: [conform] names neither harness nor store")
    config = table.get("config")
    return harness_of_store(table["store"], file.parent / config if config else None)
