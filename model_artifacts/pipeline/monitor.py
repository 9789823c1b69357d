"""The curve of a training run: mean average precision on a part of the validation file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from genre_model.labels import GENRES
from genre_model.windows import plan_windows
from model_artifacts.pipeline.metrics import mean_average_precision
from model_artifacts.pipeline.network import mean_by_text
from model_artifacts.pipeline.views import Batch, assemble, pad

if TYPE_CHECKING:
    import numpy.typing as npt

    from model_artifacts.pipeline.examples import Examples
    from model_artifacts.pipeline.network import GenreNetwork
    from model_artifacts.pipeline.recipe import BertRecipe


class Monitor:
    """The first titles of the validation file, cut into as many windows as a text is trained on, shortest first.

    Parameters
    ----------
    examples : Examples
        The validation file.
    recipe : BertRecipe
        Says how many titles and windows.
    beside : ndarray or None
        float32 ``[texts, 18]``, added to the network's logits.
    """

    def __init__(
        self, examples: Examples, recipe: BertRecipe, beside: npt.NDArray[np.float32] | None = None
    ) -> None:
        self._beside = beside
        limit = max(recipe.train.window_tokens) - 2
        size = recipe.train.batch_size
        rows = np.flatnonzero(examples.is_main)[: recipe.train.monitor_titles]
        rows = rows[np.argsort(np.minimum(np.diff(examples.texts.offsets)[rows], limit), kind="stable")]
        self._batches = [
            _cut(examples, rows[start : start + size], limit, recipe.windows_of_a_text)
            for start in range(0, len(rows), size)
        ]

    def precision(self, network: GenreNetwork) -> float:
        """Score the titles; leaves the network in evaluation mode."""
        network.eval()
        scores: list[npt.NDArray[np.float32]] = []
        with torch.inference_mode():
            for batch in self._batches:
                logits = network(torch.from_numpy(batch.input_ids), torch.from_numpy(batch.attention_mask))
                answer = mean_by_text(logits, batch.window_text).numpy()
                scores.append(answer if self._beside is None else answer + self._beside[batch.texts])
        labels = np.concatenate([batch.labels for batch in self._batches]).astype(np.uint8)
        assert labels.shape[1] == len(GENRES)  # noqa: S101 -- a guard against a stale prepare step
        return mean_average_precision(np.concatenate(scores), labels)


def _cut(examples: Examples, rows: npt.NDArray[np.int64], limit: int, windows: int) -> Batch:
    plans = [plan_windows(len(examples.texts[row]), limit, windows) for row in rows]
    ids, mask = pad(
        [
            assemble(examples.texts[row][first:end], None)
            for row, plan in zip(rows, plans, strict=True)
            for first, end in plan
        ]
    )
    window_text = np.repeat(np.arange(len(rows)), [len(plan) for plan in plans])
    labels = examples.labels[examples.owner[rows]].astype(np.float32)
    return Batch(ids, mask, rows, window_text, labels, np.ones_like(labels))
