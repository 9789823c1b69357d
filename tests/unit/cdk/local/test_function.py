"""Alias weights: any draw goes to one version, and over many draws each gets its share."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdk.local.errors import ServeError
from cdk.local.function import Alias


def test_shares_match_the_weights() -> None:
    generator = random.Random(7)
    alias = Alias("1", {"2": 0.1, "3": 0.25})
    draws = 5_000
    expected = {"1": 0.65 * draws, "2": 0.1 * draws, "3": 0.25 * draws}
    counts = dict.fromkeys(expected, 0)
    for _ in range(draws):
        counts[alias.choose(generator.random())] += 1
    chi_square = sum((counts[version] - expected[version]) ** 2 / expected[version] for version in expected)
    assert chi_square < 9.21, "2 degrees of freedom, 1 %"


@given(st.floats(0, 1), st.floats(0, 1, exclude_max=True))
def test_every_draw_has_a_version(weight: float, draw: float) -> None:
    chosen = Alias("1", {"2": weight}).choose(draw)
    assert chosen == ("2" if draw < weight else "1")


@pytest.mark.parametrize(
    "weights", [{"2": -0.1}, {"2": 1.1}, {"2": 0.6, "3": 0.6}, {"1": 0.5}, {"2": float("nan")}]
)
def test_impossible_weights_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(ServeError):
        Alias("1", weights)
