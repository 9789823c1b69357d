"""The whole pipeline on a small corpus with the real base model: every step, resumption, and what must stop it."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
import torch

from functions.classification.files import Row
from functions.classification.files.results import ResultFormat
from genre_model import GENRES, Document, GenreModel
from model_artifacts.pipeline import train as training
from model_artifacts.pipeline.corpus import read_titles
from model_artifacts.pipeline.errors import CorpusError, StepError
from model_artifacts.pipeline.evaluate import evaluate
from model_artifacts.pipeline.recipe import BertRecipe, DistilRecipe, JointRecipe, TeacherRecipe, load_recipe
from model_artifacts.pipeline.saturation import WEIGHT_LIMIT, check_no_saturation, product_weight_extremes
from model_artifacts.pipeline.score import score_results
from model_artifacts.pipeline.steps import Run, run_steps, steps_of
from model_artifacts.registry import Registry
from tests.support.corpus import write_corpus
from tests.support.readme import commands

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-m", "cdk.cli", "pipeline"]
MORTAL = [sys.executable, "-m", "tests.support.dies_at_checkpoint", "pipeline"]
RECIPE = """
model = "genre-bert"
version = "9.9.9"
description = "A test"
layers = 1

[train]
epochs = 3
batch_size = 8
window_tokens = [32]
mask_share = 0.1
learning_rate = 1e-3
head_learning_rate = 5e-3
checkpoint_steps = 5
monitor_steps = 40
monitor_titles = 16

[serve]
window_tokens = 64
max_windows = 2

[wide]
features = 400
iterations = 10
"""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Keep sums in one order, so that two runs can be compared bit by bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"), train=320, validation=60)


@pytest.fixture(scope="module")
def recipe_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "recipe.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def recipe(recipe_file: Path) -> BertRecipe:
    loaded = load_recipe(recipe_file)
    assert isinstance(loaded, BertRecipe)
    return loaded


@pytest.fixture(scope="module")
def finished(corpus: Path, recipe: BertRecipe, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run of all steps, which several tests look at."""
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("run")
    run = Run(recipe=recipe, corpus=corpus, out=root / "genre-bert-9.9.9", registry=root / "registry")
    assert run_steps(run, list(steps_of(run))) == list(steps_of(run))
    return run


@pytest.mark.slow
def test_all_steps_make_a_registered_model_that_has_learned(finished: Run) -> None:
    folder = Registry.load(finished.registry).resolve("genre-bert")
    model = GenreModel.load(folder)
    metrics = json.loads((folder / "report" / "metrics.json").read_text())

    assert metrics["micro_f1"] > 0.6  # chance is about 0.15
    western = model.predict([Document("A sheriff and an outlaw meet at the saloon.")])[0]
    assert GENRES[int(western.argmax())] == "Western"
    assert {path.name for path in (folder / "report").iterdir()} == {
        "metrics.json",
        "training.png",
        "genres.png",
        "calibration.png",
        "lengths.png",
        "cooccurrence.png",
    }
    assert "genre-bert 9.9.9" in (folder / "MODEL_CARD.md").read_text()


@pytest.mark.slow
def test_the_linear_model_is_shipped_beside_the_network_and_measured_apart(finished: Run) -> None:
    manifest = json.loads((finished.artifact / "manifest.json").read_text())
    metrics = json.loads((finished.folder("evaluate") / "metrics.json").read_text())
    record = Registry.load(finished.registry).models["genre-bert"]["versions"]["9.9.9"]
    parts = GenreModel.load(finished.artifact).parts([Document("A sheriff and an outlaw at the saloon.")])

    assert manifest["files"].keys() == {"model.int8.onnx", "tokenizer.json", "wide.bin"}
    assert (manifest["wide"]["features"], manifest["wide"]["max_tokens"]) == (400, 2048)
    assert len(set(manifest["wide"]["weights"])) == 1
    assert parts.wide is not None
    assert GENRES[int(parts.wide[0].argmax())] == "Western"
    assert metrics["parts"].keys() == {"deep", "wide"}
    assert min(metrics["parts"][name]["micro_f1"] for name in ("deep", "wide")) > 0.5
    served = ("manifest.json", *manifest["files"])
    assert metrics["artifact_size"] == sum((finished.artifact / name).stat().st_size for name in served)
    assert record["files"].keys() == set(served)
    assert record["metrics"]["parts"] == metrics["parts"]
    card = (finished.artifact / "MODEL_CARD.md").read_text()
    assert "| its linear model alone |" in card
    assert "of the 400 word pieces and pairs" in card


