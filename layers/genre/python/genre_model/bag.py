"""Documents to hashed bags of word pieces, the input of the tree model.

A bag's length is fixed, whatever the vocabulary: each piece's id is hashed to one of ``bins`` columns (Weinberger et al. 2009),
whose value is how often its pieces occur per hundred pieces of the text. A column without any is NaN, "missing",
which trees treat as a case of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

MULTIPLIER: Final = np.uint32(2_654_435_761)
"""Knuth's multiplicative hash: 2^32 divided by the golden ratio (The Art of Computer Programming, 6.4)."""


def hashed_bag(ids: Sequence[int], bins: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Hash one document's word pieces.

    Parameters
    ----------
    ids : sequence of int
        Word-piece ids, any number of them.
    bins : int
        Number of columns, a power of two.

    Returns
    -------
    columns : ndarray
        int32 ``[k]``, ascending.
    values : ndarray
        float32 ``[k]``, occurrences per hundred pieces.
    """
    shift = np.uint32(32 - (bins.bit_length() - 1))
    hashed = (np.asarray(ids, np.uint32) * MULTIPLIER) >> shift
    columns, counts = np.unique(hashed, return_counts=True)
    return columns.astype(np.int32), (counts * (100 / max(1, len(ids)))).astype(np.float32)


def dense_bags(documents: Sequence[Sequence[int]], bins: int) -> npt.NDArray[np.float32]:
    """Stack documents for the network: float32 ``[documents, bins]``, NaN where a column has no piece."""
    result = np.full((len(documents), bins), np.nan, np.float32)
    for row, ids in enumerate(documents):
        columns, values = hashed_bag(ids, bins)
        result[row, columns] = values
    return result
