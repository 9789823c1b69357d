"""Rows to predictions in length-sorted micro-batches, and back into the order of the file.

A batch is padded to its longest text, so texts of one length belong together. The look-ahead is a window of bounded
size: memory does not grow with the file. With threads, the batches of the next window are computed while the outcomes
of this one are taken, so whoever reads, writes and stores them holds up no model. Knows no model: what predicts is
passed in.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from functions.classification.files.rows import FileError, Row, RowError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

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
    threads: int = 1,
    batch_rows: int = BATCH_ROWS,
    window_rows: int = WINDOW_ROWS,
    window_chars: int = WINDOW_CHARS,
) -> Generator[Classified[Prediction] | RowError]:
    """Predict every row once and yield the outcomes in the order of the rows, errors at their place.

    If reading fails in the middle, the rows read so far are predicted and given before the error is raised.

    Parameters
    ----------
    rows : iterable of Row or RowError
        Read one window ahead of what is yielded, two with threads; always by the caller's own thread.
    predict : callable
        Gives one prediction per row of a batch, in the batch's order. With threads it is called by several at once.
    threads : int
        Batches predicted at the same time; 1 predicts in the caller's own thread. Close the iterator that is given if
        it is left before its end: batches that wait are dropped then, those that run are waited for.
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
    with ExitStack() as stack:
        run: Callable[..., Future[Sequence[Prediction]]] = _at_once
        if threads > 1:
            pool = ThreadPoolExecutor(threads, thread_name_prefix="predict")
            stack.callback(pool.shutdown, cancel_futures=True)
            run = pool.submit
        started: deque[_Window[Prediction]] = deque()
        for window, failure in _windows(rows, window_rows, window_chars):
            started.append(_Window(window, failure, predict, run, batch_rows))
            if len(started) > (threads > 1):
                yield from started.popleft().outcomes()
        for last in started:
            yield from last.outcomes()


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


def _at_once(call: Callable[..., Any], *arguments: Any) -> Future[Any]:  # noqa: ANN401 -- as Executor.submit
    done: Future[Any] = Future()
    done.set_result(call(*arguments))
    return done


class _Window(Generic[Prediction]):
    """A window whose batches are under way from the moment it is made."""

    def __init__(
        self,
        rows: list[Row | RowError],
        failure: FileError | None,
        predict: Callable[[Sequence[Row]], Sequence[Prediction]],
        run: Callable[..., Future[Sequence[Prediction]]],
        batch_rows: int,
    ) -> None:
        self._rows = rows
        self._failure = failure
        readable = [(place, row) for place, row in enumerate(rows) if isinstance(row, Row)]
        readable.sort(key=lambda placed: _length(placed[1]))
        batches = [readable[start : start + batch_rows] for start in range(0, len(readable), batch_rows)]
        self._batches = [(batch, run(predict, [row for _, row in batch])) for batch in batches]

    def outcomes(self) -> Iterator[Classified[Prediction] | RowError]:
        """Wait for the predictions and yield every row's outcome, then raise what ended the reading."""
        found: dict[int, Classified[Prediction]] = {}
        for batch, predictions in self._batches:
            for (place, row), prediction in zip(batch, predictions.result(), strict=True):
                found[place] = Classified(row, prediction)
        for place, outcome in enumerate(self._rows):
            yield outcome if isinstance(outcome, RowError) else found[place]
        if self._failure:
            raise self._failure
