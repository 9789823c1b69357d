"""What torch saved: state dicts and checkpoints, read so that a missing or damaged one is a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from model_artifacts.pipeline.errors import StepError
from model_artifacts.pipeline.network import GenreNetwork

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def load_state(path: Path, remedy: str, names: Iterable[str] = ()) -> dict[str, Any]:
    """Read a dict that torch saved.

    Parameters
    ----------
    remedy : str
        What to do about a file that cannot be read; ends the sentence.
    names : iterable of str
        Entries that it must have.

    Raises
    ------
    StepError
        If the file is missing or damaged, is no dict, or lacks an entry.
    """
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
    except (
        Exception
    ) as error:  # a flipped byte makes torch raise nearly anything: what zip files and pickles have
        message = f"{path} is missing or damaged ({error!r}): {remedy}"
        raise StepError(message) from error
    if not isinstance(state, dict):
        message = f"{path} is damaged (it holds no dict): {remedy}"
        raise StepError(message)
    if missing := [name for name in names if name not in state]:
        message = f"{path} is damaged (it lacks {missing[0]!r}): {remedy}"
        raise StepError(message)
    return state


def load_network(weights: Path, layers: int) -> GenreNetwork:
    """Load the network that `train` wrote, for inference.

    Raises
    ------
    StepError
        If the weights are missing, damaged or do not fit.
    """
    remedy = "run the step `train`"
    network = GenreNetwork(layers)
    try:
        network.load_state_dict(load_state(weights, remedy))
    except RuntimeError as error:
        message = f"{weights} does not fit ({error}): {remedy}"
        raise StepError(message) from error
    return network.eval()
