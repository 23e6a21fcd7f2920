"""A case: one sentence of the contract, and the function that holds a store to it."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from storekit.capabilities import GATES, Capability

if TYPE_CHECKING:
    from storekit.testing.context import Context

__all__ = [
    "EXCLUSIVE_HOOKS",
    "HOOKS",
    "Case",
    "Level",
    "NotApplicable",
    "NotRun",
    "Over",
    "Registry",
    "Violation",
    "case",
    "registry",
]

Check = Callable[["Context"], None]

HOOKS = (
    "endpoint",
    "http",
    "peek",
    "plant",
    "acls",
    "orphans",
    "reclaim",
    "fault:full",
    "fault:eio",
    "fault:hung",
    "fault:gone",
    "fault:readonly",
    "fault:power",
    "denied_backend",
    "in_use",
    "plant_leftover",
    "restart",
)
"""What a case may ask of a harness. ``http`` is an ``endpoint`` that speaks plain HTTP."""

EXCLUSIVE_HOOKS = frozenset({"orphans", "restart", "plant_leftover"})
"""Hooks that disturb, or are disturbed by, whatever else uses the backend; so does a fault."""

_NOTHING = Capability(0)
_ID = re.compile(r"[A-Z]{3}-[0-9]{2}[a-z]?", re.ASCII)
_KEYWORD = re.compile(r"\b(MUST|SHOULD)\b", re.ASCII)


class Level(enum.IntEnum):
    """How far a driver is held to the contract. Each level contains those below it."""

    CORE = 1
    """What every store does; needs no hook."""
    ROBUST = 2
    """Faults, concurrency, resources and leftovers."""
    HARD = 3
    """Crashes, durability, recorded histories and long runs."""

    def __str__(self) -> str:
        return self.name.lower()


class Violation(Exception):
    """The store does not do what the case says.

    Args:
        expected: What the contract says, for a reader.
        actual: What happened instead.
        did: What was done to the store; the calls before it are kept as evidence anyway.
        evidence: Lines for the report to show in place of those calls.
    """

    def __init__(
        self, expected: object, actual: object, did: str = "", evidence: Iterable[str] = ()
    ) -> None:
        super().__init__(expected, actual, did)
        self.expected = str(expected)
        self.actual = str(actual)
        self.did = did
        self.evidence = tuple(evidence)

    def __str__(self) -> str:
        text = f"expected {self.expected}; got {self.actual}"
        return f"{text} (after {self.did})" if self.did else text


class NotRun(Exception):
    """The case needs something that the harness does not offer. Lowers the level reached."""


class NotApplicable(Exception):
    """The case does not apply to this store: a promise not made, a hook that cannot be."""


class Over(Exception):
    """It works, though the driver does not claim it. Advisory."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One sentence of the contract. ``@case`` makes them.

    Raises:
        ValueError: A part of it is missing or malformed.
    """

    id: str
    """Stable: ``ADD-14``. The group in three letters, and a number."""
    level: Level
    """The level that it belongs to, if it could run without a hook."""
    sentence: str
    """What is demanded, with MUST or SHOULD."""
    why: str
    """Why that matters to whoever stores images."""
    mistakes: str
    """How drivers get it wrong."""
    function: Check
    """Runs it; raises Violation."""
    needs: Capability = _NOTHING
    """Gates: without one of them ``refused`` runs instead. Promises: without, it is N/A."""
    hooks: tuple[str, ...] = ()
    """Names out of ``HOOKS`` without which it cannot run; ``http|fault:full``: one of them."""
    refused: Check | None = None
    """Runs where a gate of ``needs`` is not claimed; None: the verb of the gate is refused."""
    exclusive: bool = False
    """No other case may run beside it, for example because it counts orphans."""
    last: bool = False
    """Runs after all others: it judges what the whole run has seen."""
    once: bool = False
    """Judges the framework, not a driver: runs once for an installation."""
    budget: float = 3.0
    """How many times ``limits.op_budget`` it may take before it counts as hung."""

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise ValueError(f"{self.id!r} is no case id, such as ADD-14")
        if not _KEYWORD.search(self.sentence):
            raise ValueError(f"{self.id}: the sentence has neither MUST nor SHOULD")
        if not (self.why and self.mistakes):
            raise ValueError(f"{self.id}: why and mistakes say something")
        if unknown := set(self.hook_names) - set(HOOKS):
            raise ValueError(f"{self.id}: no such hooks: {', '.join(sorted(unknown))}")

    @property
    def group(self) -> str:
        """The three letters of the id."""
        return self.id[:3]

    @property
    def hook_names(self) -> list[str]:
        """The names in ``hooks``."""
        return [name for hook in self.hooks for name in hook.split("|")]

    @property
    def counted_at(self) -> Level:
        """The level it counts for: a core case that needs a hook is counted at robust."""
        return Level.ROBUST if self.level is Level.CORE and self.hooks else self.level

    @property
    def alone(self) -> bool:
        """Whether no other case may run beside it."""
        return (
            self.exclusive
            or self.last
            or any(name in EXCLUSIVE_HOOKS or "fault:" in name for name in self.hook_names)
        )

    @property
    def gates(self) -> Capability:
        """The gates among ``needs``."""
        return self.needs & GATES

    @property
    def promises(self) -> Capability:
        """The promises among ``needs``."""
        return self.needs & ~GATES


class Registry:
    """Cases by id, upper or lower case, in the order in which they were declared."""

    def __init__(self, cases: Iterable[Case] = ()) -> None:
        self._cases: dict[str, Case] = {}
        for item in cases:
            self.add(item)

    def add(self, item: Case) -> None:
        """Register a case.

        Args:
            item: The case.

        Raises:
            ValueError: Another case has its id.
        """
        if item.id in self:
            raise ValueError(f"there are two cases {item.id}")
        self._cases[item.id.upper()] = item

    def __iter__(self) -> Iterator[Case]:
        return iter(self._cases.values())

    def __len__(self) -> int:
        return len(self._cases)

    def __contains__(self, case_id: object) -> bool:
        return str(case_id).upper() in self._cases

    def __getitem__(self, case_id: str) -> Case:
        return self._cases[case_id.upper()]


registry = Registry()
"""The contract: every case of the kit, once ``storekit.testing.cases.load`` was called."""


def case(
    case_id: str,
    *,
    sentence: str,
    why: str,
    mistakes: str,
    level: Level = Level.CORE,
    needs: Capability = _NOTHING,
    hooks: tuple[str, ...] = (),
    refused: Check | None = None,
    exclusive: bool = False,
    last: bool = False,
    once: bool = False,
    budget: float = 3.0,
    into: Registry | None = None,
) -> Callable[[Check], Case]:
    """Make a function a case, and register it.

    Args:
        case_id: As ``Case.id``; the others too are as the fields of ``Case``.
        sentence: What is demanded.
        why: Why it matters.
        mistakes: How drivers get it wrong.
        level: The level it belongs to.
        needs: Capabilities that it needs.
        hooks: Hooks that it needs.
        refused: What to run where a gate is not claimed.
        exclusive: Whether it runs alone.
        last: Whether it runs at the end.
        once: Whether it is about the framework.
        budget: Its time, in units of ``limits.op_budget``.
        into: The registry; the kit's own by default. A driver package that has cases of its own
            keeps them in one of its own, and names it in its harness.

    Returns:
        A decorator that gives the ``Case``.
    """

    def made(function: Check) -> Case:
        item = Case(
            id=case_id,
            level=level,
            sentence=sentence,
            why=why,
            mistakes=mistakes,
            function=function,
            needs=needs,
            hooks=hooks,
            refused=refused,
            exclusive=exclusive,
            last=last,
            once=once,
            budget=budget,
        )
        (registry if into is None else into).add(item)
        return item

    return made
