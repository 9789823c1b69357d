"""What the linear model says of texts it has not seen: nobody's own labels are in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genre_model import GENRES
from model_artifacts.pipeline.cross_fit import TRAIN, VALIDATION, cross_fit, deal
from model_artifacts.pipeline.errors import StepError
from model_artifacts.pipeline.examples import Examples, Ragged
from model_artifacts.pipeline.recipe import JointRecipe, WideRecipe

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

TITLES = 60
JOINT = JointRecipe(folds=3, seed=5)
WIDE = WideRecipe(features=200, iterations=20)


def titles(seed: int) -> Examples:
    """Invent titles; the word piece ``100 + label`` goes with its label, and every third title has two texts."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((TITLES, len(GENRES))) < 0.15).astype(np.uint8)
    owner = np.sort(np.concatenate([np.arange(TITLES), np.arange(0, TITLES, 3)])).astype(np.int32)
    texts = [
        [*rng.integers(0, 50, 10).tolist(), *(100 + np.flatnonzero(labels[row])).tolist()] for row in owner
    ]
    return Examples(
        texts=Ragged.of(texts),
        owner=owner,
        is_main=np.append(True, owner[1:] != owner[:-1]),
        titles=Ragged.of([[] for _ in range(TITLES)]),
        labels=labels,
        known=np.ones_like(labels),
    )


def logits_of(examples: Examples, folder: Path) -> npt.NDArray[np.float32]:
    folder.mkdir()
    examples.save(folder / "train.npz")
    titles(2).save(folder / "validation.npz")
    cross_fit(prepared=folder, out=folder, recipe=JOINT, wide=WIDE)
    found: npt.NDArray[np.float32] = np.load(folder / TRAIN)
    return found


def test_a_titles_own_labels_never_reach_its_texts(tmp_path: Path) -> None:
    examples = titles(1)
    fold = deal(TITLES, JOINT.folds, JOINT.seed)
    before = logits_of(examples, tmp_path / "before")
    examples.labels[fold == 1] ^= 1

    after = logits_of(examples, tmp_path / "after")

    hidden = fold[examples.owner] == 1
    np.testing.assert_array_equal(before[hidden], after[hidden])
    assert np.abs(before[~hidden] - after[~hidden]).max() > 0.1


def test_it_says_something_of_texts_it_has_not_seen(tmp_path: Path) -> None:
    examples = titles(1)
    logits = logits_of(examples, tmp_path / "x")

    labels = examples.labels[examples.owner].astype(bool)
    assert logits[labels].mean() > logits[~labels].mean() + 0.5
    answers = np.load(tmp_path / "x" / VALIDATION)
    asked = titles(2)
    truth = asked.labels[asked.owner].astype(bool)
    assert answers[truth].mean() > answers[~truth].mean() + 0.5
    described = json.loads((tmp_path / "x" / "cross-fit.json").read_text())
    assert described["mean_average_precision"] > 0.5
    assert [json.loads(line)["step"] for line in (tmp_path / "x" / "log.jsonl").read_text().splitlines()] == [
        1,
        2,
        3,
    ]


@given(st.integers(0, 500), st.integers(2, 20), st.integers(0, 2**31))
def test_folds_are_equally_large(count: int, folds: int, seed: int) -> None:
    sizes = np.bincount(deal(count, folds, seed), minlength=folds)

    assert sizes.sum() == count
    assert len(sizes) == folds
    assert sizes.max() - sizes.min() <= 1


def test_texts_without_words_are_named(tmp_path: Path) -> None:
    empty = titles(1)
    with pytest.raises(StepError, match="holds no word piece"):
        logits_of(
            Examples(
                texts=Ragged.of([[] for _ in empty.owner]),
                owner=empty.owner,
                is_main=empty.is_main,
                titles=empty.titles,
                labels=empty.labels,
                known=empty.known,
            ),
            tmp_path / "x",
        )
