"""Step 5, calibrate: the shipped network's logits on the validation file -> probabilities and thresholds.

Fitted through `genre_model` with the very files that are shipped, so what quantization shifts is calibrated away.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from genre_model import GENRES, Document, GenreModel
from model_artifacts.pipeline.artifact import WideFile, write_artifact, write_draft
from model_artifacts.pipeline.combine import fit_weights
from model_artifacts.pipeline.corpus import read_titles
from model_artifacts.pipeline.files import write_json
from model_artifacts.pipeline.metrics import f1_per_label
from model_artifacts.pipeline.platt import apply_platt, platt
from model_artifacts.pipeline.wide import WIDE_NAME

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from model_artifacts.pipeline.corpus import Title
    from model_artifacts.pipeline.recipe import Recipe

logger = logging.getLogger(__name__)


def label_matrix(titles: list[Title]) -> npt.NDArray[np.uint8]:
    """Give 0/1 labels, uint8 ``[titles, 18]``."""
    index = {genre: i for i, genre in enumerate(GENRES)}
    labels = np.zeros((len(titles), len(GENRES)), np.uint8)
    for row, title in enumerate(titles):
        labels[row, [index[genre] for genre in title.genres]] = 1
    return labels


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
    wide: Path | None = None,
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
        Files of the artifact, from the steps before.
    wide : Path or None
        The folder of the step `wide`, for a network that has a linear model beside it.
    out : Path
        The step's folder; gets ``artifact/`` (the finished artifact) and ``calibrate.json``.

    Raises
    ------
    StepError, CorpusError
        If an input is missing or damaged.
    """
    titles = list(read_titles(corpus_file, skip_bad_lines=skip_bad_lines))
    labels = label_matrix(titles)
    table = None if wide is None else wide / WIDE_NAME
    write_draft(out / "draft", recipe=recipe, network=network, tokenizer=tokenizer, wide=table)
    model = GenreModel.load(out / "draft", threads=threads)
    parts = model.parts([Document(title.texts[0]) for title in titles])
    beside, logits = None, parts.deep
    if table is not None and parts.wide is not None:
        beside = WideFile(path=table, weights=fit_weights(parts.deep, parts.wide, labels).tolist())
        logits = parts.deep + np.array(beside.weights, np.float32) * parts.wide
        logger.info("weights of the linear model: %s", beside.weights)
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
        wide=beside,
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
                    **({} if beside is None else {"wide_weight": beside.weights[i]}),
                }
                for i, genre in enumerate(GENRES)
            },
        },
    )
    logger.info("calibrated on %d titles; macro-F1 %.4f", len(titles), f1.mean())
