"""Platt scaling: logits to probabilities, one slope and intercept per label (Platt 1999)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

_ROUNDS: Final = 50
_LEAST: Final = 1e-12
_RIDGE: Final = 1e-3
"""Keeps Newton's method finite where a label is separable or constant on a small validation file."""


def platt(
    logits: npt.NDArray[np.float32], labels: npt.NDArray[np.uint8]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Fit ``sigmoid(slope * logit + intercept)`` per label by Newton's method (Platt 1999).

    Parameters
    ----------
    logits : ndarray
        float32 ``[titles, labels]``.
    labels : ndarray
        uint8, same shape.

    Returns
    -------
    slope, intercept : ndarray
        float64 ``[labels]``. A label whose slope would not be positive (too few titles to say) keeps slope 1.
    """
    slope, intercept = np.ones(logits.shape[1]), np.zeros(logits.shape[1])
    for column in range(logits.shape[1]):
        x, y = logits[:, column].astype(np.float64), labels[:, column].astype(np.float64)
        design = np.stack([x, np.ones_like(x)], 1)
        start = np.array([1.0, 0.0])
        weights = start.copy()
        for _ in range(_ROUNDS):
            p = 0.5 + 0.5 * np.tanh(design @ weights / 2)
            gradient = design.T @ (p - y) + _RIDGE * (weights - start)
            hessian = (design * (p * (1 - p))[:, None]).T @ design + _RIDGE * np.eye(2)
            step = np.linalg.solve(hessian, gradient)
            weights -= np.clip(step, -1, 1)
            if np.abs(step).max() < 1e-9:  # noqa: PLR2004 -- converged
                break
        if weights[0] > 0:
            slope[column], intercept[column] = weights
    return slope, intercept


def apply_platt(
    logits: npt.NDArray[np.float32],
    slope: npt.NDArray[np.float64],
    intercept: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Turn logits into probabilities with what `platt` fitted, float64 and of the same shape."""
    probabilities: npt.NDArray[np.float64] = 0.5 + 0.5 * np.tanh((slope * logits + intercept) / 2)
    return probabilities


def log_loss(logits: npt.NDArray[np.float32], labels: npt.NDArray[np.uint8]) -> float:
    """Give the mean log-loss over all titles and labels, in nats, after Platt scaling fitted on the same titles."""
    probabilities = apply_platt(logits, *platt(logits, labels))
    given = np.where(labels.astype(np.bool_), probabilities, 1 - probabilities)
    return float(-np.log(np.maximum(given, _LEAST)).mean())
