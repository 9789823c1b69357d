"""Logistic regression for all labels at once: the function that L-BFGS minimises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    from scipy.sparse import csr_matrix

    Matrix = npt.NDArray[np.float32]


class Loss:
    """The penalised loss and its gradient, for L-BFGS: logistic loss per text, summed over the labels it knows.

    A point holds all weights and intercepts, each divided by a scale of its own: the inverse root of the loss's curvature in it at
    the start. Common and rare n-grams, common and rare labels then move at one pace (Jacobi preconditioning).
    """

    def __init__(self, rows: csr_matrix, labels: Matrix, known: Matrix, l2: float) -> None:
        self._rows, self._columns = rows, rows.T.tocsr()
        self._labels, self._known, self._l2 = labels, known, l2
        self._texts = float(known.sum()) / known.shape[1]
        self._shape = (rows.shape[1], labels.shape[1])
        self._share: Matrix = ((labels * known).sum(0) + 1) / (known.sum(0) + 2)
        variance = self._share * (1 - self._share)
        squares = np.asarray(rows.multiply(rows).mean(0)).reshape(-1, 1)
        curvature = np.concatenate([(squares * variance + l2).ravel(), variance])
        self._scale: Matrix = (1 / np.sqrt(curvature)).astype(np.float32)

    def start(self) -> npt.NDArray[np.float64]:
        """Give weights of 0 and the intercepts that fit them: each label's share where it is known."""
        weights = np.zeros(self._shape[0] * self._shape[1])
        intercept = np.log(self._share / (1 - self._share))
        point: npt.NDArray[np.float64] = np.concatenate([weights, intercept]) / self._scale
        return point

    def split(self, point: npt.NDArray[np.float64]) -> tuple[Matrix, Matrix]:
        """Give weights ``[n, 18]`` and intercepts ``[18]``, float32."""
        flat = point.astype(np.float32) * self._scale
        size = self._shape[0] * self._shape[1]
        return flat[:size].reshape(self._shape), flat[size:]

    def __call__(self, point: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        """Give the loss at a point and its gradient there."""
        weights, intercept = self.split(point)
        logits = self._rows @ weights + intercept
        # log(1 + e^z) - y z, without overflow
        losses = self._known * (np.logaddexp(0, logits) - self._labels * logits)
        slope = self._known * (0.5 + 0.5 * np.tanh(logits / 2) - self._labels) / np.float32(self._texts)
        gradient = self._columns @ slope + np.float32(self._l2) * weights
        penalty = 0.5 * self._l2 * float((weights**2).sum(dtype=np.float64))
        loss = float(losses.sum(dtype=np.float64)) / self._texts + penalty
        return loss, (np.concatenate([gradient.ravel(), slope.sum(0)]) * self._scale).astype(np.float64)
