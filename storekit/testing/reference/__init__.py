"""Two complete drivers that the kit is tried on: one over a socket, one over a directory.

They are right in everything that the contract asks, and small: the zoo makes its broken drivers
out of them. They are registered nowhere; their harnesses open them by their class.
"""

from __future__ import annotations

from storekit.testing.reference.directory import DirectoryDriver
from storekit.testing.reference.harnesses import DirectoryHarness, MemoryHarness
from storekit.testing.reference.memory import MemoryDriver

__all__ = ["DirectoryDriver", "DirectoryHarness", "MemoryDriver", "MemoryHarness"]
