"""Training that begins with a teacher's weights, on a handful of texts."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch.nn import functional

from genre_model.labels import GENRES
from model_artifacts.pipeline.errors import StepError
from model_artifacts.pipeline.examples import Examples, Ragged
from model_artifacts.pipeline.network import GenreNetwork
from model_artifacts.pipeline.recipe import (
    BertRecipe,
    DistilRecipe,
    JointRecipe,
    TeacherRecipe,
    TrainRecipe,
    WideRecipe,
)
from model_artifacts.pipeline.train import Inputs, train
from model_artifacts.pipeline.views import Epoch, assemble, pad

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = [[2000, 2001, 2002], [2003, 2004], [2005], [2006, 2007, 2008, 2009]]
RECIPE = BertRecipe(
    model="genre-bert",
    version="1.1.0",
    description="A test",
    layers=1,
    # One step, so small that the weights it ends with are those it began with.
    train=TrainRecipe(
        batch_size=len(TEXTS),
        window_tokens=(16,),
        title_share=0,
        dropout=0,
        learning_rate=1e-12,
        head_learning_rate=1e-12,
    ),
    distil=DistilRecipe(teacher="genre-bert-1.0.0", teacher_layers=2, start_layers=(1,), soft_share=0),
)


@pytest.fixture
def examples(tmp_path: Path) -> Examples:
    """Give titles with labels at random, half of which their source cannot know."""
    rng = np.random.default_rng(0)
    labels, known = ((rng.random((len(TEXTS), len(GENRES))) < share).astype(np.uint8) for share in (0.3, 0.5))
    made = Examples(
        texts=Ragged.of(TEXTS),
        owner=np.arange(len(TEXTS), dtype=np.int32),
        is_main=np.ones(len(TEXTS), np.bool_),
        titles=Ragged.of([[] for _ in TEXTS]),
        labels=labels,
        known=known | labels,
    )
    for split in ("train", "validation"):
        made.save(tmp_path / f"{split}.npz")
    return made


def test_with_a_share_of_nothing_the_teacher_gives_weights_and_the_labels_alone_are_learnt(
    examples: Examples, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    teacher = GenreNetwork(2)
    torch.save(teacher.state_dict(), tmp_path / "teacher.pt")
    student = GenreNetwork(1)
    own = teacher.state_dict()
    student.load_state_dict(
        {name: own[name.replace("layers.0.", "layers.1.")] for name in student.state_dict()}
    )
    ids, mask = pad([assemble(examples.texts[row], None) for row in range(len(TEXTS))])
    with torch.no_grad():
        logits = student(torch.from_numpy(ids), torch.from_numpy(mask))
    labels, known = (
        torch.from_numpy(array.astype(np.float32)) for array in (examples.labels, examples.known)
    )
    losses = functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    expected = (losses * known).sum() / known.sum()

    train(Inputs(prepared=tmp_path, teacher=tmp_path / "teacher.pt"), out=tmp_path / "train", recipe=RECIPE)

    (line,) = (tmp_path / "train" / "log.jsonl").read_text().splitlines()
    assert json.loads(line)["loss"] == pytest.approx(expected.item(), abs=2e-5)
    weights = torch.load(tmp_path / "train" / "weights.pt", weights_only=True)
    torch.testing.assert_close(weights, student.state_dict(), atol=1e-6, rtol=0)
    described = json.loads((tmp_path / "train" / "train.json").read_text())
    assert described["input"].keys() == {"train.npz", "teacher"}
    assert described["threads"] == torch.get_num_threads()


@pytest.mark.usefixtures("examples")
def test_a_share_of_the_start_stays_in_the_weights_it_ends_with(tmp_path: Path) -> None:
    torch.save(GenreNetwork(2).state_dict(), tmp_path / "teacher.pt")
    quick = RECIPE.train.model_copy(update={"learning_rate": 1e-2, "head_learning_rate": 1e-2, "epochs": 3})
    found = {}
    for share in (None, 0.25, 1.0):
        assert RECIPE.distil is not None
        distil = RECIPE.distil.model_copy(update={"start_share": share})
        recipe = RECIPE.model_copy(update={"train": quick, "distil": distil})
        out = tmp_path / f"train-{share}"
        train(Inputs(prepared=tmp_path, teacher=tmp_path / "teacher.pt"), out=out, recipe=recipe)
        found[share] = torch.load(out / "weights.pt", weights_only=True)

    trained, mixed, begun = (found[share]["classifier.weight"] for share in (None, 0.25, 1.0))
    assert (trained - begun).abs().max() > 1e-3
    torch.testing.assert_close(mixed, 0.25 * begun + 0.75 * trained)
    own = torch.load(tmp_path / "teacher.pt", weights_only=True)
    torch.testing.assert_close(begun, own["classifier.weight"])


@pytest.mark.usefixtures("examples")
@pytest.mark.parametrize("content", [b"", b"PK", {"step": 1}])
def test_a_checkpoint_that_cannot_be_read_says_what_to_do(
    tmp_path: Path, content: bytes | dict[str, int]
) -> None:
    torch.save(GenreNetwork(2).state_dict(), tmp_path / "teacher.pt")
    (tmp_path / "train").mkdir()
    if isinstance(content, bytes):
        (tmp_path / "train" / "checkpoint.pt").write_bytes(content)
    else:
        torch.save(content, tmp_path / "train" / "checkpoint.pt")

    with pytest.raises(StepError, match=r"checkpoint\.pt is .*damaged .*: remove it to start over"):
        train(
            Inputs(prepared=tmp_path, teacher=tmp_path / "teacher.pt"), out=tmp_path / "train", recipe=RECIPE
        )


@pytest.mark.usefixtures("examples")
def test_a_recipe_with_a_teacher_does_not_train_without_its_weights(tmp_path: Path) -> None:
    with pytest.raises(StepError, match=r"learns from genre-bert-1\.0\.0, whose weights are not given"):
        train(Inputs(prepared=tmp_path), out=tmp_path / "train", recipe=RECIPE)


LONG = list(range(3000, 3040))
JOINT = RECIPE.model_copy(
    update={
        "distil": None,
        "wide": WideRecipe(),
        "joint": JointRecipe(windows=3, wide_weight=0.5),
        "train": RECIPE.train.model_copy(update={"monitor_titles": 4}),
    }
)


@pytest.fixture
def crossed(examples: Examples, tmp_path: Path) -> Path:
    """Give a long text among the short ones, and what a linear model says of them."""
    texts = Ragged.of([*TEXTS[:-1], LONG])
    made = replace(examples, texts=texts)
    rng = np.random.default_rng(3)
    folder = tmp_path / "cross-fit"
    folder.mkdir()
    for split in ("train", "validation"):
        made.save(tmp_path / f"{split}.npz")
        np.save(folder / f"{split}.npy", rng.normal(size=(len(texts), len(GENRES))).astype(np.float32))
    return folder


def test_the_loss_is_that_of_what_is_served(examples: Examples, crossed: Path, tmp_path: Path) -> None:
    """The mean over a text's windows, half the linear model's logits added, by hand."""
    train(Inputs(prepared=tmp_path, crossed=crossed), out=tmp_path / "train", recipe=JOINT)

    network = GenreNetwork(1)
    network.load_state_dict(torch.load(tmp_path / "train" / "weights.pt", weights_only=True))
    texts = Ragged.of([*TEXTS[:-1], LONG])
    batch = Epoch(replace(examples, texts=texts), JOINT.train, 0, 3)[0]
    with torch.no_grad():
        windows = network(torch.from_numpy(batch.input_ids), torch.from_numpy(batch.attention_mask)).numpy()
    deep = np.stack([windows[batch.window_text == row].mean(0) for row in range(len(TEXTS))])
    logits = deep + 0.5 * np.load(crossed / "train.npy")[batch.texts]
    losses = np.logaddexp(0, logits) - batch.labels * logits
    assert np.bincount(batch.window_text).max() == 3
    (line,) = (tmp_path / "train" / "log.jsonl").read_text().splitlines()
    assert json.loads(line)["loss"] == pytest.approx(
        (losses * batch.known).sum() / batch.known.sum(), abs=2e-5
    )
    described = json.loads((tmp_path / "train" / "train.json").read_text())
    assert described["joint"]["wide_weight"] == 0.5
    assert described["input"].keys() == {"train.npz", "cross-fit"}


def test_what_stands_beside_counts_in_the_monitored_precision(crossed: Path, tmp_path: Path) -> None:
    """Logits that say the truth loudly make it perfect, whatever the network thinks."""
    truth = Examples.load(tmp_path / "validation.npz").labels
    np.save(crossed / "validation.npy", np.where(truth, 1e3, -1e3).astype(np.float32))

    train(Inputs(prepared=tmp_path, crossed=crossed), out=tmp_path / "train", recipe=JOINT)

    (line,) = (tmp_path / "train" / "log.jsonl").read_text().splitlines()
    assert json.loads(line)["monitor_map"] == 1


def test_joint_training_demands_what_stands_beside(crossed: Path, tmp_path: Path) -> None:
    with pytest.raises(StepError, match="trains beside the linear model, whose logits are not given"):
        train(Inputs(prepared=tmp_path), out=tmp_path / "train", recipe=JOINT)
    (crossed / "train.npy").write_bytes(b"PK")
    with pytest.raises(StepError, match=r"train\.npy is missing or damaged .*run the step `cross-fit`"):
        train(Inputs(prepared=tmp_path, crossed=crossed), out=tmp_path / "train", recipe=JOINT)


TAUGHT = RECIPE.model_copy(update={"distil": None, "teacher": TeacherRecipe(), "answers_share": 0.75})


def test_a_teachers_answers_are_blended_with_the_labels(examples: Examples, tmp_path: Path) -> None:
    """By hand: three quarters of the teacher's probability, and all of it where the label is unknown."""
    answers = np.random.default_rng(3).normal(size=(len(TEXTS), len(GENRES))).astype(np.float32)
    (tmp_path / "teach").mkdir()
    np.save(tmp_path / "teach" / "train.npy", answers)

    inputs = Inputs(prepared=tmp_path, taught=tmp_path / "teach")
    train(inputs, out=tmp_path / "train", recipe=TAUGHT)

    network = GenreNetwork(1)
    network.load_state_dict(torch.load(tmp_path / "train" / "weights.pt", weights_only=True))
    ids, mask = pad([assemble(examples.texts[row], None) for row in range(len(TEXTS))])
    with torch.no_grad():
        logits = network(torch.from_numpy(ids), torch.from_numpy(mask)).double().numpy()
    soft = 1 / (1 + np.exp(-answers.astype(np.float64)))
    target = np.where(examples.known, 0.75 * soft + 0.25 * examples.labels, soft)
    losses = np.logaddexp(0, logits) - target * logits
    (line,) = (tmp_path / "train" / "log.jsonl").read_text().splitlines()
    assert json.loads(line)["loss"] == pytest.approx(losses.mean(), abs=2e-5)
    described = json.loads((tmp_path / "train" / "train.json").read_text())
    assert described["answers_share"] == 0.75
    assert described["teacher"]["base"] == "all-mpnet-base-v2"
    assert described["input"].keys() == {"train.npz", "teach"}


@pytest.mark.usefixtures("examples")
def test_a_taught_training_demands_the_answers(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="learns from all-mpnet-base-v2, whose answers are not given"):
        train(Inputs(prepared=tmp_path), out=tmp_path / "train", recipe=TAUGHT)
    with pytest.raises(StepError, match=r"train\.npy is missing or damaged .*run the step `teach`"):
        train(Inputs(prepared=tmp_path, taught=tmp_path / "teach"), out=tmp_path / "train", recipe=TAUGHT)
