"""Calibration that looks at how much text a logit was read from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from genre_model.calibration import relative_length
from model_artifacts.pipeline.fit_calibration import SCALES, fit_calibration
from model_artifacts.pipeline.held_out import best_quality

if TYPE_CHECKING:
    import numpy.typing as npt


def some_titles(
    scale: float, titles: int = 6000
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Draw labels that follow the logits' distance from -2 as much as each text's length says."""
    rng = np.random.default_rng(11)
    pieces = np.exp(rng.uniform(np.log(8), np.log(2000), titles)).astype(np.int64)
    logits = rng.normal(-2, 2, (titles, 18)).astype(np.float32)
    true = -2 + (1 + scale * relative_length(pieces)[:, None]) * (logits + 2)
    labels = (rng.random(logits.shape) < 1 / (1 + np.exp(-true))).astype(np.uint8)
    return logits, pieces, labels


@pytest.mark.parametrize("scale", [0.0, 0.1, 0.3])
def test_the_length_scale_that_made_the_labels_is_found(scale: float) -> None:
    logits, pieces, labels = some_titles(scale)

    found = fit_calibration(logits, pieces, labels)

    assert found.length_scale == pytest.approx(scale, abs=0.03)
    assert found.length_scale in SCALES
    np.testing.assert_allclose(found.centre, -2, atol=0.1)
    np.testing.assert_allclose(found.slope, 1, atol=0.12)


def test_short_and_long_texts_are_as_probable_as_they_turn_out() -> None:
    logits, pieces, labels = some_titles(0.3)

    found = fit_calibration(logits, pieces, labels).probabilities(logits, pieces)

    for rows in (pieces < 40, pieces > 600):
        assert found[rows].mean() == pytest.approx(labels[rows].mean(), rel=0.03)
    assert found.dtype == np.float32


def test_lengths_that_say_nothing_change_nothing() -> None:
    logits, pieces, labels = some_titles(0.0, titles=500)
    rng = np.random.default_rng(4)

    other = best_quality(logits, rng.permutation(pieces), labels)

    assert other["micro_f1"] == pytest.approx(best_quality(logits, pieces, labels)["micro_f1"], abs=0.01)


def test_texts_of_one_length_are_calibrated_as_if_length_did_not_exist() -> None:
    logits, pieces, labels = some_titles(0.3, titles=300)

    alike = fit_calibration(logits, np.full_like(pieces, 40), labels)

    np.testing.assert_allclose(
        alike.probabilities(logits, np.full_like(pieces, 40)),
        fit_calibration(logits, np.full_like(pieces, 128), labels).probabilities(
            logits, np.full_like(pieces, 128)
        ),
        atol=1e-4,
    )
