"""The linear model beside the network: its numbers, held against a slow and plain reference, and its file."""

from __future__ import annotations

import json
import math
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genre_model import GENRES, ArtifactError, Document, GenreModel
from genre_model.wide import MAX_VOCABULARY, WideScorer, WideTable, ngram_keys
from tests.support.artifacts import (
    VOCABULARY,
    WORDS,
    manifest_of,
    tiny_network,
    tiny_table,
    tiny_tokenizer,
    wide_entry,
    write_tiny_artifact,
    write_tiny_wide_artifact,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy.typing as npt

TABLE = tiny_table()
pieces = st.lists(st.integers(0, len(VOCABULARY) + 20), max_size=60)
words = st.lists(st.sampled_from(WORDS[:40]), max_size=60).map(" ".join)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> GenreModel:
    return GenreModel.load(write_tiny_wide_artifact(tmp_path_factory.mktemp("wide")))


def reference(ids: Sequence[int], ngrams: int) -> list[float]:
    """Compute the logits of one text with dictionaries and floats, as the formula is written."""
    rows = {int(key): row for row, key in enumerate(TABLE.keys)}
    counts = Counter(ids)
    if ngrams > 1:
        counts.update((a + 1) * 65536 + b for a, b in pairwise(ids))
    values = {
        rows[key]: (1 + math.log(count)) * float(TABLE.idf[rows[key]])
        for key, count in counts.items()
        if key in rows
    }
    length = math.sqrt(sum(value**2 for value in values.values())) or 1.0
    return [
        sum(value / length * int(TABLE.weights[row, label]) for row, value in values.items())
        * float(TABLE.step[label])
        + float(TABLE.intercept[label])
        for label in range(len(GENRES))
    ]


@given(st.lists(pieces, max_size=5), st.sampled_from([1, 2]))
def test_logits_are_those_of_the_formula(texts: list[list[int]], ngrams: int) -> None:
    found = WideScorer(TABLE, ngrams=ngrams, max_tokens=100).logits(texts)

    assert found.shape == (len(texts), len(GENRES))
    assert found.dtype == np.float32
    for row, ids in zip(found, texts, strict=True):
        np.testing.assert_allclose(row, reference(ids, ngrams), rtol=1e-4, atol=1e-4)


@given(pieces, st.randoms(use_true_random=False))
def test_single_pieces_count_the_same_in_any_order(ids: list[int], random: Any) -> None:
    scorer = WideScorer(TABLE, ngrams=1, max_tokens=100)
    shuffled = random.sample(ids, len(ids))

    assert scorer.logits([ids]).tolist() == scorer.logits([shuffled]).tolist()


def test_pairs_count_in_their_order_only() -> None:
    scorer = WideScorer(TABLE, ngrams=2, max_tokens=100)
    first, second = 4, 5  # "word0 word1" is a pair of the table

    assert (first + 1) << 16 | second in TABLE.keys
    assert scorer.logits([[first, second]]).tolist() != scorer.logits([[second, first]]).tolist()


@given(st.lists(pieces, min_size=1, max_size=5))
def test_a_text_does_not_depend_on_its_neighbours(texts: list[list[int]]) -> None:
    scorer = WideScorer(TABLE, ngrams=2, max_tokens=100)

    together = scorer.logits(texts)

    assert together.tolist() == [scorer.logits([ids])[0].tolist() for ids in texts]


@given(pieces, st.integers(1, 20))
def test_only_the_beginning_of_a_long_text_is_read(ids: list[int], limit: int) -> None:
    short = WideScorer(TABLE, ngrams=2, max_tokens=limit)
    unlimited = WideScorer(TABLE, ngrams=2, max_tokens=1000)

    assert short.logits([ids]).tolist() == unlimited.logits([ids[:limit]]).tolist()


def test_a_text_without_a_known_ngram_gets_the_intercepts() -> None:
    scorer = WideScorer(TABLE, ngrams=2, max_tokens=100)

    for text in ([], [30_000], [30_000, 30_001] * 9):
        assert scorer.logits([text])[0].tolist() == TABLE.intercept.tolist()


def test_ngrams_have_the_numbers_that_files_were_written_with() -> None:
    found = ngram_keys(np.array([0, 101, 30_521, 65_534, 65_534], np.uint32), 2)

    assert found.dtype == np.uint32
    assert found.tolist() == [
        0, 101, 30_521, 65_534, 65_534,
        65_637, 6_715_193, 2_000_355_326, 4_294_967_294,
    ]  # fmt: skip
    assert ngram_keys(np.array([7, 8], np.uint32), 1).tolist() == [7, 8]


@given(st.tuples(*[st.integers(0, MAX_VOCABULARY - 1)] * 4))
def test_no_two_ngrams_share_a_number(ids: tuple[int, int, int, int]) -> None:
    a, b, c, d = ids
    keys = ngram_keys(np.array([a, b], np.uint32), 2).tolist()
    others = ngram_keys(np.array([c, d], np.uint32), 2).tolist()

    assert (keys[2] == others[2]) == ((a, b) == (c, d))
    assert keys[2] not in (a, b, c, d)


def test_a_file_gives_known_logits() -> None:
    scorer = WideScorer(TABLE, ngrams=2, max_tokens=100)

    found = scorer.logits([[4, 5, 6, 4, 5]])[0, :4]

    np.testing.assert_allclose(found, [-1.304045, -2.302710, -2.745995, -2.633899], atol=1e-5)


def test_a_table_survives_its_file(tmp_path: Path) -> None:
    read = WideTable.parse(TABLE.to_bytes(), tmp_path, len(TABLE.keys))

    for name in WideTable.__slots__:
        one: npt.NDArray[np.generic] = getattr(read, name)
        other: npt.NDArray[np.generic] = getattr(TABLE, name)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(st.lists(st.builds(Document, words, st.none() | words), max_size=6))
def test_the_model_adds_the_weighted_parts(model: GenreModel, documents: list[Document]) -> None:
    deep, wide, pieces = model.parts(documents)

    assert wide is not None
    assert pieces.tolist() == [len(document.text.split()) for document in documents]
    for row, document in zip(wide, documents, strict=True):
        ids = [VOCABULARY[word] for word in document.text.split()]
        np.testing.assert_allclose(row, reference(ids, 2), rtol=1e-4, atol=1e-4)
    weights = np.array(wide_entry()["weights"], np.float32)
    np.testing.assert_array_equal(model.logits(documents), deep + weights * wide)
    for row, document in zip(model.logits(documents), documents, strict=True):
        assert row.tolist() == model.logits([document])[0].tolist()


def test_the_network_says_the_same_with_and_without_a_wide_part(model: GenreModel, tmp_path: Path) -> None:
    alone = GenreModel.load(write_tiny_artifact(tmp_path))
    documents = [Document("word1 word2", "word3"), Document("word5 " * 50)]

    assert alone.parts(documents).wide is None
    assert alone.logits(documents).tolist() == model.parts(documents).deep.tolist()


def _with_table(content: bytes) -> Callable[[Path], None]:
    """Swap the table together with its manifest entry, so that only the content is wrong."""

    def change(folder: Path) -> None:
        files = {"model.onnx": tiny_network(), "tokenizer.json": tiny_tokenizer(), "wide.bin": content}
        (folder / "wide.bin").write_bytes(content)
        (folder / "manifest.json").write_text(json.dumps(manifest_of(files, wide=wide_entry())))

    return change


def _changed(**arrays: Any) -> bytes:
    names = ("step", "intercept", "keys", "idf", "weights")
    return WideTable(**{name: arrays.get(name, getattr(TABLE, name)) for name in names}).to_bytes()


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda f: (f / "wide.bin").unlink(), r"wide\.bin cannot be read: No such file"),
        (
            lambda f: (f / "wide.bin").write_bytes(TABLE.to_bytes()[:-1]),
            r"wide\.bin has \d+ bytes instead of",
        ),
        (
            lambda f: (f / "wide.bin").write_bytes(b"\x01" + TABLE.to_bytes()[1:]),
            r"wide\.bin differs from the manifest's sha256",
        ),
        (_with_table(TABLE.to_bytes()[:-24]), r"wide\.bin has \d+ bytes; \d+ n-grams take \d+"),
        (_with_table(_changed(keys=TABLE.keys[::-1])), "its keys are not in ascending order"),
        (_with_table(_changed(keys=TABLE.keys // 4 * 4)), "its keys are not in ascending order"),
        (_with_table(_changed(step=-TABLE.step)), "a label's step is not a number above 0"),
        (
            _with_table(_changed(step=TABLE.step * np.float32("nan"))),
            "a label's step is not a number above 0",
        ),
        (_with_table(_changed(intercept=TABLE.intercept + np.float32("inf"))), "a label's intercept"),
        (_with_table(_changed(idf=TABLE.idf * np.float16(0))), "an inverse document frequency is not"),
    ],
)
def test_a_damaged_table_is_named_in_one_sentence(
    tmp_path: Path, damage: Callable[[Path], object], sentence: str
) -> None:
    folder = write_tiny_wide_artifact(tmp_path / "artifact")
    damage(folder)

    with pytest.raises(ArtifactError, match=sentence) as caught:
        GenreModel.load(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"file": "other.bin"}, r"'other\.bin' is named but not listed"),
        ({"file": None}, "file is missing or not a text"),
        ({"features": 0}, "features is 0, not a whole number from 1 to"),
        ({"features": len(TABLE.keys) + 1}, r"wide\.bin has \d+ bytes; \d+ n-grams take \d+"),
        ({"ngrams": 3}, "ngrams is 3, not a whole number from 1 to 2"),
        ({"max_tokens": 0}, "max_tokens is 0, not a whole number"),
        ({"weights": [0.5]}, "weights is not a list of 18 numbers"),
        ({"weights": [float("nan")] * 18}, "weights is not a list of 18 numbers"),
        ({"weights": [-0.5] * 18}, "a weight of the wide part is below 0"),
    ],
)
def test_a_wide_part_that_does_not_fit_is_refused(
    tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ArtifactError, match=sentence):
        GenreModel.load(write_tiny_wide_artifact(tmp_path, wide={**wide_entry(), **changes}))


def test_only_a_transformer_has_a_wide_part(tmp_path: Path) -> None:
    folder = write_tiny_wide_artifact(tmp_path, kind="bag", input={"bins": 16})

    with pytest.raises(ArtifactError, match="a network of kind 'bag' has no wide part"):
        GenreModel.load(folder)


def test_a_wide_part_that_is_no_object_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="wide is missing or not an object"):
        GenreModel.load(write_tiny_wide_artifact(tmp_path, wide="wide.bin"))