@pytest.mark.slow
def test_another_linear_model_leaves_the_network_as_it_is(finished: Run) -> None:
    assert isinstance(finished.recipe, BertRecipe)
    assert finished.recipe.wide is not None
    other = finished.recipe.wide.model_copy(update={"features": 300})
    changed = replace(
        finished, recipe=finished.recipe.model_copy(update={"wide": other, "version": "9.9.11"})
    )
    alone = replace(finished, recipe=finished.recipe.model_copy(update={"wide": None, "version": "9.9.12"}))

    try:
        assert run_steps(changed, list(steps_of(changed)))[0] == "wide"
        assert run_steps(alone, list(steps_of(alone)))[0] == "calibrate"
        assert GenreModel.load(alone.artifact).parts([Document("A duel.")]).wide is None
        assert not (alone.artifact / "wide.bin").exists()
        with pytest.raises(StepError, match="genre-bert has no step wide"):
            run_steps(alone, ["wide"])
    finally:
        run_steps(finished, list(steps_of(finished)))


@pytest.mark.slow
def test_result_lines_score_exactly_as_the_evaluation_says(
    finished: Run, corpus: Path, tmp_path: Path
) -> None:
    model = GenreModel.load(finished.artifact)
    results = ResultFormat(GENRES, model.thresholds.tolist(), model.name, model.version)
    titles = list(read_titles(corpus / "validation.jsonl"))
    lines = [
        results.line(
            Row(n, title.id, title.texts[0], None), model.predict([Document(title.texts[0])])[0].tolist()
        )
        for n, title in enumerate(titles)
    ]
    (tmp_path / "results.jsonl").write_bytes(b"".join(reversed(lines)))

    found = score_results(tmp_path / "results.jsonl", corpus / "validation.jsonl")

    metrics = json.loads((finished.folder("evaluate") / "metrics.json").read_text())
    assert (found["micro_f1"], found["macro_f1"]) == (metrics["micro_f1"], metrics["macro_f1"])


@pytest.mark.slow
def test_the_check_from_outside_that_the_readme_gives_works(corpus: Path, tmp_path: Path) -> None:
    (check,) = [c for c in commands(ROOT / "README.md") if "pipeline score" in c.text]
    packed = gzip.compress((corpus / "validation.jsonl").read_bytes())
    (tmp_path / "validation.jsonl.gz").write_bytes(packed)

    done = subprocess.run(
        ["bash", "-ceuo", "pipefail", check.text],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["titles"] == 60
    assert 0 < found["micro_f1"] < 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"id": "test:320", "genres": []}\n', "lacks 59 of the 60 titles"),
        ('{"id": "test:320", "genres": []}\n' * 2, r":2: title 'test:320' is there twice"),
        ('{"id": "other", "genres": []}\n', "title 'other' is not in"),
        ('{"id": "test:320", "genres": ["Noir"]}\n', ":1: not a result line"),
        ("{\n", ":1: not a result line"),
        ("[" * 100_000, ":1: not a result line"),
    ],
)
def test_results_that_do_not_fit_the_corpus_are_refused(
    corpus: Path, tmp_path: Path, content: str, sentence: str
) -> None:
    (tmp_path / "results.jsonl").write_text(content)

    with pytest.raises(CorpusError, match=sentence):
        score_results(tmp_path / "results.jsonl", corpus / "validation.jsonl")


