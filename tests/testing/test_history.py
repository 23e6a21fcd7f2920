"""Histories: recorded, judged, shrunk and drawn."""

import threading

import pytest

from storekit.capabilities import Capability
from storekit.errors import (
    DataError,
    Duplicate,
    Forbidden,
    InUse,
    NotFound,
    OutcomeUnknown,
    Timeout,
    Unavailable,
)
from storekit.testing import Outcome, Violation, cases_for
from storekit.testing.crowd import together
from storekit.testing.history import NOBODY, Ending, History, Move
from storekit.testing.linear import Rules, contradiction
from storekit.testing.session import Session
from storekit.testing.timeline import drawn
from storekit.testing.zoo import all_mutants

ENDINGS = {
    "NotFound": Ending.NOT_FOUND,
    "Duplicate": Ending.DUPLICATE,
    "no word": Ending.NOTHING,
    "unknown": Ending.UNKNOWN,
}


def move(text, begin, end, lane="thread 1"):
    """Make a move of ``add a: done``, ``get: a``, ``delete: NotFound``."""
    call, told = text.split(": ")
    verb, _, value = call.partition(" ")
    ending = ENDINGS.get(told, Ending.DONE)
    if verb in {"get", "get_size"} and ending is Ending.DONE:
        value = told
    made = Move(lane, verb, "image", value, begin, end, ending)
    assert made.text == text
    return made


def in_turn(*texts):
    """Make moves of which none overlaps another."""
    return [move(text, 2 * n, 2 * n + 1) for n, text in enumerate(texts)]


# What an order explains


@pytest.mark.parametrize(
    "texts",
    [
        ["get: NotFound", "add a: done", "get: a", "get_size: a", "add b: Duplicate", "get: a"],
        ["add a: done", "delete: done", "delete: NotFound", "add b: done", "get: b"],
        ["add a: no word", "get: NotFound", "add a: done"],
        ["add a: done", "get: no word", "delete: no word", "get: a"],
    ],
)
def test_calls_one_after_the_other_are_explained_by_themselves(texts):
    assert contradiction(in_turn(*texts)) == []


@pytest.mark.parametrize(
    "texts",
    [
        ["add a: done", "get: NotFound"],
        ["get: a", "add a: done"],
        ["add a: done", "add b: done"],
        ["add a: Duplicate"],
        ["add a: done", "delete: NotFound"],
        ["add a: done", "delete: done", "delete: done"],
        ["add a: done", "delete: done", "get_size: a"],
        ["add a: done", "delete: done", "add b: done", "get: a"],
        ["delete: done"],
    ],
)
def test_calls_one_after_the_other_that_contradict_each_other_are_found(texts):
    assert contradiction(in_turn(*texts)) != []


@pytest.mark.parametrize("told", ["a", "NotFound"])
def test_a_read_beside_an_add_may_see_it_or_not(told):
    assert contradiction([move("add a: done", 1, 4), move(f"get: {told}", 2, 3)]) == []


def test_what_two_reads_saw_one_after_the_other_must_not_go_back():
    add, delete = move("add a: done", 1, 10), move("delete: done", 11, 12)
    there, gone = move("get: a", 2, 3), move("get: NotFound", 4, 5)
    assert contradiction([add, there, gone]) == [add, there, gone]
    # The delete is shown, for had it come sooner it would explain them.
    assert contradiction([add, there, gone, delete]) == [add, there, gone, delete]
    assert contradiction([add, move("get: NotFound", 2, 3), move("get: a", 4, 5), delete]) == []


def test_of_adds_that_overlap_one_wins():
    both = [move("add a: done", 1, 4), move("add b: done", 2, 3)]
    assert contradiction(both) == both
    assert contradiction([both[0], move("add b: Duplicate", 2, 3), move("get: a", 5, 6)]) == []
    assert contradiction([both[0], move("add b: Duplicate", 2, 3), move("get: b", 5, 6)]) != []


def test_without_exclusive_add_adds_that_overlap_may_replace_each_other():
    rules = Rules(exclusive_add=False)
    both = [move("add a: done", 1, 4), move("add b: done", 2, 3)]
    assert contradiction([*both, move("get: a", 5, 6)], rules) == []
    assert contradiction([*both, move("get: b", 5, 6)], rules) == []
    assert contradiction([*both, move("get: b", 5, 6), move("get: a", 7, 8)], rules) != []
    assert contradiction(in_turn("add a: done", "add b: done"), rules) != []


