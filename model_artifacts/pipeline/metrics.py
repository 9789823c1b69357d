"""Multi-label quality: F1, average precision, calibration error. NumPy alone, arrays ``[titles, labels]``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Probabilities = npt.NDArray[np.floating]
    Labels = npt.NDArray[np.integer | np.bool_]


def f1_per_label(selected: Labels, labels: Labels) -> npt.NDArray[np.float64]:
    """F1 of each label, float64 ``[labels]``; 0 where nothing was selected and nothing is true."""
    chosen, true = selected.astype(bool), labels.astype(bool)
    hits = (chosen & true).sum(0)
    sizes = chosen.sum(0) + true.sum(0)
    result = np.zeros(len(sizes))
    np.divide(2.0 * hits, sizes, out=result, where=sizes > 0)
    return result


def micro_f1(selected: Labels, labels: Labels) -> float:
    """F1 over all title-label pairs together."""
    chosen, true = selected.astype(bool), labels.astype(bool)
    size = int(chosen.sum() + true.sum())
    return float(2.0 * (chosen & true).sum() / size) if size else 0.0


def macro_f1(selected: Labels, labels: Labels) -> float:
    """Unweighted mean of the labels' F1."""
    return float(f1_per_label(selected, labels).mean())


def average_precision(scores: Probabilities, labels: Labels) -> npt.NDArray[np.float64]:
    """Average precision of each label, float64 ``[labels]``; NaN for a label no title has.

    The area under the precision-recall steps, with tied scores taken together (as scikit-learn has it).
    """
    result = np.full(scores.shape[1], np.nan)
    for column in range(scores.shape[1]):
        true = labels[:, column].astype(bool)
        if not true.any():
            continue
        order = np.argsort(-scores[:, column], kind="stable")
        ranked = scores[order, column]
        ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
        hits = np.cumsum(true[order])[ends]
        precision = hits / (ends + 1)
        result[column] = np.sum(np.diff(np.concatenate([[0], hits])) * precision) / true.sum()
    return result


def mean_average_precision(scores: Probabilities, labels: Labels) -> float:
    """Mean over the labels that occur; NaN when none does."""
    values = average_precision(scores, labels)
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def expected_calibration_error(probabilities: Probabilities, labels: Labels, bins: int = 15) -> float:
    """Mean gap between confidence and frequency over all pairs, in equal-width bins (Guo et al. 2017)."""
    p, y = probabilities.ravel().astype(np.float64), labels.ravel().astype(np.float64)
    cell = np.minimum((p * bins).astype(int), bins - 1)
    size = np.bincount(cell, minlength=bins)
    gap = np.abs(np.bincount(cell, p, bins) - np.bincount(cell, y, bins))
    return float(gap[size > 0].sum() / len(p))


def quality(probabilities: Probabilities, thresholds: Probabilities, labels: Labels) -> dict[str, float]:
    """Give the headline figures of one set of probabilities ``[titles, 18]``."""
    selected = probabilities >= thresholds
    return {
        "micro_f1": micro_f1(selected, labels),
        "macro_f1": macro_f1(selected, labels),
        "mean_average_precision": mean_average_precision(probabilities, labels),
        "expected_calibration_error": expected_calibration_error(probabilities, labels),
    }
