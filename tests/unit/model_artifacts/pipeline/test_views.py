"""What an epoch draws: the same again from the same seed, other words in another pass."""

from __future__ import annotations

import numpy as np
import pytest

from model_artifacts.pipeline.examples import Examples, Ragged
from model_artifacts.pipeline.recipe import TrainRecipe
from model_artifacts.pipeline.views import CLS, MASK, PAD, SEP, Epoch

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
