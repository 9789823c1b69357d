"""The fit of the linear model: what it counts, what it minimises, and that the file says what was fitted."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import check_grad

from genre_model import GENRES
from genre_model.wide import WideScorer, WideTable
from model_artifacts.pipeline.combine import GRID, fit_weights
from model_artifacts.pipeline.errors import StepError
from model_artifacts.pipeline.examples import Examples, Ragged
from model_artifacts.pipeline.logistic import Loss
from model_artifacts.pipeline.ngrams import choose_vocabulary, count_ngrams, design
from model_artifacts.pipeline.recipe import WideRecipe
from model_artifacts.pipeline.wide import FLOAT_LOGITS_NAME, WIDE_NAME, fit_wide, quantized

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

texts = st.lists(st.lists(st.integers(0, 30), max_size=30), min_size=1, max_size=6)
RECIPE = WideRecipe(features=400, l2=1e-4, iterations=60)
CUES = 40
"""In the invented texts, the word piece ``100 + label`` goes with that label; everything below is noise."""


def examples(count: int, seed: int, *, known: float = 1.0) -> Examples:
    """Invent titles of one to three labels, with one text each, or two for every fifth."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((count, len(GENRES))) < 0.1).astype(np.uint8)
    sequences, owner, is_main = [], [], []
    for row in range(count):
        for number in range(2 if row % 5 == 0 else 1):
            noise = rng.integers(0, CUES, rng.integers(0, 40))
            sequences.append(rng.permutation([*noise, *(100 + np.flatnonzero(labels[row]))]).tolist())
            owner.append(row)
            is_main.append(number == 0)
    return Examples(
        texts=Ragged.of(sequences),
        owner=np.array(owner, np.int32),
        is_main=np.array(is_main, np.bool_),
        titles=Ragged.of([[] for _ in range(count)]),
        labels=labels,
        known=(rng.random(labels.shape) < known).astype(np.uint8) | labels,
    )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepare")
    examples(400, 1, known=0.9).save(folder / "train.npz")
    examples(120, 2).save(folder / "validation.npz")
    return folder


@pytest.fixture(scope="module")
def fitted(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wide")
    fit_wide(prepared=prepared, out=out, recipe=RECIPE)
    return out


def load(folder: Path) -> WideTable:
    features = json.loads((folder / "wide.json").read_text())["features"]
    return WideTable.parse((folder / WIDE_NAME).read_bytes(), folder / WIDE_NAME, features)


@given(texts, st.sampled_from([1, 2]))
def test_ngrams_are_counted_within_their_text(sequences: list[list[int]], longest: int) -> None:
    owner, keys, counts = count_ngrams(Ragged.of(sequences), longest)

    expected: dict[tuple[int, int], int] = {}
    for row, ids in enumerate(sequences):
        pairs = pairwise(ids) if longest > 1 else ()
        for key in [*ids, *((a + 1) * 65536 + b for a, b in pairs)]:
            expected[row, key] = expected.get((row, key), 0) + 1
    found = dict(zip(zip(owner.tolist(), keys.tolist(), strict=True), counts.tolist(), strict=True))
    assert found == expected


def test_the_most_common_ngrams_are_kept_with_their_rarity() -> None:
    keys = np.array([7, 7, 7, 5, 5, 9, 9, 1], np.uint32)

    vocabulary, idf = choose_vocabulary(keys, 3, 3)

    assert vocabulary.tolist() == [5, 7, 9]
    np.testing.assert_allclose(idf, [1 + np.log(4 / 3), 1.0, 1 + np.log(4 / 3)], rtol=1e-3)


@given(texts, st.sampled_from([1, 2]))
def test_training_sees_the_features_that_are_served(sequences: list[list[int]], longest: int) -> None:
    ragged = Ragged.of([*sequences, [1, 2, 3]])
    _, keys, _ = count_ngrams(ragged, longest)
    vocabulary, idf = choose_vocabulary(keys, len(ragged), 20)
    weights = np.random.default_rng(0).integers(-9, 9, (len(vocabulary), len(GENRES))).astype(np.float32)
    table = quantized(weights, np.ones(len(GENRES), np.float32), vocabulary, idf)

    rows = design(ragged, vocabulary, idf, longest)
    served = WideScorer(table, ngrams=longest, max_tokens=99).logits([*sequences, [1, 2, 3]])

    exact = table.weights.astype(np.float32) * table.step
    np.testing.assert_allclose(served, rows @ exact + table.intercept, rtol=1e-4, atol=1e-4)
    lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(1)).ravel())
    assert all(abs(length - 1) < 1e-4 or length == 0 for length in lengths)


def test_the_gradient_is_that_of_the_loss() -> None:
    sample = examples(12, 3, known=0.5)
    _, keys, _ = count_ngrams(sample.texts, 1)
    vocabulary, idf = choose_vocabulary(keys, len(sample.texts), 8)
    labels, known = (a[sample.owner].astype(np.float32) for a in (sample.labels, sample.known))
    loss = Loss(design(sample.texts, vocabulary, idf, 1), labels, known, l2=0.1)
    point = np.random.default_rng(4).normal(size=len(loss.start()))

    error = check_grad(lambda x: loss(x)[0], lambda x: loss(x)[1], point, epsilon=1e-3)

    assert error < 0.01 * np.linalg.norm(loss(point)[1])


