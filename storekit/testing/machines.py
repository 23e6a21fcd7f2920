"""Machines: rule-based machines of Hypothesis that choose the calls of a play. Needs hypothesis.

Nothing imports this module but a case that is about to run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from storekit.testing.doubtful import FAULTS, Doubtful
from storekit.testing.plays import (
    IMAGES,
    SIZES,
    Choice,
    Play,
)

__all__ = ["played"]

_RUNS = 6  # a run dwells on what it has tried; the next one begins elsewhere
_SEQUENCES = 16  # of one run
_LENGTH = 50  # calls
_LENGTH_BROKEN = 20  # the more is unknown, the more can be explained
_AFTER = (0, 17, 300, 70_001)  # bytes: in the head of a message, and in its body
_ANSWERS = (1, 1, 2, 2, 3, 3, 4, 5, 6)  # of one call

_two = st.integers(0, 1)
_three = st.sampled_from([0, 0, 0, 1, 2, 2])  # the second one takes its time to try again
_image = st.sampled_from([0] * 3 + [*range(IMAGES)])  # calls that never meet show little
_size = st.sampled_from([0, 0, 0, *range(SIZES)])  # long images take long
_number = st.integers(-9, 30) | st.sampled_from([997, 1 << 14, 1 << 30])
_anew = st.sampled_from([False] * 9 + [True])
_cut = st.tuples(st.sampled_from(FAULTS[1:]), st.sampled_from(_AFTER), st.integers(1, 2))
_lost = st.tuples(st.just(FAULTS[0]), st.sampled_from(_ANSWERS), st.integers(1, 2))
_faults = _cut | _lost
_fault = st.none() | _faults


def _calls(**more: st.SearchStrategy[Any]) -> st.SearchStrategy[Choice]:
    by = {"image": _image, **more}
    add = st.builds(Choice, st.just("add"), size=_size, known=st.booleans(), **by)
    other = st.builds(Choice, st.sampled_from(["get_size", "get", "delete"]), **by)
    part = st.builds(Choice, st.just("get_range"), offset=_number, length=_number, **by)
    return st.one_of(other, add, other, part, other)


class _Machine(RuleBasedStateMachine):
    """One rule makes all calls: it is never left out of a sequence, as a rule for each would be."""

    def __init__(self, play: Play) -> None:
        super().__init__()
        self.play = play
        if not play.over:
            play.begin()

    def teardown(self) -> None:
        self.play.end()

    @initialize(size=_size)
    def first(self, size: int) -> None:
        self._made(Choice("add", size=size))

    def _made(self, choice: Choice) -> None:
        # Calls that are left out, and not the choice of them: Hypothesis must see no difference.
        if not self.play.over:
            self.play.call(choice)


class _Catalogued(_Machine):
    @rule(choice=_calls(who=_two, anew=_anew))
    def call(self, choice: Choice) -> None:
        self._made(choice)


# A client that tries again meets its own first attempt, where just that one answer is lost.
_meeting = st.builds(
    Choice,
    st.sampled_from(["add", "delete"]),
    who=st.just(1),
    image=_image,
    size=_size,
    fault=st.tuples(st.just(FAULTS[0]), st.sampled_from(_ANSWERS), st.just(1)),
)
_doubtful = _calls(who=_three, fault=_fault)


class _Broken(_Machine):
    @rule(choice=st.one_of(_doubtful, _doubtful, _meeting))
    def call(self, choice: Choice) -> None:
        self._made(choice)


@contextmanager
def _elsewhere() -> Iterator[None]:
    """Let Hypothesis keep its notes in a directory to be thrown away, not in the current one."""
    with TemporaryDirectory(prefix="storekit-machines-") as directory:
        set_hypothesis_home_dir(directory)
        try:
            yield
        finally:
            set_hypothesis_home_dir(None)


def played(play: Play) -> None:
    """Choose calls of a play until one goes wrong, then look for fewer that do too.

    Args:
        play: The play. Its seed is drawn from ``context.random``.

    Raises:
        Violation: What went wrong after the fewest calls.
    """
    try:
        with _elsewhere():
            for _ in range(_RUNS):
                if not play.over:
                    _run(play)
    except Exception:
        # Also where the same calls did not go wrong again: they did once.
        if play.found is None:
            raise
    finally:
        play.context.notes.update({"sequences": play.begun, "calls": play.calls})
    if play.found is not None:
        play.shorten()
        raise play.found


def _run(play: Play) -> None:
    broken = isinstance(play, Doubtful)
    machine: Any = partial(_Broken if broken else _Catalogued, play)  # a class is asked for
    machine = seed(play.context.random.getrandbits(32))(machine)
    quiet = settings(
        max_examples=_SEQUENCES,
        stateful_step_count=_LENGTH_BROKEN if broken else _LENGTH,
        database=None,
        deadline=None,
        derandomize=False,
        phases=(Phase.generate,),  # the play does the rest quicker
        print_blob=False,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    run_state_machine_as_test(machine, settings=quiet)
