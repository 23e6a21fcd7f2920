"""Mutants of the set of stores."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Mapping
from typing import Any

from storekit.capabilities import GATES
from storekit.loader import GROUP
from storekit.location import Location
from storekit.store import Store
from storekit.stores import Stores
from storekit.testing.zoo.mutants import mutant

Options = Mapping[str, Mapping[str, object]]


@mutant(kills="FRM-01")
class FirstOfTheScheme(Stores):
    """A location is routed to the first store that reads its scheme."""

    def owner(self, location: str | Location, *, store: str | None = None) -> Store:
        """Look at the scheme only."""
        place = Location(str(location))
        for name in self:
            if store is None and place.scheme in self[name].opening.instance().schemes:
                return self[name]
        return super().owner(location, store=store)


@mutant(kills="FRM-02")
class AllAtOnce(Stores):
    """All stores are opened when the set is made."""

    def __init__(self, stores: Options, default: str | None = None) -> None:
        """Open them."""
        super().__init__(stores, default)
        for name in self:
            _ = self[name].capabilities


@mutant(kills="FRM-03")
class LastOneWins(Stores):
    """Of two distributions that offer a driver one is taken, without a word."""

    def __init__(self, stores: Options, default: str | None = None) -> None:
        """Take the last one."""
        chosen = {}
        for name, options in stores.items():
            driver: Any = options["driver"]
            found = importlib.metadata.entry_points(group=GROUP, name=str(driver))
            if len(found) > 1:
                driver = list(found)[-1].load()
            chosen[name] = {**options, "driver": driver}
        super().__init__(chosen, default)


@mutant(kills="FRM-04")
class NoGates(Stores):
    """Whatever a driver implements can be called."""

    def __init__(self, stores: Options, default: str | None = None) -> None:
        """Claim everything."""
        super().__init__(stores, default)
        for name in self:
            self[name].opening.instance().capabilities |= GATES


@mutant(kills="FRM-05")
class SortedStores(Stores):
    """Stores come in the order of their names."""

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(super().__iter__()))
