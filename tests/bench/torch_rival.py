"""The plain way to run the network: torch in float32, with the shipped weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from tokenizers import Tokenizer

from model_artifacts.pipeline.network import GenreNetwork
from tests.bench.rival_weights import dequantized, layers_of, network_state

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def torch_network(path: Path) -> GenreNetwork:
    """Make the network of a shipped file, ready to run."""
    weights = dequantized(path)
    network = GenreNetwork(layers_of(weights))
    # A copy: the arrays may be views of the file's bytes, which torch must not write to.
    state = {name: torch.tensor(value) for name, value in network_state(weights).items()}
    network.load_state_dict(state)
    return network.eval()


def torch_logits(network: GenreNetwork, tokenizer_json: Path, texts: Sequence[str]) -> list[list[float]]:
    """Give each text's logits; a text must fit one window."""
    tokenizer = Tokenizer.from_file(str(tokenizer_json))
    logits = []
    for text in texts:
        ids = torch.tensor([tokenizer.encode(text).ids])
        with torch.inference_mode():
            logits.append(network(ids, torch.ones_like(ids))[0].tolist())
    return logits
