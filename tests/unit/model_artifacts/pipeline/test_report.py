"""What the model card says, from figures of before and of now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from genre_model import GENRES
from model_artifacts.pipeline.errors import StepError
from model_artifacts.pipeline.files import write_json
from model_artifacts.pipeline.recipe import BertRecipe, JointRecipe, TeacherRecipe, WideRecipe
from model_artifacts.pipeline.report import report
from model_artifacts.registry import CARD_NAME
from tests.support.artifacts import write_tiny_artifact

if TYPE_CHECKING:
    from pathlib import Path

QUALITY = {
    "micro_f1": 0.61,
    "macro_f1": 0.52,
    "mean_average_precision": 0.53,
    "expected_calibration_error": 0.01,
}
PART = {"titles": 8, "micro_f1": 0.4321}
METRICS: dict[str, Any] = {
    "data": {"file": "validation.jsonl", "sha256": "d", "titles": 8},
    "network_size": 1_000_000,
    **QUALITY,
    "with_title": {**QUALITY, "micro_f1": 0.6321},
    "genres": {genre: {"titles": 2, "selected": 2, "f1": 0.5, "average_precision": 0.5} for genre in GENRES},
    "sources": {"netflix": PART},
    "words": {"0 to 39": PART},
}
RECIPE = BertRecipe(model="genre-bert", version="1.0.0", description="A test")
TRAINING = {"steps": 10, "views": 80, "seconds": 600}


def card(
    root: Path,
    *,
    metrics: dict[str, Any] | None = None,
    training: dict[str, Any] | None = None,
    calibrated: dict[str, Any] | None = None,
    corpus: dict[str, Any] | None = None,
    recipe: BertRecipe = RECIPE,
) -> str:
    """Write the report of a run whose figures are those of before, and more where given."""
    artifact = write_tiny_artifact(root / "artifact")
    write_json(root / "evaluate" / "metrics.json", {**METRICS, **(metrics or {})})
    write_json(root / "train" / "train.json", {**TRAINING, **(training or {})})
    write_json(root / "calibrate" / "calibrate.json", {"titles": 8, **(calibrated or {})})
    write_json(root / "prepare" / "prepare.json", {"corpus": {"train": {"titles": 1234, **(corpus or {})}}})
    (root / "train" / "log.jsonl").write_text('{"step": 10, "of": 10, "loss": 0.2, "monitor_map": 0.5}\n')
    rng = np.random.default_rng(0)
    probabilities = rng.random((8, len(GENRES)), dtype=np.float32)
    np.savez(
        root / "evaluate" / "probabilities.npz",
        probabilities=probabilities,
        labels=(rng.random(probabilities.shape) < 0.5).astype(np.uint8),
        selected=probabilities >= 0.5,
        words=np.arange(8),
    )
    report(run=root, artifact=artifact, recipe=recipe)
    return (artifact / CARD_NAME).read_text()


def test_figures_of_before_leave_out_what_nobody_wrote_down(tmp_path: Path) -> None:
    text = card(tmp_path)

    assert "held out" not in text.lower()
    assert "thresholds were chosen" not in text
    assert "10 minutes); mean pooling" in text
    assert "for which no redistribution licence is stated" in text


def test_the_card_says_how_it_was_trained_calibrated_and_measured(tmp_path: Path) -> None:
    text = card(
        tmp_path,
        metrics={"held_out": {**QUALITY, "micro_f1": 0.5876}},
        training={"threads": 3},
        calibrated={"threshold_rule": "best guess"},
    )

    assert "| | shipped | with the title | held out |" in text
    assert "| micro-F1 | 0.6100 | 0.6321 | 0.5876 |" in text
    assert "*Held out* is the shipped file again" in text
    assert "10 minutes on a CPU, threads: 3); mean pooling" in text
    assert "chosen together on the validation file, for the best guess." in text


def test_the_card_says_how_a_texts_length_counts(tmp_path: Path) -> None:
    assert "counts by the text's length" not in card(tmp_path, calibrated={"length_scale": 0.0})

    text = card(tmp_path, calibrated={"length_scale": 0.14})

    assert "counts by the text's length: 0.86 of it at 16 word pieces" in text
    assert "at 128, 1.14 times at 1,024 and above" in text


def test_the_card_says_what_stood_beside_the_network_in_training(tmp_path: Path) -> None:
    assert "trained on what is served" not in card(tmp_path)
    joint = RECIPE.model_copy(update={"wide": WideRecipe(), "joint": JointRecipe(windows=4, folds=7)})

    text = card(tmp_path, recipe=joint)

    assert "the mean over up to 4 windows of a text, with 0.6 times the logits" in text
    assert "one of 7 fits that had not seen the title" in text


def test_the_card_says_who_taught_it_and_on_what_it_was_trained(tmp_path: Path) -> None:
    teacher = TeacherRecipe(layers=7, folds=5, wide_weight=0.25)
    taught = RECIPE.model_copy(update={"teacher": teacher, "answers_share": 0.85})
    fold = {"steps": 1500, "seconds": 120, "device": "Quick Processor"}
    write_json(
        tmp_path / "teach" / "teach.json",
        {"quality": {"validation": {**QUALITY, "micro_f1": 0.7654}}, "folds": [fold] * 5},
    )

    text = card(tmp_path, recipe=taught, training={"device": "CPU", "threads": 2})

    assert "10 minutes on a CPU, threads: 2); mean pooling" in text
    assert "taught by 5 networks of 7 layers that began as `sentence-transformers/all-mpnet-base-v2`" in text
    assert "(1,500 steps, 2 minutes on one Quick Processor)" in text
    assert (
        "with 0.25 times the linear model's logits beside them, has a weight of 0.85 in the targets" in text
    )
    assert "micro-F1 0.765" in text
    (tmp_path / "teach" / "teach.json").unlink()
    with pytest.raises(StepError, match=r"teach\.json is missing .*: run the step `teach`"):
        card(tmp_path, recipe=taught)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("evaluate/probabilities.npz", b"", "run the step `evaluate`"),
        ("evaluate/probabilities.npz", b"PK\x03\x04", "run the step `evaluate`"),
        ("train/log.jsonl", b'{"step": 10, "lo', "run the step `train`"),
        ("train/log.jsonl", b'{"step": 10}\n', "run the step `train`"),
        ("train/log.jsonl", None, "run the step `train`"),
    ],
)
def test_a_damaged_figure_names_the_step_that_makes_it(
    tmp_path: Path, name: str, content: bytes | None, sentence: str
) -> None:
    card(tmp_path)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(StepError, match=f"{name.rpartition('/')[2]} is .*damaged.*{sentence}"):
        report(
            run=tmp_path,
            artifact=tmp_path / "artifact",
            recipe=BertRecipe(model="genre-bert", version="1.0.0", description="A test"),
        )


@pytest.mark.parametrize("heading", ["text length in words", "source of the title"])
def test_quality_is_shown_by_length_and_by_source(tmp_path: Path, heading: str) -> None:
    name = "netflix" if heading.startswith("source") else "0 to 39"

    assert f"| {heading} | titles | micro-F1 |\n|---|--:|--:|\n| {name} | 8 | 0.432 |\n" in card(tmp_path)


def test_sources_and_licences_are_those_of_the_corpus(tmp_path: Path) -> None:
    licence = "CC BY-SA 4.0 (text); labels from an API | (no stated licence)"
    text = card(tmp_path, corpus={"sources": [{"source": "plots", "licence": licence, "titles": 1200}]})

    assert "| plots | 1,200 | CC BY-SA 4.0 (text); labels from an API / (no stated licence) |\n" in text
    assert "Wikipedia" not in text
    assert "Prime Video" not in text
