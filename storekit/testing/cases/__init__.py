"""The contract: one module for each group of cases."""

from __future__ import annotations

import importlib
import pkgutil

from storekit.testing.case import Registry, registry

__all__ = ["GROUPS", "contract"]

GROUPS = (
    *("PLG", "LOC", "ADD", "GET", "RNG", "SIZ", "DEL", "NEG", "ERR"),
    *("FLT", "OSF", "CON", "CRS", "RES", "STA", "LST", "ACL", "CAP", "CPY", "LFT", "FRM", "PRF"),
)
"""The groups, in the order of the contract."""


def contract() -> Registry:
    """Load every module of this package.

    Returns:
        All cases of the kit, by group, and in a group by number.
    """
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return Registry(sorted(registry, key=lambda item: (GROUPS.index(item.group), item.id)))
