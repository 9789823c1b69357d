"""Step 8, register: copy the finished artifact beside the others and enter it in the registry."""

from __future__ import annotations

import json
import logging
import shutil
from typing import TYPE_CHECKING, Any, Final

from genre_model import ArtifactError, GenreModel
from model_artifacts.pipeline.errors import StepError
from model_artifacts.pipeline.files import sha256
from model_artifacts.registry import CARD_NAME, REGISTRY_NAME, Registry

if TYPE_CHECKING:
    from pathlib import Path

    from model_artifacts.pipeline.recipe import Recipe

logger = logging.getLogger(__name__)

_METRICS: Final = frozenset(
    {
        "micro_f1",
        "macro_f1",
        "mean_average_precision",
        "expected_calibration_error",
        "int8_loss",
        "network_size",
        "artifact_size",
        "parts",
        "held_out",
    }
)


def register(*, run: Path, artifact: Path, root: Path, recipe: Recipe) -> None:
    """Run the step.

    Parameters
    ----------
    run : Path
        The pipeline's folder, for the lineage.
    artifact : Path
        The finished artifact, report and card included.
    root : Path
        The folder with ``registry.json``; made where there is none.

    Raises
    ------
    StepError
        If the artifact does not load or lacks its card, or the version is registered with other files.
    RegistryError
        If the registry is damaged.
    """
    try:
        GenreModel.load(artifact)
    except ArtifactError as error:
        message = f"the artifact cannot be served: {error}"
        raise StepError(message) from error
    if not (artifact / CARD_NAME).is_file():
        message = f"{artifact} has no {CARD_NAME}: run the step `report`"
        raise StepError(message)
    registry = Registry.load(root) if (root / REGISTRY_NAME).exists() else Registry(root, {})
    record = _record(run, artifact, recipe)
    known = registry.models.get(recipe.model, {}).get("versions", {}).get(recipe.version)
    if known is not None and known.get("files") != record["files"]:
        message = (
            f"{recipe.model} {recipe.version} is registered with other files; "
            "a version never changes: give the recipe a new one"
        )
        raise StepError(message)
    target = root / recipe.model / recipe.version
    staging, old = (target.with_name(f".{recipe.version}.{name}") for name in ("new", "old"))
    if old.exists() and not target.exists():  # killed between the two renames below
        old.rename(target)
    for left in (staging, old):
        shutil.rmtree(left, ignore_errors=True)
    shutil.copytree(artifact, staging)
    if target.exists():
        target.rename(old)
    staging.rename(target)
    shutil.rmtree(old, ignore_errors=True)
    if known is not None:
        _log_changes(recipe, known.get("metrics", {}), record["metrics"])
    registry.with_version(recipe.model, recipe.version, record).save()
    logger.info("registered %s %s in %s", recipe.model, recipe.version, root)


def _log_changes(recipe: Recipe, before: dict[str, Any], after: dict[str, Any]) -> None:
    changed = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    names = ", ".join(changed) or "none"
    logger.info(
        "%s %s was registered with the same files; figures that changed: %s",
        recipe.model,
        recipe.version,
        names,
    )


def _record(run: Path, artifact: Path, recipe: Recipe) -> dict[str, Any]:
    """Collect digests, headline figures and lineage."""

    def read(*parts: str) -> Any:  # noqa: ANN401 -- any JSON value
        return json.loads(run.joinpath(*parts).read_text(encoding="utf-8"))

    metrics, training = read("evaluate", "metrics.json"), read("train", "train.json")
    return {
        "description": recipe.description,
        "files": {
            path.name: sha256(path)
            for path in sorted(artifact.iterdir())
            if path.is_file() and path.name != CARD_NAME
        },
        "metrics": {name: value for name, value in metrics.items() if name in _METRICS},
        "lineage": {
            "recipe": recipe.model_dump(mode="json"),
            "corpus": read("prepare", "prepare.json")["corpus"],
            "evaluated_on": metrics["data"],
            # Its "input" holds the digests of the examples and, where there is one, of the teacher's weights.
            "training": {name: value for name, value in training.items() if name != "recipe"},
            **({"teaching": read("teach", "teach.json")} if "teacher" in training else {}),
        },
    }
