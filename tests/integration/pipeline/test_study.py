"""The compression study on a small corpus: every variant, and what the report makes of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from typer.testing import CliRunner

from model_artifacts.pipeline.cli import app
from model_artifacts.pipeline.errors import RecipeError, StepError
from model_artifacts.pipeline.recipe import BertRecipe, load_recipe
from model_artifacts.pipeline.stamps import STAMP
from model_artifacts.pipeline.steps import Run, run_steps
from model_artifacts.pipeline.study import openvino_family
from tests.support.corpus import write_corpus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RECIPE = """
model = "genre-bert"
version = "9.9.8"
description = "A test"
layers = 1

[train]
epochs = 1
batch_size = 8
window_tokens = [32]
learning_rate = 1e-3
head_learning_rate = 5e-3
monitor_titles = 16

[serve]
window_tokens = 64
max_windows = 2
"""
STEPS = ["prepare", "train", "export", "quantize", "calibrate", "evaluate"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"), train=160, validation=40)


@pytest.fixture(scope="module")
def recipe_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "recipe.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def arguments(corpus: Path, recipe_file: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    out = tmp_path_factory.mktemp("run")
    paths = ["--corpus", str(corpus), "--recipe", str(recipe_file), "--out", str(out)]
    return [*paths, "--titles", "20", "--rounds", "2"]


@pytest.fixture(scope="module")
def studied(corpus: Path, recipe_file: Path, arguments: list[str]) -> Iterator[Run]:
    """The steps up to `evaluate`, and the study through the command."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    recipe, out = load_recipe(recipe_file), arguments[arguments.index("--out") + 1]
    run = Run(recipe=recipe, corpus=corpus, out=type(corpus)(out), registry=type(corpus)(out) / "registry")
    run_steps(run, STEPS)
    result = CliRunner().invoke(app, ["study", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    yield run
    torch.set_num_threads(before)


def read(run: Run) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run.folder("study") / "study.json").read_text())
    return content


@pytest.mark.slow
def test_every_variant_has_quality_size_and_latency(studied: Run) -> None:
    study = read(studied)
    variants = {variant["name"]: variant for variant in study["variants"]}

    assert {variant["family"] for variant in study["variants"]} >= {
        "torch",
        "ONNX Runtime",
        "pruned, ONNX Runtime",
    }
    for variant in variants.values():
        assert 0 < variant["micro_f1"] <= 1
        assert 0 < variant["gzip_size"] < variant["size"]
        assert variant["latency"].keys() == {"32", "64", "128", "256"}
        assert all(0 < row["p50_ms"] <= row["p99_ms"] for row in variant["latency"].values())
    (shipped,) = (variant for variant in variants.values() if variant["shipped"])
    assert shipped["size"] == (studied.folder("quantize") / "model.int8.onnx").stat().st_size
    assert study["timing"]["rounds"] == 2


@pytest.mark.slow
def test_the_same_weights_give_the_same_logits_in_floating_point_and_near_ones_in_integers(
    studied: Run,
) -> None:
    off = {variant["name"]: variant["logit_rms_to_torch"] for variant in read(studied)["variants"]}

    assert off["torch fp32"] == 0
    assert max(off["TorchScript fp32"], off["ONNX Runtime fp32"]) < 1e-4
    quantized = [value for name, value in off.items() if "INT8" in name and "pruned" not in name]
    assert len(quantized) >= 5
    assert all(0 < value < 0.3 for value in quantized)
    assert off["fp32, 30 % pruned"] < off["fp32, 50 % pruned"] < off["fp32, 70 % pruned"]


@pytest.mark.slow
def test_zeros_make_a_file_compress_better_and_not_smaller(studied: Run) -> None:
    pruned = {v["name"]: v for v in read(studied)["variants"] if "pruned" in v["name"]}

    for precision in ("fp32", "INT8"):
        rows = [pruned[f"{precision}, {share} % pruned"] for share in (30, 50, 70)]
        assert len({row["size"] for row in rows}) == 1
        assert rows[0]["gzip_size"] > rows[1]["gzip_size"] > rows[2]["gzip_size"]


