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
