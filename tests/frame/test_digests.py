"""Digests: right for any bytes in any blocks, and named rightly."""

import hashlib
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naming import name_of

from storekit import DigestMismatch, InvalidArgument
from storekit.digests import Digests, algorithms_of, compare, expectation_of

FIXED = sorted(name for name in hashlib.algorithms_guaranteed if hashlib.new(name).digest_size)


@pytest.mark.parametrize("name", FIXED)
def test_every_algorithm_of_fixed_length_that_hashlib_guarantees_works(name):
    blocks = [os.urandom(70_000) for _ in range(3)]
    digests = Digests((name,))
    for block in blocks:
        digests.update(block)
    assert digests.finish() == {name: hashlib.new(name, b"".join(blocks)).hexdigest()}


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.binary(max_size=100), max_size=20),
    st.lists(st.sampled_from(FIXED), unique=True, max_size=4),
)
def test_no_number_of_blocks_and_algorithms_changes_a_digest(blocks, names):
    digests = Digests(names)
    for block in blocks:
        digests.update(block)
    image = b"".join(blocks)
    assert digests.finish() == {name: hashlib.new(name, image).hexdigest() for name in names}


@pytest.mark.parametrize("name", ["shake_128", "shake_256"])
def test_an_algorithm_without_a_length_of_its_own_is_refused(name):
    with pytest.raises(InvalidArgument, match=name):
        algorithms_of((name,))


@pytest.mark.parametrize(
    "hashes",
    [
        *("md5", b"md5", None, 5, ("nope",), ("",), ("md5\0",), ("md\u20ac5",), ("\ud800",)),
        *((None,), (5,), (b"md5",), ([],), ("md5", "nope"), ({},), "", object()),
    ],
    ids=name_of,
)
def test_what_is_no_list_of_algorithms_is_an_invalid_argument(hashes):
    with pytest.raises(InvalidArgument):
        algorithms_of(hashes)


@pytest.mark.parametrize(
    "hashes", [["md5", "sha1", "md5"], {"md5": 1, "sha1": 2}, iter(["md5", "sha1"])]
)
def test_any_iterable_of_names_will_do_and_each_counts_once(hashes):
    assert algorithms_of(hashes) == ("md5", "sha1")
    assert algorithms_of(()) == ()


@pytest.mark.parametrize(
    "expect",
    [
        *([], "md5", 5, [("md5", "0" * 32)], {"md5": ""}, {"md5": "0" * 31}, {"md5": "0" * 33}),
        *({"md5": "0x" + "0" * 30}, {"md5": " " + "0" * 31}, {"md5": "\u0661" * 32}, {"md5": None}),
        *({"md5": b"0" * 32}, {"md5": 0}, {"nope": "00"}, {5: "00"}, {"shake_128": "0" * 32}),
        *({"sha1": "0" * 32}, {"md5": "-" + "0" * 31}, {"md5": "0" * 31 + "\n"}),
    ],
    ids=repr,
)
def test_what_is_no_expectation_is_an_invalid_argument(expect):
    with pytest.raises(InvalidArgument):
        expectation_of(expect)


def test_an_expectation_is_a_copy_in_lower_case():
    given_ = {"md5": "AB" * 16}
    wanted = expectation_of(given_)
    assert wanted == {"md5": "ab" * 16}
    given_["md5"] = "cd" * 16
    assert wanted == {"md5": "ab" * 16}
    assert expectation_of(None) == expectation_of({}) == {}


def test_a_mismatch_names_the_algorithm_and_both_digests():
    with pytest.raises(DigestMismatch) as caught:
        compare({"md5": "a" * 32, "sha1": "b" * 40}, {"sha1": "c" * 40})
    for word in ("sha1", "b" * 40, "c" * 40):
        assert word in str(caught.value)
    compare({"md5": "a" * 32}, {"md5": "a" * 32})
    compare({"md5": "a" * 32}, {})
