"""Whether two programs compute the same network: the same few texts to both, and how far apart their answers are.

Must not know how the other side computes; it takes its logits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypedDict

import numpy as np

from genre_model import Document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genre_model import GenreModel

WITHIN: Final = 0.1
"""Largest difference of a probability that INT8 activations explain; two networks that are not the same differ by more."""

TEXTS: Final = (
    "A marshal rides into a frontier town and faces the outlaw who burnt down his ranch.",
    "Two astronomers on a dying colony ship find that the star they steer for was never there.",
    "A stand-up comedian moves back in with her mother and falls for the undertaker next door.",
    "Something in the cellar of the boarding school learns the names of the children one by one.",
    "A platoon is left behind in the mountains in the last winter of the war.",
    "The film follows three beekeepers through one year, with archive footage of the valley.",
    "A detective who cannot remember faces hunts a forger through the harbours of the north.",
    "A young dragon who is afraid of heights sets out with a mouse to find the lost spring.",
)


class Agreement(TypedDict):
    """How far apart two sides are, over all texts and labels."""

    texts: int
    same_first_label: int
    mean_probability_difference: float
    largest_probability_difference: float


def differences(model: GenreModel, logits: Sequence[Sequence[float]]) -> Agreement:
    """Compare the network's part of a model with another side's logits for `TEXTS`.

    Parameters
    ----------
    model : GenreModel
        Ours.
    logits : sequence of sequence of float
        The other side's, ``[texts, 18]``.
    """
    parts = model.parts([Document(text) for text in TEXTS])
    ours = model.calibrate(parts.deep, parts.pieces)
    theirs = model.calibrate(np.array(logits, np.float32), parts.pieces)
    apart = np.abs(ours - theirs)
    return {
        "texts": len(TEXTS),
        "same_first_label": int((ours.argmax(axis=1) == theirs.argmax(axis=1)).sum()),
        "mean_probability_difference": round(float(apart.mean()), 4),
        "largest_probability_difference": round(float(apart.max()), 4),
    }


def demand_agreement(found: Agreement) -> None:
    """End the run where the two sides are not the same network.

    Raises
    ------
    SystemExit
        If a probability is further apart than `WITHIN`.
    """
    if found["largest_probability_difference"] > WITHIN:
        message = (
            f"the rival is not the same network: a probability is {found['largest_probability_difference']:.2f} apart, "
            f"more than {WITHIN}"
        )
        raise SystemExit(message)
