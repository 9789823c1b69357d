"""The titles a study measures on, cut into windows as the service cuts them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from genre_model import Document
from genre_model.encoding import Encoder
from genre_model.manifest import WindowInput
from genre_model.tokenizing import WordPieces
from model_artifacts.pipeline.calibrate import label_matrix
from model_artifacts.pipeline.corpus import read_titles
from model_artifacts.pipeline.errors import StepError
from model_artifacts.pipeline.examples import Examples

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from model_artifacts.pipeline.recipe import BertRecipe
    from model_artifacts.pipeline.study.variant import Network


@dataclass(frozen=True, slots=True)
class Sample:
    """Titles to score and windows to calibrate with.

    Parameters
    ----------
    windows : list of list of list of int
        Per title, its windows' token ids.
    pieces : ndarray
        int64 ``[titles]``: the word pieces of their texts.
    labels : ndarray
        uint8 ``[titles, 18]``.
    training : list of list of int
        First windows of training texts: what static ranges are read from.
    """

    windows: list[list[list[int]]]
    pieces: npt.NDArray[np.int64]
    labels: npt.NDArray[np.uint8]
    training: list[list[int]]


def spread(count: int, wanted: int) -> list[int]:
    """Give ``wanted`` indices spread evenly over ``count``, or all of them if there are fewer."""
    return [int(i) for i in np.linspace(0, count - 1, min(count, wanted)).round()]


def take(
    *, corpus_file: Path, prepared: Path, recipe: BertRecipe, titles: int, training: int, skip_bad_lines: bool
) -> Sample:
    """Choose titles and training texts, evenly spread over their files.

    Parameters
    ----------
    prepared : Path
        The folder of the step `prepare`: tokenizer and tokenized training texts.
    titles, training : int
        How many of each, at least 1; fewer where there are fewer.

    Raises
    ------
    StepError, CorpusError
        If an input is missing or damaged.
    """
    known = list(read_titles(corpus_file, skip_bad_lines=skip_bad_lines))
    chosen = [known[i] for i in spread(len(known), titles)]
    try:
        pieces = WordPieces((prepared / "tokenizer.json").read_bytes())
    except OSError as error:
        message = f"{prepared / 'tokenizer.json'} cannot be read ({error}): run the step `prepare`"
        raise StepError(message) from error
    limits = recipe.manifest_input()["input"]
    encoder = Encoder(pieces, WindowInput(**limits))
    texts = Examples.load(prepared / "train.npz").texts
    asked, untitled = encoder.tokenize([Document(title.texts[0]) for title in chosen])
    return Sample(
        windows=encoder.windows(asked, untitled),
        pieces=np.array([len(text) for text in asked], np.int64),
        labels=label_matrix(chosen),
        training=[
            windows[0]
            for windows in (
                encoder.windows([texts[i].tolist()], [[]])[0] for i in spread(len(texts), training)
            )
        ],
    )


def as_input(window: Sequence[int]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Give one window as ids and mask, int32 ``[1, tokens]``."""
    ids = np.array([window], np.int32)
    return ids, np.ones_like(ids)


def logits_of(network: Network, windows: list[list[list[int]]]) -> npt.NDArray[np.float32]:
    """Run every window alone and average each title's: float32 ``[titles, 18]``."""
    rows = [np.mean([network(*as_input(window))[0] for window in title], axis=0) for title in windows]
    return np.array(rows, np.float32)
