"""Step 7, report: the figures as plots and as a model card, from what the steps before wrote down."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from model_artifacts.pipeline import plots
from model_artifacts.pipeline.arrays import load_arrays
from model_artifacts.pipeline.artifact import network_name
from model_artifacts.pipeline.card import model_card
from model_artifacts.pipeline.errors import StepError
from model_artifacts.pipeline.files import replacing, sha256, write_json
from model_artifacts.pipeline.progress import read_progress
from model_artifacts.pipeline.recipe import BertRecipe
from model_artifacts.pipeline.study.text import STUDY_NAME
from model_artifacts.registry import CARD_NAME

if TYPE_CHECKING:
    from pathlib import Path

    from model_artifacts.pipeline.recipe import Recipe

logger = logging.getLogger(__name__)


def _read(path: Path, step: str) -> Any:  # noqa: ANN401 -- any JSON value
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        message = f"{path} is missing or damaged ({error}): run the step `{step}`"
        raise StepError(message) from error


def _study(run: Path, artifact: Path) -> Any:  # noqa: ANN401 -- any JSON value
    """Read the study of this very network, if there is one."""
    path = run / "study" / STUDY_NAME
    if not path.is_file():
        return None
    study = _read(path, "study")
    if study["network"] != sha256(artifact / network_name(artifact)):
        logger.warning("%s is of another network, and left out: run the step `study`", path)
        return None
    return study


def report(*, run: Path, artifact: Path, recipe: Recipe) -> None:
    """Write ``report/`` (plots, ``metrics.json``) and ``MODEL_CARD.md`` into the artifact; the study too, if there is one.

    Raises
    ------
    StepError
        If a step before has not written its figures, or they are damaged.
    """
    metrics = _read(run / "evaluate" / "metrics.json", "evaluate")
    training = _read(run / "train" / "train.json", "train")
    prepared = _read(run / "prepare" / "prepare.json", "prepare")
    taught = isinstance(recipe, BertRecipe) and recipe.teacher is not None
    teaching = _read(run / "teach" / "teach.json", "teach") if taught else None
    calibrated = _read(run / "calibrate" / "calibrate.json", "calibrate")
    log = read_progress(run / "train", "train")
    arrays = load_arrays(
        run / "evaluate" / "probabilities.npz", ("probabilities", "labels", "selected", "words"), "evaluate"
    )
    selected, labels = arrays["selected"], arrays["labels"]
    folder = artifact / "report"
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "metrics.json", metrics)
    plots.save(plots.training(log), folder / "training.png", (8, 4))
    plots.save(plots.genres(metrics), folder / "genres.png", (7, 5))
    plots.save(plots.calibration(arrays["probabilities"], labels), folder / "calibration.png", (5, 5))
    plots.save(plots.lengths(arrays["words"], selected, labels), folder / "lengths.png", (7, 4))
    plots.save(plots.confusion(selected, labels), folder / "cooccurrence.png", (12, 6))
    study = _study(run, artifact)
    for name in ("compression.png", STUDY_NAME):
        (folder / name).unlink(missing_ok=True)
    if study is not None:
        plots.save(plots.compression(study), folder / "compression.png", (11, 5))
        write_json(folder / STUDY_NAME, study)
    card = model_card(
        recipe,
        metrics=metrics,
        training=training,
        corpus=prepared["corpus"]["train"],
        calibrated=calibrated,
        study=study,
        teaching=teaching,
    )
    with replacing(artifact / CARD_NAME) as temporary:
        temporary.write_text(card, encoding="utf-8")
