"""Rows to predictions in length-sorted micro-batches, and back into the order of the file.

A batch is padded to its longest text, so texts of one length belong together. The look-ahead is a window of bounded
size: memory does not grow with the file. Knows no model: what predicts is passed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from functions.classification.files.rows import FileError, Row, RowError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

Prediction = TypeVar("Prediction")

WINDOW_ROWS: Final = 256
WINDOW_CHARS: Final = 4 * 1024 * 1024
BATCH_ROWS: Final = 32


@dataclass(frozen=True, slots=True)
class Classified(Generic[Prediction]):
    """A row and what the model says of it."""

    row: Row
    prediction: Prediction


def classify_in_order(
    rows: Iterable[Row | RowError],
    predict: Callable[[Sequence[Row]], Sequence[Prediction]],
    *,
    batch_rows: int = BATCH_ROWS,
    window_rows: int = WINDOW_ROWS,
    window_chars: int = WINDOW_CHARS,
) -> Iterator[Classified[Prediction] | RowError]:
    """Predict every row once and yield the outcomes in the order of the rows, errors at their place.

    If reading fails in the middle, the rows read so far are predicted and given before the error is raised.

    Parameters
    ----------
    rows : iterable of Row or RowError
        Read one window ahead of what is yielded.
    predict : callable
        Gives one prediction per row of a batch, in the batch's order.
    batch_rows : int
        Rows of a batch at most.
    window_rows, window_chars : int
        A window ends with the row that reaches either of them; errors count as rows.

    Raises
    ------
    FileError
        From ``rows``.
    ValueError
        If ``predict`` gives more or fewer predictions than rows.
    """
    for window, failure in _windows(rows, window_rows, window_chars):
        yield from _classify_window(window, predict, batch_rows)
        if failure:
            raise failure


def _windows(
    rows: Iterable[Row | RowError], max_rows: int, max_chars: int
) -> Iterator[tuple[list[Row | RowError], FileError | None]]:
    window: list[Row | RowError] = []
    chars = 0
    failure = None
    try:
        for row in rows:
            window.append(row)
            chars += _length(row)
            if len(window) >= max_rows or chars >= max_chars:
                yield window, None
                window = []
                chars = 0
    except FileError as error:
        failure = error
    if window or failure:
        yield window, failure


def _length(row: Row | RowError) -> int:
    return len(row.text) + len(row.title or "") if isinstance(row, Row) else 0


def _classify_window(
    window: list[Row | RowError],
    predict: Callable[[Sequence[Row]], Sequence[Prediction]],
    batch_rows: int,
) -> list[Classified[Prediction] | RowError]:
    outcomes: dict[int, Classified[Prediction] | RowError] = {}
    readable: list[tuple[int, Row]] = []
    for place, row in enumerate(window):
        if isinstance(row, Row):
            readable.append((place, row))
        else:
            outcomes[place] = row
    readable.sort(key=lambda placed: _length(placed[1]))
    for start in range(0, len(readable), batch_rows):
        batch = readable[start : start + batch_rows]
        predictions = predict([row for _, row in batch])
        for (place, row), prediction in zip(batch, predictions, strict=True):
            outcomes[place] = Classified(row, prediction)
    return [outcomes[place] for place in range(len(window))]
