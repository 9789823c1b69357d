"""Ways in which a file comes to harm on a disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def damaged(whole: bytes, step: int = 1) -> Iterator[bytes]:
    """Give the content cut off at, and with bits flipped in, every ``step``-th byte."""
    for place in range(0, len(whole), step):
        yield whole[:place]
        for bits in (0x01, 0x08, 0x55, 0x80):
            yield whole[:place] + bytes([whole[place] ^ bits]) + whole[place + 1 :]
