"""Windows of many lengths to padded batches of similar ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt


def batches_by_length(lengths: Sequence[int], max_tokens: int) -> Iterator[npt.NDArray[np.intp]]:
    """Split windows into batches, shortest first.

    Parameters
    ----------
    lengths : sequence of int
        Tokens of each window.
    max_tokens : int
        Padded size of a batch (rows times the longest row) at most; a longer single window is a batch of its own.

    Yields
    ------
    ndarray of intp
        Indices into ``lengths``; together a permutation of all of them.
    """
    order = np.argsort(np.asarray(lengths, np.intp), kind="stable")
    start = 0
    for end in range(1, len(order) + 1):
        if end == len(order) or (end - start + 1) * lengths[order[end]] > max_tokens:
            yield order[start:end]
            start = end


def pad(windows: Sequence[Sequence[int]]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Stack windows to their longest: ids and mask, int32 ``[windows, longest]``, padding 0 in both."""
    longest = max(map(len, windows))
    ids = np.zeros((len(windows), longest), np.int32)
    mask = np.zeros_like(ids)
    for row, window in enumerate(windows):
        ids[row, : len(window)] = window
        mask[row, : len(window)] = 1
    return ids, mask
