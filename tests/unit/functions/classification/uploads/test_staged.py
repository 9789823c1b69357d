"""Rows laid out and read back are the rows; batches hold every chunk that is left, once and in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from functions.classification.files import Row, RowError
from functions.classification.uploads.executions import BATCH_CHUNKS, batches
from functions.classification.uploads.staged import read_staged, write_rows

TEXTS = st.text(max_size=40) | st.sampled_from(["a\u2028b", "a\u0085b", "a\r\nb", '"', "\ud800"])
ROWS = st.builds(
    Row,
    number=st.integers(1, 10**9),
    id=TEXTS,
    text=TEXTS,
    title=st.none() | TEXTS,
    item_id=st.none() | TEXTS,
)
ERRORS = st.builds(RowError, number=st.integers(1, 10**9), reason=TEXTS)


@given(st.lists(ROWS | ERRORS))
def test_rows_come_back_as_they_were(rows: list[Row | RowError]) -> None:
    assert read_staged(write_rows(rows)) == rows


@given(st.integers(1, 200), st.frozensets(st.integers(0, 199)))
def test_batches_hold_what_is_left_once_and_in_order(chunks: int, done: frozenset[int]) -> None:
    found = batches(chunks, done)
    numbers = [n for batch in found for n in range(batch["first"], batch["first"] + batch["count"])]
    assert all(1 <= batch["count"] <= BATCH_CHUNKS for batch in found)
    left = [number for number in range(chunks) if number not in done]
    assert numbers == (left or [0])


@given(st.integers(1, 500))
def test_no_batch_is_smaller_than_it_must_be(chunks: int) -> None:
    assert len(batches(chunks)) == -(-chunks // BATCH_CHUNKS)
