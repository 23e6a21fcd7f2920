"""Mutants of what a driver is."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Sequence

from pydantic import ConfigDict, Field

from storekit.capabilities import Capability
from storekit.driver import Driver
from storekit.location import Location
from storekit.testing.reference import DirectoryDriver, MemoryDriver, MemoryHarness
from storekit.testing.reference.memory import MemoryOptions
from storekit.testing.zoo.mutants import mutant
from storekit.values import InstalledDriver


@mutant(kills="PLG-01", checked=False)
class WrongMajor(MemoryDriver):
    """The driver is written for another major of the interface."""

    interface = Driver.interface + 1


@mutant(kills="PLG-02")
class UnloadableVanishes(MemoryHarness):
    """A driver whose library is missing is not listed."""

    def installed(self) -> Sequence[InstalledDriver]:
        """List what can be loaded."""
        return [entry for entry in super().installed() if entry.loadable]


@mutant(kills="PLG-02")
class ListingRaises(MemoryHarness):
    """Listing raises the ImportError of one driver."""

    def installed(self) -> Sequence[InstalledDriver]:
        """Import whatever is named."""
        for entry in super().installed():
            if not entry.loadable:
                raise ImportError(entry.reason)
        return super().installed()


@mutant(kills="PLG-03")
class ImportSideEffect(MemoryHarness):
    """Importing the driver's module changes a logger."""

    def setup(self) -> None:
        """Import it here, and undo its effect in this process."""
        super().setup()
        logger = logging.getLogger("storekit")
        level = logger.level
        module = importlib.import_module("storekit.testing.zoo.import_with_effects")
        logger.setLevel(level)
        type(self).driver = module.ImportSideEffectDriver


@mutant(kills="PLG-04")
class StolenScheme(MemoryDriver):
    """A scheme of an installed driver is claimed too."""

    schemes = ("memory", "file")


@mutant(kills="PLG-05", checked=False)
class SignatureDrift(MemoryDriver):
    """get_size has another argument in place of the context."""

    def get_size(self, location: Location, cached: bool = False) -> int:  # type: ignore[override]
        """Have a signature of its own."""
        return super().get_size(location)


@mutant(kills="PLG-06", checked=False)
class ClaimsWhatItHasNot(DirectoryDriver):
    """ACL is claimed, and there is no set_acls."""

    capabilities = DirectoryDriver.capabilities | Capability.ACL


class _LooseOptions(MemoryOptions):
    model_config = ConfigDict(extra="ignore")


@mutant(kills="PLG-07")
class IgnoresUnknownOptions(MemoryDriver):
    """An option that it does not know is ignored."""

    options = _LooseOptions


class _UndocumentedOptions(MemoryOptions):
    colour: str = Field("red")


@mutant(kills="PLG-07")
class UndocumentedOption(MemoryDriver):
    """An option has no description."""

    options = _UndocumentedOptions


@mutant(kills="PLG-08")
class NeverNarrows(MemoryDriver):
    """A namespace that is read-only is found out at the first upload."""

    def narrow(self, capability: Capability, reason: str) -> None:
        """Withdraw nothing."""


@mutant(kills="PLG-09")
class NarrowsTheClass(MemoryDriver):
    """What one store withdraws is withdrawn from all."""

    def narrow(self, capability: Capability, reason: str) -> None:
        """Change the class."""
        type(self).capabilities &= ~capability