@pytest.mark.slow
def test_every_quantized_part_is_measured_alone(studied: Run) -> None:
    parts = read(studied)["sensitivity"]["parts"]

    assert {part["part"] for part in parts} == {
        "embeddings",
        "layers.0.attention",
        "layers.0.attention_output.product",
        "layers.0.intermediate.product",
        "layers.0.output.product",
    }
    changes = [part["logit_rms"] for part in parts]
    assert changes == sorted(changes, reverse=True)
    assert changes[-1] > 0


@pytest.mark.slow
def test_openvino_is_measured_where_it_is_installed_and_named_where_it_is_not(studied: Run) -> None:
    study = read(studied)

    measured = any(variant["family"] == "OpenVINO" for variant in study["variants"])
    assert measured == openvino_family.installed()
    assert measured != any(sentence.startswith("OpenVINO: not installed") for sentence in study["left_out"])


@pytest.mark.slow
def test_a_second_study_scores_nothing_again(studied: Run, arguments: list[str]) -> None:
    memory = studied.folder("study") / "memory"
    before = {path.name: path.stat().st_mtime_ns for path in memory.iterdir()}
    scores = [(variant["name"], variant["micro_f1"]) for variant in read(studied)["variants"]]

    assert CliRunner().invoke(app, ["study", *arguments], catch_exceptions=False).exit_code == 0

    assert {path.name: path.stat().st_mtime_ns for path in memory.iterdir()} == before
    assert [(variant["name"], variant["micro_f1"]) for variant in read(studied)["variants"]] == scores


@pytest.mark.slow
def test_the_report_shows_the_study_of_its_own_network_only(studied: Run, arguments: list[str]) -> None:
    run_steps(studied, ["report"])

    folder = studied.artifact / "report"
    card = (studied.artifact / "MODEL_CARD.md").read_text()
    assert (folder / "compression.png").stat().st_size > 10_000
    assert "## Compressed" in card
    assert "| **ONNX Runtime INT8, dynamic** |" in card
    assert json.loads((folder / "study.json").read_text()) == read(studied)

    path = studied.folder("study") / "study.json"
    kept = path.read_text()
    path.write_text(json.dumps({**read(studied), "network": "another"}))
    run_steps(studied, ["report"], force=True)
    assert not (folder / "compression.png").exists()
    assert not (folder / "study.json").exists()
    assert "## Compressed" not in (studied.artifact / "MODEL_CARD.md").read_text()

    path.write_text(kept)
    CliRunner().invoke(app, ["study", *arguments], catch_exceptions=False)
    assert not (studied.folder("report") / STAMP).exists()
    assert run_steps(studied, ["report"]) == ["report"]
    assert (folder / "compression.png").exists()


@pytest.mark.slow
def test_a_study_of_another_recipe_s_network_is_refused(
    studied: Run, arguments: list[str], tmp_path: Path
) -> None:
    assert isinstance(studied.recipe, BertRecipe)
    other = tmp_path / "other.toml"
    other.write_text(RECIPE.replace("epochs = 1", "epochs = 2"))
    swapped = [str(other) if value.endswith("recipe.toml") else value for value in arguments]

    with pytest.raises(StepError, match="step quantize has not run for this recipe"):
        CliRunner().invoke(app, ["study", *swapped], catch_exceptions=False)


def test_trees_are_not_studied(corpus: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "trees.toml"
    recipe.write_text('model = "genre-xgboost"\nversion = "9.9.8"\ndescription = "A test"\n')
    arguments = ["study", "--corpus", str(corpus), "--recipe", str(recipe), "--out", str(tmp_path)]

    with pytest.raises(RecipeError, match="makes genre-xgboost; only the transformer is studied"):
        CliRunner().invoke(app, arguments, catch_exceptions=False)
