"""Tokenized titles on disk: what ``prepare`` writes and the later steps read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from model_artifacts.pipeline.arrays import load_arrays
from model_artifacts.pipeline.files import replacing

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

_NAMES: Final = (
    "text_tokens",
    "text_offsets",
    "owner",
    "is_main",
    "title_tokens",
    "title_offsets",
    "labels",
    "known",
)


@dataclass(frozen=True, slots=True)
class Ragged:
    """Many token sequences in one array.

    ``tokens`` is uint16 ``[total]``; sequence ``i`` is ``tokens[offsets[i]:offsets[i + 1]]``,
    without special tokens; ``offsets`` is int64 ``[n + 1]``.
    """

    tokens: npt.NDArray[np.uint16]
    offsets: npt.NDArray[np.int64]

    @classmethod
    def of(cls, sequences: list[list[int]]) -> Ragged:
        """Pack lists of token ids (each below 65,536)."""
        lengths = np.fromiter((len(s) for s in sequences), np.int64, len(sequences))
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        tokens = np.fromiter((t for s in sequences for t in s), np.uint16, int(offsets[-1]))
        return cls(tokens, offsets)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Count each sequence's tokens, int64 ``[n]``."""
        found: npt.NDArray[np.int64] = np.diff(self.offsets)
        return found

    def __len__(self) -> int:
        """Count the sequences."""
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> npt.NDArray[np.uint16]:
        """Give one sequence as a view."""
        return self.tokens[self.offsets[index] : self.offsets[index + 1]]


@dataclass(frozen=True, slots=True)
class Examples:
    """One corpus file, tokenized.

    ``texts`` holds every text of every title; ``owner`` (int32 ``[texts]``) names the row of ``titles``,
    ``labels`` and ``known`` it belongs to. ``labels`` and ``known`` are uint8 ``[titles, 18]``; ``known`` is 0
    where the source never states that label, so that its absence says nothing. ``is_main`` (bool ``[texts]``)
    marks the first text of a title, the one that is evaluated.
    """

    texts: Ragged
    owner: npt.NDArray[np.int32]
    is_main: npt.NDArray[np.bool_]
    titles: Ragged
    labels: npt.NDArray[np.uint8]
    known: npt.NDArray[np.uint8]

    def save(self, path: Path) -> None:
        """Write one ``.npz``, atomically."""
        with replacing(path) as temporary, temporary.open("wb") as stream:
            np.savez(
                stream,
                text_tokens=self.texts.tokens,
                text_offsets=self.texts.offsets,
                owner=self.owner,
                is_main=self.is_main,
                title_tokens=self.titles.tokens,
                title_offsets=self.titles.offsets,
                labels=self.labels,
                known=self.known,
            )

    @classmethod
    def load(cls, path: Path) -> Examples:
        """Read what ``save`` wrote.

        Raises
        ------
        StepError
            If the file is missing or damaged.
        """
        arrays = load_arrays(path, _NAMES, "prepare")
        return cls(
            texts=Ragged(arrays["text_tokens"], arrays["text_offsets"]),
            owner=arrays["owner"],
            is_main=arrays["is_main"],
            titles=Ragged(arrays["title_tokens"], arrays["title_offsets"]),
            labels=arrays["labels"],
            known=arrays["known"],
        )
