import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genre_model.windows import plan_windows


@given(st.integers(0, 5000), st.integers(1, 200), st.integers(1, 20))
def test_windows_are_bounded_ordered_and_cover_what_they_can(
    length: int, capacity: int, max_windows: int
) -> None:
    windows = plan_windows(length, capacity, max_windows)

    assert 1 <= len(windows) <= max_windows
    assert all(end - start == min(length, capacity) for start, end in windows)
    assert windows == sorted(windows)
    assert windows[0][0] == 0
    if len(windows) > 1:
        assert windows[-1][1] == length
    if length <= capacity * max_windows:
        covered = {token for start, end in windows for token in range(start, end)}
        assert covered == set(range(length))


@given(st.integers(1, 5000), st.integers(1, 200), st.integers(2, 20))
def test_no_part_of_a_long_text_is_favoured(length: int, capacity: int, max_windows: int) -> None:
    starts = [start for start, _ in plan_windows(length, capacity, max_windows)]
    gaps = [b - a for a, b in itertools.pairwise(starts)]

    assert not gaps or max(gaps) - min(gaps) <= 1


def test_as_few_windows_as_cover_the_text() -> None:
    assert plan_windows(8, 4, 8) == [(0, 4), (4, 8)]
    assert plan_windows(9, 4, 8) == [(0, 4), (2, 6), (5, 9)]


@pytest.mark.parametrize(("length", "capacity", "most"), [(-1, 4, 1), (4, 0, 1), (4, 4, 0)])
def test_values_out_of_range_are_refused(length: int, capacity: int, most: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        plan_windows(length, capacity, most)
