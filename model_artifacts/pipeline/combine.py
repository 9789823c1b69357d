"""How much the linear model counts beside the network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from model_artifacts.pipeline.platt import log_loss

if TYPE_CHECKING:
    import numpy.typing as npt

    from genre_model.scorers import Parts

GRID: Final = np.round(np.arange(0, 2.01, 0.05), 2)
"""Weights that are tried."""


def combined(parts: Parts, weights: npt.NDArray[np.float64] | None) -> npt.NDArray[np.float32]:
    """Add the parts up as `GenreModel.combine` does with the weights of a manifest: float32 ``[titles, 18]``."""
    if parts.wide is None or weights is None:
        return parts.deep
    return parts.deep + weights.astype(np.float32) * parts.wide


def fit_weights(
    deep: npt.NDArray[np.float32], wide: npt.NDArray[np.float32], labels: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float64]:
    """Find the weight of the wide logits with which the sum, after Platt scaling, fits the labels best.

    One weight for all labels: one of its own for each does not hold on titles that it was not fitted on (docs/adr/0010).

    Parameters
    ----------
    deep, wide : ndarray
        float32 ``[titles, 18]``.
    labels : ndarray
        uint8, same shape.

    Returns
    -------
    ndarray
        float64 ``[18]``, equal numbers of `GRID`; of equally good weights the smallest.
    """
    losses = [log_loss(deep + np.float32(weight) * wide, labels) for weight in GRID]
    return np.full(labels.shape[1], GRID[int(np.argmin(losses))])
