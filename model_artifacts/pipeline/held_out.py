"""What the figures are on titles that took no part in calibration: half of the file fits, the other half is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from model_artifacts.pipeline.combine import combined, fit_weights
from model_artifacts.pipeline.fit_calibration import fit_calibration
from model_artifacts.pipeline.metrics import quality
from model_artifacts.pipeline.thresholds import best_thresholds

if TYPE_CHECKING:
    import numpy.typing as npt

    from genre_model.scorers import Parts


def best_quality(
    logits: npt.NDArray[np.float32], pieces: npt.NDArray[np.int64], labels: npt.NDArray[np.uint8]
) -> dict[str, float]:
    """Give the headline figures of logits ``[titles, 18]`` with the calibration and thresholds that fit these very titles best.

    ``pieces`` are the word pieces of the titles' texts, int64 ``[titles]``.
    """
    probabilities = fit_calibration(logits, pieces, labels).probabilities(logits, pieces)
    return quality(probabilities, best_thresholds(probabilities, labels), labels)


SPLITS: Final = 4
"""Random halvings, each used both ways."""


def held_out_quality(parts: Parts, labels: npt.NDArray[np.uint8]) -> dict[str, float]:
    """Fit weight, calibration and thresholds on one half of the titles and measure the other; the mean over all halves.

    Half as many titles to fit on as `calibrate` has, so it errs on the low side where `calibrate`'s own titles err on the high.

    Parameters
    ----------
    parts : Parts
        Logits of all titles, float32 ``[titles, 18]`` each.
    labels : ndarray
        uint8 ``[titles, 18]``.

    Returns
    -------
    dict
        The names that `quality` gives.
    """
    found = []
    for seed in range(SPLITS):
        order = np.random.default_rng(seed).permutation(len(labels))
        first, second = np.array_split(order, 2)
        found += [_measure(parts, labels, first, second), _measure(parts, labels, second, first)]
    return {name: float(np.mean([figures[name] for figures in found])) for name in found[0]}


def _measure(
    parts: Parts, labels: npt.NDArray[np.uint8], fit: npt.NDArray[np.intp], test: npt.NDArray[np.intp]
) -> dict[str, float]:
    weights = None if parts.wide is None else fit_weights(parts.deep[fit], parts.wide[fit], labels[fit])
    logits = combined(parts, weights)
    calibration = fit_calibration(logits[fit], parts.pieces[fit], labels[fit])
    probabilities = calibration.probabilities(logits, parts.pieces)
    return quality(probabilities[test], best_thresholds(probabilities[fit], labels[fit]), labels[test])
