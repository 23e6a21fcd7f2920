"""A leak is told from what varies, and from what grows by steps."""

import random

import pytest

from storekit.testing import Outcome, cases_for
from storekit.testing.session import Session
from storekit.testing.slopes import BLOCKS, growth, theil_sen
from storekit.testing.zoo import all_mutants

PAGE = 4096
KIB = 1 << 10
MIB = 1 << 20
ALLOWED = 128  # bytes per cycle, as the case allows
CYCLES = range(0, 1000, 10)


def series(value, seed=1):
    noise = random.Random(seed)
    return [(cycle, value(cycle, noise)) for cycle in CYCLES]


def pages(size):
    """What the kernel counts: whole pages."""
    return size // PAGE * PAGE


@pytest.mark.parametrize("seed", range(50))
def test_noise_without_a_trend_is_flat(seed):
    pages_at_random = series(lambda _, noise: 30 * MIB + noise.randint(0, 8) * PAGE, seed)
    assert growth(pages_at_random) <= ALLOWED


def test_a_leak_of_1_kib_per_cycle_is_seen_with_its_size():
    leak = series(lambda cycle, _: pages(30 * MIB + cycle * KIB))
    assert growth(leak) == pytest.approx(KIB, rel=0.1)


@pytest.mark.parametrize("seed", range(20))
def test_a_leak_is_seen_through_noise(seed):
    leak = series(
        lambda cycle, noise: pages(30 * MIB + cycle * KIB) + noise.randint(0, 4) * PAGE, seed
    )
    assert growth(leak) > ALLOWED


def test_a_leak_that_is_little_more_than_is_allowed_is_seen_in_whole_pages():
    leak = series(lambda cycle, _: pages(30 * MIB + cycle * 2 * ALLOWED))
    assert growth(leak) > ALLOWED


@pytest.mark.parametrize("at", range(0, 1000, 50))
def test_a_step_is_no_leak_wherever_it_comes(at):
    assert growth(series(lambda cycle, _: 30 * MIB + (cycle >= at) * MIB)) == 0


def test_two_steps_are_no_leak_and_one_in_each_block_is():
    two = series(lambda cycle, _: (cycle >= 310) * MIB + (cycle >= 700) * MIB)
    assert growth(two) == 0
    width = 1000 // BLOCKS
    each = series(lambda cycle, _: (cycle + width // 2) // width * MIB)
    assert growth(each) > ALLOWED


def test_a_cache_that_fills_up_is_no_leak():
    assert growth(series(lambda cycle, _: min(cycle, 390) * KIB)) == 0


def test_one_descriptor_in_twenty_cycles_is_a_leak_and_one_more_connection_is_none():
    assert growth(series(lambda cycle, _: 9 + cycle // 20)) == pytest.approx(0.05, rel=0.1)
    assert growth(series(lambda _, noise: 9 + (noise.random() < 0.2))) == 0


def test_outliers_do_not_move_a_slope():
    points = [(float(n), 3.0 * n) for n in range(20)]
    points[4] = (4.0, 1e9)
    points[15] = (15.0, -1e9)
    assert theil_sen(points) == pytest.approx(3.0)


def judged(name):
    (found,) = [mutant for mutant in all_mutants() if mutant.name == name]
    with Session(found.harness, seed=1) as session:
        return session.run(cases_for()["RES-08"])


def test_a_leak_is_seen_in_a_heap_full_of_holes_into_which_it_fits():
    sizes = random.Random(1)
    held = [bytes(sizes.randrange(20, 500)) for _ in range(100_000)]
    held = held[::20]
    result = judged("RemembersEveryImage")
    assert result.outcome is Outcome.FAIL, result.reason
    assert "blocks" in result.reason or "memory" in result.reason
    assert len(held) == 5_000


def test_one_point_has_no_slope():
    with pytest.raises(ValueError, match="two points"):
        theil_sen([(0, 0)])
