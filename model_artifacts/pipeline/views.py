"""What the network sees in one epoch: a plan drawn from the seed, and the batches made by it.

The plan depends on nothing but the examples, the recipe and the epoch's number, so a training run that was
interrupted draws the same one again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from model_artifacts.pipeline.examples import Examples
    from model_artifacts.pipeline.recipe import TrainRecipe

CLS: Final = 101
SEP: Final = 102
PAD: Final = 0
MASK: Final = 103
_POOL: Final = 64
"""Batches drawn together and sorted by length, so that one batch holds similar lengths."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One optimisation step's input.

    ``input_ids`` and ``attention_mask`` are int64 ``[windows, tokens]``; ``texts`` is int64 ``[batch]``, the texts' rows in
    the examples, and ``window_text`` int64 ``[windows]``, which of these each window is from; ``labels`` and ``known`` are
    float32 ``[batch, 18]``.
    """

    input_ids: npt.NDArray[np.int64]
    attention_mask: npt.NDArray[np.int64]
    texts: npt.NDArray[np.int64]
    window_text: npt.NDArray[np.int64]
    labels: npt.NDArray[np.float32]
    known: npt.NDArray[np.float32]


def assemble(text: npt.NDArray[np.uint16], title: npt.NDArray[np.uint16] | None) -> npt.NDArray[np.int64]:
    """Put special tokens around a text, and a title in front: ``[CLS] (title [SEP]) text [SEP]``."""
    head = [CLS] if title is None or not len(title) else [CLS, *title.tolist(), SEP]
    return np.concatenate([np.array(head, np.int64), text.astype(np.int64), np.array([SEP])])


def pad(rows: list[npt.NDArray[np.int64]]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Stack rows into ids and mask, int64 ``[rows, longest]``."""
    ids = np.full((len(rows), max(map(len, rows))), PAD, np.int64)
    mask = np.zeros_like(ids)
    for row, tokens in enumerate(rows):
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = 1
    return ids, mask


class Epoch:
    """The batches of one pass over texts, in their training order. A short text may be drawn several times, see the recipe.

    A text that is longer than the window drawn for it gives up to ``windows`` of them, each from a stretch of its own.

    Parameters
    ----------
    examples : Examples
        What is tokenized.
    recipe : TrainRecipe
        How it is drawn.
    number : int
        Which pass it is, from 0; with the recipe's seed, it decides every draw.
    windows : int
        Windows of a text at most.
    rows : ndarray or None
        int64, the texts that take part; None for all.
    """

    def __init__(
        self,
        examples: Examples,
        recipe: TrainRecipe,
        number: int,
        windows: int = 1,
        rows: npt.NDArray[np.int64] | None = None,
    ) -> None:
        rng = np.random.default_rng([recipe.seed, number])
        self._examples = examples
        self._texts = _drawn(examples, recipe, rows)
        """The text of each draw; what follows is by draw too."""
        count = len(self._texts)
        self._lengths = lengths = examples.texts.lengths[self._texts]
        title_lengths = examples.titles.lengths[examples.owner[self._texts]]
        self._mask_share = recipe.mask_share
        self._seed = (recipe.seed, number)
        titled = (rng.random(count) < recipe.title_share) & (title_lengths > 0)
        self._head = np.where(titled, title_lengths, 0)
        specials = 2 + titled + self._head
        tokens = rng.choice(np.array(recipe.window_tokens), count)
        self._take = np.minimum(lengths, np.maximum(tokens - specials, 1))
        self._count = np.clip(-(-lengths // np.maximum(self._take, 1)), 1, windows)
        self._place = rng.random(count)
        order = rng.permutation(count)
        total = self._take + specials
        size = recipe.batch_size
        batches: list[npt.NDArray[np.int64]] = []
        for pool in range(0, count - size + 1, _POOL * size):
            members = order[pool : pool + _POOL * size]
            members = members[np.lexsort((total[members], self._count[members]))]
            batches += [members[i : i + size] for i in range(0, len(members) - size + 1, size)]
        self._batches = [batches[i] for i in rng.permutation(len(batches))]

    def __len__(self) -> int:
        """Count the batches; an incomplete last one is left to the next epoch's draw."""
        return len(self._batches)

    def __getitem__(self, index: int) -> Batch:
        """Make one batch: `assemble` and `pad`, for all windows at once."""
        examples = self._examples
        members = self._batches[index]
        window_text = np.repeat(np.arange(len(members)), self._count[members])
        draws = members[window_text]
        texts = self._texts[draws]
        owners = examples.owner[texts]
        head, take = self._head[draws], self._take[draws]
        first = 1 + head + (head > 0)  # where the text begins in a window
        size = first + take + 1
        columns = np.arange(size.max())
        ids = np.full((len(texts), len(columns)), PAD, np.int64)
        ids[:, 0] = CLS
        in_title = (columns >= 1) & (columns <= head[:, None])
        begins = examples.titles.offsets[owners][:, None] - 1
        ids[in_title] = examples.titles.tokens[(begins + columns)[in_title]]
        in_text = (columns >= first[:, None]) & (columns < (first + take)[:, None])
        begins = (examples.texts.offsets[texts] + self._starts(members) - first)[:, None]
        words = examples.texts.tokens[(begins + columns)[in_text]]
        if self._mask_share:
            rng = np.random.default_rng([*self._seed, index])
            words = np.where(rng.random(len(words)) < self._mask_share, np.uint16(MASK), words)
        ids[in_text] = words
        rows = np.arange(len(texts))
        ids[rows[head > 0], (1 + head)[head > 0]] = SEP
        ids[rows, size - 1] = SEP
        return Batch(
            ids,
            (columns < size[:, None]).astype(np.int64),
            self._texts[members],
            window_text,
            examples.labels[examples.owner[self._texts[members]]].astype(np.float32),
            examples.known[examples.owner[self._texts[members]]].astype(np.float32),
        )

    def _starts(self, members: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Give where each window begins in its text: at one random place of as many equal stretches as the text has windows."""
        counts = self._count[members]
        number = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        draws = np.repeat(members, counts)
        places = (number + self._place[draws]) / self._count[draws]
        room = self._lengths[draws] - self._take[draws] + 1
        starts: npt.NDArray[np.int64] = (places * room).astype(np.int64)
        return starts


def _drawn(
    examples: Examples, recipe: TrainRecipe, rows: npt.NDArray[np.int64] | None
) -> npt.NDArray[np.int64]:
    """Give the texts of a pass, ascending, each as often as it is drawn."""
    texts = np.arange(len(examples.texts)) if rows is None else rows
    if recipe.short_tokens is None or recipe.short_repeats is None:
        return texts
    short = examples.texts.lengths[texts] <= recipe.short_tokens
    return np.repeat(texts, np.where(short, recipe.short_repeats, 1))
