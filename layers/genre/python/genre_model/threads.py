"""How many threads a function's CPU share is worth."""

from __future__ import annotations

from typing import Final

MEMORY_MB_PER_VCPU: Final = 1769
"""Lambda gives CPU in proportion to memory; this much is one vCPU.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""


def threads_for_memory(memory_mb: int) -> int:
    """Give the number of compute threads for a function of this size: its whole vCPUs, at least one.

    A thread more than there are vCPUs waits for its share at every barrier and makes all the others wait too.

    Parameters
    ----------
    memory_mb : int
        The function's memory setting, in MB.
    """
    return max(1, memory_mb // MEMORY_MB_PER_VCPU)
