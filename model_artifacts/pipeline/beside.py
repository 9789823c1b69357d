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

    from model_artifacts.pipeline.recipe import JointRecipe


@dataclass(frozen=True, slots=True)
class Beside:
    """Logits to add to the network's, float32 ``[texts, 18]`` of either file; None where it is trained by itself."""

    train: npt.NDArray[np.float32] | None = None
    validation: npt.NDArray[np.float32] | None = None

    @classmethod
    def load(cls, crossed: Path | None, recipe: JointRecipe | None) -> Self:
        """Read what the step `cross-fit` wrote, weighed as the recipe says.

        Raises
        ------
        StepError
            If the recipe asks for it and it is not given, missing or damaged.
        """
        if recipe is None:
            return cls()
        if crossed is None:
            message = "the recipe trains beside the linear model, whose logits are not given"
            raise StepError(message)
        weight = np.float32(recipe.wide_weight)
        return cls(*(weight * load_array(crossed / name, "cross-fit") for name in (TRAIN, VALIDATION)))
