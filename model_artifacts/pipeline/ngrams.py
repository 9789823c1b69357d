"""The n-grams of tokenized texts, all at once: counted, the common ones kept, weighed as `genre_model.wide` weighs one text's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix

from genre_model.wide import ngram_keys

if TYPE_CHECKING:
    import numpy.typing as npt

    from model_artifacts.pipeline.examples import Ragged


def count_ngrams(
    texts: Ragged, longest: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint32], npt.NDArray[np.float32]]:
    """Count the n-grams of every text.

    Returns
    -------
    owner, keys, counts : ndarray
        int32, uint32 and float32 ``[pairs]``: text, n-gram and occurrences of every text-n-gram pair, in that order.
    """
    lengths = texts.lengths
    owner = np.repeat(np.arange(len(texts), dtype=np.uint64), lengths)
    keys = ngram_keys(texts.tokens.astype(np.uint32), longest)
    if longest > 1:
        inside = owner[1:] == owner[:-1]  # a pair does not reach into the next text
        keys = np.concatenate([keys[: len(owner)], keys[len(owner) :][inside]])
        owner = np.concatenate([owner, owner[1:][inside]])
    pairs, counts = np.unique(owner << np.uint64(32) | keys, return_counts=True)
    return (
        (pairs >> np.uint64(32)).astype(np.int32),
        pairs.astype(np.uint32),
        counts.astype(np.float32),
    )


def choose_vocabulary(
    keys: npt.NDArray[np.uint32], texts: int, features: int
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.float16]]:
    """Keep the n-grams that occur in the most texts, and say how rare each is.

    Parameters
    ----------
    keys : ndarray
        uint32: an n-gram as often as there are texts that hold it.
    texts : int
        Number of texts.
    features : int
        N-grams kept at most; of equally frequent ones those with the lower key.

    Returns
    -------
    vocabulary : ndarray
        uint32 ``[n]``, ascending.
    idf : ndarray
        float16 ``[n]``, ``1 + ln((1 + texts) / (1 + texts that hold it))``: the value that is served.
    """
    found, frequency = np.unique(keys, return_counts=True)
    kept = np.sort(np.argsort(-frequency, kind="stable")[:features])
    idf = 1 + np.log((1 + texts) / (1 + frequency[kept]))
    return found[kept], idf.astype(np.float16)


def design(
    texts: Ragged, vocabulary: npt.NDArray[np.uint32], idf: npt.NDArray[np.float16], longest: int
) -> csr_matrix:
    """Weigh every text's n-grams as `WideTable.known` does: float32 CSR ``[texts, n]``, rows of length 1."""
    return weigh(*count_ngrams(texts, longest), vocabulary, idf, len(texts))


def weigh(
    owner: npt.NDArray[np.int32],
    keys: npt.NDArray[np.uint32],
    counts: npt.NDArray[np.float32],
    vocabulary: npt.NDArray[np.uint32],
    idf: npt.NDArray[np.float16],
    texts: int,
) -> csr_matrix:
    """Weigh what `count_ngrams` gave; see `design`."""
    columns = np.minimum(np.searchsorted(vocabulary, keys), len(vocabulary) - 1)
    held = vocabulary[columns] == keys
    owner, columns, counts = owner[held], columns[held].astype(np.int32), counts[held]
    values = (1 + np.log(counts)) * idf.astype(np.float32)[columns]
    length = np.sqrt(np.bincount(owner, values.astype(np.float64) ** 2, texts))
    values = (values / length[owner]).astype(np.float32)
    return csr_matrix((values, (owner, columns)), shape=(texts, len(vocabulary)))
