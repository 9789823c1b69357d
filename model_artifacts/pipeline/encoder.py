"""What the networks in torch are built of: their figures, one transformer layer, the mean over tokens and over windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Shape:
    """The figures of an encoder, as its ``config.json`` has them."""

    vocabulary: int
    positions: int
    width: int
    heads: int
    feed_forward: int
    epsilon: float
    """Added to the variance by every layer norm."""


class EncoderLayer(nn.Module):
    """One post-norm transformer layer (Devlin et al. 2019)."""

    def __init__(self, shape: Shape, dropout: float) -> None:
        super().__init__()
        width = shape.width
        self._heads = shape.heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.attention_output = nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width, shape.epsilon)
        self.intermediate = nn.Linear(width, shape.feed_forward)
        self.output = nn.Linear(shape.feed_forward, width)
        self.output_norm = nn.LayerNorm(width, shape.epsilon)
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Map hidden states.

        Parameters
        ----------
        hidden : Tensor
            float32 ``[batch, tokens, width]``.
        mask : Tensor
            Which tokens are seen, bool ``[batch, 1, 1, tokens]``; or what is added to each attention score, floating
            point ``[batch, heads, tokens, tokens]``.
        """
        batch, tokens, width = hidden.shape

        def heads(x: Tensor) -> Tensor:
            return x.view(batch, tokens, self._heads, width // self._heads).transpose(1, 2)

        context = functional.scaled_dot_product_attention(
            heads(self.query(hidden)),
            heads(self.key(hidden)),
            heads(self.value(hidden)),
            attn_mask=mask,
        )
        context = context.transpose(1, 2).reshape(batch, tokens, width)
        hidden = self.attention_norm(hidden + self.dropout(self.attention_output(context)))
        expanded = functional.gelu(self.intermediate(hidden))
        normed: Tensor = self.output_norm(hidden + self.dropout(self.output(expanded)))
        return normed


def mean_over_tokens(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    """Pool hidden states ``[batch, tokens, width]`` over the tokens whose mask, int64 ``[batch, tokens]``, is 1."""
    weights = attention_mask[:, :, None].to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1)


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
    total = total.index_add(0, torch.from_numpy(window_text).to(logits.device), logits)
    return total / torch.from_numpy(counts.astype(np.float32)).to(logits.device)[:, None]
