"""What the plots of a report show, as numbers."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from model_artifacts.pipeline.plots import LENGTH_BINS, cooccurrence, quality_by_length


def test_cooccurrence_is_the_share_of_the_row_s_titles() -> None:
    true = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 0]], np.uint8)
    chosen = np.array([[1, 0, 0], [1, 0, 1], [0, 1, 0]], np.uint8)

    assert cooccurrence(true, true).tolist() == [[1.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 0.0]]
    assert cooccurrence(true, chosen).tolist() == [[1.0, 0.0, 0.5], [0.5, 0.5, 0.0], [0.0, 0.0, 0.0]]


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=200))
def test_texts_are_grouped_by_length_in_equal_numbers(counts: list[int]) -> None:
    words = np.array(counts)
    labels = np.ones((len(words), 18), np.uint8)

    groups = quality_by_length(words, labels, labels)

    assert len(groups) == min(LENGTH_BINS, len(words))
    medians = [count for count, _ in groups]
    assert medians == sorted(medians)
    assert all(value == 1.0 for _, value in groups)


def test_each_group_has_the_quality_of_its_own_texts() -> None:
    words = np.arange(24)
    labels = np.ones((24, 18), np.uint8)
    selected = np.where(words[:, None] >= 12, labels, 0)

    groups = quality_by_length(words, selected, labels)

    assert [value for _, value in groups] == [0.0] * 6 + [1.0] * 6
