r"""Bytes to lines, whatever their length, in bounded memory.

A line ends with LF or CRLF; the last one may lack its end. Knows nothing of what a line means.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK_BYTES: Final = 32 * 1024
"""How much is asked of a stream at a time."""


class Readable(Protocol):
    """The one thing asked of an input: a file, a pipe, the body of an S3 object."""

    def read(self, size: int, /) -> bytes:
        """Give at least one and at most ``size`` bytes, none at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its end.

    Parameters
    ----------
    number : int
        Counted from 1.
    content : bytes or None
        None if the line is longer than the limit.
    """

    number: int
    content: bytes | None


def read_lines(stream: Readable, *, max_bytes: int) -> Iterator[Line]:
    """Yield the lines of a stream in order.

    Memory is bounded by ``max_bytes`` and `CHUNK_BYTES`, not by the stream nor by its longest line.

    Parameters
    ----------
    stream : Readable
        Read to its end; not closed.
    max_bytes : int
        Longest line, without its end, that is given as it is.
    """
    number = 1
    held = bytearray()
    over = False
    while chunk := stream.read(CHUNK_BYTES):
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            held += piece
            yield _line(number, held, over=over, max_bytes=max_bytes)
            number += 1
            held.clear()
            over = False
        held += rest
        if len(held) > max_bytes + 1:  # one more: it may be the CR of a CRLF that is yet to come
            over = True
            held.clear()
    if held or over:
        yield _line(number, held, over=over, max_bytes=max_bytes)


def _line(number: int, held: bytearray, *, over: bool, max_bytes: int) -> Line:
    size = len(held) - held.endswith(b"\r")
    return Line(number, None if over or size > max_bytes else bytes(held[:size]))
