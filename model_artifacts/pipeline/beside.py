"""What stands beside the network while it is trained: the linear model's logits, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from model_artifacts.pipeline.arrays import load_array
from model_artifacts.pipeline.cross_fit import TRAIN, VALIDATION
from model_artifacts.pipeline.errors import StepError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Beside:
    """Logits to add to the network's, float32 ``[texts, 18]`` of either file; None where it is trained by itself."""

    train: npt.NDArray[np.float32] | None = None
    validation: npt.NDArray[np.float32] | None = None

    @classmethod
    def load(cls, crossed: Path | None, wide_weight: float) -> Self:
        """Read what the step `cross-fit` wrote, and weigh it; with a weight of 0, nothing stands beside.

        Raises
        ------
        StepError
            If it counts and is not given, missing or damaged.
        """
        if not wide_weight:
            return cls()
        if crossed is None:
            message = "the recipe trains beside the linear model, whose logits are not given"
            raise StepError(message)
        weight = np.float32(wide_weight)
        return cls(*(weight * load_array(crossed / name, "cross-fit") for name in (TRAIN, VALIDATION)))