@pytest.mark.slow
def test_damaged_logits_of_the_linear_model_name_the_step_that_makes_them(
    finished: Run, tmp_path: Path
) -> None:
    (tmp_path / "validation.npy").write_bytes(b"")

    with pytest.raises(StepError, match=r"validation\.npy is missing or damaged .*: run the step `wide`"):
        evaluate(
            corpus_file=finished.corpus / "validation.jsonl",
            artifact=finished.artifact,
            reference=finished.folder("export") / "model.fp32.onnx",
            reference_wide=tmp_path,
            out=tmp_path / "out",
            recipe=finished.recipe,
        )


@pytest.mark.slow
def test_a_second_run_finds_everything_up_to_date(finished: Run) -> None:
    assert run_steps(finished, list(steps_of(finished))) == ["register"]


@pytest.mark.slow
def test_a_changed_recipe_runs_only_what_comes_after_the_change(finished: Run) -> None:
    assert isinstance(finished.recipe, BertRecipe)
    served = finished.recipe.serve.model_copy(update={"max_windows": 3})
    changed = Run(
        recipe=finished.recipe.model_copy(update={"serve": served, "version": "9.9.10"}),
        corpus=finished.corpus,
        out=finished.out,
        registry=finished.registry,
    )

    try:
        assert run_steps(changed, list(steps_of(changed))) == ["calibrate", "evaluate", "report", "register"]
    finally:
        run_steps(finished, list(steps_of(finished)))


@pytest.mark.slow
def test_a_student_learns_from_the_teacher_beside_it(finished: Run) -> None:
    assert isinstance(finished.recipe, BertRecipe)
    train = finished.recipe.train.model_copy(update={"epochs": 0.5, "precision": "bfloat16"})
    distil = DistilRecipe(teacher="genre-bert-9.9.9", teacher_layers=1, start_layers=(0,))
    changes = {"model": "genre-bert-small", "train": train, "distil": distil, "wide": None}
    student = Run(
        recipe=finished.recipe.model_copy(update=changes),
        corpus=finished.corpus,
        out=finished.out.parent / "student",
        registry=finished.registry,
    )

    run_steps(student, ["prepare", "train", "export", "quantize", "calibrate", "evaluate"])

    taught = json.loads((student.folder("evaluate") / "metrics.json").read_text())
    teacher = json.loads((finished.folder("evaluate") / "metrics.json").read_text())
    assert (
        taught["micro_f1"] > teacher["micro_f1"] - 0.1
    )  # half a pass over 320 titles teaches nothing by itself
    assert run_steps(student, ["train"]) == []
    alone = Run(
        recipe=student.recipe, corpus=student.corpus, out=finished.out / "x" / "y", registry=student.registry
    )
    with pytest.raises(StepError, match=r"teacher genre-bert-9\.9\.9 has no finished training"):
        run_steps(alone, ["prepare", "train"])


@pytest.mark.slow
def test_a_network_trained_on_what_is_served_goes_the_same_way(finished: Run) -> None:
    assert isinstance(finished.recipe, BertRecipe)
    train = finished.recipe.train.model_copy(update={"epochs": 0.5})
    changes = {
        "version": "9.9.10",
        "train": train,
        "distil": DistilRecipe(teacher="genre-bert-9.9.9", teacher_layers=1, start_layers=(0,)),
        "joint": JointRecipe(windows=2, folds=2),
    }
    run = Run(
        recipe=finished.recipe.model_copy(update=changes),
        corpus=finished.corpus,
        out=finished.out.parent / "genre-bert-9.9.10",
        registry=finished.registry,
    )
    names = list(steps_of(run))[:-1]  # all but `register`, which other tests count on

    assert run_steps(run, names) == names
    assert run_steps(run, names) == []

    joint = json.loads((run.folder("evaluate") / "metrics.json").read_text())
    teacher = json.loads((finished.folder("evaluate") / "metrics.json").read_text())
    assert joint["micro_f1"] > teacher["micro_f1"] - 0.1  # half a pass teaches nothing by itself
    assert "the mean over up to 2 windows of a text" in (run.artifact / "MODEL_CARD.md").read_text()


