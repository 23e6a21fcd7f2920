"""Resuming a read that was cut: at the right byte, of the same image, and not for ever."""

import hashlib
import os
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys.player import Body, Play

import storekit
from storekit import DataError, DigestMismatch, NotFound, StoreError, Timeout, Unavailable

IMAGE = os.urandom(5000)
MD5 = {"md5": hashlib.md5(IMAGE).hexdigest()}
CUTS = [
    *(ConnectionResetError("cut"), TimeoutError("late"), Unavailable("cut"), DataError("corrupt")),
    OSError(5, "input/output error"),
]


@pytest.fixture
def pauses(monkeypatch):
    """The pauses that were made, none of them waited for."""
    made = []
    monkeypatch.setattr(time, "sleep", made.append)
    return made


@pytest.mark.parametrize("cut", CUTS, ids=repr)
@pytest.mark.parametrize("at", [0, 1, 2500, 4999])
def test_a_read_that_was_cut_goes_on_at_the_very_next_byte(at, cut):
    first, second = Body(*([IMAGE[:at]] if at else []), cut), Body(IMAGE[at:])
    play = Play(len(IMAGE), first, second)
    reader = play.get(expect=MD5)
    assert reader.read() == IMAGE
    assert reader.digests == MD5
    assert play.resumed_at == [at]
    assert (first.closed, second.closed) == (1, 1)


@pytest.mark.parametrize("at", [0, 1, 2500, 4999])
def test_a_body_that_ends_too_early_is_resumed_too(at):
    play = Play(len(IMAGE), Body(IMAGE[:at]), Body(IMAGE[at:]))
    assert b"".join(play.get()) == IMAGE
    assert play.resumed_at == [at]


@settings(deadline=None)
@given(
    st.integers(0, len(IMAGE)),
    st.one_of(st.none(), st.integers(1, len(IMAGE) + 100)),
    st.lists(st.integers(1, 2000), max_size=6),
    st.integers(1, 3000),
)
def test_however_often_and_wherever_it_is_cut_the_bytes_are_right(offset, length, cuts, n):
    end = min(len(IMAGE), offset + (len(IMAGE) if length is None else length))
    left = iter(cuts)

    def body(position):
        part = next(left, None)
        if part is None or position + part >= end:
            return Body(IMAGE[position:end])
        return Body(IMAGE[position : position + part], ConnectionError("cut"))

    play = Play(len(IMAGE), body(offset), body, max_attempts=3)
    reader = play.get(offset, length)
    read = b"".join(iter(lambda: reader.read(n), b""))
    assert read == IMAGE[offset:end]
    assert play.resumed_at == sorted(set(play.resumed_at))
    assert all(offset < position < end for position in play.resumed_at)
    reader.close()


@pytest.mark.parametrize("cut", CUTS, ids=repr)
@pytest.mark.parametrize("attempts", [1, 2, 3, 5])
def test_without_progress_it_is_given_up_after_the_allowed_attempts(pauses, attempts, cut):
    dead = [Body(IMAGE[:10], cut)]
    dead += [Body(cut) for _ in range(attempts + 5)]
    play = Play(len(IMAGE), *dead, max_attempts=attempts)
    reader = play.get()
    assert reader.read(10) == IMAGE[:10]
    with pytest.raises(StoreError) as caught:
        reader.read(1)
    assert len(play.resumed_at) <= attempts
    assert play.resumed_at == [10] * (attempts - 1)
    with pytest.raises(StoreError) as again:
        reader.read(1)
    assert again.value is caught.value
    assert len(play.resumed_at) == attempts - 1
    assert [body.closed for body in dead[:attempts]] == [1] * attempts


def test_a_resume_that_fails_counts_as_an_attempt(pauses):
    refused = [Unavailable("no"), Timeout("late"), ConnectionRefusedError("no"), TimeoutError()]
    play = Play(len(IMAGE), Body(IMAGE[:10], ConnectionError()), *refused, max_attempts=4)
    with pytest.raises(Unavailable):
        play.get().read()
    assert play.resumed_at == [10] * 3


def test_a_resume_may_work_at_the_second_attempt(pauses):
    play = Play(
        *(len(IMAGE), Body(IMAGE[:10], ConnectionError()), Unavailable("no"), Body(IMAGE[10:])),
        max_attempts=3,
    )
    assert play.get(expect=MD5).read() == IMAGE
    assert play.resumed_at == [10, 10]


def test_progress_makes_the_attempts_whole_again(pauses):
    bodies = [Body(IMAGE[begin : begin + 100], ConnectionError()) for begin in range(0, 4900, 100)]
    play = Play(len(IMAGE), *bodies, Body(IMAGE[4900:]), max_attempts=2)
    assert play.get().read() == IMAGE
    assert play.resumed_at == list(range(100, 5000, 100))


