"""Step 5 of the transformer, wide: a linear model over word-piece n-grams, to stand beside the network.

One-vs-rest logistic regression with an L2 penalty on TF-IDF, all 18 labels in one L-BFGS run. A label that a source never states counts
nothing there (see `prepare.absent_labels`). Nothing is drawn at random: the same examples give the same file. It takes minutes, so an
interrupted run begins anew.
"""

from __future__ import annotations

import io
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.optimize import minimize

from genre_model.wide import WideScorer, WideTable
from model_artifacts.pipeline.errors import StepError
from model_artifacts.pipeline.examples import Examples
from model_artifacts.pipeline.files import replacing, sha256, write_json
from model_artifacts.pipeline.logistic import Loss
from model_artifacts.pipeline.metrics import mean_average_precision
from model_artifacts.pipeline.ngrams import choose_vocabulary, count_ngrams, design, weigh
from model_artifacts.pipeline.progress import LOG, log_progress

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt
    from scipy.sparse import csr_matrix

    from model_artifacts.pipeline.recipe import WideRecipe

    Matrix = npt.NDArray[np.float32]

logger = logging.getLogger(__name__)

WIDE_NAME: Final = "wide.bin"
FLOAT_LOGITS_NAME: Final = "validation.npy"
"""float32 ``[titles, 18]``: what the weights say of the validation titles before they are rounded."""
INT8_LIMIT: Final = 127
_CORRECTIONS: Final = 10
"""Steps that L-BFGS remembers."""


