"""The conformance kit: it decides whether a driver is right.

Run it on a harness, which is how the kit gets at a store::

    from storekit.testing import Harness, run

    class AcmeHarness(Harness):
        def make_store(self, **overrides):
            return storekit.open_store("acme", bucket=self.namespace, **overrides)

    report = run(AcmeHarness, level="core")

or with pytest, by a class of tests in a module of yours::

    from storekit.testing import ConformanceTests

    class TestAcme(ConformanceTests):
        harness = AcmeHarness

How a case is written
=====================
A case is a function of a ``Context``; ``@case`` gives it its place in the contract::

    @case(
        "ADD-03",
        needs=Capability.ADD,
        sentence="An image of one byte MUST be stored and read back.",
        why="...",
        mistakes="...",
    )
    def one_byte(context):
        data = context.payload(1)
        stored = context.store.add(context.new_id(), data)
        context.same(stored.size, 1, "the size")
        context.holds(stored.location, data)

- It stands in ``cases/``, in the module of its group: ``add.py``, ``flt.py``, or
  ``add_sources.py`` where a group needs several. Every module there is loaded by itself.
- ``needs``: gates and promises. Without a promise the case is N/A. Without a gate ``refused``
  runs in its place; where there is none, the verb of the gate must be refused.
- ``hooks``: what the harness must offer (``case.HOOKS``). Without: NOT-RUN, or N/A where the
  harness says that it cannot be. A case finds out later? It raises ``NotRun`` or
  ``NotApplicable``, or calls ``context.harness.require(hook)``.
- ``exclusive``: no case beside it. Cases with a fault, ``orphans``, ``restart`` or
  ``plant_leftover`` among their hooks, and those that are ``last``, are alone anyway. A case that
  calls ``context.orphans()`` must be.
- ``level``: ``Level.CORE``, ``ROBUST`` or ``HARD``. ``budget``: when it counts as hung, in units
  of ``limits.op_budget``.
- It fails by ``Violation``: raised by ``check``, ``same``, ``holds``, ``expect_error``,
  ``untouched``, ``nothing_stored``, ``eventually``. An error of a store that it does not expect is
  a FAIL too; any other exception is an ERROR of the kit.
- All choices come from ``context.random``. Sizes come from ``primes``, ``around``,
  ``read_chunk``, ``write_chunk``, ``part_size``. Ids come from ``new_id``. What it stores through
  a client is deleted afterwards. No driver's name stands in a case.
- ``context.store`` and ``context.other`` are two clients of the same images, ``client(...)``
  makes more; each has the verbs of ``Store``, and keeps the journal that becomes the evidence.
  ``client.store`` is the bare store, ``client.driver`` the driver instance, and ``client.asked``
  the verbs that the frame has called on it.

How a mutant is declared
========================
Every case must kill a mutant: a driver, store or harness that is wrong in one way. In ``zoo/``, in
the module of the group that kills it::

    @mutant(kills="GET-01")
    class TruncateLastByte(MemoryDriver):
        # Its docstring says what is wrong, in one sentence.

        def get(self, location, offset, length, context=None): ...

A class over ``MemoryDriver`` or ``DirectoryDriver`` runs in that driver's own harness; one over
``Store`` or ``Stores`` stands in for the frame there (``over=DirectoryHarness`` for the other
harness); one over a harness is used as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from storekit.testing.case import (
    Case,
    Level,
    NotApplicable,
    NotRun,
    Over,
    Registry,
    Violation,
    case,
)
from storekit.testing.context import Context
from storekit.testing.harness import Harness
from storekit.testing.probing.engine import probe
from storekit.testing.probing.measured import Probed, Row, Verdict
from storekit.testing.result import Outcome, Report, Result
from storekit.testing.runner import cases_for, run
from storekit.testing.waivers import Waiver, read_waivers

if TYPE_CHECKING:
    from storekit.testing.pytest_shell import ConformanceTests

__all__ = [
    "Case",
    "ConformanceTests",
    "Context",
    "Harness",
    "Level",
    "NotApplicable",
    "NotRun",
    "Outcome",
    "Over",
    "Probed",
    "Registry",
    "Report",
    "Result",
    "Row",
    "Verdict",
    "Violation",
    "Waiver",
    "case",
    "cases_for",
    "probe",
    "read_waivers",
    "run",
]


def __getattr__(name: str) -> object:
    # The kit's core imports no pytest: only who asks for the pytest shell gets it.
    if name == "ConformanceTests":
        from storekit.testing.pytest_shell import ConformanceTests  # noqa: PLC0415

        return ConformanceTests
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
