"""Slopes: whether something grows for ever, told from something that varies.

A leak grows all the time. A cache that fills up, an arena of the allocator, a pool that gets one
more connection: these grow by steps, and then no more. So a series is cut into blocks, the slope of
each is estimated by Theil and Sen's method (the median of the slopes between all pairs of points,
which outliers do not move), and what counts is the median of the blocks: steps that fall into fewer
than half of the blocks do not move it, and a leak is in all of them.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import combinations

__all__ = ["BLOCKS", "growth", "theil_sen"]

BLOCKS = 5
"""How many blocks a series is cut into: two of them may have steps."""

Point = tuple[float, float]


def theil_sen(points: Sequence[Point]) -> float:
    """Estimate the slope of a series: the median of the slopes between all pairs of points.

    Args:
        points: Abscissa and ordinate of each; no two abscissas are equal.

    Returns:
        Ordinate per abscissa.

    Raises:
        ValueError: There are fewer than two points.
    """
    if len(points) < 2:  # noqa: PLR2004 - a line takes two
        raise ValueError("a slope takes two points")
    return statistics.median((b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(points, 2))


def growth(points: Sequence[Point], blocks: int = BLOCKS) -> float:
    """Estimate how fast a series grows steadily: the median of the slopes of its blocks.

    Args:
        points: As of ``theil_sen``, in order.
        blocks: How many blocks.

    Returns:
        Ordinate per abscissa; about 0 for what varies, or grows by a few steps.

    Raises:
        ValueError: There are fewer than two points for each block.
    """
    size = len(points) // blocks
    parts = [points[n * size : (n + 1) * size] for n in range(blocks)]
    return statistics.median(map(theil_sen, parts))