def quantized(
    weights: Matrix,
    intercept: Matrix,
    vocabulary: npt.NDArray[np.uint32],
    idf: npt.NDArray[np.float16],
) -> WideTable:
    """Round each label's weights to int8 steps of its largest one."""
    largest = np.abs(weights).max(0)
    # A label whose weights are all 0, or next to it, still needs a step above 0.
    step = np.maximum(largest / INT8_LIMIT, np.finfo(np.float32).tiny).astype(np.float32)
    rounded = np.clip(np.rint(weights / step), -INT8_LIMIT, INT8_LIMIT).astype(np.int8)
    return WideTable(step=step, intercept=intercept, keys=vocabulary, idf=idf, weights=rounded)


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted linear model: weights float32 ``[n, 18]``, intercept float32 ``[18]``, and how the fit ended."""

    weights: Matrix
    intercept: Matrix
    iterations: int
    loss: float


def fit_linear(
    rows: csr_matrix,
    labels: Matrix,
    known: Matrix,
    recipe: WideRecipe,
    progress: Callable[[Any], None] | None = None,
) -> Fit:
    """Fit the linear model to weighed texts.

    Parameters
    ----------
    rows : csr_matrix
        float32 ``[texts, n]``, as `design` gives it.
    labels, known : ndarray
        float32 ``[texts, 18]``.
    recipe : WideRecipe
        Penalty and iterations.
    progress : callable or None
        Called by SciPy after each iteration.
    """
    loss = Loss(rows, labels, known, recipe.l2)
    found = minimize(
        loss,
        loss.start(),
        jac=True,
        method="L-BFGS-B",
        callback=progress,
        options={"maxiter": recipe.iterations, "maxcor": _CORRECTIONS, "maxfun": 2 * recipe.iterations},
    )
    return Fit(*loss.split(found.x), int(found.nit), float(found.fun))


def weigh_texts(
    examples: Examples, recipe: WideRecipe, prepared: Path
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.float16], csr_matrix]:
    """Choose the n-grams of the training texts and weigh them: vocabulary, idf and rows, see `ngrams`.

    Raises
    ------
    StepError
        If no text holds a word piece.
    """
    owner, keys, counts = count_ngrams(examples.texts, recipe.ngrams)
    if not len(keys):
        message = f"{prepared / 'train.npz'} holds no word piece: there is nothing to fit a linear model to"
        raise StepError(message)
    vocabulary, idf = choose_vocabulary(keys, len(examples.texts), recipe.features)
    rows = weigh(owner, keys, counts, vocabulary, idf, len(examples.texts))
    logger.info("%d n-grams of %d texts", len(vocabulary), len(examples.texts))
    return vocabulary, idf, rows


def fit_wide(*, prepared: Path, out: Path, recipe: WideRecipe) -> None:
    """Run the step.

    Parameters
    ----------
    prepared : Path
        The folder of the step `prepare`.
    out : Path
        The step's folder; gets ``wide.bin`` (see `genre_model.wide`), ``validation.npy`` (`FLOAT_LOGITS_NAME`), ``log.jsonl`` (loss by
        iteration) and ``wide.json``.

    Raises
    ------
    StepError
        If the examples are missing or damaged, or no text holds a word piece.
    """
    out.mkdir(parents=True, exist_ok=True)
    (out / LOG).unlink(missing_ok=True)
    started = time.monotonic()
    examples = Examples.load(prepared / "train.npz")
    vocabulary, idf, rows = weigh_texts(examples, recipe, prepared)
    labels, known = (a[examples.owner].astype(np.float32) for a in (examples.labels, examples.known))
    fit = fit_linear(rows, labels, known, recipe, _Progress(out, recipe.iterations))
    weights, intercept = fit.weights, fit.intercept
    table = quantized(weights, intercept, vocabulary, idf)
    in_float, validation = _validate(prepared, recipe, weights, intercept, table)
    content = table.to_bytes()
    for name, payload in ((WIDE_NAME, content), (FLOAT_LOGITS_NAME, _npy(in_float))):
        with replacing(out / name) as temporary:
            temporary.write_bytes(payload)
    write_json(
        out / "wide.json",
        {
            "recipe": recipe.model_dump(mode="json"),
            "input": {"train.npz": sha256(prepared / "train.npz")},
            "features": len(vocabulary),
            "texts": len(examples.texts),
            "iterations": fit.iterations,
            "loss": round(fit.loss, 5),
            "seconds": round(time.monotonic() - started),
            "size": len(content),
            "validation": validation,
        },
    )


def _validate(
    prepared: Path, recipe: WideRecipe, weights: Matrix, intercept: Matrix, table: WideTable
) -> tuple[Matrix, dict[str, Any]]:
    """Give the float logits of the validation titles, and what int8 costs the linear model alone."""
    examples = Examples.load(prepared / "validation.npz")
    main = np.flatnonzero(examples.is_main)
    labels = examples.labels[examples.owner[main]]
    in_float = (design(examples.texts, table.keys, table.idf, recipe.ngrams) @ weights + intercept)[main]
    scorer = WideScorer(table, ngrams=recipe.ngrams, max_tokens=int(examples.texts.lengths.max()))
    served = scorer.logits([examples.texts[row].tolist() for row in main.tolist()])
    precision = {
        "float32": round(mean_average_precision(in_float, labels), 5),
        "int8": round(mean_average_precision(served, labels), 5),
    }
    logger.info("mean average precision alone: %s", precision)
    change = float(np.abs(served - in_float).max())
    cost = {"mean_average_precision": precision, "largest_change_of_a_logit": round(change, 5)}
    return in_float.astype(np.float32), cost


def _npy(array: Matrix) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


class _Progress:
    """Appends a line to the log after each iteration."""

    def __init__(self, folder: Path, total: int) -> None:
        self._folder, self._total = folder, total
        self._started, self._done = time.monotonic(), 0

    def __call__(self, intermediate_result: Any) -> None:  # noqa: ANN401 -- scipy looks for this very name
        self._done += 1
        line = {
            "step": self._done,
            "of": self._total,
            "loss": round(float(intermediate_result.fun), 5),
            "seconds": round(time.monotonic() - self._started, 1),
        }
        log_progress(self._folder, line)
