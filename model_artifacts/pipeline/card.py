"""The model card: how a version was made, what it is worth and where it ends, in the form that model hubs read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from genre_model.calibration import LONG, SHORT
from model_artifacts.pipeline.base_model import BASES, MINILM_BASE
from model_artifacts.pipeline.recipe import BertRecipe
from model_artifacts.pipeline.study.text import study_text

if TYPE_CHECKING:
    from model_artifacts.pipeline.recipe import Recipe, WideRecipe, XgboostRecipe

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
A genre is *selected* at or above its own threshold.{rule}

## Quality

Measured with the shipped file through `genre_model`, on {titles} validation titles, text alone but for the column that says otherwise:

{quality}

Thresholds and calibration were fitted on the same titles, which flatters.{held_out} The network's file has {megabytes:.1f} MB.

| text length in words | titles | micro-F1 |
|---|--:|--:|
{words}

| source of the title | titles | micro-F1 |
|---|--:|--:|
{sources}

![F1 per genre](report/genres.png)

![Calibration](report/calibration.png)

![Quality against text length](report/lengths.png)

![Genres together, and where the model says so too often or too seldom](report/cooccurrence.png)

![Training](report/training.png)

{study}## How it was made

{making}
Every choice stands in the recipe, `model_artifacts/pipeline/recipes/{model}-{version}.toml`; the registry holds it with the digests of the corpus.

## Data

Synopses and genres of {corpus_titles:,} films and shows. {data}
The texts are not part of this project; the weights are.

## Limits

- English only; trained on films and shows. On other text it answers all the same.
- Genres follow what the sources print, with their gaps: a source that never uses a label taught nothing about it.
- Length goes with genre in the data (documentaries have short blurbs, westerns long plots), and some of that is learned.
{limits}- It judges text, not films: a neutral blurb of a horror film may well be called a drama.
"""

_HELD_OUT: Final = (
    " *Held out* is the shipped file again, but calibrated on one half of the titles and\n"
    "measured on the other (the mean of eight such halves); with half the titles to calibrate on, it errs on the other side."
)
_SOURCES: Final = (
    "Sources and the licences they state: Wikipedia plots (CC BY-SA 3.0 and 4.0; most with genre labels\n"
    "from TMDB's API, for which no redistribution licence is stated), catalogue blurbs of Netflix, Prime Video, Hulu and Disney+\n"
    "(CC0 as stated by the uploader of the data sets)."
)
"""Of the corpus whose `prepare.json` did not list its sources yet."""

_ROWS: Final = (
    ("micro-F1", "micro_f1"),
    ("macro-F1", "macro_f1"),
    ("mean average precision", "mean_average_precision"),
    ("expected calibration error", "expected_calibration_error"),
)


def model_card(
    recipe: Recipe,
    *,
    metrics: dict[str, Any],
    training: dict[str, Any],
    corpus: dict[str, Any],
    calibrated: dict[str, Any],
    study: dict[str, Any] | None,
    teaching: dict[str, Any] | None = None,
) -> str:
    """Write the card, Markdown with YAML front matter.

    Parameters
    ----------
    metrics, training : dict
        What the steps `evaluate` and `train` wrote.
    corpus : dict
        What `prepare` wrote of the training file.
    calibrated : dict
        What `calibrate` wrote.
    study : dict or None
        The compression study of this very network, if there is one.
    teaching : dict or None
        What the step `teach` wrote, for a recipe with a section ``teacher``.
    """
    titles = corpus["titles"]
    own = (
        _bert_text(recipe, training, titles, teaching)
        if isinstance(recipe, BertRecipe)
        else _trees_text(recipe, training, titles)
    )
    if isinstance(recipe, BertRecipe) and recipe.wide is not None:
        more = _wide_text(recipe.wide, recipe.prepare.max_text_tokens)
        own = {name: text + more.get(name, "") for name, text in own.items()}
    return _CARD.format(
        **own,
        model=recipe.model,
        version=recipe.version,
        description=recipe.description,
        quality=_quality_table(metrics),
        titles=metrics["data"]["titles"],
        megabytes=metrics["network_size"] / 1e6,
        rule=_rule(calibrated),
        held_out=_HELD_OUT if "held_out" in metrics else "",
        words=_parts_table(metrics["words"]),
        sources=_parts_table(metrics["sources"]),
        data=_data_text(corpus),
        corpus_titles=titles,
        study="" if study is None else study_text(study),
    )


