"""What an epoch draws: the same again from the same seed, other words in another pass."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_artifacts.pipeline.examples import Examples, Ragged
from model_artifacts.pipeline.recipe import TrainRecipe
from model_artifacts.pipeline.views import CLS, MASK, PAD, SEP, Epoch, assemble, pad

TEXT = list(range(1000, 1400))


def some_examples(count: int = 24) -> Examples:
    labels = np.ones((count, 18), np.uint8)
    return Examples(
        texts=Ragged.of([TEXT] * count),
        owner=np.arange(count, dtype=np.int32),
        is_main=np.ones(count, np.bool_),
        titles=Ragged.of([[500, 501]] * count),
        labels=labels,
        known=labels,
    )


def all_ids(recipe: TrainRecipe, number: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    epoch = Epoch(some_examples(), recipe, number)
    return np.concatenate([epoch[i].input_ids.ravel() for i in range(len(epoch))])


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_the_asked_share_of_the_text_is_masked_and_nothing_else(share: float) -> None:
    ids = all_ids(TrainRecipe(mask_share=share, batch_size=8, window_tokens=(128,), title_share=1.0), 0)

    words = (ids == MASK) | (ids >= TEXT[0])
    assert (ids == MASK).sum() == pytest.approx(share * words.sum(), rel=0.1)
    assert (ids == CLS).sum() == 24
    assert (ids == SEP).sum() == 48
    assert (ids == 500).sum() == 24
    assert words.sum() + 24 + 48 + 48 + (ids == PAD).sum() == len(ids)


def test_an_epoch_is_drawn_again_alike_and_the_next_one_otherwise() -> None:
    recipe = TrainRecipe(mask_share=0.2, batch_size=8)

    np.testing.assert_array_equal(all_ids(recipe, 3), all_ids(recipe, 3))
    assert not np.array_equal(all_ids(recipe, 3), all_ids(recipe, 4))


def test_batches_do_not_depend_on_the_order_they_are_asked_in() -> None:
    epoch = Epoch(some_examples(), TrainRecipe(mask_share=0.2, batch_size=8), 0)

    first, last = epoch[0].input_ids, epoch[2].input_ids

    np.testing.assert_array_equal(epoch[2].input_ids, last)
    np.testing.assert_array_equal(epoch[0].input_ids, first)


def a_long_and_a_short_text() -> Examples:
    labels = np.ones((2, 18), np.uint8)
    return Examples(
        texts=Ragged.of([TEXT, TEXT[:20]]),
        owner=np.arange(2, dtype=np.int32),
        is_main=np.ones(2, np.bool_),
        titles=Ragged.of([[500, 501]] * 2),
        labels=labels,
        known=labels,
    )


@pytest.mark.parametrize(("windows", "expected"), [(1, 1), (3, 3), (8, 7)])
def test_a_long_text_gives_windows_of_stretches_of_its_own(windows: int, expected: int) -> None:
    recipe = TrainRecipe(batch_size=2, window_tokens=(64,), title_share=0)
    for number in range(20):
        batch = Epoch(a_long_and_a_short_text(), recipe, number, windows)[0]

        assert (
            np.bincount(batch.window_text).tolist()
            == [1 if row else expected for row in reversed(batch.texts.tolist())][::-1]
        )
        long = batch.input_ids[batch.window_text == batch.texts.tolist().index(0)]
        starts = long[:, 1] - TEXT[0]
        room = len(TEXT) - 62 + 1
        for place, start in enumerate(starts.tolist()):
            assert place * room // expected <= start < -(-(place + 1) * room // expected)
        assert {len(window[window >= TEXT[0]]) for window in long} == {62}
        (short,) = batch.input_ids[batch.window_text == batch.texts.tolist().index(1)]
        assert short[short >= TEXT[0]].tolist() == TEXT[:20]


def test_every_text_is_drawn_once_an_epoch_with_its_own_labels() -> None:
    examples = some_examples()
    examples.labels[:, 0] = np.arange(24) % 2
    epoch = Epoch(examples, TrainRecipe(batch_size=8), 0, 3)
    batches = [epoch[index] for index in range(len(epoch))]

    assert sorted(np.concatenate([batch.texts for batch in batches]).tolist()) == list(range(24))
    for batch in batches:
        assert batch.labels[:, 0].tolist() == (batch.texts % 2).tolist()
        assert len(batch.input_ids) == len(batch.window_text)


@given(
    texts=st.lists(st.integers(0, 90), min_size=1, max_size=12),
    titles=st.lists(st.integers(0, 5), min_size=12, max_size=12),
    windows=st.integers(1, 4),
    number=st.integers(0, 3),
    mask_share=st.sampled_from([0.0, 0.3]),
)
def test_a_batch_is_its_windows_put_together_one_by_one(
    texts: list[int], titles: list[int], windows: int, number: int, mask_share: float
) -> None:
    """The ids are those of `assemble` and `pad`, each window a stretch of its own text."""
    count = len(texts)
    examples = Examples(
        texts=Ragged.of([list(range(1000 * (row + 1), 1000 * (row + 1) + n)) for row, n in enumerate(texts)]),
        owner=np.arange(count, dtype=np.int32),
        is_main=np.ones(count, np.bool_),
        titles=Ragged.of([[500 + row] * n for row, n in enumerate(titles[:count])]),
        labels=np.ones((count, 18), np.uint8),
        known=np.ones((count, 18), np.uint8),
    )
    recipe = TrainRecipe(batch_size=count, window_tokens=(16, 24), title_share=0.5, mask_share=mask_share)

    batch = Epoch(examples, recipe, number, windows)[0]

    rows = []
    for ids, mask, place in zip(batch.input_ids, batch.attention_mask, batch.window_text, strict=True):
        own = batch.texts[place]
        tokens = ids[mask == 1]
        title = examples.titles[own] if len(tokens) > 1 and tokens[1] == 500 + own else None
        text = tokens[1 if title is None else 2 + len(title) : -1]
        words = np.flatnonzero(text != MASK)
        start = int(text[words[0]] - words[0] - 1000 * (own + 1)) if len(words) else 0
        stretch = examples.texts[own][start : start + len(text)]
        assert len(stretch) == len(text)
        assert ((text == stretch) | (text == MASK)).all()
        assert mask_share or MASK not in text
        rows.append(assemble(text.astype(np.uint16), title))
    ids, mask = pad(rows)
    np.testing.assert_array_equal(batch.input_ids, ids)
    np.testing.assert_array_equal(batch.attention_mask, mask)
    assert np.bincount(batch.window_text).max() <= windows


def test_texts_that_take_no_part_are_not_drawn() -> None:
    rows = np.array([3, 5, 8, 9, 20])
    epoch = Epoch(some_examples(), TrainRecipe(batch_size=2), 1, 1, rows)

    drawn = np.concatenate([epoch[index].texts for index in range(len(epoch))])

    assert len(epoch) == 2
    assert set(drawn.tolist()) < set(rows.tolist())
    assert len(set(drawn.tolist())) == 4


def test_short_texts_are_drawn_again_in_other_words_and_long_ones_once() -> None:
    recipe = TrainRecipe(batch_size=2, short_tokens=20, short_repeats=3, mask_share=0.5)
    epoch = Epoch(a_long_and_a_short_text(), recipe, 0, 2)

    batches = [epoch[index] for index in range(len(epoch))]

    assert sorted(np.concatenate([batch.texts for batch in batches]).tolist()) == [0, 1, 1, 1]
    short = [
        ids[mask == 1].tolist()
        for batch in batches
        for ids, mask, place in zip(batch.input_ids, batch.attention_mask, batch.window_text, strict=True)
        if batch.texts[place] == 1
    ]
    assert len(short) == 3
    assert len({tuple(ids) for ids in short}) == 3
