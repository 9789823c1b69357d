"""The network in torch: a BERT encoder, mean pooling, one linear layer to 18 logits.

Written out, rather than taken from ``transformers``, so that training needs nothing but torch and the
exported graph holds exactly what is written here. Parameter names are BERT's own; the base
weights load by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from torch import Tensor, nn

from genre_model.labels import GENRES
from model_artifacts.pipeline.encoder import EncoderLayer, Shape, mean_over_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADS: Final = 12
LAYER_NORM_EPSILON: Final = 1e-12
MINILM: Final = Shape(
    vocabulary=30_522, positions=512, width=384, heads=HEADS, feed_forward=1_536, epsilon=LAYER_NORM_EPSILON
)
"""all-MiniLM-L6-v2, whatever the number of its layers that are used."""


class GenreNetwork(nn.Module):
    """Token ids in, one logit per genre out."""

    def __init__(self, layers: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(MINILM.vocabulary, MINILM.width)
        self.position_embeddings = nn.Embedding(MINILM.positions, MINILM.width)
        self.token_type_embeddings = nn.Embedding(2, MINILM.width)
        self.embedding_norm = nn.LayerNorm(MINILM.width, MINILM.epsilon)
        self.layers = nn.ModuleList(EncoderLayer(MINILM, dropout) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(MINILM.width, len(GENRES))

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
        logits: Tensor = self.classifier(self.dropout(mean_over_tokens(hidden, attention_mask)))
        return logits


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