def _rule(calibrated: dict[str, Any]) -> str:
    """Say how thresholds and calibration were found, as far as that was written down."""
    rule, scale = calibrated.get("threshold_rule"), calibrated.get("length_scale")
    chosen = f" The thresholds were chosen together on the validation file, for the {rule}." if rule else ""
    if not scale:
        return chosen
    return (
        f"{chosen}\nWhat a text says for or against a genre counts by the text's length: {1 - scale:.2f} of it at {SHORT} word pieces and below, all of it\n"
        f"at {round((SHORT * LONG) ** 0.5)}, {1 + scale:.2f} times at {LONG:,} and above. So a short text gets fewer genres, in the mean as many as the short texts of the validation file have;\n"
        "a short blurb of a well-known film may have more."
    )


def _quality_table(metrics: dict[str, Any]) -> str:
    """Give the headline figures, beside float32 where that was measured."""
    columns = (
        [("INT8 (shipped)", metrics), ("float32", metrics["fp32"])]
        if "fp32" in metrics
        else [("shipped", metrics)]
    )
    if "held_out" in metrics:  # evaluations of format 1 lack it
        columns.insert(1, ("held out", metrics["held_out"]))
    columns.insert(1, ("with the title", metrics["with_title"]))
    names = {"deep": "its network alone", "wide": "its linear model alone"}
    columns += [(names[part], metrics["parts"][part]) for part in metrics.get("parts", {})]
    lines = [
        "| | " + " | ".join(name for name, _ in columns) + " |",
        "|---|" + "--:|" * len(columns),
        *(
            f"| {label} | " + " | ".join(f"{values[key]:.4f}" for _, values in columns) + " |"
            for label, key in _ROWS
        ),
    ]
    return "\n".join(lines)


def _parts_table(parts: dict[str, Any]) -> str:
    """Give the rows of titles and micro-F1 by part of the validation file."""
    return "\n".join(
        f"| {name} | {part['titles']} | {part['micro_f1']:.3f} |" for name, part in parts.items()
    )


def _data_text(corpus: dict[str, Any]) -> str:
    """Give the sources of the training texts and their licences, in the corpus's own words where `prepare` kept them."""
    if "sources" not in corpus:
        return _SOURCES
    rows = [
        f"| {entry['source']} | {entry['titles']:,} | {entry['licence'].replace('|', '/')} |"
        for entry in corpus["sources"]
    ]
    return "\n".join(
        [
            "The licences, as the corpus states them:\n",
            "| source | titles | licence |",
            "|---|--:|---|",
            *rows,
            "",
        ]
    )


def _bert_text(
    recipe: BertRecipe, training: dict[str, Any], titles: int, teaching: dict[str, Any] | None
) -> dict[str, str]:
    """Give the parts of the card that only the transformer has."""
    windows, tokens = recipe.serve.max_windows, recipe.serve.window_tokens
    return {
        "front": f"base_model: {MINILM_BASE.model}\n",
        "use": (
            "Reads an English plot or blurb of any length and gives a calibrated probability for each of 18 genres (TMDB's film\n"
            f"taxonomy). Text beyond {tokens} word pieces is read in at most {windows} evenly spread windows whose logits are averaged."
        ),
        "making": (
            f"Base: `{MINILM_BASE.model}` ({MINILM_BASE.licence}), from the package `{MINILM_BASE.packages}`. Fine-tuned for {training['steps']:,} steps of "
            f"{recipe.train.batch_size} views ({training['views']:,}\nviews of {titles:,} titles, {round(training['seconds'] / 60)} minutes"
            f"{_machine(training)}); mean pooling and one linear layer; binary cross-entropy, masked where\na source never states a label. Quantized "
            "dynamically to INT8 with signed weights within 7 bits, so that no x86 processor saturates."
            + _start(recipe)
            + _teaching(recipe, teaching)
            + _togetherness(recipe)
            + _schedules(training)
        ),
        "limits": f"- Very long texts are sampled, not read whole: at most {windows} windows of {tokens} word pieces.\n",
    }


