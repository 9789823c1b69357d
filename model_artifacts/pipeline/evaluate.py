"""Step 6, evaluate: what the finished artifact is worth, measured through `genre_model` as a function would run it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from genre_model import GENRES, Document, GenreModel
from model_artifacts.pipeline.arrays import load_array
from model_artifacts.pipeline.artifact import TOKENIZER_NAME, network_name, served_size, write_draft
from model_artifacts.pipeline.calibrate import label_matrix
from model_artifacts.pipeline.combine import combined, fit_weights
from model_artifacts.pipeline.corpus import read_titles
from model_artifacts.pipeline.files import sha256, write_json
from model_artifacts.pipeline.held_out import best_quality, held_out_quality
from model_artifacts.pipeline.metrics import (
    average_precision,
    f1_per_label,
    micro_f1,
    quality,
)
from model_artifacts.pipeline.wide import FLOAT_LOGITS_NAME

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from model_artifacts.pipeline.corpus import Title
    from model_artifacts.pipeline.recipe import Recipe

logger = logging.getLogger(__name__)

ENDLESS: Final = 10**9
WORD_BUCKETS: Final = ((0, 40), (40, 150), (150, 400), (400, ENDLESS))
"""Text lengths in words, half-open: catalogue blurbs, short, medium and long plots."""


def word_counts(titles: list[Title]) -> npt.NDArray[np.int64]:
    """Count the words of each title's text, int64 ``[titles]``."""
    return np.array([len(title.texts[0].split()) for title in titles], np.int64)


def breakdown(
    titles: list[Title],
    probabilities: npt.NDArray[np.floating[Any]],
    thresholds: npt.NDArray[np.floating[Any]],
    labels: npt.NDArray[np.uint8],
) -> dict[str, Any]:
    """Give the figures per genre, per source and per text length."""
    selected = probabilities >= thresholds
    f1, precision = f1_per_label(selected, labels), average_precision(probabilities, labels)
    sources = np.array([title.source for title in titles])
    return {
        "genres": {
            genre: {
                "titles": int(labels[:, i].sum()),
                "selected": int(selected[:, i].sum()),
                "f1": float(f1[i]),
                "average_precision": float(precision[i]) if labels[:, i].any() else None,
            }
            for i, genre in enumerate(GENRES)
        },
        "sources": {str(source): _part(selected, labels, sources == source) for source in np.unique(sources)},
        "words": by_words(selected, labels, word_counts(titles)),
    }


def by_words(
    selected: npt.NDArray[np.bool_], labels: npt.NDArray[np.uint8], words: npt.NDArray[np.int64]
) -> dict[str, dict[str, float]]:
    """Give titles and micro-F1 of each of `WORD_BUCKETS` that holds any; ``words`` is int64 ``[titles]``."""
    found = {}
    for low, high in WORD_BUCKETS:
        rows = (words >= low) & (words < high)
        if rows.any():
            name = f"{low} to {high - 1}" if high < ENDLESS else f"{low} or more"
            found[name] = _part(selected, labels, rows)
    return found


def _part(
    selected: npt.NDArray[np.bool_], labels: npt.NDArray[np.uint8], rows: npt.NDArray[np.bool_]
) -> dict[str, float]:
    return {"titles": int(rows.sum()), "micro_f1": micro_f1(selected[rows], labels[rows])}


def evaluate(
    *,
    corpus_file: Path,
    artifact: Path,
    reference: Path | None,
    reference_wide: Path | None = None,
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
    artifact : Path
        The finished artifact that `calibrate` wrote.
    reference : Path or None
        The same network in float32, to say what quantization costs; None where there is none. It gets a calibration
        and thresholds of its own, so that the comparison is fair to it.
    reference_wide : Path or None
        The folder of the step `wide`, for a network that has a linear model beside it: the reference gets that model in float32,
        with a weight of its own. Both parts are then measured alone as well.
    out : Path
        The step's folder; gets ``metrics.json`` and ``probabilities.npz``: ``probabilities`` (float32), ``labels`` (uint8) and
        ``selected`` (bool), each ``[titles, 18]``, and ``words`` (int64 ``[titles]``).

    Raises
    ------
    ArtifactError, CorpusError, StepError
        If an input is missing or damaged.
    """
    titles = list(read_titles(corpus_file, skip_bad_lines=skip_bad_lines))
    labels, words = label_matrix(titles), word_counts(titles)
    model = GenreModel.load(artifact, threads=threads)
    documents = [Document(title.texts[0]) for title in titles]
    parts = model.parts(documents)
    probabilities = model.calibrate(model.combine(parts), parts.pieces)
    titled = model.predict([Document(title.texts[0], title.title) for title in titles])

    measured = quality(probabilities, model.thresholds, labels)
    compared: dict[str, Any] = {}
    if reference is not None:
        write_draft(out / "fp32", recipe=recipe, network=reference, tokenizer=artifact / TOKENIZER_NAME)
        in_float = GenreModel.load(out / "fp32", threads=threads).parts(documents)
        weights = None
        if reference_wide is not None:
            beside = load_array(reference_wide / FLOAT_LOGITS_NAME, "wide")
            weights = fit_weights(in_float.deep, beside, labels)
            in_float = in_float._replace(wide=beside)
        compared["fp32"] = best_quality(combined(in_float, weights), parts.pieces, labels)
        compared["int8_loss"] = {
            name: compared["fp32"][name] - measured[name] for name in ("micro_f1", "macro_f1")
        }
    if parts.wide is not None:
        compared["parts"] = {
            name: best_quality(logits, parts.pieces, labels)
            for name, logits in (("deep", parts.deep), ("wide", parts.wide))
        }
    out.mkdir(parents=True, exist_ok=True)
    np.savez(
        out / "probabilities.npz",
        probabilities=probabilities,
        labels=labels,
        selected=probabilities >= model.thresholds,
        words=words,
    )
    write_json(
        out / "metrics.json",
        {
            "data": {
                "file": corpus_file.name,
                "sha256": sha256(corpus_file),
                "titles": len(titles),
            },
            "network_size": (artifact / network_name(artifact)).stat().st_size,
            "artifact_size": served_size(artifact),
            **measured,
            "held_out": held_out_quality(parts, labels),
            "with_title": {
                **quality(titled, model.thresholds, labels),
                "words": by_words(titled >= model.thresholds, labels, words),
            },
            **compared,
            **breakdown(titles, probabilities, model.thresholds, labels),
        },
    )
    logger.info("%s", "  ".join(f"{name} {value:.4f}" for name, value in measured.items()))
