"""Step 5, calibrate: the shipped network's logits on the validation file -> probabilities and thresholds.

Fitted through `genre_model` with the very files that are shipped, so what quantization shifts is calibrated away.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from genre_model import GENRES, Document, GenreModel
from model_artifacts.pipeline.artifact import WideFile, write_artifact, write_draft
from model_artifacts.pipeline.combine import combined, fit_weights
from model_artifacts.pipeline.corpus import read_titles
from model_artifacts.pipeline.files import write_json
from model_artifacts.pipeline.fit_calibration import fit_calibration
from model_artifacts.pipeline.metrics import f1_per_label
from model_artifacts.pipeline.thresholds import RULE, best_thresholds
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
    beside, weights = None, None
    if table is not None and parts.wide is not None:
        weights = fit_weights(parts.deep, parts.wide, labels)
        beside = WideFile(path=table, weights=weights.tolist())
        logger.info("weights of the linear model: %s", beside.weights)
    logits = combined(parts, weights)
    calibration = fit_calibration(logits, parts.pieces, labels)
    probabilities = calibration.probabilities(logits, parts.pieces)
    thresholds = best_thresholds(probabilities, labels)
    write_artifact(
        out / "artifact",
        recipe=recipe,
        network=network,
        tokenizer=tokenizer,
        thresholds=thresholds.tolist(),
        calibration=calibration,
        wide=beside,
    )
    f1 = f1_per_label(probabilities >= thresholds, labels)
    write_json(
        out / "calibrate.json",
        {
            "titles": len(titles),
            "threshold_rule": RULE,
            "length_scale": calibration.length_scale,
            "labels": {
                genre: {
                    "titles": int(labels[:, i].sum()),
                    "slope": float(calibration.slope[i]),
                    "intercept": float(calibration.intercept[i]),
                    "threshold": float(thresholds[i]),
                    "f1": float(f1[i]),
                    **({} if beside is None else {"wide_weight": beside.weights[i]}),
                }
                for i, genre in enumerate(GENRES)
            },
        },
    )
    logger.info("calibrated on %d titles; macro-F1 %.4f", len(titles), f1.mean())