@pytest.mark.slow
def test_a_taught_network_goes_the_same_way_and_its_answers_serve_another_recipe(finished: Run) -> None:
    assert isinstance(finished.recipe, BertRecipe)
    few = finished.recipe.train.model_copy(update={"epochs": 0.5})
    teacher = TeacherRecipe(base="all-MiniLM-L6-v2", layers=1, folds=2, wide_weight=0.3, train=few)
    changes = {
        "version": "9.9.13",
        "train": few,
        "distil": DistilRecipe(teacher="genre-bert-9.9.9", teacher_layers=1, start_layers=(0,), soft_share=0),
        "joint": JointRecipe(windows=2, folds=2),
        "teacher": teacher,
        "answers_share": 0.9,
    }
    run = Run(
        recipe=finished.recipe.model_copy(update=changes),
        corpus=finished.corpus,
        out=finished.out.parent / "genre-bert-9.9.13",
        registry=finished.out.parent / "another-registry",
    )
    names = list(steps_of(run))

    assert names[:4] == ["prepare", "cross-fit", "teach", "train"]
    assert run_steps(run, names) == names
    assert run_steps(run, names) == ["register"]

    record = Registry.load(run.registry).models["genre-bert"]["versions"]["9.9.13"]
    assert record["lineage"]["training"]["answers_share"] == 0.9
    assert len(record["lineage"]["teaching"]["folds"]) == 2
    assert "taught by 2 networks of 1 layer that" in (run.artifact / "MODEL_CARD.md").read_text()

    other = replace(
        run, recipe=run.recipe.model_copy(update={"version": "9.9.14", "answers_share": 0.5}), out=run.out
    )
    assert run_steps(other, names[:4]) == ["train"]


@pytest.mark.slow
def test_a_registered_version_never_changes(finished: Run, tmp_path: Path) -> None:
    registry = Registry(tmp_path, {}).with_version(
        "genre-bert", "9.9.9", {"files": {"model.int8.onnx": "other"}}
    )
    registry.save()
    run = Run(recipe=finished.recipe, corpus=finished.corpus, out=finished.out, registry=tmp_path)

    with pytest.raises(StepError, match=r"9\.9\.9 is registered with other files"):
        run_steps(run, ["register"])
    assert Registry.load(tmp_path) == registry


@pytest.mark.slow
def test_no_product_of_the_quantized_network_can_saturate(finished: Run) -> None:
    model = onnx.load(finished.folder("quantize") / "model.int8.onnx")

    extremes = product_weight_extremes(model)

    # Four products a layer: QKV, attention output, and the two of the feed-forward block.
    assert len(extremes) == 4
    assert all(magnitude <= WEIGHT_LIMIT for _, magnitude in extremes.values())


@pytest.mark.slow
def test_a_weight_beyond_seven_bits_is_noticed(finished: Run) -> None:
    model = onnx.load(finished.folder("quantize") / "model.int8.onnx")
    name = sorted(product_weight_extremes(model))[0]
    (tensor,) = (t for t in model.graph.initializer if t.name == name)
    values = onnx.numpy_helper.to_array(tensor).copy()
    values.flat[0] = -127
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, name))

    with pytest.raises(StepError, match="reaches 127, more than 64"):
        check_no_saturation(model)


@pytest.mark.slow
def test_killed_training_goes_on_from_its_checkpoint_to_the_same_weights(
    finished: Run, corpus: Path, recipe_file: Path, tmp_path: Path
) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    arguments = ["--corpus", str(corpus), "--recipe", str(recipe_file), "--out", str(tmp_path / "out")]
    subprocess.run([*COMMAND, "prepare", *arguments], check=True, env=environment, cwd=ROOT)
    checkpoint = tmp_path / "out" / "train" / "checkpoint.pt"

    deaths = [
        subprocess.run([*MORTAL, "train", *arguments], check=False, env=environment, cwd=ROOT).returncode
        for _ in range(2)
    ]
    last = subprocess.run(
        [*COMMAND, "train", *arguments], check=True, env=environment, cwd=ROOT, capture_output=True, text=True
    )

    assert deaths == [-signal.SIGKILL] * 2
    assert "resumed at step" in last.stderr
    whole = torch.load(finished.folder("train") / "weights.pt", weights_only=True)
    pieced = torch.load(tmp_path / "out" / "train" / "weights.pt", weights_only=True)
    for name, value in whole.items():
        np.testing.assert_array_equal(value.numpy(), pieced[name].numpy(), err_msg=name)
    steps = [
        json.loads(line)["step"]
        for line in (tmp_path / "out" / "train" / "log.jsonl").read_text().splitlines()
    ]
    assert steps == sorted(steps)
    assert not checkpoint.exists()


