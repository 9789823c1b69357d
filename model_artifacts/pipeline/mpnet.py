"""The larger network that teaches: MPNet (Song et al. 2020) with the genres' layer on top, in torch.

A BERT but for three things: attention scores get a bias by relative position (Raffel et al. 2020), the same in every layer; there are no
token types; and positions are counted from 2. Its vocabulary is BERT's own, in the same order, with four special tokens in front and one
behind, so the examples that were tokenized for the student are read as they are. It is never served, and not exported.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn

from genre_model.labels import GENRES
from model_artifacts.pipeline.encoder import EncoderLayer, Shape, mean_over_tokens
from model_artifacts.pipeline.views import CLS, MASK, PAD, SEP

if TYPE_CHECKING:
    from collections.abc import Mapping

MPNET: Final = Shape(vocabulary=30_527, positions=514, width=768, heads=12, feed_forward=3_072, epsilon=1e-5)
"""all-mpnet-base-v2, whatever the number of its layers that are used."""
SHIFT: Final = 4
"""What BERT's number of a word piece is raised by."""
_SPECIAL: Final[Mapping[int, int]] = {CLS: 0, PAD: 1, SEP: 2, MASK: 30_526}
_FIRST_POSITION: Final = 2
BUCKETS: Final = 32
_FARTHEST: Final = 128


class MpnetNetwork(nn.Module):
    """Token ids in BERT's numbering in, one logit per genre out; the same call as `GenreNetwork`."""

    def __init__(self, layers: int, dropout: float = 0.0, shape: Shape = MPNET) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(shape.vocabulary, shape.width)
        self.position_embeddings = nn.Embedding(shape.positions, shape.width)
        self.embedding_norm = nn.LayerNorm(shape.width, shape.epsilon)
        # Not trained: 384 numbers, whose gradient would cost a pass over all attention scores.
        self.relative_attention_bias = nn.Embedding(BUCKETS, shape.heads).requires_grad_(requires_grad=False)
        self.layers = nn.ModuleList(EncoderLayer(shape, dropout) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(shape.width, len(GENRES))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Give logits, float32 ``[batch, 18]``; both inputs are int64 ``[batch, tokens]``, see `GenreNetwork.forward`."""
        tokens = input_ids.shape[1]
        positions = self.position_embeddings.weight[_FIRST_POSITION : _FIRST_POSITION + tokens]
        hidden = self.word_embeddings(renumbered(input_ids)) + positions
        hidden = self.dropout(self.embedding_norm(hidden))
        buckets = relative_buckets(tokens, input_ids.device)
        bias = self.relative_attention_bias(buckets).permute(2, 0, 1)
        # In the arithmetic of the queries and keys that it is added to.
        kind = torch.get_autocast_dtype(hidden.device.type)
        kind = kind if torch.is_autocast_enabled(hidden.device.type) else hidden.dtype
        unseen = attention_mask[:, None, None, :] == 0
        mask = bias[None].to(kind).masked_fill(unseen, float("-inf"))
        for layer in self.layers:
            hidden = layer(hidden, mask)
        logits: Tensor = self.classifier(self.dropout(mean_over_tokens(hidden, attention_mask)))
        return logits


def renumbered(ids: Tensor) -> Tensor:
    """Translate BERT's numbers of word pieces to MPNet's, int64 of any shape."""
    found = ids + SHIFT
    for own, number in _SPECIAL.items():
        found = torch.where(ids == own, number, found)
    return found


def relative_buckets(tokens: int, device: torch.device | None = None) -> Tensor:
    """Give the bucket of each pair of positions, int64 ``[tokens, tokens]``: row for the one that looks, column for what it sees.

    Half of the buckets for each direction; of these, half for one distance each and the rest for distances that grow by a constant factor up
    to 128, beyond which all share the last (Raffel et al. 2020, section 2.1).
    """
    place = torch.arange(tokens, device=device)
    distance = place[:, None] - place[None, :]
    half, exact = BUCKETS // 2, BUCKETS // 4
    far = distance.abs()
    growth = torch.log(far.clamp(min=1) / exact) / math.log(_FARTHEST / exact) * (half - exact)
    spread = torch.clamp(exact + growth.long(), max=half - 1)
    return torch.where(distance < 0, half, 0) + torch.where(far < exact, far, spread)


LAYER_NAMES: Final[Mapping[str, str]] = {
    "query": "attention.attn.q",
    "key": "attention.attn.k",
    "value": "attention.attn.v",
    "attention_output": "attention.attn.o",
    "attention_norm": "attention.LayerNorm",
    "intermediate": "intermediate.dense",
    "output": "output.dense",
    "output_norm": "output.LayerNorm",
}


def mpnet_name(name: str) -> str:
    """Translate a parameter's name here to its name in the base model's file, which is that of ``transformers``."""
    parts = name.split(".")
    if parts[0] == "layers":
        return f"encoder.layer.{parts[1]}.{LAYER_NAMES[parts[2]]}.{parts[3]}"
    if parts[0] == "relative_attention_bias":
        return f"encoder.{name}"
    return f"embeddings.{parts[0].replace('embedding_norm', 'LayerNorm')}.{parts[1]}"
