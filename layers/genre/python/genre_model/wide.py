"""The wide part of a transformer artifact: a linear model over the word-piece n-grams of the text.

It remembers which words and pairs of words go with which label, where the network generalises (Cheng et al. 2016,
"Wide & Deep Learning for Recommender Systems"). An n-gram is known by a number made of its word-piece ids, so a
vocabulary is one sorted array and no two n-grams share a column.

The file, little-endian, for ``n`` n-grams and 18 labels:

========  ============  =====================================================
float32   ``[18]``      step of each label's int8 weights, above 0
float32   ``[18]``      intercept of each label
uint32    ``[n]``       keys of the n-grams, strictly ascending
float16   ``[n]``       inverse document frequency of each n-gram, above 0
int8      ``[n, 18]``   weights in steps, within -127 to 127
========  ============  =====================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from genre_model.errors import ArtifactError
from genre_model.labels import GENRES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from genre_model.manifest import WidePart
    from genre_model.tokenizing import WordPieces

MAX_VOCABULARY: Final = 65_535
"""Word pieces a tokenizer may have at most: an id and one more fit 16 bits."""
_LABELS: Final = len(GENRES)
HEAD_BYTES: Final = 2 * 4 * _LABELS
BYTES_PER_FEATURE: Final = 4 + 2 + _LABELS


def ngram_keys(ids: npt.NDArray[np.uint32], longest: int) -> npt.NDArray[np.uint32]:
    """Give every n-gram of a sequence its number.

    A word piece ``b`` is ``b``; the pair ``a b`` is ``(a + 1) * 65536 + b``, which no single piece is. Integer arithmetic alone:
    the same on every machine.

    Parameters
    ----------
    ids : ndarray
        uint32 ``[pieces]``, each below `MAX_VOCABULARY`.
    longest : int
        1 for single pieces, 2 for neighbouring pairs too.

    Returns
    -------
    ndarray
        uint32: the pieces in their order, then the pairs in theirs.
    """
    if longest == 1:
        return ids
    return np.concatenate([ids, (ids[:-1] + np.uint32(1)) << np.uint32(16) | ids[1:]])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WideTable:
    """The content of a wide file; arrays as the module's docstring has them."""

    step: npt.NDArray[np.float32]
    intercept: npt.NDArray[np.float32]
    keys: npt.NDArray[np.uint32]
    idf: npt.NDArray[np.float16]
    weights: npt.NDArray[np.int8]

    @classmethod
    def parse(cls, content: bytes, path: Path, features: int) -> WideTable:
        """Read a file's bytes; the arrays are views of them, nothing is copied.

        Parameters
        ----------
        content : bytes
            The whole file.
        path : Path
            Where it came from, for the error.
        features : int
            The n-grams it must hold.

        Raises
        ------
        ArtifactError
            If the size does not fit, the keys are not ascending, or a number is not finite or out of its range.
        """
        expected = HEAD_BYTES + features * BYTES_PER_FEATURE
        if len(content) != expected:
            message = (
                f"model artifact file {path} has {len(content)} bytes; {features} n-grams take {expected}"
            )
            raise ArtifactError(message)
        position = 0

        def take(dtype: str, count: int) -> Any:  # noqa: ANN401 -- an array of that dtype
            nonlocal position
            array = np.frombuffer(content, dtype, count, position)
            position += array.nbytes
            return array

        table = cls(
            step=take("<f4", _LABELS),
            intercept=take("<f4", _LABELS),
            keys=take("<u4", features),
            idf=take("<f2", features),
            weights=take("<i1", features * _LABELS).reshape(features, _LABELS),
        )
        if flaw := table._flaw():
            message = f"model artifact file {path} is no table of n-grams: {flaw}"
            raise ArtifactError(message)
        return table

    def _flaw(self) -> str | None:
        """Say what is wrong with the numbers, None if nothing is."""
        if not (np.isfinite(self.step).all() and (self.step > 0).all()):
            return "a label's step is not a number above 0"
        if not np.isfinite(self.intercept).all():
            return "a label's intercept is not a number"
        if not (self.keys[1:] > self.keys[:-1]).all():
            return "its keys are not in ascending order"
        if not (np.isfinite(self.idf).all() and (self.idf > 0).all()):
            return "an inverse document frequency is not a number above 0"
        return None

    def to_bytes(self) -> bytes:
        """Give the file's content; `parse` reads it back equal."""
        arrays = (
            self.step.astype("<f4"),
            self.intercept.astype("<f4"),
            self.keys.astype("<u4"),
            self.idf.astype("<f2"),
            self.weights.astype("<i1"),
        )
        return b"".join(array.tobytes() for array in arrays)

    def known(self, keys: npt.NDArray[np.uint32]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]:
        """Look n-grams up, in any order and as often as they occur.

        Returns
        -------
        rows : ndarray
            intp ``[k]``, ascending: the rows of those that the table holds.
        values : ndarray
            float32 ``[k]``: ``(1 + ln occurrences) * idf`` of each, scaled to length 1 (Salton & Buckley 1988).
        """
        found, counts = np.unique(keys, return_counts=True)
        rows = np.searchsorted(self.keys, found)
        rows[rows == len(self.keys)] = 0
        held = self.keys[rows] == found
        rows = rows[held]
        values = (1 + np.log(counts[held].astype(np.float32))) * self.idf[rows].astype(np.float32)
        length = np.sqrt(np.dot(values, values))
        return rows, values / length if length else values


def open_wide(content: bytes, path: Path, part: WidePart, pieces: WordPieces) -> WideScorer:
    """Make the scorer of an artifact's wide part.

    Parameters
    ----------
    content, path : bytes, Path
        The wide file and where it came from.
    part : WidePart
        What the manifest says of it.
    pieces : WordPieces
        The artifact's tokenizer.

    Raises
    ------
    ArtifactError
        If the file does not fit, or the tokenizer has more than `MAX_VOCABULARY` word pieces.
    """
    if pieces.size > MAX_VOCABULARY:
        message = f"the tokenizer has {pieces.size} word pieces; a wide part takes {MAX_VOCABULARY} at most"
        raise ArtifactError(message)
    table = WideTable.parse(content, path, part.features)
    return WideScorer(table, ngrams=part.ngrams, max_tokens=part.max_tokens)


class WideScorer:
    """Gives the linear model's logits.

    Parameters
    ----------
    table : WideTable
        The artifact's wide file.
    ngrams : int
        Length of the longest n-gram, 1 or 2.
    max_tokens : int
        Word pieces read of a text, from its beginning: as many as training saw.
    """

    def __init__(self, table: WideTable, *, ngrams: int, max_tokens: int) -> None:
        self._table = table
        self._ngrams = ngrams
        self._max_tokens = max_tokens

    def logits(self, texts: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        """Give each text's logits.

        Each text is computed by itself, so its logits do not depend on its neighbours.

        Parameters
        ----------
        texts : sequence of sequence of int
            Word-piece ids without special tokens, each below `MAX_VOCABULARY`.

        Returns
        -------
        ndarray
            float32 ``[texts, 18]``; the intercepts for a text with no known n-gram.
        """
        result = np.empty((len(texts), _LABELS), np.float32)
        for row, ids in enumerate(texts):
            keys = ngram_keys(np.array(ids[: self._max_tokens], np.uint32), self._ngrams)
            rows, values = self._table.known(keys)
            # Not a BLAS product: its sum, and so the last bit, would depend on how many threads it is given.
            result[row] = np.einsum("k,kl->l", values, self._table.weights[rows].astype(np.float32))
        return result * self._table.step + self._table.intercept
