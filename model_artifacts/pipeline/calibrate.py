"""Step 5, calibrate: the shipped network's logits on the validation file -> probabilities and thresholds.

Fitted through `genre_model` with the very file that is shipped, so what quantization shifts is calibrated away.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from genre_model import GENRES, Document, GenreModel
from model_artifacts.pipeline.artifact import write_artifact, write_draft
from model_artifacts.pipeline.corpus import read_titles
from model_artifacts.pipeline.files import write_json
from model_artifacts.pipeline.metrics import f1_per_label

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from model_artifacts.pipeline.corpus import Title
    from model_artifacts.pipeline.recipe import Recipe

logger = logging.getLogger(__name__)

_ROUNDS = 50
_RIDGE = 1e-3
"""Keeps Newton's method finite where a label is separable or constant on a small validation file."""


def label_matrix(titles: list[Title]) -> npt.NDArray[np.uint8]:
    """Give 0/1 labels, uint8 ``[titles, 18]``."""
    index = {genre: i for i, genre in enumerate(GENRES)}
    labels = np.zeros((len(titles), len(GENRES)), np.uint8)
    for row, title in enumerate(titles):
        labels[row, [index[genre] for genre in title.genres]] = 1
    return labels


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


def best_thresholds(
    probabilities: npt.NDArray[np.floating[Any]], labels: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float64]:
    """Per label, the threshold with the highest F1: the middle between the two scores it separates.

    Returns
    -------
    ndarray
        float64 ``[labels]``, within 0.01 to 0.99; 0.5 for a label that no title has.
    """
    result = np.full(probabilities.shape[1], 0.5)
    for column in range(probabilities.shape[1]):
        true = labels[:, column].astype(bool)
        if not true.any():
            continue
        order = np.argsort(-probabilities[:, column], kind="stable")
        ranked = probabilities[order, column].astype(np.float64)
        hits = np.cumsum(true[order])
        f1 = 2 * hits / (np.arange(1, len(ranked) + 1) + true.sum())
        f1[:-1][ranked[:-1] == ranked[1:]] = -1  # no threshold separates equal scores
        best = int(f1.argmax())
        below = ranked[best + 1] if best + 1 < len(ranked) else 0.0
        result[column] = np.clip((ranked[best] + below) / 2, 0.01, 0.99)
    return result


def calibrate(
    *,
    corpus_file: Path,
    tokenizer: Path,
    network: Path,
    out: Path,
    recipe: Recipe,
    threads: int = 1,
    skip_bad_lines: bool = False,
) -> None:
    """Run the step.

    Parameters
    ----------
    corpus_file : Path
        The validation file.
    tokenizer, network : Path
        The two files of the artifact, from the steps before.
    out : Path
        The step's folder; gets ``artifact/`` (the finished artifact) and ``calibrate.json``.

    Raises
    ------
    StepError, CorpusError
        If an input is missing or damaged.
    """
    titles = list(read_titles(corpus_file, skip_bad_lines=skip_bad_lines))
    labels = label_matrix(titles)
    write_draft(out / "draft", recipe=recipe, network=network, tokenizer=tokenizer)
    model = GenreModel.load(out / "draft", threads=threads)
    logits = model.logits([Document(title.texts[0]) for title in titles])
    slope, intercept = platt(logits, labels)
    probabilities = apply_platt(logits, slope, intercept)
    thresholds = best_thresholds(probabilities, labels)
    write_artifact(
        out / "artifact",
        recipe=recipe,
        network=network,
        tokenizer=tokenizer,
        thresholds=thresholds.tolist(),
        slope=slope.tolist(),
        intercept=intercept.tolist(),
    )
    f1 = f1_per_label(probabilities >= thresholds, labels)
    write_json(
        out / "calibrate.json",
        {
            "titles": len(titles),
            "labels": {
                genre: {
                    "titles": int(labels[:, i].sum()),
                    "slope": float(slope[i]),
                    "intercept": float(intercept[i]),
                    "threshold": float(thresholds[i]),
                    "f1": float(f1[i]),
                }
                for i, genre in enumerate(GENRES)
            },
        },
    )
    logger.info("calibrated on %d titles; macro-F1 %.4f", len(titles), f1.mean())
