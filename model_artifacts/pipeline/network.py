"""The network in torch: a BERT encoder, mean pooling, one linear layer to 18 logits.

Written out, rather than taken from ``transformers``, so that training needs nothing but torch and the
exported graph holds exactly what is written here. Parameter names are BERT's own; the base
weights load by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from safetensors.torch import load as load_safetensors
from torch import Tensor, nn
from torch.nn import functional

from genre_model.labels import GENRES
from model_artifacts.pipeline.base_model import read_base_file
from model_artifacts.pipeline.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

# Figures of all-MiniLM-L6-v2's config.json.
VOCABULARY: Final = 30_522
POSITIONS: Final = 512
WIDTH: Final = 384
HEADS: Final = 12
FEED_FORWARD: Final = 1_536
LAYER_NORM_EPSILON: Final = 1e-12


class EncoderLayer(nn.Module):
    """One post-norm transformer layer (Devlin et al. 2019)."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.query = nn.Linear(WIDTH, WIDTH)
        self.key = nn.Linear(WIDTH, WIDTH)
        self.value = nn.Linear(WIDTH, WIDTH)
        self.attention_output = nn.Linear(WIDTH, WIDTH)
        self.attention_norm = nn.LayerNorm(WIDTH, LAYER_NORM_EPSILON)
        self.intermediate = nn.Linear(WIDTH, FEED_FORWARD)
        self.output = nn.Linear(FEED_FORWARD, WIDTH)
        self.output_norm = nn.LayerNorm(WIDTH, LAYER_NORM_EPSILON)
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Map hidden states float32 ``[batch, tokens, 384]``; mask is bool ``[batch, 1, 1, tokens]``."""
        batch, tokens, _ = hidden.shape

        def heads(x: Tensor) -> Tensor:
            return x.view(batch, tokens, HEADS, WIDTH // HEADS).transpose(1, 2)

        context = functional.scaled_dot_product_attention(
            heads(self.query(hidden)),
            heads(self.key(hidden)),
            heads(self.value(hidden)),
            attn_mask=mask,
        )
        context = context.transpose(1, 2).reshape(batch, tokens, WIDTH)
        hidden = self.attention_norm(hidden + self.dropout(self.attention_output(context)))
        expanded = functional.gelu(self.intermediate(hidden))
        normed: Tensor = self.output_norm(hidden + self.dropout(self.output(expanded)))
        return normed


class GenreNetwork(nn.Module):
    """Token ids in, one logit per genre out."""

    def __init__(self, layers: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(VOCABULARY, WIDTH)
        self.position_embeddings = nn.Embedding(POSITIONS, WIDTH)
        self.token_type_embeddings = nn.Embedding(2, WIDTH)
        self.embedding_norm = nn.LayerNorm(WIDTH, LAYER_NORM_EPSILON)
        self.layers = nn.ModuleList(EncoderLayer(dropout) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(WIDTH, len(GENRES))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Give logits.

        Parameters
        ----------
        input_ids : Tensor
            int64 ``[batch, tokens]``.
        attention_mask : Tensor
            int64 ``[batch, tokens]``, 1 for a token and 0 for padding.

        Returns
        -------
        Tensor
            float32 ``[batch, 18]``, in the order of `GENRES`.
        """
        positions = self.position_embeddings.weight[: input_ids.shape[1]]
        hidden = self.word_embeddings(input_ids) + positions + self.token_type_embeddings.weight[0]
        hidden = self.dropout(self.embedding_norm(hidden))
        mask = attention_mask[:, None, None, :].bool()
        for layer in self.layers:
            hidden = layer(hidden, mask)
        weights = attention_mask[:, :, None].to(hidden.dtype)
        pooled = (hidden * weights).sum(1) / weights.sum(1)
        logits: Tensor = self.classifier(self.dropout(pooled))
        return logits


def mean_by_text(logits: Tensor, window_text: npt.NDArray[np.int64]) -> Tensor:
    """Average the windows' logits as serving does.

    Parameters
    ----------
    logits : Tensor
        float32 ``[windows, 18]``.
    window_text : ndarray
        int64 ``[windows]``, the text of each window, ascending; no number from 0 to the largest is missing.

    Returns
    -------
    Tensor
        float32 ``[texts, 18]``.
    """
    counts = np.bincount(window_text)
    if len(counts) == len(window_text):
        return logits
    total = logits.new_zeros(len(counts), logits.shape[1])
    total = total.index_add(0, torch.from_numpy(window_text), logits)
    return total / torch.from_numpy(counts.astype(np.float32))[:, None]


_LAYER_NAMES: Final[Mapping[str, str]] = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attention_output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "intermediate": "intermediate.dense",
    "output": "output.dense",
    "output_norm": "output.LayerNorm",
}


def base_name(name: str) -> str:
    """Translate a parameter's name here to its name in the base model's file, which is that of ``transformers``."""
    parts = name.split(".")
    if parts[0] == "layers":
        return f"encoder.layer.{parts[1]}.{_LAYER_NAMES[parts[2]]}.{parts[3]}"
    return f"embeddings.{parts[0].replace('embedding_norm', 'LayerNorm')}.{parts[1]}"


def load_base(network: GenreNetwork, prior: Tensor) -> None:
    """Fill the encoder with the base weights and the classifier's bias with the labels' log-odds.

    Parameters
    ----------
    prior : Tensor
        float32 ``[18]``, each label's share of the training titles, strictly between 0 and 1.

    Raises
    ------
    StepError
        If the base model lacks a weight or has it in another shape.
    """
    base = load_safetensors(read_base_file("model.safetensors"))
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.startswith("classifier."):
                continue
            weight = base.get(base_name(name))
            if weight is None or weight.shape != parameter.shape:
                message = f"the base model's {base_name(name)} is missing or has another shape"
                raise StepError(message)
            parameter.copy_(weight)
        nn.init.normal_(network.classifier.weight, std=0.02)
        network.classifier.bias.copy_(torch.logit(prior))
