"""The teacher's folds, on a handful of texts: who is asked about what, and what an interruption costs."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from genre_model.labels import GENRES
from model_artifacts.pipeline import teach as teaching
from model_artifacts.pipeline.base_model import MINILM_BASE, Base
from model_artifacts.pipeline.cross_fit import deal
from model_artifacts.pipeline.errors import StepError
from model_artifacts.pipeline.examples import Examples, Ragged
from model_artifacts.pipeline.loop import Loop
from model_artifacts.pipeline.metrics import mean_average_precision
from model_artifacts.pipeline.recipe import TeacherRecipe, TrainRecipe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_artifacts.pipeline.monitor import Monitor

TITLES, FOLDS = 24, 2
RECIPE = TeacherRecipe(
    base="all-MiniLM-L6-v2",
    layers=1,
    folds=FOLDS,
    answer_windows=2,
    train=TrainRecipe(
        epochs=15,
        batch_size=6,
        window_tokens=(16,),
        title_share=0.5,
        dropout=0,
        learning_rate=2e-3,
        head_learning_rate=1e-2,
        layer_decay=1,
        checkpoint_steps=4,
        monitor_steps=1000,
    ),
)
ONE_STEP = RECIPE.model_copy(
    update={"train": RECIPE.train.model_copy(update={"epochs": 0.5, "checkpoint_steps": 1})}
)


@pytest.fixture(scope="module", autouse=True)
def quick_base() -> Iterator[None]:
    """Unpack the base's weights once."""
    content = MINILM_BASE.read("model.safetensors")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Base, "read", lambda _base, _name: content)
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the step once, a step of training a fold."""
    root = tmp_path_factory.mktemp("finished")
    some_examples(root / "prepare")
    teaching.teach(prepared=root / "prepare", out=root / "teach", recipe=ONE_STEP)
    return root


@pytest.fixture
def again(finished: Path, tmp_path: Path) -> Path:
    """Give a copy of it."""
    return Path(shutil.copytree(finished, tmp_path / "again"))


def some_examples(folder: Path) -> Examples:
    """Write titles with genres at random, which can be learnt by heart and in no other way; some have two texts."""
    rng = np.random.default_rng(5)
    owner = [row for row in range(TITLES) for _ in range(1 + (row % 4 == 0))]
    labels = (rng.random((TITLES, len(GENRES))) < 0.4).astype(np.uint8)
    made = Examples(
        texts=Ragged.of([rng.integers(2000, 20_000, rng.integers(3, 40)).tolist() for _ in owner]),
        owner=np.array(owner, np.int32),
        is_main=np.diff(owner, prepend=-1) > 0,
        titles=Ragged.of([[3000 + row] for row in range(TITLES)]),
        labels=labels,
        known=np.ones_like(labels),
    )
    for split in ("train", "validation"):
        made.save(folder / f"{split}.npz")
    return made


def test_every_text_is_answered_by_a_network_that_has_not_seen_its_title(tmp_path: Path) -> None:
    examples = some_examples(tmp_path / "prepare")
    teaching.teach(prepared=tmp_path / "prepare", out=tmp_path / "teach", recipe=RECIPE)

    answers, seen = (np.load(tmp_path / "teach" / f"{split}.npy") for split in ("train", "validation"))
    labels = examples.labels[examples.owner]
    assert answers.shape == labels.shape
    assert answers.dtype == np.float32
    assert np.isfinite(answers).all()
    # The validation file holds the same texts, and half of its networks know each of them by heart.
    assert mean_average_precision(seen, labels) > 0.9
    assert mean_average_precision(answers, labels) < 0.65
    fold = deal(TITLES, FOLDS, RECIPE.seed)[examples.owner]
    for number in range(FOLDS):
        with np.load(tmp_path / "teach" / f"fold-{number}" / "answers.npz") as kept:
            np.testing.assert_array_equal(kept["rows"], np.flatnonzero(fold == number))
            np.testing.assert_array_equal(kept["train"], answers[fold == number])
    described = json.loads((tmp_path / "teach" / "teach.json").read_text())
    assert described["quality"]["validation"]["micro_f1"] > described["quality"]["train"]["micro_f1"]
    assert [entry["made_from"]["identity"]["fold"] for entry in described["folds"]] == [0, 1]


def test_the_linear_model_stands_beside_its_answers(tmp_path: Path) -> None:
    examples = some_examples(tmp_path / "prepare")
    crossed = tmp_path / "cross-fit"
    crossed.mkdir()
    beside = np.random.default_rng(0).normal(size=(2, len(examples.texts), len(GENRES))).astype(np.float32)
    for split, logits in zip(("train", "validation"), beside, strict=True):
        np.save(crossed / f"{split}.npy", logits)
    still = {"learning_rate": 1e-12, "head_learning_rate": 1e-12}
    plain = ONE_STEP.model_copy(update={"train": ONE_STEP.train.model_copy(update=still)})
    weighed = plain.model_copy(update={"wide_weight": 0.5})

    teaching.teach(prepared=tmp_path / "prepare", out=tmp_path / "plain", recipe=plain)
    with pytest.raises(StepError, match="trains beside the linear model, whose logits are not given"):
        teaching.teach(prepared=tmp_path / "prepare", out=tmp_path / "both", recipe=weighed)
    teaching.teach(prepared=tmp_path / "prepare", out=tmp_path / "both", recipe=weighed, crossed=crossed)

    for split, logits in zip(("train", "validation"), beside, strict=True):
        alone, both = (np.load(tmp_path / folder / f"{split}.npy") for folder in ("plain", "both"))
        np.testing.assert_allclose(both - alone, 0.5 * logits, atol=1e-5)


def test_an_interrupted_run_keeps_what_is_answered_and_ends_alike(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, started = Loop.run, []

    def interrupted(loop: Loop, out: Path, monitor: Monitor) -> None:
        started.append(out.name)
        if len(started) == 2:  # the second fold, after its first step
            loop.resume(out)
            loop.advance()
            loop.save(out)
            raise KeyboardInterrupt
        run(loop, out, monitor)

    monkeypatch.setattr(Loop, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        teaching.teach(prepared=finished / "prepare", out=tmp_path, recipe=ONE_STEP)
    assert (tmp_path / "fold-1" / "checkpoint.pt").exists()
    teaching.teach(prepared=finished / "prepare", out=tmp_path, recipe=ONE_STEP)

    assert started == ["fold-0", "fold-1", "fold-1"]
    np.testing.assert_array_equal(np.load(tmp_path / "train.npy"), np.load(finished / "teach" / "train.npy"))
    assert not (tmp_path / "fold-1" / "checkpoint.pt").exists()


def test_a_fold_of_another_recipe_is_trained_again(finished: Path, again: Path) -> None:
    other = ONE_STEP.model_copy(update={"train": ONE_STEP.train.model_copy(update={"seed": 99})})

    teaching.teach(prepared=again / "prepare", out=again / "teach", recipe=other)

    before, after = (np.load(root / "teach" / "train.npy") for root in (finished, again))
    assert not np.array_equal(before, after)


def test_other_validation_texts_are_answered_anew(finished: Path, again: Path) -> None:
    """The training examples are the same to the byte."""
    examples = Examples.load(again / "prepare" / "validation.npz")
    fewer = Ragged.of([examples.texts[row].tolist() for row in range(3)])
    replace(examples, texts=fewer, owner=examples.owner[:3], is_main=examples.is_main[:3]).save(
        again / "prepare" / "validation.npz"
    )

    teaching.teach(prepared=again / "prepare", out=again / "teach", recipe=ONE_STEP)

    before, after = (np.load(root / "teach" / "validation.npy") for root in (finished, again))
    np.testing.assert_allclose(after, before[:3], atol=1e-5)


def test_damaged_answers_of_a_fold_are_made_again(
    finished: Path, again: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (again / "teach" / "fold-0" / "answers.npz").write_bytes(b"PK")

    teaching.teach(prepared=again / "prepare", out=again / "teach", recipe=ONE_STEP)

    assert "answers.npz is missing or damaged" in caplog.text
    before, after = (np.load(root / "teach" / "train.npy") for root in (finished, again))
    np.testing.assert_array_equal(before, after)
