"""Fits what turns logits into probabilities: Platt scaling per label, and one number for how the text's length counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from genre_model.calibration import Calibration, weigh
from model_artifacts.pipeline.platt import log_loss, platt

if TYPE_CHECKING:
    import numpy.typing as npt

SCALES: Final = np.round(np.arange(0, 0.51, 0.02), 2)
"""Length scales that are tried. At 0.5 the logits of the shortest texts count a third of those of the longest."""


def fit_calibration(
    logits: npt.NDArray[np.float32], pieces: npt.NDArray[np.int64], labels: npt.NDArray[np.uint8]
) -> Calibration:
    """Find the calibration with the lowest log-loss.

    One length scale for all labels: a term of its own for each would learn which genres the sources of short texts are fond of
    (docs/adr/0014).

    Parameters
    ----------
    logits : ndarray
        float32 ``[titles, 18]``, one title at least.
    pieces : ndarray
        int64 ``[titles]``: the word pieces of their texts.
    labels : ndarray
        uint8 ``[titles, 18]``.

    Returns
    -------
    Calibration
        Its scale is one of `SCALES`; of equally good ones the smallest. Rounded to six digits, as a manifest holds it.
    """
    centre = logits.mean(0).round(6)
    losses = [log_loss(weigh(logits, pieces, centre, scale), labels) for scale in SCALES]
    scale = float(SCALES[int(np.argmin(losses))])
    slope, intercept = platt(weigh(logits, pieces, centre, scale), labels)
    return Calibration(
        slope=slope.round(6).astype(np.float32),
        intercept=intercept.round(6).astype(np.float32),
        centre=centre,
        length_scale=scale,
    )
