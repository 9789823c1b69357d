"""The arithmetic that every comparison rests on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.rounds import quartiles, ratio, take_turns

times = st.floats(0.01, 1e6)


def test_sides_take_turns_and_the_first_round_is_dropped() -> None:
    calls: list[str] = []
    counter = iter(range(100))

    def side(name: str) -> int:
        calls.append(name)
        return next(counter)

    pairs = take_turns(lambda: side("a"), lambda: side("b"), 2)

    assert calls == ["a", "b"] * 3
    assert pairs == [(2, 3), (4, 5)]


def test_the_ratio_is_of_the_rounds_and_not_of_the_medians() -> None:
    # In the second round the whole machine was ten times slower.
    assert ratio([(1, 4), (10, 40), (1, 4)])["median"] == 4


def test_one_bad_round_does_not_move_the_median() -> None:
    found = ratio([(1, 4), (1, 4), (1, 4), (1, 4), (1000, 4)])
    assert found == {"median": 4, "lower_quartile": 4, "upper_quartile": 4}


@given(st.lists(times, min_size=1, max_size=40))
def test_quartiles_are_in_order_and_within_the_values(values: list[float]) -> None:
    low, middle, high = quartiles(values)
    slack = 1e-9 * max(values)
    assert min(values) - slack <= low <= middle + slack
    assert middle <= high + slack
    assert high <= max(values) + slack


@given(st.lists(st.tuples(times, times), min_size=1, max_size=40))
def test_exchanging_the_sides_inverts_the_median(pairs: list[tuple[float, float]]) -> None:
    _, forth, _ = quartiles([theirs / ours for ours, theirs in pairs])
    _, back, _ = quartiles([ours / theirs for ours, theirs in pairs])
    if len(pairs) % 2:
        assert forth * back == pytest.approx(1)
