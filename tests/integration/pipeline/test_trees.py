"""The tree model's steps on the small corpus: learning, parity of XGBoost and ONNX, resumption."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import xgboost

from genre_model import GENRES, Document, GenreModel
from model_artifacts.pipeline.errors import StepError
from model_artifacts.pipeline.examples import Examples
from model_artifacts.pipeline.export_trees import export_trees, largest_difference
from model_artifacts.pipeline.recipe import XgboostRecipe, load_recipe
from model_artifacts.pipeline.steps import Run, run_steps, steps_of
from model_artifacts.pipeline.trees import objective
from model_artifacts.registry import Registry
from tests.support.corpus import write_corpus

ROOT = Path(__file__).parents[3]
RECIPE = """
model = "genre-xgboost"
version = "9.9.9"
description = "A test"

[trees]
bins = 1024
rounds = 30
learning_rate = 0.4
max_depth = 3
min_child_weight = 1
colsample_bytree = 1.0
checkpoint_rounds = 3
"""


@pytest.fixture(scope="module")
def recipe_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "recipe.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def finished(recipe_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    corpus = write_corpus(tmp_path_factory.mktemp("corpus"), train=400, validation=80)
    root = tmp_path_factory.mktemp("run")
    run = Run(recipe=load_recipe(recipe_file), corpus=corpus, out=root / "out", registry=root / "registry")
    assert run_steps(run, list(steps_of(run))) == list(steps_of(run))
    return run


@pytest.mark.slow
def test_all_steps_make_a_registered_model_that_has_learned(finished: Run) -> None:
    folder = Registry.load(finished.registry).resolve("genre-xgboost")
    model = GenreModel.load(folder)

    western = model.predict([Document("A sheriff and an outlaw meet at the saloon.")])[0]

    assert GENRES[int(western.argmax())] == "Western"
    assert "tree ensemble" in (folder / "MODEL_CARD.md").read_text()


@pytest.mark.slow
def test_native_and_onnx_probabilities_agree(finished: Run) -> None:
    assert isinstance(finished.recipe, XgboostRecipe)
    bins = finished.recipe.trees.bins
    booster = xgboost.Booster(model_file=finished.folder("train") / "model.ubj")
    examples = Examples.load(finished.folder("prepare") / "validation.npz")

    difference = largest_difference(booster, finished.folder("export") / "model.onnx", examples, bins)

    assert difference < 1e-6


@pytest.mark.slow
def test_a_wrong_conversion_is_noticed(
    finished: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(finished.recipe, XgboostRecipe)
    model = onnx.load(finished.folder("export") / "model.onnx")
    (node,) = model.graph.node
    (weights,) = (a for a in node.attribute if a.name == "target_weights")
    weights.floats[0] += 0.5
    monkeypatch.setattr("model_artifacts.pipeline.export_trees.build_ensemble", lambda *_: model)

    with pytest.raises(StepError, match="ONNX differs from XGBoost"):
        export_trees(
            prepared=finished.folder("prepare"),
            trained=finished.folder("train"),
            out=tmp_path,
            bins=finished.recipe.trees.bins,
        )


@pytest.mark.slow
def test_batches_do_not_change_an_answer(finished: Run) -> None:
    model = GenreModel.load(finished.artifact)
    documents = [Document(f"A heist at number {i}, and a wizard.", "Night") for i in range(150)]

    together = model.predict(documents)

    assert together.shape == (150, 18)
    np.testing.assert_array_equal(together[149], model.predict([documents[149]])[0])
    assert model.predict([]).shape == (0, 18)
    assert np.isfinite(model.predict([Document("")])).all()


@pytest.mark.slow
def test_killed_training_ends_with_the_same_booster(finished: Run, recipe_file: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cdk.cli", "pipeline"]
    arguments = ["--corpus", str(finished.corpus), "--recipe", str(recipe_file), "--out", str(tmp_path)]
    arguments += ["--threads", str(finished.threads)]
    subprocess.run([*command, "prepare", *arguments], check=True, cwd=ROOT)
    mortal = [sys.executable, "-m", "tests.support.dies_at_checkpoint", "pipeline", "train", *arguments]
    died = subprocess.run(mortal, check=False, cwd=ROOT)
    assert died.returncode == -signal.SIGKILL
    assert (tmp_path / "train" / "checkpoint.json").exists()

    subprocess.run([*command, "train", *arguments], check=True, cwd=ROOT)

    assert (tmp_path / "train" / "model.ubj").read_bytes() == (
        finished.folder("train") / "model.ubj"
    ).read_bytes()


def test_an_unknown_label_pulls_in_no_direction() -> None:
    labels = np.array([[1, 0], [0, 1]], np.uint8)
    known = np.array([[1, 1], [1, 0]], np.uint8)

    gradient, hessian = objective(labels, known)(np.zeros((2, 2), np.float32), None)

    assert gradient.tolist() == [[-0.5, 0.5], [0.5, 0.0]]
    assert hessian.tolist() == [[0.25, 0.25], [0.25, 0.0]]


def test_a_step_the_model_does_not_have_is_named(recipe_file: Path, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", train=5, validation=2)
    run = Run(recipe=load_recipe(recipe_file), corpus=corpus, out=tmp_path, registry=tmp_path)

    with pytest.raises(StepError, match="genre-xgboost has no step quantize; it has: prepare, train"):
        run_steps(run, ["quantize"])