def test_a_duplicate_may_be_told_of_an_add_that_has_not_ended():
    add, refused = move("add a: done", 1, 8), move("add b: Duplicate", 2, 3)
    assert contradiction([add, refused, move("get: NotFound", 4, 5)]) == []
    assert contradiction([move("add b: Duplicate", 1, 2), move("add a: done", 3, 4)]) != []


def test_of_deletes_that_overlap_several_may_succeed_only_without_exclusive_delete():
    moves = [
        move("add a: done", 1, 2),
        move("delete: done", 3, 6),
        move("delete: done", 4, 5),
        move("get: NotFound", 7, 8),
    ]
    assert contradiction(moves) == moves[:3]
    lax = Rules(exclusive_delete=False)
    assert contradiction(moves, lax) == []
    assert contradiction(in_turn("add a: done", "delete: done", "delete: done"), lax) != []
    assert contradiction([*moves, move("get: a", 9, 10)], lax) != []


def test_a_read_of_bytes_that_nobody_added_is_a_contradiction_by_itself():
    odd = move(f"get: {NOBODY} 3 bytes", 3, 4)
    whole = [move("add a: done", 1, 2), odd, move("delete: done", 5, 6)]
    assert contradiction(whole) == [odd]


def test_without_atomic_add_a_read_beside_an_add_may_see_a_part():
    part, rules = move(f"get: {NOBODY} 3 bytes", 2, 3), Rules(atomic_add=False)
    assert contradiction([move("add a: done", 1, 4), part], rules) == []
    assert contradiction([move("add a: done", 1, 4), part]) == [part]
    assert contradiction([part, move("add a: done", 5, 6)], rules) == [part]


# Outcomes that are not known


@pytest.mark.parametrize("reads", [["NotFound"], ["a"], ["NotFound", "NotFound", "a", "a"]])
def test_an_add_of_unknown_outcome_may_come_at_any_later_time_or_never(reads):
    add = move("add a: unknown", 1, None)
    later = [move(f"get: {told}", 2 * n, 2 * n + 1) for n, told in enumerate(reads, 1)]
    assert contradiction([add, *later]) == []


def test_an_add_of_unknown_outcome_comes_once_and_not_before_it_began():
    add = move("add a: unknown", 3, None)
    assert contradiction([move("get: a", 1, 2), add]) != []
    back = [move("get: a", 4, 5), move("get: NotFound", 6, 7)]
    assert contradiction([add, *back]) != []
    again = [move("get: a", 4, 5), move("delete: done", 6, 7), move("get: a", 8, 9)]
    assert contradiction([add, *again]) != []
    assert contradiction([add, *again[:2], move("get: NotFound", 8, 9)]) == []


def test_a_delete_of_unknown_outcome_may_meet_a_later_image_and_only_one():
    moves = [
        move("add a: done", 1, 2),
        move("delete: unknown", 3, None),
        move("get: a", 4, 5),
        move("delete: done", 6, 7),
        move("add b: done", 8, 9),
        move("get: NotFound", 10, 11),
    ]
    assert contradiction(moves) == []
    assert contradiction([*moves, move("add c: done", 12, 13), move("get: c", 14, 15)]) == []
    third = [move("add c: done", 12, 13), move("get: NotFound", 14, 15)]
    assert contradiction([*moves, *third]) != []


# Reads that may be late


def test_without_strong_consistency_a_read_may_be_late_but_sees_what_was_added():
    late = Rules(strong=False)
    texts = ["add a: done", "get: NotFound", "delete: done", "get: a", "add b: Duplicate"]
    assert contradiction(in_turn(*texts), late) == []
    early = in_turn("get: a", "add a: done")
    assert contradiction(early, late) == early
    odd = move(f"get: {NOBODY} 3 bytes", 9, 10)
    assert contradiction([*in_turn("add a: done"), odd], late) == [odd]
    assert contradiction(in_turn("add a: done", "add b: done"), late) != []


def test_the_rules_are_those_that_the_store_promises():
    assert Rules.of(~Capability(0)) == Rules()
    weak = Rules(exclusive_add=False, exclusive_delete=False, atomic_add=False, strong=False)
    assert Rules.of(Capability.GET | Capability.ADD) == weak


# Shrinking


def test_a_contradiction_is_shown_without_the_calls_that_it_does_not_need():
    needed = [
        move("add a: done", 20, 21, "thread 1"),
        move("delete: done", 22, 23, "thread 2"),
        move("get: a", 24, 25, "thread 3"),
    ]
    before = in_turn("add b: done", "get: b", "add c: Duplicate", "delete: done", "get: NotFound")
    after = [move("add d: done", 26, 27), move("get_size: d", 28, 29), move("get: d", 30, 31)]
    assert contradiction([*before, *needed, *after]) == needed