def test_what_a_source_cannot_know_is_not_learned_from() -> None:
    sample = examples(30, 5, known=0.5)
    rows = design(sample.texts, np.arange(120, dtype=np.uint32), np.ones(120, np.float16), 1)
    known = sample.known[sample.owner].astype(np.float32)
    labels = sample.labels[sample.owner].astype(np.float32)
    point = np.random.default_rng(6).normal(size=121 * len(GENRES))

    one = Loss(rows, labels, known, l2=0.1)(point)
    other = Loss(rows, np.where(known, labels, 1 - labels), known, l2=0.1)(point)

    assert one[0] == pytest.approx(other[0])
    np.testing.assert_allclose(one[1], other[1], atol=1e-6)


def test_the_fit_finds_the_words_that_matter(fitted: Path) -> None:
    table = load(fitted)
    weights = table.weights * table.step
    cues = np.searchsorted(table.keys, np.arange(100, 100 + len(GENRES)))

    assert (weights[cues].argmax(0) == np.arange(len(GENRES))).all()
    figures = json.loads((fitted / "wide.json").read_text())
    assert figures["validation"]["mean_average_precision"]["int8"] > 0.9  # chance is about 0.1
    assert figures["iterations"] <= RECIPE.iterations
    losses = [json.loads(line)["loss"] for line in (fitted / "log.jsonl").read_text().splitlines()]
    assert losses == sorted(losses, reverse=True)


def test_the_same_examples_give_the_same_file(fitted: Path, prepared: Path, tmp_path: Path) -> None:
    fit_wide(prepared=prepared, out=tmp_path, recipe=RECIPE)

    assert (tmp_path / WIDE_NAME).read_bytes() == (fitted / WIDE_NAME).read_bytes()


def test_the_float_logits_are_those_of_the_validation_titles(fitted: Path, prepared: Path) -> None:
    sample = Examples.load(prepared / "validation.npz")
    main = np.flatnonzero(sample.is_main).tolist()
    scorer = WideScorer(load(fitted), ngrams=2, max_tokens=999)

    in_float = np.load(fitted / FLOAT_LOGITS_NAME)

    assert in_float.shape == sample.labels.shape
    np.testing.assert_allclose(
        scorer.logits([sample.texts[row].tolist() for row in main]), in_float, atol=0.3
    )


def test_missing_examples_are_named(tmp_path: Path) -> None:
    with pytest.raises(StepError, match=r"train\.npz is missing or damaged .*: run the step `prepare`"):
        fit_wide(prepared=tmp_path, out=tmp_path / "out", recipe=RECIPE)


def test_texts_without_a_word_piece_are_refused(tmp_path: Path) -> None:
    empty = Ragged.of([[], []])
    labels = np.zeros((2, len(GENRES)), np.uint8)
    Examples(
        texts=empty,
        owner=np.arange(2, dtype=np.int32),
        is_main=np.ones(2, np.bool_),
        titles=empty,
        labels=labels,
        known=labels + np.uint8(1),
    ).save(tmp_path / "train.npz")

    with pytest.raises(StepError, match="holds no word piece"):
        fit_wide(prepared=tmp_path, out=tmp_path / "out", recipe=RECIPE)


@given(hnp.arrays(np.float32, (9, len(GENRES)), elements=st.floats(-50, 50, width=32)))
@example(np.full((9, len(GENRES)), 1e-44, np.float32))
@example(np.zeros((9, len(GENRES)), np.float32))
def test_rounding_moves_no_weight_by_more_than_half_a_step(weights: npt.NDArray[np.float32]) -> None:
    keys, idf = np.arange(9, dtype=np.uint32), np.ones(9, np.float16)

    table = quantized(weights, np.zeros(len(GENRES), np.float32), keys, idf)

    assert (table.step > 0).all()
    assert np.abs(table.weights.astype(np.int16)).max() <= 127
    assert (np.abs(table.weights * table.step - weights) <= table.step * 0.5001).all()


def test_the_weight_is_the_one_that_the_labels_were_made_with() -> None:
    rng = np.random.default_rng(7)
    deep, wide = rng.normal(size=(2, 6000, len(GENRES))).astype(np.float32)
    labels = (rng.random(deep.shape) < 1 / (1 + np.exp(-(2 * deep + 1.2 * wide - 1)))).astype(np.uint8)

    weights = fit_weights(deep, wide, labels)

    assert len(set(weights.tolist())) == 1
    assert weights[0] in GRID
    assert weights[0] == pytest.approx(0.6, abs=0.051)


def test_a_linear_model_that_says_nothing_counts_nothing() -> None:
    rng = np.random.default_rng(8)
    deep = rng.normal(size=(500, len(GENRES))).astype(np.float32)
    labels = (rng.random(deep.shape) < 1 / (1 + np.exp(-deep))).astype(np.uint8)

    assert fit_weights(deep, np.zeros_like(deep), labels).tolist() == [0.0] * len(GENRES)
