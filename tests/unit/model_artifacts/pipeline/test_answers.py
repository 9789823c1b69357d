"""What a network says of whole texts: cut as serving cuts them, averaged, in the order of the examples."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genre_model.labels import GENRES
from genre_model.windows import plan_windows
from model_artifacts.pipeline.answers import answer, cut
from model_artifacts.pipeline.examples import Examples, Ragged
from model_artifacts.pipeline.network import GenreNetwork
from model_artifacts.pipeline.views import assemble, pad

LENGTHS = (50, 3, 17, 200, 0)
TITLES: tuple[list[int], ...] = ([], [700, 701], [702])
OWNER = (0, 1, 1, 2, 2)


@pytest.fixture
def examples() -> Examples:
    rng = np.random.default_rng(2)
    labels = np.eye(len(TITLES), len(GENRES), dtype=np.uint8)
    return Examples(
        texts=Ragged.of([rng.integers(1000, 2000, length).tolist() for length in LENGTHS]),
        owner=np.array(OWNER, np.int32),
        is_main=np.array([True, True, False, True, False]),
        titles=Ragged.of(list(TITLES)),
        labels=labels,
        known=np.ones_like(labels),
    )


@pytest.mark.parametrize("titled", [False, True])
def test_every_text_is_the_mean_of_its_windows(examples: Examples, titled: bool) -> None:
    torch.manual_seed(0)
    network = GenreNetwork(1, dropout=0.5)
    rows = np.array([0, 2, 3, 4])
    batches = cut(examples, rows, tokens=24, windows=3, size=2, titled=titled)

    found = answer(network, batches, len(LENGTHS))

    assert not network.training
    assert np.isnan(found[1]).all()
    for row in rows.tolist():
        title = examples.titles[OWNER[row]] if titled else None
        room = 24 - 2 - (len(title) + 1 if title is not None and len(title) else 0)
        plan = plan_windows(LENGTHS[row], room, 3)
        windows = [pad([assemble(examples.texts[row][first:end], title)]) for first, end in plan]
        with torch.no_grad():
            logits = [
                network(torch.from_numpy(ids), torch.from_numpy(mask))[0].numpy() for ids, mask in windows
            ]
        np.testing.assert_allclose(found[row], np.mean(logits, 0), atol=1e-5)
    assert found.dtype == np.float32


def test_batches_hold_the_shortest_texts_first_with_their_labels(examples: Examples) -> None:
    batches = cut(examples, np.arange(5), tokens=24, windows=3, size=2)

    assert [batch.texts.tolist() for batch in batches] == [[4, 1], [2, 0], [3]]
    np.testing.assert_array_equal(batches[1].labels, examples.labels[[1, 0]])
    assert max(batch.input_ids.shape[1] for batch in batches) == 24