def test_a_call_that_others_have_seen_is_not_left_out():
    moves = in_turn("add a: done", "get: a", "add b: done")
    assert contradiction(moves) == [moves[0], moves[2]]


# The drawing


def test_a_timeline_has_a_line_for_each_lane_and_every_call_in_its_time():
    moves = [
        move("add a: done", 1, 4, "client 1"),
        move("get: NotFound", 2, 3, "client 2"),
        move("delete: unknown", 5, None, "client 1"),
        move("get: a", 6, 7, "client 2"),
    ]
    assert drawn(moves, {"a": 997, "b": 1}) == [
        "time runs to the right, |- - -| is a call; calls above each other overlap",
        "client 1  |- add a: done -------| |- delete: unknown .>",
        "client 2    |- get: NotFound -|     |- get: a -|",
        "a: 997 bytes",
    ]


def test_calls_that_do_not_overlap_are_never_drawn_above_each_other():
    first, second = move("add a: done", 1, 2, "one"), move("get: a", 3, 4, "two")
    _, one, two = drawn([first, second])
    assert two.index("|") > one.rindex("|")


# Recording


def told(error):
    def act():
        raise error

    return act


@pytest.mark.parametrize(
    ("verb", "error", "ending"),
    [
        ("get", NotFound("x"), Ending.NOT_FOUND),
        ("get", DataError("x"), Ending.NOTHING),
        ("get_size", Timeout("x"), Ending.NOTHING),
        ("add", Duplicate("x"), Ending.DUPLICATE),
        ("add", Unavailable("x"), Ending.UNKNOWN),
        ("add", Timeout("x"), Ending.UNKNOWN),
        ("delete", OutcomeUnknown("x"), Ending.UNKNOWN),
        ("delete", NotFound("x"), Ending.NOT_FOUND),
        ("delete", InUse("x"), Ending.NOTHING),
    ],
)
def test_an_error_is_recorded_as_what_it_tells_of_the_image(verb, error, ending):
    history = History()
    made = history.record("me", verb, "image", told(error))
    assert (made.ending, made.end is None) == (ending, ending is Ending.UNKNOWN)
    assert len(history.doubts) == (ending is Ending.UNKNOWN)
    assert history.of("image") == [made]
    assert history.of("other") == []


def test_an_error_that_no_call_beside_others_may_raise_is_a_violation():
    with pytest.raises(Violation, match="Forbidden: no"):
        History().record("me", "add", "image", told(Forbidden("no")))


def test_what_was_never_sent_has_not_happened():
    made = History().record("me", "add", "image", told(Unavailable("x")), "a", sent=False)
    assert (made.ending, made.end is None) == (Ending.NOTHING, False)


def test_values_are_named_by_the_bytes_of_their_add_and_known_by_their_size():
    history = History()
    assert [history.value(b"one"), history.value(b"other"), history.value(b"one")] == list("aba")
    assert history.seen(b"other") == "b"
    assert history.sized(3) == "a"
    assert history.seen(b"?") == f"{NOBODY} 1 bytes"
    assert history.sized(9) == f"{NOBODY} 9 bytes"
    assert history.value(bytes(99)) == "c"
    assert [history.value(bytes(100 + n)) for n in range(24)][-1] == "a1"


def test_calls_of_several_threads_are_recorded_as_they_overlapped():
    history, begun, go_on = History(), threading.Event(), threading.Event()

    def long():
        begun.set()
        go_on.wait(10)
        return ""

    def beside():
        begun.wait(10)
        history.record("two", "get", "image", lambda: "a")
        go_on.set()

    together({"one": lambda: history.record("one", "add", "image", long, "a"), "two": beside}, 20)
    add, get = history.of("image")
    assert (add.lane, get.lane) == ("one", "two")
    assert add.begin < get.begin < get.end < add.end
    assert add.overlaps(get)


def test_what_no_order_explains_is_shown_as_a_timeline_in_every_report():
    stale = next(found for found in all_mutants() if found.name == "StaleRead")
    with Session(stale.harness) as session:
        result = session.run(cases_for()["CON-08"])
    assert result.outcome is Outcome.FAIL
    head, *lanes, values = result.calls
    assert head.startswith("time runs to the right")
    assert all(lane.startswith("client ") and "|- " in lane for lane in lanes)
    assert values.endswith(" bytes")
