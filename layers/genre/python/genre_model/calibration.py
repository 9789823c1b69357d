"""Logits to probabilities: Platt scaling per label, after logits are weighed by how much text they were read from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

SHORT: Final = 16
"""Word pieces of a text at or below which its length no longer matters, some ten words."""
LONG: Final = 1024
"""Word pieces at or above which it no longer matters."""


def relative_length(pieces: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Give lengths in word pieces on a logarithmic scale: -1 at `SHORT` and below, 0 halfway (128), 1 at `LONG` and above.

    Examples
    --------
    >>> relative_length(np.array([0, 16, 128, 1024, 5000])).tolist()
    [-1.0, -1.0, 0.0, 1.0, 1.0]
    """
    half = np.log(LONG / SHORT) / 2
    found: npt.NDArray[np.float64] = np.log(np.clip(pieces, SHORT, LONG) / SHORT) / half - 1
    return found.astype(np.float32)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What turns the logits of one model into probabilities.

    A logit's distance from ``centre``, the label's usual logit, is what the text says for or against the label. A network
    overrates what a short text says and underrates a long one, so the distance is multiplied by
    ``1 + length_scale * relative_length`` first (docs/adr/0014).

    Parameters
    ----------
    slope, intercept : ndarray
        float32 ``[18]``, Platt scaling (Platt 1999): ``sigmoid(slope * logit + intercept)``; slopes above 0.
    centre : ndarray
        float32 ``[18]``.
    length_scale : float
        From 0, where lengths do not count, to below 1.
    """

    slope: npt.NDArray[np.float32]
    intercept: npt.NDArray[np.float32]
    centre: npt.NDArray[np.float32]
    length_scale: float

    def probabilities(
        self, logits: npt.NDArray[np.float32], pieces: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        """Give float32 ``[documents, 18]`` for logits of that shape; ``pieces`` is int64 ``[documents]``."""
        weighed = weigh(logits, pieces, self.centre, self.length_scale)
        # The logistic function as a tanh: no overflow at either end.
        found: npt.NDArray[np.float32] = 0.5 + 0.5 * np.tanh(0.5 * (self.slope * weighed + self.intercept))
        return found


def weigh(
    logits: npt.NDArray[np.float32], pieces: npt.NDArray[np.int64], centre: npt.NDArray[Any], scale: float
) -> npt.NDArray[np.float32]:
    """Multiply the logits' distances from ``centre`` by what the texts' lengths say, same shape and dtype."""
    if not scale:
        return logits
    factor = 1 + np.float32(scale) * relative_length(pieces)[:, None]
    found: npt.NDArray[np.float32] = centre + factor * (logits - centre)
    return found
