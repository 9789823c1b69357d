"""Step 7, report: the figures as plots and as a model card, from what the steps before wrote down."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from model_artifacts.pipeline.base_model import BASE_MODEL, BASE_PACKAGE
from model_artifacts.pipeline.errors import StepError
from model_artifacts.pipeline.files import replacing, write_json
from model_artifacts.pipeline.recipe import BertRecipe
from model_artifacts.registry import CARD_NAME

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from model_artifacts.pipeline.recipe import Recipe, XgboostRecipe

LOG: Final = "log.jsonl"


def _read(path: Path, step: str) -> Any:  # noqa: ANN401 -- any JSON value
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        message = f"{path} is missing or damaged ({error}): run the step `{step}`"
        raise StepError(message) from error


def _save(draw: Any, path: Path, size: tuple[float, float]) -> None:  # noqa: ANN401 -- a function of Axes
    """Draw one plot into a PNG without a display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 -- slow import
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    draw(figure.subplots())
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110, metadata={"Software": None})


def _plot_training(log: list[dict[str, float]]) -> Any:  # noqa: ANN401
    def draw(axes: Axes) -> None:
        lines = [line for line in log if line.get("loss") is not None]
        axes.plot([v["step"] for v in lines], [v["loss"] for v in lines], lw=1, label="training loss")
        axes.set(xlabel="step or round", ylabel="binary cross-entropy", title="Training")
        axes.legend(loc="upper right")
        monitored = [line for line in log if "monitor_map" in line]
        if not monitored:
            return
        right = axes.twinx()
        right.plot(
            [v["step"] for v in monitored],
            [v["monitor_map"] for v in monitored],
            "o-",
            color="C1",
            label="monitored mAP",
        )
        right.set_ylabel("mAP, first window of the monitored titles")
        right.legend(loc="center right")

    return draw


def _plot_genres(metrics: dict[str, Any]) -> Any:  # noqa: ANN401
    def draw(axes: Axes) -> None:
        genres = sorted(metrics["genres"].items(), key=lambda item: item[1]["f1"])
        axes.barh([name for name, _ in genres], [value["f1"] for _, value in genres])
        for row, (_, value) in enumerate(genres):
            axes.text(value["f1"] + 0.01, row, f"{value['titles']}", va="center", fontsize=8)
        axes.set(xlim=(0, 1), xlabel="F1 (titles that have the genre beside the bar)", title="F1 per genre")

    return draw


def _plot_calibration(probabilities: Any, labels: Any) -> Any:  # noqa: ANN401 -- arrays [titles, 18]
    def draw(axes: Axes) -> None:
        p, y = probabilities.ravel(), labels.ravel()
        cell = np.minimum((p * 15).astype(int), 14)
        used = [c for c in range(15) if (cell == c).any()]
        axes.plot([0, 1], [0, 1], ls=":", color="grey")
        axes.plot([p[cell == c].mean() for c in used], [y[cell == c].mean() for c in used], "o-")
        axes.set(
            xlabel="mean probability", ylabel="share that has the genre", title="Calibration, all labels"
        )

    return draw


_CARD: Final = """\
---
language: en
license: apache-2.0
{front}pipeline_tag: text-classification
tags: [multi-label, onnx, movies]
---

# {model} {version}

{description}.

## What it does

{use}
A genre is *selected* at or above its own threshold, which was chosen for the best F1 on the validation file.

## Quality

Measured with the shipped file through `genre_model`, on {titles} validation titles, text alone:

{quality}

Thresholds and calibration were fitted on the same titles, so these figures flatter a little. The network's file has {megabytes:.1f} MB.

| text length in words | titles | micro-F1 |
|---|--:|--:|
{words}

![F1 per genre](report/genres.png)

![Calibration](report/calibration.png)

![Training](report/training.png)

## How it was made

{making}
Every choice stands in the recipe, `model_artifacts/pipeline/recipes/{model}-{version}.toml`; the registry holds it with the digests of the corpus.

## Data

Synopses and genres of {corpus_titles:,} films and shows. Sources and the licences they state: Wikipedia plots (CC BY-SA 3.0 and 4.0; most with genre labels
from TMDB), catalogue blurbs of Netflix, Prime Video, Hulu and Disney+ (CC0 as stated by the uploader of the data sets).
The texts are not part of this project; the weights are.

## Limits

- English only; trained on films and shows. On other text it answers all the same.
- Genres follow what catalogues and Wikipedia print, with their gaps: a source that never uses a label taught nothing about it.
- Length goes with genre in the data (documentaries have short blurbs, westerns long plots), and some of that is learned.
{limits}- It judges text, not films: a neutral blurb of a horror film may well be called a drama.
"""

_ROWS: Final = (
    ("micro-F1", "micro_f1"),
    ("macro-F1", "macro_f1"),
    ("mean average precision", "mean_average_precision"),
    ("expected calibration error", "expected_calibration_error"),
)