def _machine(training: dict[str, Any]) -> str:
    """Say what a training ran on, as far as it wrote that down."""
    device, threads = training.get("device", "CPU"), training.get("threads")
    if device != "CPU":
        return f" on one {device}"
    return "" if threads is None else f" on a CPU, threads: {threads}"


def _teaching(recipe: BertRecipe, teaching: dict[str, Any] | None) -> str:
    teacher = recipe.teacher
    if teacher is None or teaching is None:
        return ""
    fold, found = teaching["folds"][0], teaching["quality"]["validation"]
    beside = (
        f", with {teacher.wide_weight:g} times the linear model's logits beside them"
        if teacher.wide_weight
        else ""
    )
    return (
        f"\nIt was taught by {teacher.folds} networks of {teacher.layers} layer{'' if teacher.layers == 1 else 's'} that began as `{BASES[teacher.base].model}` and were each trained without a part of the titles "
        f"({fold['steps']:,} steps, {round(fold['seconds'] / 60)} minutes{_machine(fold)}):\nwhat they say of the titles that they had not seen, titles in front{beside}, has a weight of "
        f"{recipe.answers_share:g} in the targets, the labels the rest. Together they reach micro-F1 {found['micro_f1']:.3f} and mAP {found['mean_average_precision']:.3f}\n"
        "on the validation titles, given text and title. Where a label is masked, their answers stand alone."
    )


def _start(recipe: BertRecipe) -> str:
    distil = recipe.distil
    if distil is None:
        return ""
    layers = ", ".join(str(layer + 1) for layer in distil.start_layers)
    if not distil.soft_share:
        kept = (
            f" What it ended with is the mean of these, by {distil.start_share:g}, and of the trained weights."
            if distil.start_share is not None
            else ""
        )
        return f"\nIt began with layers {layers} of the {distil.teacher_layers} of {distil.teacher}, and not with the base's own weights.{kept}"
    return (
        f"\nIt began with layers {layers} of the {distil.teacher_layers} of {distil.teacher}, whose probabilities have "
        f"a weight of {distil.soft_share:g} in its targets, the labels the rest; where a label is masked, they stand alone."
    )


def _togetherness(recipe: BertRecipe) -> str:
    joint = recipe.joint
    if joint is None:
        return ""
    return (
        f"\nIt was trained on what is served: the loss is that of the mean over up to {joint.windows} windows of a text, with {joint.wide_weight:g} times the logits of\n"
        f"the linear model added, which came from one of {joint.folds} fits that had not seen the title."
    )


def _schedules(training: dict[str, Any]) -> str:
    """Say which steps followed another schedule than the recipe's."""
    return "".join(
        f"\nThe schedule was that of {change['epochs_before']:g} passes up to step {change['after_step']:,}, and the recipe's after it."
        for change in training.get("rescheduled", [])
    )


def _wide_text(recipe: WideRecipe, tokens: int) -> dict[str, str]:
    """Give what the card of a transformer says of the linear model beside it, by the part it goes to the end of."""
    return {
        "use": (
            "\nA linear model reads the word pieces of the text and their neighbouring pairs beside it, and its logits are added with a fixed weight:\n"
            "the network generalises, the linear model remembers words."
        ),
        "making": (
            f" The linear model: logistic regression\non TF-IDF of the {recipe.features:,} word pieces and pairs that the most texts hold, fitted to the same "
            "texts and labels by L-BFGS, rounded to INT8."
        ),
        "limits": f"- The linear model reads the first {tokens:,} word pieces of a text and no title.\n",
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
