"""What a trained network passes on to a shallower one: layers to begin with, and its probabilities as targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor
from torch.nn import functional

from model_artifacts.pipeline.errors import StepError
from model_artifacts.pipeline.network import GenreNetwork
from model_artifacts.pipeline.states import load_state

if TYPE_CHECKING:
    from pathlib import Path

    from model_artifacts.pipeline.recipe import DistilRecipe


class Teacher:
    """A trained network that answers and is not trained."""

    def __init__(self, network: GenreNetwork, recipe: DistilRecipe) -> None:
        self._network = network.eval().requires_grad_(requires_grad=False)
        self._recipe = recipe

    @classmethod
    def load(cls, weights: Path, recipe: DistilRecipe) -> Self:
        """Read the teacher's state dict.

        Raises
        ------
        StepError
            If the file is missing or damaged, or is not that of a network of ``recipe.teacher_layers`` layers.
        """
        remedy = f"train {recipe.teacher} first"
        if not weights.is_file():
            message = f"the teacher's weights {weights} are missing: {remedy}"
            raise StepError(message)
        network = GenreNetwork(recipe.teacher_layers)
        try:
            network.load_state_dict(load_state(weights, remedy))
        except RuntimeError as error:
            message = f"{weights} does not hold a network of {recipe.teacher_layers} layers: {error}"
            raise StepError(message) from error
        return cls(network, recipe)

    def to(self, device: torch.device) -> Self:
        """Move the network to where it is asked."""
        self._network.to(device)
        return self

    def start(self, student: GenreNetwork) -> None:
        """Copy embeddings, classifier and the chosen layers into the student."""
        own = self._network.state_dict()
        state = {name: value for name, value in own.items() if not name.startswith("layers.")}
        for target, source in enumerate(self._recipe.start_layers):
            prefix = f"layers.{source}."
            state |= {
                f"layers.{target}.{name.removeprefix(prefix)}": value
                for name, value in own.items()
                if name.startswith(prefix)
            }
        student.load_state_dict(state)

    @property
    def answers(self) -> bool:
        """Whether its probabilities count: with a share of 0 it gives its weights to begin with and nothing else."""
        return self._recipe.soft_share > 0

    def logits(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Answer like `GenreNetwork.forward`, without a gradient."""
        with torch.no_grad():
            answer: Tensor = self._network(input_ids, attention_mask)
        return answer.float()

    def loss(self, logits: Tensor, soft: Tensor, labels: Tensor, known: Tensor) -> Tensor:
        """Give the student's loss, see `blended_loss`; ``soft`` are the teacher's logits."""
        return blended_loss(logits, soft, labels, known, self._recipe.soft_share)


def blended_loss(logits: Tensor, soft: Tensor, labels: Tensor, known: Tensor, soft_share: float) -> Tensor:
    """Give the loss of a student (Hinton et al. 2015).

    Parameters
    ----------
    logits, soft : Tensor
        float32 ``[batch, 18]``: the student's logits and the teacher's.
    labels, known : Tensor
        float32 ``[batch, 18]``: 1 for a label the title has, and for one its source can know.
    soft_share : float
        Weight of the teacher's probabilities.

    Returns
    -------
    Tensor
        The mean binary cross-entropy towards a blend of teacher and labels; where the source cannot know a
        label, the teacher's probability stands alone.
    """
    share = 1 - (1 - soft_share) * known
    target = share * torch.sigmoid(soft) + (1 - share) * labels
    return functional.binary_cross_entropy_with_logits(logits, target)
