from collections import deque
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.classification.batches import Classified, classify_in_order
from functions.classification.files import FileError, Row, RowError


def rows_of(lengths: Sequence[int | None]) -> list[Row | RowError]:
    return [
        RowError(number, "bad") if length is None else Row(number, id=str(number), text="x" * length)
        for number, length in enumerate(lengths)
    ]


class FakeModel:
    """Predicts a row's number, and keeps the batches it was given."""

    def __init__(self) -> None:
        self.batches: list[list[Row]] = []

    def predict(self, batch: Sequence[Row]) -> list[int]:
        self.batches.append(list(batch))
        return [row.number for row in batch]


LENGTHS = st.lists(st.one_of(st.none(), st.integers(1, 50)))


@given(lengths=LENGTHS, batch=st.integers(1, 9), window=st.integers(1, 20), chars=st.integers(1, 400))
def test_each_row_comes_out_once_in_order_with_its_own_prediction(
    lengths: list[int | None], batch: int, window: int, chars: int
) -> None:
    rows = rows_of(lengths)
    model = FakeModel()
    outcomes = list(
        classify_in_order(rows, model.predict, batch_rows=batch, window_rows=window, window_chars=chars)
    )
    assert outcomes == [Classified(row, row.number) if isinstance(row, Row) else row for row in rows]
    assert all(1 <= len(given) <= batch for given in model.batches)
    for given_batch in model.batches:
        sizes = [len(row.text) for row in given_batch]
        assert sizes == sorted(sizes)


def test_a_window_is_sorted_as_a_whole() -> None:
    model = FakeModel()
    list(classify_in_order(rows_of([9, 1, None, 8, 2]), model.predict, batch_rows=2, window_rows=5))
    assert [[len(row.text) for row in batch] for batch in model.batches] == [[1, 2], [8, 9]]


@given(lengths=st.lists(st.integers(1, 50), min_size=1), window=st.integers(1, 8), chars=st.integers(50, 200))
def test_no_more_than_one_window_is_read_ahead(lengths: list[int], window: int, chars: int) -> None:
    read: list[Row | RowError] = []

    def source() -> Iterator[Row | RowError]:
        for row in rows_of(lengths):
            read.append(row)
            yield row

    given = 0
    for _ in classify_in_order(source(), FakeModel().predict, window_rows=window, window_chars=chars):
        ahead = [row for row in read[given:] if isinstance(row, Row)]
        assert len(ahead) <= window
        assert sum(len(row.text) for row in ahead) < chars + 50
        given += 1
    assert given == len(lengths)


@given(lengths=LENGTHS, window=st.integers(1, 8))
def test_rows_read_before_a_failure_are_predicted_and_given(lengths: list[int | None], window: int) -> None:
    rows = rows_of(lengths)

    def source() -> Iterator[Row | RowError]:
        yield from rows
        message = "in.csv is cut off"
        raise FileError(message)

    outcomes: deque[object] = deque()
    with pytest.raises(FileError, match="cut off"):
        outcomes.extend(classify_in_order(source(), FakeModel().predict, window_rows=window))
    assert len(outcomes) == len(rows)


def test_a_model_that_loses_a_row_is_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        list(classify_in_order(rows_of([1, 2]), lambda batch: [0] * (len(batch) - 1)))
