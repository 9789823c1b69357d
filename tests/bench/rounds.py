"""How two sides are compared on a machine that is never quite still.

The rule: both take turns, round by round; the first round is dropped (files come from the disk then), nothing else is. Each round
gives one ratio of its two times, close enough together that the machine's drift meets both alike. What counts is the
median of the ratios, and their quartiles say how much it is worth.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")
U = TypeVar("U")


def take_turns(ours: Callable[[], T], theirs: Callable[[], U], rounds: int) -> list[tuple[T, U]]:
    """Call both so many times in turn, and once before that does not count."""
    return [(ours(), theirs()) for _ in range(rounds + 1)][1:]


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Give lower quartile, median and upper quartile of at least one value."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def ratio(pairs: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Say how many times the first side is faster, from the times of each round."""
    low, middle, high = quartiles([theirs / ours for ours, theirs in pairs])
    return {"median": round(middle, 2), "lower_quartile": round(low, 2), "upper_quartile": round(high, 2)}
