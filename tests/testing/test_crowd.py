"""Several things at once: in threads that meet, and in children that answer."""

import os
import threading
import time

import pytest

from storekit.testing import Violation
from storekit.testing.children import Child
from storekit.testing.crowd import Meeting, Story, together


def test_all_are_begun_together_and_each_one_tells_what_became_of_it():
    both = threading.Barrier(2, timeout=10)
    story = Story()

    def fail():
        both.wait()
        raise ValueError("boom")

    deeds = together({"one": both.wait, "two": fail}, 10, story)

    assert deeds["one"].ended
    assert deeds["one"].error is None
    assert isinstance(deeds["two"].error, ValueError)
    assert "two raised ValueError" in str(story)
    assert str(story).startswith("(1) ")


def test_one_that_does_not_end_is_named():
    end = threading.Event()
    try:
        with pytest.raises(Violation, match="slow did not end"):
            together({"quick": int, "slow": end.wait}, 0.2)
        deeds = together({"quick": int, "slow": end.wait}, 0.2, all_end=False)
        assert (deeds["quick"].ended, deeds["slow"].ended) == (True, False)
    finally:
        end.set()


def test_a_violation_that_one_finds_is_raised_before_anything_else():
    def violate():
        raise Violation("peace", "war")

    with pytest.raises(Violation, match="peace"):
        together({"one": violate, "two": int}, 10)


def test_nobody_goes_on_before_all_have_come_or_ended():
    meeting = Meeting(3, 10)
    seen = []

    def come(name):
        seen.append(f"{name} comes")
        meeting.come()
        seen.append(f"{name} goes on")

    together({"a": lambda: come("a"), "b": lambda: come("b"), "c": meeting.leave}, 10)

    assert {text.split()[1] for text in seen[:2]} == {"comes"}


def test_who_waits_in_vain_goes_on_and_lets_the_others_go_on():
    meeting = Meeting(3, 0.1)
    began = time.monotonic()

    together({"a": meeting.come, "b": meeting.come}, 10)

    assert time.monotonic() - began >= 0.1
    meeting.come()  # late, and not held up


def test_a_child_says_and_hears_things_and_answers_in_the_end():
    def act(line):
        line.say("here")
        return line.hear(10), os.getpid()

    with Child(act) as child:
        assert child.hear(10) == "here"
        child.say("go on")
        heard, pid = child.answer(10)

    assert heard == "go on"
    assert pid != os.getpid()


def test_a_child_that_is_silent_is_a_violation_and_is_ended():
    with (
        Child(lambda _: threading.Event().wait(60)) as child,
        pytest.raises(Violation, match=r"none within 0\.1 s"),
    ):
        child.answer(0.1)
    assert not os.path.exists(f"/proc/{child.pid}")


def test_a_child_that_fails_tells_how():
    with Child(lambda _: {}["boom"]) as child, pytest.raises(Violation, match="KeyError: 'boom'"):
        child.answer(10)
