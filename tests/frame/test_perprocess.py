"""What threads share: one makes it, all have it, or its failure; and it can be taken away."""

import threading
import time

import pytest

from storekit import Unavailable
from storekit.perprocess import PerProcess

THREADS = 5


def all_at_once(act):
    """Have several threads do it together; give what each returned or raised."""
    outcomes, together = [], threading.Barrier(THREADS)

    def one():
        together.wait(10)
        try:
            outcomes.append(act())
        except Exception as error:
            outcomes.append(error)

    threads = [threading.Thread(target=one) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_one_thread_makes_it_for_all():
    made = []

    def make():
        time.sleep(0.2)
        made.append(object())
        return made[-1]

    lazy = PerProcess(make)
    assert all_at_once(lazy.get) == made * THREADS
    assert len(made) == 1


def waited_for(failing):
    """Have several threads wait for one that fails; give it, and what each of them got."""
    coming = []

    def make():
        while len(coming) < THREADS:
            time.sleep(0.01)
        time.sleep(0.3)  # they wait by now
        failing()

    lazy = PerProcess(make)

    def get():
        coming.append(1)
        return lazy.get()

    return lazy, all_at_once(get)


def test_those_who_waited_for_one_that_failed_do_not_try_one_after_the_other():
    tries = []

    def failing():
        tries.append(1)
        raise Unavailable("nobody answers")

    lazy, outcomes = waited_for(failing)
    assert len(tries) == 1
    assert {type(outcome) for outcome in outcomes} == {Unavailable}
    assert len({id(outcome) for outcome in outcomes}) == THREADS  # each its own, to add to
    with pytest.raises(Unavailable):
        lazy.get()
    assert len(tries) == 2  # who comes later tries again


class Particular(Exception):
    """One that is made of more than it keeps, so that it cannot be copied."""

    def __init__(self, number, text):
        super().__init__(f"{number}: {text}")


def test_a_failure_that_cannot_be_copied_is_told_as_it_is():
    def failing():
        raise Particular(7, "of a library")

    _, outcomes = waited_for(failing)
    assert [str(outcome) for outcome in outcomes] == ["7: of a library"] * THREADS


def test_all_who_waited_are_told_the_cause():
    def failing():
        raise Unavailable("nobody answers") from ConnectionRefusedError(111, "refused")

    _, outcomes = waited_for(failing)
    assert [type(outcome.__cause__) for outcome in outcomes] == [ConnectionRefusedError] * THREADS


def test_what_was_taken_is_made_anew():
    lazy = PerProcess(object)
    assert lazy.take() is None
    first = lazy.get()
    assert lazy.take() is first
    assert lazy.take() is None
    assert lazy.get() is not first