@pytest.mark.slow
def test_another_number_of_passes_goes_on_from_the_checkpoint_and_says_so(
    finished: Run, recipe: BertRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared, out = finished.folder("prepare"), tmp_path / "train"

    def passes(number: float) -> BertRecipe:
        return recipe.model_copy(update={"train": recipe.train.model_copy(update={"epochs": number})})

    with monkeypatch.context() as patch:
        patch.setattr(
            training, "write_json", _interrupted
        )  # after the last checkpoint, before the run's own end
        with pytest.raises(KeyboardInterrupt):
            training.train(training.Inputs(prepared=prepared), out=out, recipe=passes(0.25))
    with pytest.raises(StepError, match=r"is at step 10, beyond the 9 of 0\.2 passes"):
        training.train(training.Inputs(prepared=prepared), out=out, recipe=passes(0.2))
    training.train(training.Inputs(prepared=prepared), out=out, recipe=passes(0.5))

    described = json.loads((out / "train.json").read_text())
    assert described["rescheduled"] == [{"after_step": 10, "epochs_before": 0.25}]
    assert described["steps"] == 24
    whole = json.loads((finished.folder("train") / "train.json").read_text())
    assert whole["rescheduled"] == []


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_step_without_the_one_before_names_it(corpus: Path, recipe: BertRecipe, tmp_path: Path) -> None:
    run = Run(recipe=recipe, corpus=corpus, out=tmp_path, registry=tmp_path)

    with pytest.raises(StepError, match="step train needs step prepare, which has not run"):
        run_steps(run, ["train"])


def test_a_flawed_corpus_line_ends_the_command_with_file_and_line(tmp_path: Path, recipe_file: Path) -> None:
    folder = write_corpus(tmp_path / "corpus", train=20, validation=5)
    lines = (folder / "validation.jsonl").read_text().splitlines()
    lines[2] = lines[2].replace('"genres": ["', '"genres": ["Telenovela", "', 1)
    (folder / "validation.jsonl").write_text("\n".join(lines))
    command = [*COMMAND, "prepare", "--corpus", str(folder), "--recipe", str(recipe_file)]
    command += ["--out", str(tmp_path / "out")]

    stopped = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    skipped = subprocess.run(
        [*command, "--skip-bad-lines"], check=False, cwd=ROOT, capture_output=True, text=True
    )

    assert stopped.returncode == 1
    assert "validation.jsonl:3: unknown genre 'Telenovela'" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert skipped.returncode == 0
    assert "skipped" in skipped.stderr
    assert "validation: 4 titles" in skipped.stderr


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("model = 'genre-bert'\nversion = '1.0.0'\n", "description: Field required"),
        (RECIPE.replace("layers = 1", "layers = 7"), "layers: Input should be less than or equal to 6"),
        (RECIPE + "\n[train2]\n", "train2: Extra inputs are not permitted"),
        (
            RECIPE + "\n[distil]\nteacher = 'genre-bert-1.0.0'\nstart_layers = [0, 1]\n",
            "must name 1 of the teacher's 6",
        ),
        ("model =", "not valid TOML"),
    ],
)
def test_a_recipe_that_cannot_be_used_says_why(
    tmp_path: Path, corpus: Path, text: str, sentence: str
) -> None:
    (tmp_path / "r.toml").write_text(text)
    command = [*COMMAND, "prepare", "--corpus", str(corpus), "--recipe", str(tmp_path / "r.toml")]

    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