@pytest.mark.parametrize("attempts", [5, 12, 30])
def test_the_pauses_between_attempts_grow_but_not_for_ever(pauses, attempts):
    play = Play(10, Body(ConnectionError()), Unavailable("no"), max_attempts=attempts)
    with pytest.raises(Unavailable):
        play.get().read()
    assert pauses == sorted(pauses)
    assert pauses[0] <= 0.2
    assert max(pauses) <= 60


def test_another_version_of_the_image_is_a_data_error_at_once(pauses):
    play = Play(len(IMAGE), Body(IMAGE[:10], ConnectionError()), DataError("it was replaced"))
    reader = play.get()
    with pytest.raises(DataError, match="replaced"):
        reader.read()
    assert play.resumed_at == [10]
    with pytest.raises(DataError, match="replaced"):
        reader.read()


def test_bytes_of_another_version_are_found_by_their_digest():
    other = os.urandom(4000)
    play = Play(len(IMAGE), Body(IMAGE[:1000], ConnectionError()), Body(other))
    with pytest.raises(DigestMismatch):
        play.get(expect=MD5).read()


def test_a_resumed_body_that_begins_at_the_wrong_byte_is_too_long_or_too_short(pauses):
    for body in (Body(IMAGE), Body(IMAGE[11:])):
        play = Play(len(IMAGE), Body(IMAGE[:10], ConnectionError()), body, Body(), Body())
        with pytest.raises(DataError):
            play.get().read()


@pytest.mark.parametrize(
    "raised",
    [
        *(NotFound("gone"), storekit.Forbidden("no"), storekit.BackendError("odd"), KeyError("x")),
        *(storekit.OutcomeUnknown("lost"), FileNotFoundError(2, "gone"), MemoryError()),
    ],
    ids=repr,
)
def test_what_will_not_get_better_is_not_tried_again(raised):
    play = Play(len(IMAGE), Body(IMAGE[:10], raised), Body(IMAGE[10:]))
    with pytest.raises(StoreError):
        play.get().read()
    assert play.resumed_at == []
    play = Play(len(IMAGE), Body(IMAGE[:10], ConnectionError()), raised, Body(IMAGE[10:]))
    with pytest.raises(StoreError):
        play.get().read()
    assert play.resumed_at == [10]


def test_a_body_that_is_too_long_is_not_read_again():
    play = Play(len(IMAGE), Body(IMAGE, b"x"), Body(b""))
    with pytest.raises(DataError):
        play.get().read()
    assert play.resumed_at == []


def test_a_failure_behind_the_last_byte_is_not_resumed_but_raised():
    # A checksum in the trailer, for example: the bytes are all there and they are wrong.
    play = Play(len(IMAGE), Body(IMAGE, DataError("bad checksum")), Body())
    reader = play.get()
    with pytest.raises(DataError, match="bad checksum"):
        reader.read()
    assert play.resumed_at == []


def test_a_body_that_cannot_be_resumed_fails_at_its_cut():
    play = Play(len(IMAGE), Body(IMAGE[:10], ConnectionError("cut")))
    reader = play.get()
    assert reader.read(10) == IMAGE[:10]
    with pytest.raises(Unavailable, match="cut") as caught:
        reader.read(10)
    assert isinstance(caught.value.__cause__, ConnectionError)


def test_the_driver_translates_what_fails_while_reading():
    cut = KeyError("odd")
    play = Play(len(IMAGE), Body(IMAGE[:10], cut))
    with pytest.raises(storekit.BackendError):
        play.get().read()
    # What driver.translate says that it is told.
    assert play.translated == [("read", cut)]


def test_an_interrupt_is_not_resumed():
    play = Play(len(IMAGE), Body(IMAGE[:10], KeyboardInterrupt()), Body(IMAGE[10:]))
    with pytest.raises(KeyboardInterrupt):
        play.get().read()
    assert play.resumed_at == []


def test_a_descriptor_of_the_body_that_was_cut_is_not_given_out_any_more(tmp_path):
    with open(tmp_path / "image", "w+b") as file:
        # It is open as long as the chunks are, and those were closed when the read was resumed.
        bodies = Body(IMAGE[:10], ConnectionError()), Body(IMAGE[10:20], IMAGE[20:])
        reader = Play(len(IMAGE), *bodies, fileno=file.fileno()).get()
        assert reader.fileno() == file.fileno()
        assert reader.read(15) == IMAGE[:15]
        assert bodies[0].closed
        with pytest.raises(StoreError):
            reader.fileno()
