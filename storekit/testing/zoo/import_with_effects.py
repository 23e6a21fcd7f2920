"""A driver's module whose import has side effects. Only a mutant imports it."""

from __future__ import annotations

import logging

from storekit.testing.reference import MemoryDriver

__all__ = ["ImportSideEffectDriver"]

logging.getLogger("storekit").setLevel(logging.ERROR)


class ImportSideEffectDriver(MemoryDriver):
    """The reference driver, in a module that changes a logger."""
