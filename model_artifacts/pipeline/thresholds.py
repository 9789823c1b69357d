"""Thresholds per label, chosen together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

GRID: Final = np.round(np.arange(0.01, 1.0, 0.01), 2)
"""Thresholds that are tried. The very best one on a validation file lies between two of its titles and is partly their noise."""
RULE: Final = "highest sum of micro-F1 and macro-F1"
"""What `best_thresholds` looks for, for people: `calibrate` writes it down beside the thresholds."""
_START: Final = 0.35
"""About half of the F1 that is reached: the best threshold for calibrated probabilities (Lipton et al. 2014)."""
_ROUNDS: Final = 20


def best_thresholds(
    probabilities: npt.NDArray[np.floating[Any]], labels: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float64]:
    """Find the thresholds with the highest sum of micro-F1 and macro-F1, label by label until none moves.

    Macro-F1 alone would ask for the best F1 of each label, and gives the rare ones low thresholds whose false alarms cost micro-F1
    more than they win; on titles that took no part, the sum does better in both (docs/adr/0012).

    Parameters
    ----------
    probabilities : ndarray
        float ``[titles, labels]``.
    labels : ndarray
        uint8, same shape.

    Returns
    -------
    ndarray
        float64 ``[labels]``, each of `GRID`: no other value there gives a higher sum, the other labels' thresholds being as they
        are. 0.5 for a label that no title has.
    """
    count = labels.shape[1]
    selected, hits = np.empty((2, count, len(GRID)))
    for column in range(count):
        chosen = probabilities[:, column, None] >= GRID
        selected[column] = chosen.sum(0)
        hits[column] = chosen[labels[:, column].astype(bool)].sum(0)
    true = labels.sum(0, dtype=np.int64)
    f1 = 2 * hits / np.maximum(selected + true[:, None], 1)
    start, half = (int(np.abs(GRID - value).argmin()) for value in (_START, 0.5))
    places = np.where(true > 0, start, half)
    rows = np.arange(count)
    for _ in range(_ROUNDS):
        before = places.copy()
        for label in np.flatnonzero(true):
            others = rows != label  # with the false alarms of those that no title has
            hit = hits[others, places[others]].sum() + hits[label]
            size = selected[others, places[others]].sum() + selected[label] + true.sum()
            places[label] = int((2 * hit / size + f1[label] / count).argmax())
        if (places == before).all():
            break
    found: npt.NDArray[np.float64] = GRID[places]
    return found
