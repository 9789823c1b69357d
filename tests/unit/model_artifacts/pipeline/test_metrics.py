from __future__ import annotations

import math

import numpy as np
import pytest

from model_artifacts.pipeline.metrics import (
    average_precision,
    expected_calibration_error,
    f1_per_label,
    macro_f1,
    mean_average_precision,
    micro_f1,
)
from model_artifacts.pipeline.platt import platt

LABELS = np.array([[1, 0], [1, 1], [0, 1], [0, 0]], np.uint8)
CHOSEN = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], np.uint8)


def test_f1_by_hand() -> None:
    # Label 0: one hit, one false alarm, one miss -> 2/4. Label 1: two hits of two -> 1.
    assert f1_per_label(CHOSEN, LABELS).tolist() == [0.5, 1.0]
    assert macro_f1(CHOSEN, LABELS) == 0.75
    assert micro_f1(CHOSEN, LABELS) == pytest.approx(6 / 8)


def test_nothing_selected_and_nothing_true_counts_as_zero() -> None:
    nothing = np.zeros((3, 2), np.uint8)

    assert f1_per_label(nothing, nothing).tolist() == [0, 0]
    assert micro_f1(nothing, nothing) == 0.0


def test_average_precision_by_hand() -> None:
    scores = np.array([[0.9], [0.8], [0.7], [0.1]])
    labels = np.array([[1], [0], [1], [0]], np.uint8)

    assert average_precision(scores, labels)[0] == pytest.approx((1 + 2 / 3) / 2)


def test_equal_scores_are_taken_together() -> None:
    scores, labels = np.full((4, 1), 0.5), np.array([[1], [0], [0], [0]], np.uint8)

    assert average_precision(scores, labels)[0] == pytest.approx(0.25)


def test_a_label_without_titles_is_left_out_of_the_mean() -> None:
    scores = np.array([[0.9, 0.2], [0.1, 0.3]])
    labels = np.array([[1, 0], [0, 0]], np.uint8)

    assert mean_average_precision(scores, labels) == 1.0
    assert math.isnan(mean_average_precision(scores, np.zeros_like(labels)))


def test_calibration_error_by_hand() -> None:
    probabilities = np.array([[0.9, 0.9, 0.9, 0.9, 0.1]]).T
    labels = np.array([[1, 1, 0, 0, 0]], np.uint8).T

    assert expected_calibration_error(probabilities, labels) == pytest.approx(0.8 * 0.4 + 0.2 * 0.1)


def test_platt_scaling_finds_the_slope_and_intercept_that_made_the_labels() -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 2, (40_000, 2)).astype(np.float32)
    true = 1 / (1 + np.exp(-(np.array([0.5, 2.0]) * logits + np.array([-1.0, 0.5]))))
    labels = (rng.random(logits.shape) < true).astype(np.uint8)

    slope, intercept = platt(logits, labels)

    np.testing.assert_allclose(slope, [0.5, 2.0], rtol=0.06)
    np.testing.assert_allclose(intercept, [-1.0, 0.5], atol=0.06)


def test_platt_scaling_stays_finite_on_constant_and_separable_labels() -> None:
    logits = np.array([[-1.0, -1.0], [1.0, 1.0], [2.0, 2.0]], np.float32)
    labels = np.array([[0, 0], [0, 1], [0, 1]], np.uint8)

    slope, intercept = platt(logits, labels)

    assert np.isfinite(slope).all()
    assert np.isfinite(intercept).all()
    assert (slope > 0).all()


def test_a_label_that_goes_against_its_logit_keeps_the_raw_probability() -> None:
    logits = np.array([[3.0], [2.0], [-2.0], [-3.0]] * 20, np.float32)
    labels = np.array([[0], [0], [1], [1]] * 20, np.uint8)

    slope, intercept = platt(logits, labels)

    assert (slope[0], intercept[0]) == (1.0, 0.0)
