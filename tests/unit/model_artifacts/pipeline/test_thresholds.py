"""Thresholds: what they maximise, and what is said of titles that took no part in choosing them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from genre_model.scorers import Parts
from model_artifacts.pipeline.held_out import held_out_quality
from model_artifacts.pipeline.metrics import macro_f1, micro_f1, quality
from model_artifacts.pipeline.platt import apply_platt, platt
from model_artifacts.pipeline.thresholds import GRID, best_thresholds

if TYPE_CHECKING:
    import numpy.typing as npt

Scores = list[tuple[float, float, int, int]]


def worth(
    probabilities: npt.NDArray[np.float64], thresholds: npt.NDArray[np.float64], labels: npt.NDArray[np.uint8]
) -> float:
    chosen = probabilities >= thresholds
    return micro_f1(chosen, labels) + macro_f1(chosen, labels)


@given(
    st.lists(
        st.tuples(*[st.integers(0, 100).map(lambda n: n / 100)] * 2, *[st.integers(0, 1)] * 2),
        min_size=1,
        max_size=30,
    )
)
@example([(0.0, 0.01, 0, 1), *[(0.0, 0.02, 0, 1)] * 2, *[(0.5, 0.01, 0, 0)] * 2])
def test_no_other_threshold_of_one_label_gives_more(titles: Scores) -> None:
    probabilities = np.array([title[:2] for title in titles])
    labels = np.array([title[2:] for title in titles], np.uint8)

    found = best_thresholds(probabilities, labels)

    best = worth(probabilities, found, labels)
    for label in np.flatnonzero(labels.any(0)):
        for other in GRID:
            moved = found.copy()
            moved[label] = other
            assert worth(probabilities, moved, labels) <= best + 1e-9


def test_a_label_that_no_title_has_keeps_a_half() -> None:
    found = best_thresholds(np.array([[0.9, 0.8], [0.2, 0.1]]), np.array([[1, 0], [0, 0]], np.uint8))

    assert 0.2 < found[0] <= 0.9
    assert found[1] == 0.5


def some_parts() -> tuple[Parts, npt.NDArray[np.uint8]]:
    rng = np.random.default_rng(5)
    labels = (rng.random((400, 18)) < 0.3).astype(np.uint8)
    deep, wide = (rng.normal(labels * 1.5 - 1.0, 1.0).astype(np.float32) for _ in range(2))
    return Parts(deep, wide, np.full(400, 128)), labels


def test_both_parts_are_worth_more_than_one_on_titles_that_took_no_part() -> None:
    parts, labels = some_parts()

    both, alone = (held_out_quality(p, labels) for p in (parts, parts._replace(wide=None)))

    assert both["micro_f1"] > alone["micro_f1"] + 0.02
    assert both["mean_average_precision"] > alone["mean_average_precision"] + 0.02


def test_what_is_fitted_on_noise_is_worth_nothing_on_other_titles() -> None:
    rng = np.random.default_rng(6)
    labels = (rng.random((60, 18)) < 0.2).astype(np.uint8)
    noise = rng.normal(size=(60, 18)).astype(np.float32)
    probabilities = apply_platt(noise, *platt(noise, labels))
    same = quality(probabilities, best_thresholds(probabilities, labels), labels)

    other = held_out_quality(Parts(noise, None, np.full(60, 128)), labels)

    assert other["macro_f1"] < same["macro_f1"] - 0.05
    assert other["mean_average_precision"] == pytest.approx(labels.mean(), abs=0.12)
