import io
import tracemalloc
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from functions.classification.files.lines import Line, read_lines

LIMIT = 8


class Trickle:
    """A stream whose reads are as short as told, over and over."""

    def __init__(self, content: bytes, sizes: list[int]) -> None:
        self._stream = io.BytesIO(content)
        self._sizes = sizes
        self._turn = 0

    def read(self, size: int, /) -> bytes:
        self._turn += 1
        return self._stream.read(min(size, self._sizes[self._turn % len(self._sizes)]))


def expected(content: bytes) -> Iterator[Line]:
    lines = content.split(b"\n")
    if not lines[-1]:
        lines.pop()
    for number, line in enumerate(lines, start=1):
        text = line.removesuffix(b"\r")
        yield Line(number, text if len(text) <= LIMIT else None)


@given(
    content=st.lists(st.sampled_from([b"a", b"bcdef", b"\r", b"\n", b"\r\n", b"x" * 9, b"\xff"])).map(
        b"".join
    ),
    sizes=st.lists(st.integers(1, 20), min_size=1, max_size=4),
)
def test_lines_do_not_depend_on_how_the_stream_is_cut(content: bytes, sizes: list[int]) -> None:
    assert list(read_lines(Trickle(content, sizes), max_bytes=LIMIT)) == list(expected(content))


class LongLine:
    """A line of 256 MB and a short one behind it, without ever holding them."""

    def __init__(self) -> None:
        self._left = 256 * 1024 * 1024

    def read(self, size: int, /) -> bytes:
        if self._left > 0:
            self._left -= size
            return bytes(size)
        return b"\nend" if self._left == 0 and self._leave() else b""

    def _leave(self) -> bool:
        self._left = -1
        return True


def test_a_line_beyond_the_limit_is_not_held_in_memory() -> None:
    tracemalloc.start()
    try:
        lines = list(read_lines(LongLine(), max_bytes=1024 * 1024))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert lines == [Line(1, None), Line(2, b"end")]
    assert peak < 8 * 1024 * 1024
