"""Rows to outcomes, as long as the invocation's time allows: the model first, then the items of those that are to be some.

The same for the queue's worker and for the batches of the state machine.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.classification.batches import WINDOW_ROWS, classify_in_order
from functions.classification.uploads.errors import TimeIsUp
from functions.classification.uploads.item_writer import AHEAD

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from functions.classification.files import Row, RowError
    from functions.classification.uploads.item_writer import ItemWriter, Outcome
    from functions.classification.uploads.items import Wish
    from functions.classification.uploads.worker import Model


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Makes outcomes of rows.

    Parameters
    ----------
    model : Model
    items : ItemWriter
    reserve_ms : int
        What must be left of an invocation when a batch of rows goes to the model, or a row to the item store.
    """

    model: Model
    items: ItemWriter
    reserve_ms: int

    def of(
        self,
        rows: Iterator[Row | RowError],
        wish: Wish,
        *,
        chunk_rows: int,
        remaining_ms: Callable[[], int],
    ) -> Generator[Outcome]:
        """Yield the outcome of every row, in order; close the generator where it is left before its end.

        Parameters
        ----------
        chunk_rows : int
            What is done ahead of a chunk is the next one, never more.
        remaining_ms : callable
            Milliseconds until the invocation times out.

        Raises
        ------
        TimeIsUp
            If the next invocation has to go on.
        FileError
            From ``rows``.
        Unavailable
            If the item store does not answer.
        """

        def check() -> None:
            if remaining_ms() < self.reserve_ms:
                raise TimeIsUp

        def predict(batch: Sequence[Row]) -> Sequence[Sequence[float]]:
            check()
            return self.model.predict(batch)

        classified = classify_in_order(
            rows, predict, threads=self.model.threads, window_rows=min(WINDOW_ROWS, chunk_rows)
        )
        with closing(classified):
            yield from self.items.follow(classified, wish, check=check, ahead=min(AHEAD, chunk_rows))
