"""The machines: what they find is short, plain, and found again with the same seed."""

import subprocess
import sys
from random import Random

import pytest

from storekit.testing import Outcome, cases_for, machines
from storekit.testing.context import Context
from storekit.testing.doubtful import Doubtful
from storekit.testing.plays import Catalogue, Choice
from storekit.testing.reference import MemoryHarness
from storekit.testing.session import Session
from storekit.testing.zoo import all_mutants

MUTANTS = {found.name: found for found in all_mutants()}


def judged(name, seed=None):
    with Session(MUTANTS[name].harness, seed=seed) as session:
        return session.run(cases_for()[MUTANTS[name].kills[0]])


@pytest.fixture
def context():
    harness = MemoryHarness()
    harness.setup()
    made = Context(cases_for()["STA-01"], harness, seed=1, token=harness.namespace, escapes=[])
    yield made
    made.exit.close()
    harness.teardown()


def test_what_is_found_is_shown_as_the_fewest_calls():
    result = judged("KeepsTotalOfRange", seed=11)
    assert result.outcome is Outcome.FAIL
    first, part, delete, second, size = result.calls
    assert first.startswith("client 1: add A = a, 8 bytes")
    assert part.startswith("client 1: get A [")
    assert delete == "client 1: delete A -> done"
    assert second.startswith("client 1: add A = b, 9 bytes")
    assert size == "client 1: get_size A -> 8"
    assert result.reason == "expected 9; got 8 (after 5 calls)"


@pytest.mark.parametrize("name", ["KeepsTotalOfRange", "KeepsSizeUntilDeleted"])
def test_the_same_seed_finds_the_same_calls_again(name):
    once, again = judged(name, seed=5), judged(name, seed=5)
    assert once.outcome is Outcome.FAIL
    assert (once.calls, once.reason) == (again.calls, again.reason)


def test_the_seed_chooses_every_call(context):
    class Recorded(Catalogue):
        """Makes no call."""

        def call(self, choice):
            made.append(choice)

    chosen = []
    for seed in (1, 1, 2):
        made = []
        context.random.seed(seed)
        machines.played(Recorded(context, 2, 60))
        chosen.append(made)
    assert len(chosen[0]) > 1000
    assert chosen[0] == chosen[1]
    assert chosen[0] != chosen[2]


def test_a_broken_connection_is_part_of_what_is_shown():
    result = judged("CleansUpTheOther", seed=7)
    assert result.outcome is Outcome.FAIL
    broken = [call for call in result.calls if ", cut " in call or " lost" in call]
    assert any(call.endswith("-> unknown") for call in broken)


def test_without_hypothesis_the_cases_are_not_run_and_say_what_to_install():
    code = (
        "import sys\n"
        "sys.modules['hypothesis'] = None\n"
        "from storekit.testing import run\n"
        "from storekit.testing.reference import MemoryHarness\n"
        "for result in run(MemoryHarness, select='STA').results:\n"
        "    print(result.case.id, result.outcome.value, result.reason)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    why = "NOT-RUN hypothesis is missing: pip install 'storekit[testing]'"
    assert done.stdout.splitlines() == [f"STA-0{n} {why}" for n in (1, 2, 3)]


def test_the_kit_imports_no_hypothesis_before_a_case_needs_it():
    code = (
        "import sys, storekit.testing as t; t.cases_for(); assert 'hypothesis' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_nothing_is_left_in_the_current_directory(tmp_path):
    code = (
        "from storekit.testing import run\n"
        "from storekit.testing.reference import DirectoryHarness\n"
        "print(*run(DirectoryHarness, select='STA-01').results)\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
    assert "Outcome.PASS" in done.stdout, done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_play_judges_every_verb_against_its_dict(context):
    play = Catalogue(context, 2, 60)
    play.begin()
    for choice in [
        Choice("get"),  # nothing is known to be asked for yet
        Choice("add", size=1),
        Choice("add", who=1, known=False),
        Choice("get", who=1, anew=True),
        Choice("get_range", offset=-1, length=5),
        Choice("get_range", offset=1 << 30),
        Choice("get_range", offset=3, length=-2),
        Choice("get_size", who=1),
        Choice("delete", who=1),
        Choice("delete"),
        Choice("get_size"),
        Choice("add", known=False),
    ]:
        play.call(choice)
    play.end()
    assert play.found is None
    assert context.listed() == set()


def test_what_can_be_after_a_broken_call_is_told(context):
    play = Doubtful(context, 60)
    play.begin()
    play.call(Choice("add", who=2))
    play.call(Choice("delete", fault=("answer", 0, 3)))
    play.call(Choice("get", who=2))
    play.call(Choice("add", fault=("refused", 0, 1)))
    play.call(Choice("add", image=1, fault=("request", 0, 2)))
    play.call(Choice("get", who=1, image=1, fault=("cut", 0, 1)))
    play.end()
    play.see()
    play.close()
    assert play.found is None
    assert context.notes["faults"] == 5


def test_fewer_calls_are_looked_for_as_long_as_one_leads_there():
    class Tripping(Catalogue):
        """Takes offence at a delete after an add of the second image."""

        def call(self, choice):
            self.step(choice)
            self.note(choice.verb)
            if choice.verb == "delete" and any(c.verb == "add" and c.image for c in self._choices):
                raise self.fail("none", "a delete")

    harness = MemoryHarness()
    harness.setup()
    context = Context(cases_for()["STA-01"], harness, seed=1, token="t", escapes=[])
    try:
        play = Tripping(context, 1, 60)
        choose = Random(3)
        script = [
            Choice(choose.choice(["get", "add"]), 1, choose.randrange(2), 3, known=False)
            for _ in range(40)
        ]
        assert play._fails([*script, Choice("delete", who=1)])
        play.shorten()
        assert play._failing == [Choice("add", image=1), Choice("delete")]
        assert play.found.evidence == ("add", "delete")
    finally:
        context.exit.close()
        harness.teardown()