def _quality_table(metrics: dict[str, Any]) -> str:
    """Give the headline figures, beside float32 where that was measured."""
    columns = (
        [("INT8 (shipped)", metrics), ("float32", metrics["fp32"])]
        if "fp32" in metrics
        else [("shipped", metrics)]
    )
    lines = [
        "| | " + " | ".join(name for name, _ in columns) + " |",
        "|---|" + "--:|" * len(columns),
        *(
            f"| {label} | " + " | ".join(f"{values[key]:.4f}" for _, values in columns) + " |"
            for label, key in _ROWS
        ),
    ]
    return "\n".join(lines)


def _bert_text(recipe: BertRecipe, training: dict[str, Any], titles: int) -> dict[str, str]:
    """Give the parts of the card that only the transformer has."""
    windows, tokens = recipe.serve.max_windows, recipe.serve.window_tokens
    return {
        "front": f"base_model: {BASE_MODEL}\n",
        "use": (
            "Reads an English plot or blurb of any length and gives a calibrated probability for each of 18 genres (TMDB's film\n"
            f"taxonomy). Text beyond {tokens} word pieces is read in at most {windows} evenly spread windows whose logits are averaged."
        ),
        "making": (
            f"Base: `{BASE_MODEL}` (Apache-2.0), from the package `{BASE_PACKAGE}`. Fine-tuned for {training['steps']:,} steps of "
            f"{recipe.train.batch_size} views ({training['views']:,}\nviews of {titles:,} titles, {round(training['seconds'] / 60)} minutes on two "
            "CPU cores); mean pooling and one linear layer; binary cross-entropy, masked where\na source never states a label. Quantized "
            "dynamically to INT8 with signed weights within 7 bits, so that no x86 processor saturates."
        ),
        "limits": f"- Very long texts are sampled, not read whole: at most {windows} windows of {tokens} word pieces.\n",
    }


def _trees_text(recipe: XgboostRecipe, training: dict[str, Any], titles: int) -> dict[str, str]:
    """Give the parts of the card that only the tree model has."""
    return {
        "front": "",
        "use": (
            "Reads an English plot or blurb of any length as a bag of word pieces and gives a calibrated probability for each of 18\n"
            "genres (TMDB's film taxonomy). It is the classical model beside the transformer: less accurate, indifferent to length."
        ),
        "making": (
            f"XGBoost {training['xgboost']}: {training['trees']:,} trees of depth {recipe.trees.max_depth} ({training['rounds']} rounds, one tree per label "
            f"and round) on word pieces hashed to\n{recipe.trees.bins:,} columns, {training['texts']:,} texts of {titles:,} titles, "
            f"{max(1, round(training['seconds'] / 60))} minutes; logistic loss, masked where a source never states a label.\n"
            "Converted to one ONNX tree ensemble, held against XGBoost's own probabilities within 1e-4."
        ),
        "limits": "- The order of words is lost on it: who did what to whom does not matter to it.\n",
    }


def report(*, run: Path, artifact: Path, recipe: Recipe) -> None:
    """Write ``report/`` (plots, ``metrics.json``) and ``MODEL_CARD.md`` into the artifact.

    Raises
    ------
    StepError
        If a step before has not written its figures.
    """
    metrics = _read(run / "evaluate" / "metrics.json", "evaluate")
    training = _read(run / "train" / "train.json", "train")
    prepared = _read(run / "prepare" / "prepare.json", "prepare")
    log = [json.loads(line) for line in (run / "train" / LOG).read_text(encoding="utf-8").splitlines()]
    with np.load(run / "evaluate" / "probabilities.npz") as arrays:
        probabilities, labels = arrays["probabilities"], arrays["labels"]
    folder = artifact / "report"
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "metrics.json", metrics)
    _save(_plot_training(log), folder / "training.png", (8, 4))
    _save(_plot_genres(metrics), folder / "genres.png", (7, 5))
    _save(_plot_calibration(probabilities, labels), folder / "calibration.png", (5, 5))
    titles = prepared["corpus"]["train"]["titles"]
    own = (
        _bert_text(recipe, training, titles)
        if isinstance(recipe, BertRecipe)
        else _trees_text(recipe, training, titles)
    )
    card = _CARD.format(
        **own,
        model=recipe.model,
        version=recipe.version,
        description=recipe.description,
        quality=_quality_table(metrics),
        titles=metrics["data"]["titles"],
        megabytes=metrics["network_size"] / 1e6,
        words="\n".join(
            f"| {bucket} | {value['titles']} | {value['micro_f1']:.3f} |"
            for bucket, value in metrics["words"].items()
        ),
        corpus_titles=titles,
    )
    with replacing(artifact / CARD_NAME) as temporary:
        temporary.write_text(card, encoding="utf-8")
