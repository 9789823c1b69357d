"""Which network goes with which pre-trained base, and how a base's weights get into it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch
from safetensors.torch import load as load_safetensors
from torch import Tensor, nn

from model_artifacts.pipeline.base_model import BASES, Base
from model_artifacts.pipeline.errors import StepError
from model_artifacts.pipeline.mpnet import MpnetNetwork, mpnet_name
from model_artifacts.pipeline.network import GenreNetwork, base_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Network = GenreNetwork | MpnetNetwork


@dataclass(frozen=True, slots=True)
class Kind:
    """A base with the network that begins with its weights."""

    base: Base
    build: Callable[[int, float], Network]
    """Makes the network of a number of layers and a dropout."""
    name: Callable[[str], str]
    """Translates a parameter's name to that of the base's file."""


KINDS: Final[Mapping[str, Kind]] = {
    "all-MiniLM-L6-v2": Kind(BASES["all-MiniLM-L6-v2"], GenreNetwork, base_name),
    "all-mpnet-base-v2": Kind(BASES["all-mpnet-base-v2"], MpnetNetwork, mpnet_name),
}
"""By the names that recipes use."""


def begin(kind: Kind, layers: int, dropout: float, prior: Tensor) -> Network:
    """Make a network with the base's weights in its encoder and the labels' log-odds in its classifier's bias.

    Parameters
    ----------
    prior : Tensor
        float32 ``[18]``, each label's share of the training titles, strictly between 0 and 1.

    Raises
    ------
    StepError
        If the base model is missing, or lacks a weight or has it in another shape.
    """
    network = kind.build(layers, dropout)
    base = load_safetensors(kind.base.read("model.safetensors"))
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.startswith("classifier."):
                continue
            weight = base.get(kind.name(name))
            if weight is None or weight.shape != parameter.shape:
                message = f"{kind.base.model}: {kind.name(name)} is missing or has another shape"
                raise StepError(message)
            parameter.copy_(weight)
        nn.init.normal_(network.classifier.weight, std=0.02)
        network.classifier.bias.copy_(torch.logit(prior))
    return network
