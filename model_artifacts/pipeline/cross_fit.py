"""Step before a joint training, cross-fit: what the linear model says of texts whose titles it has not seen.

The titles are dealt into folds; each fold's texts get the logits of a fit to all others. A network that is trained beside these
learns to correct the linear model as it will be met when it serves, and not as it knows its own training texts. Interrupted, it begins
anew: it takes a minute or two.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

import numpy as np

from model_artifacts.pipeline.examples import Examples
from model_artifacts.pipeline.files import replacing, sha256, write_json
from model_artifacts.pipeline.metrics import mean_average_precision
from model_artifacts.pipeline.ngrams import design
from model_artifacts.pipeline.progress import LOG, log_progress
from model_artifacts.pipeline.wide import fit_linear, weigh_texts

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from model_artifacts.pipeline.recipe import JointRecipe, WideRecipe

logger = logging.getLogger(__name__)

TRAIN: Final = "train.npy"
VALIDATION: Final = "validation.npy"


def cross_fit(*, prepared: Path, out: Path, recipe: JointRecipe, wide: WideRecipe) -> None:
    """Run the step.

    Parameters
    ----------
    prepared : Path
        The folder of the step `prepare`.
    out : Path
        The step's folder; gets ``train.npy`` (float32 ``[texts, 18]``, logits less their intercepts, each from the fit
        that did not see the text's title), ``validation.npy`` (the same of the validation texts: the mean of all fits),
        ``log.jsonl`` and ``cross-fit.json``.
    recipe : JointRecipe
        Number of folds and the seed that deals them.
    wide : WideRecipe
        The linear model.

    Raises
    ------
    StepError
        If the examples are missing or damaged, or no text holds a word piece.
    """
    out.mkdir(parents=True, exist_ok=True)
    (out / LOG).unlink(missing_ok=True)
    started = time.monotonic()
    examples, validation = (Examples.load(prepared / f"{split}.npz") for split in ("train", "validation"))
    vocabulary, idf, rows = weigh_texts(examples, wide, prepared)
    asked = design(validation.texts, vocabulary, idf, wide.ngrams)
    labels, known = (a[examples.owner].astype(np.float32) for a in (examples.labels, examples.known))
    fold = deal(len(examples.titles), recipe.folds, recipe.seed)[examples.owner]
    found = np.zeros_like(labels)
    answers = np.zeros((asked.shape[0], labels.shape[1]), np.float32)
    for number in range(recipe.folds):
        seen = fold != number
        fit = fit_linear(rows[seen], labels[seen], known[seen], wide)
        found[~seen] = rows[~seen] @ fit.weights
        answers += asked @ fit.weights / np.float32(recipe.folds)
        line = {"step": number + 1, "of": recipe.folds, "loss": round(fit.loss, 5)}
        log_progress(out, line | {"seconds": round(time.monotonic() - started, 1)})
    for name, logits in ((TRAIN, found), (VALIDATION, answers)):
        with replacing(out / name) as temporary, temporary.open("wb") as stream:
            np.save(stream, logits.astype(np.float32))
    main = examples.is_main
    write_json(
        out / "cross-fit.json",
        {
            "recipe": recipe.model_dump(mode="json"),
            "wide": wide.model_dump(mode="json"),
            "input": {"train.npz": sha256(prepared / "train.npz")},
            "mean_average_precision": round(
                mean_average_precision(found[main], examples.labels[examples.owner[main]]), 5
            ),
            "seconds": round(time.monotonic() - started),
        },
    )


def deal(titles: int, folds: int, seed: int) -> npt.NDArray[np.int64]:
    """Give each title the number of its fold, int64 ``[titles]``: at random, all folds equally large but for one title."""
    return np.random.default_rng(seed).permutation(titles) % folds
