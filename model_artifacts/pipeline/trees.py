"""Step 2 of the tree model, train: gradient boosting on hashed word pieces, one tree per label and round.

A label that a source never states gets no gradient there (see `prepare.absent_labels`). Interrupted, it goes on from the last saved
booster; the file is XGBoost's own UBJ format, never a pickle.
"""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xgboost
from scipy.sparse import csr_matrix

from genre_model.bag import hashed_bag
from genre_model.labels import GENRES
from model_artifacts.pipeline.errors import StepError
from model_artifacts.pipeline.examples import Examples
from model_artifacts.pipeline.files import replacing, sha256, write_json
from model_artifacts.pipeline.progress import LOG, log_progress

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from model_artifacts.pipeline.recipe import TreesRecipe

logger = logging.getLogger(__name__)

BOOSTER: Final = "model.ubj"
_CHECKPOINT: Final = "checkpoint.ubj"
_PROGRESS: Final = "checkpoint.json"


def bags(examples: Examples, bins: int) -> csr_matrix:
    """Hash every text: float32 CSR ``[texts, bins]``; what is absent from a row is missing, not zero."""
    parts = [hashed_bag(examples.texts[row].tolist(), bins) for row in range(len(examples.texts))]
    columns = np.concatenate([part[0] for part in parts])
    values = np.concatenate([part[1] for part in parts])
    offsets = np.concatenate([[0], np.cumsum([len(part[0]) for part in parts])])
    return csr_matrix((values, columns, offsets), shape=(len(parts), bins))


def objective(labels: npt.NDArray[np.uint8], known: npt.NDArray[np.uint8]) -> Any:  # noqa: ANN401 -- XGBoost types it loosely too
    """Make the masked logistic loss: gradient and hessian, float32 ``[texts, 18]``, 0 where a label is unknown."""
    wanted, mask = labels.astype(np.float32), known.astype(np.float32)

    def gradients(
        margin: npt.NDArray[np.float32], _: xgboost.DMatrix
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        p = (0.5 + 0.5 * np.tanh(margin.reshape(wanted.shape) / 2)).astype(np.float32)
        return (p - wanted) * mask, np.maximum(p * (1 - p), np.float32(1e-6)) * mask

    return gradients


def grow(*, prepared: Path, out: Path, recipe: TreesRecipe, threads: int) -> None:
    """Run the step.

    Parameters
    ----------
    prepared : Path
        The folder of the step `prepare`.
    out : Path
        The step's folder; gets ``model.ubj``, ``log.jsonl`` and ``train.json``.
    threads : int
        Compute threads.

    Raises
    ------
    StepError
        If the examples are missing, or a checkpoint belongs to another recipe.
    """
    out.mkdir(parents=True, exist_ok=True)
    examples = Examples.load(prepared / "train.npz")
    identity = {"recipe": recipe.model_dump(mode="json"), "input": sha256(prepared / "train.npz")}
    data = xgboost.DMatrix(bags(examples, recipe.bins), nthread=threads)
    labels, known = examples.labels[examples.owner], examples.known[examples.owner]
    # The number of outputs is read off the labels; the loss itself comes from `objective`.
    data.set_info(label=labels)
    booster, done, seconds = _resume(out, identity)
    parameters = {
        "seed": recipe.seed,
        "nthread": threads,
        "tree_method": "hist",
        "base_score": json.dumps([0.0] * len(GENRES)),
        "num_target": len(GENRES),
        "learning_rate": recipe.learning_rate,
        "max_depth": recipe.max_depth,
        "min_child_weight": recipe.min_child_weight,
        "subsample": recipe.subsample,
        "colsample_bytree": recipe.colsample_bytree,
        "lambda": recipe.reg_lambda,
        "disable_default_eval_metric": True,
    }
    loss = objective(labels, known)
    while done < recipe.rounds:
        started = time.monotonic()
        rounds = min(recipe.checkpoint_rounds, recipe.rounds - done)
        # Each stretch has a seed of its own: the sampling of rows and columns must not repeat, nor depend on
        # whether the run was interrupted.
        booster = xgboost.train(
            {**parameters, "seed": recipe.seed + done}, data, rounds, obj=loss, xgb_model=booster
        )
        done += rounds
        spent = time.monotonic() - started
        seconds += spent
        _save(out, booster, identity, done, seconds)
        _log(out, booster, data, labels, known, done, recipe.rounds, seconds, spent / rounds)
    assert booster is not None  # noqa: S101 -- there is at least one round
    with replacing(out / BOOSTER) as temporary:
        temporary.write_bytes(bytes(booster.save_raw(raw_format="ubj")))
    write_json(
        out / "train.json",
        {
            "recipe": recipe.model_dump(mode="json"),
            "input": identity["input"],
            "rounds": recipe.rounds,
            "trees": recipe.rounds * len(GENRES),
            "texts": len(examples.texts),
            "seconds": round(seconds),
            "xgboost": xgboost.__version__,
        },
    )
    for name in (_CHECKPOINT, _PROGRESS):
        (out / name).unlink(missing_ok=True)


def _save(out: Path, booster: xgboost.Booster, identity: dict[str, Any], done: int, seconds: float) -> None:
    """Write a checkpoint: the booster first, then the line that vouches for it."""
    with replacing(out / _CHECKPOINT) as temporary:
        temporary.write_bytes(bytes(booster.save_raw(raw_format="ubj")))
    digest = sha256(out / _CHECKPOINT)
    write_json(out / _PROGRESS, {"identity": identity, "rounds": done, "seconds": seconds, "sha256": digest})


def _resume(out: Path, identity: dict[str, Any]) -> tuple[xgboost.Booster | None, int, float]:
    """Load the checkpoint, if there is a whole one: booster, rounds done, seconds spent."""
    progress, path = out / _PROGRESS, out / _CHECKPOINT
    if not progress.exists() or not path.exists():
        (out / LOG).unlink(missing_ok=True)
        return None, 0, 0.0
    state = json.loads(progress.read_text(encoding="utf-8"))
    if state["identity"] != identity:
        message = f"{path} belongs to another recipe or other examples; remove it to start over"
        raise StepError(message)
    if state["sha256"] != sha256(path):
        # Killed between the two writes: the booster is one stretch ahead of what is known of it.
        (out / LOG).unlink(missing_ok=True)
        return None, 0, 0.0
    logger.info("resumed at round %d", state["rounds"])
    return xgboost.Booster(model_file=bytearray(path.read_bytes())), state["rounds"], state["seconds"]


def _log(
    out: Path,
    booster: xgboost.Booster,
    data: xgboost.DMatrix,
    labels: npt.NDArray[np.uint8],
    known: npt.NDArray[np.uint8],
    done: int,
    total: int,
    seconds: float,
    per_round: float,
) -> None:
    """Append one line: training loss over the known labels, and how long it will take."""
    margin = booster.predict(data, output_margin=True)
    # log(1 + e^m) - y m, without overflow
    losses = np.logaddexp(0, margin) - labels * margin
    line = {
        "step": done,
        "of": total,
        "loss": round(float((losses * known).sum() / known.sum()), 5),
        "seconds": round(seconds, 1),
        "eta_seconds": round((total - done) * per_round),
    }
    log_progress(out, line)
