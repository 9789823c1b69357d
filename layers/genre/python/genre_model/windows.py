"""How a token sequence of any length is cut into the windows the network reads.

Pure arithmetic on lengths; it knows nothing of tokenizers or arrays, so the
training pipeline and the serving code can share it.
"""

from __future__ import annotations


def plan_windows(length: int, capacity: int, max_windows: int) -> list[tuple[int, int]]:
    """Cover a sequence with equally long, evenly spread windows.

    A sequence that fits is one window. A longer one is cut into the fewest windows that
    cover it, each ``capacity`` long, the overlap shared out evenly so that the last one
    ends with the text. When that would take more than ``max_windows``, that many are
    spread over the whole length: the work stays bounded and no part of the text is favoured.

    Parameters
    ----------
    length : int
        Number of tokens, 0 or more.
    capacity : int
        Tokens a window holds, at least 1.
    max_windows : int
        Upper bound on the number of windows, at least 1.

    Returns
    -------
    list of (int, int)
        Half-open ``(start, end)`` ranges in order; never empty, ``(0, 0)`` for an empty sequence.

    Raises
    ------
    ValueError
        If an argument lies outside its range.

    Examples
    --------
    >>> plan_windows(10, 4, 8)
    [(0, 4), (3, 7), (6, 10)]
    """
    if length < 0 or capacity < 1 or max_windows < 1:
        message = f"length {length}, capacity {capacity}, max_windows {max_windows}: out of range"
        raise ValueError(message)
    if length <= capacity:
        return [(0, length)]
    count = min(-(-length // capacity), max_windows)
    if count == 1:
        return [(0, capacity)]
    slack = length - capacity
    return [(start, start + capacity) for start in (i * slack // (count - 1) for i in range(count))]
