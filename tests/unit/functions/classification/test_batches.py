import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing

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


@given(
    lengths=LENGTHS,
    threads=st.integers(1, 4),
    batch=st.integers(1, 9),
    window=st.integers(1, 20),
    chars=st.integers(1, 400),
)
def test_each_row_comes_out_once_in_order_with_its_own_prediction(
    lengths: list[int | None], threads: int, batch: int, window: int, chars: int
) -> None:
    rows = rows_of(lengths)
    model = FakeModel()
    outcomes = list(
        classify_in_order(
            rows,
            model.predict,
            threads=threads,
            batch_rows=batch,
            window_rows=window,
            window_chars=chars,
        )
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


@given(
    lengths=st.lists(st.integers(1, 50), min_size=1),
    threads=st.integers(1, 3),
    window=st.integers(1, 8),
    chars=st.integers(50, 200),
)
def test_no_more_than_a_window_or_two_is_read_ahead(
    lengths: list[int], threads: int, window: int, chars: int
) -> None:
    read: list[Row | RowError] = []

    def source() -> Iterator[Row | RowError]:
        for row in rows_of(lengths):
            read.append(row)
            yield row

    given = 0
    windows = min(threads, 2)
    for _ in classify_in_order(
        source(), FakeModel().predict, threads=threads, window_rows=window, window_chars=chars
    ):
        ahead = [row for row in read[given:] if isinstance(row, Row)]
        assert len(ahead) <= windows * window
        assert sum(len(row.text) for row in ahead) < windows * (chars + 50)
        given += 1
    assert given == len(lengths)


@given(lengths=LENGTHS, threads=st.integers(1, 3), window=st.integers(1, 8))
def test_rows_read_before_a_failure_are_predicted_and_given(
    lengths: list[int | None], threads: int, window: int
) -> None:
    rows = rows_of(lengths)

    def source() -> Iterator[Row | RowError]:
        yield from rows
        message = "in.csv is cut off"
        raise FileError(message)

    outcomes: deque[object] = deque()
    with pytest.raises(FileError, match="cut off"):
        outcomes.extend(classify_in_order(source(), FakeModel().predict, threads=threads, window_rows=window))
    assert len(outcomes) == len(rows)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_model_that_loses_a_row_is_an_error(threads: int) -> None:
    with pytest.raises(ValueError, match="zip"):
        list(classify_in_order(rows_of([1, 2]), lambda batch: [0] * (len(batch) - 1), threads=threads))


def test_so_many_batches_are_predicted_at_the_same_time() -> None:
    meeting = threading.Barrier(3, timeout=30)

    def predict(batch: Sequence[Row]) -> list[int]:
        meeting.wait()
        return [row.number for row in batch]

    outcomes = list(classify_in_order(rows_of([1] * 6), predict, threads=3, batch_rows=1))
    assert len(outcomes) == 6


def test_the_next_window_is_predicted_while_this_one_is_taken() -> None:
    later = threading.Event()

    def predict(batch: Sequence[Row]) -> list[int]:
        if batch[0].number >= 4:
            later.set()
        return [row.number for row in batch]

    outcomes = classify_in_order(rows_of([1] * 12), predict, threads=2, batch_rows=1, window_rows=4)
    next(iter(outcomes))
    assert later.wait(30)
    assert len(list(outcomes)) == 11


def test_what_a_prediction_raises_comes_out_at_its_row_and_no_thread_stays() -> None:
    def predict(batch: Sequence[Row]) -> list[int]:
        if batch[0].number == 5:
            raise KeyError(5)
        return [row.number for row in batch]

    before = threading.active_count()
    given: deque[object] = deque()
    with pytest.raises(KeyError):
        given.extend(classify_in_order(rows_of([1] * 12), predict, threads=2, batch_rows=1, window_rows=4))
    assert len(given) == 4
    assert threading.active_count() == before


def test_an_iterator_that_is_closed_leaves_no_thread_and_no_batch() -> None:
    before = threading.active_count()
    model = FakeModel()
    with closing(
        classify_in_order(rows_of([1] * 100), model.predict, threads=2, batch_rows=1, window_rows=10)
    ) as outcomes:
        next(outcomes)
    assert threading.active_count() == before
    assert len(model.batches) <= 20
