"""The zoo: drivers, frames and harnesses that are wrong in one way, to show that the kit bites."""

from __future__ import annotations

from storekit.testing.zoo.mutants import Mutant, all_mutants, mutant
from storekit.testing.zoo.selftest import Kill, SelfTest, self_test

__all__ = ["Kill", "Mutant", "SelfTest", "all_mutants", "mutant", "self_test"]
