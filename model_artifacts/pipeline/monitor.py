"""The curve of a training run: mean average precision on a part of the validation file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from model_artifacts.pipeline.answers import answer, cut
from model_artifacts.pipeline.metrics import mean_average_precision

if TYPE_CHECKING:
    import numpy.typing as npt

    from model_artifacts.pipeline.bases import Network
    from model_artifacts.pipeline.examples import Examples
    from model_artifacts.pipeline.recipe import TrainRecipe


class Monitor:
    """The first titles of the validation file, cut into as many windows as a text is trained on.

    Parameters
    ----------
    examples : Examples
        The validation file.
    recipe : TrainRecipe
        Says how many titles.
    windows : int
        Windows of a text at most.
    beside : ndarray or None
        float32 ``[texts, 18]``, added to the network's logits.
    """

    def __init__(
        self,
        examples: Examples,
        recipe: TrainRecipe,
        windows: int,
        beside: npt.NDArray[np.float32] | None = None,
    ) -> None:
        self._texts = len(examples.texts)
        self._rows = np.flatnonzero(examples.is_main)[: recipe.monitor_titles]
        self._labels = examples.labels[examples.owner[self._rows]]
        self._beside = beside
        self._bfloat16 = recipe.precision == "bfloat16"
        self._batches = cut(
            examples,
            self._rows,
            tokens=max(recipe.window_tokens),
            windows=windows,
            size=recipe.batch_size,
        )

    def precision(self, network: Network) -> float:
        """Score the titles; leaves the network in evaluation mode."""
        logits = answer(network, self._batches, self._texts, bfloat16=self._bfloat16)
        if self._beside is not None:
            logits = logits + self._beside
        return mean_average_precision(logits[self._rows], self._labels)
