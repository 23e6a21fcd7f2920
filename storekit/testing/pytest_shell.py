"""The kit as tests of pytest: one test for each case, and no green for what was not run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

import pytest

from storekit.testing.case import Case, Level
from storekit.testing.harness import Harness
from storekit.testing.result import Outcome, Result
from storekit.testing.runner import cases_for, level_of, selected
from storekit.testing.session import Session
from storekit.testing.waivers import Waiver

__all__ = ["OUTCOME", "ConformanceTests", "Failed", "KitError", "judge", "judge_end"]

Record = Callable[[str, object], None]

OUTCOME = "storekit-outcome"
"""The name of the user property of a test that is neither passed nor failed."""


class Failed(AssertionError):
    """A case failed. Its text is the evidence.

    Args:
        result: What it found.
        seed: The seed of the run.
    """

    def __init__(self, result: Result, seed: int) -> None:
        super().__init__(evidence(result, seed))


class KitError(RuntimeError):
    """The kit or its environment failed.

    Args:
        result: What happened.
        seed: The seed of the run.
    """

    def __init__(self, result: Result, seed: int) -> None:
        super().__init__(evidence(result, seed))


class ConformanceTests:
    """Subclass it in a test module, and name your harness: every case becomes a test.

    FAIL and ERROR fail; what is left at the end of the run is an error of the last test. What is
    REFUSED, N/A, NOT-RUN, WAIVED or OVER is shown as that, and is not counted as passed; a plain
    ``skipped`` where ``storekit.testing.plugin`` is not loaded.
    """

    harness: ClassVar[type[Harness] | Harness]
    """The harness, or its class."""
    level: ClassVar[Level | str] = Level.HARD
    """The highest level whose cases become tests."""
    select: ClassVar[str | None] = None
    """Only cases whose id begins with one of these, separated by commas."""
    seed: ClassVar[int | None] = None
    """The same one makes the same choices; a new one by default."""
    waivers: ClassVar[Mapping[str, Waiver]] = {}
    """Signed failures, as ``read_waivers`` gives them."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make a test of each case. Called by pytest."""
        if "conformance_case" not in metafunc.fixturenames:
            return
        cases = sorted(_cases_of(metafunc.cls), key=lambda item: item.last)
        metafunc.parametrize("conformance_case", cases, ids=lambda item: item.id)

    def test_conformance(
        self,
        conformance_case: Case,
        request: pytest.FixtureRequest,
        record_property: Record,
    ) -> None:
        """Hold the store to one case of the contract."""
        session = _session_of(request)
        judge(session.run(conformance_case), record_property, session.seed)


_SESSION = pytest.StashKey[Session]()


def _cases_of(kind: type[ConformanceTests]) -> list[Case]:
    if not hasattr(kind, "harness"):
        return []
    (kind.harness if isinstance(kind.harness, type) else type(kind.harness)).check()
    level = kind.level if isinstance(kind.level, Level) else level_of(kind.level)
    return selected(cases_for(kind.harness), level, kind.select)


def _session_of(request: pytest.FixtureRequest) -> Session:
    """Set the harness up at the first case of a class, and tear it down after the last."""
    node = request.node.getparent(pytest.Class)
    kind = request.cls
    if _SESSION not in node.stash:
        chosen = {item.id for item in _cases_of(kind)}
        session = Session(kind.harness, seed=kind.seed, waivers=kind.waivers, chosen=chosen)
        node.stash[_SESSION] = session.__enter__()

        def end() -> None:
            del node.stash[_SESSION]
            judge_end(session)

        node.addfinalizer(end)
    found: Session = node.stash[_SESSION]
    return found


def judge(result: Result, record_property: Record, seed: int) -> None:
    """Make what pytest knows of a result.

    Args:
        result: The result.
        record_property: pytest's fixture of this name.
        seed: The seed of the run: the same one makes the same choices.

    Raises:
        Failed: It is a FAIL.
        KitError: It is an ERROR.
    """
    if result.outcome is Outcome.FAIL:
        raise Failed(result, seed)
    if result.outcome is Outcome.ERROR:
        raise KitError(result, seed)
    if result.outcome is not Outcome.PASS:
        record_property(OUTCOME, result.outcome.value)
        pytest.skip(f"{result.outcome.value}: {result.reason}")


def judge_end(session: Session) -> None:
    """Tear the harness down, and make an error of what is left then.

    Args:
        session: Of the run.

    Raises:
        Failed: Something is left.
        KitError: The teardown failed.
    """
    result = session.end()
    if result.outcome is Outcome.FAIL:
        raise Failed(result, session.seed)
    if result.outcome is Outcome.ERROR:
        raise KitError(result, session.seed)


def evidence(result: Result, seed: int) -> str:
    """Write what a failed case found.

    Args:
        result: Its result.
        seed: The seed of the run.
    """
    lines = [
        f"{result.case.id} {result.outcome.value}: {result.case.sentence}",
        f"  expected  {result.expected or '-'}",
        f"  got       {result.actual or result.reason}",
        *(f"  call      {call}" for call in result.calls),
        f"  seed      {seed}",
    ]
    return "\n".join([*lines, "", result.trace])
