"""Rows become items while the next ones are classified: a step between the outcomes of rows and the lines about them.

An item that is there stays as it is: one that is ready keeps its enrichment, one that waits for it is left to whoever
began it, one with another title or text refuses the row. The store's conditional write decides all of that, once; so whoever
does rows again, or at the same time, makes no second item and comes to the same outcome. Must not know chunks or S3.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from functions.classification.batches import Classified
from functions.classification.files import RowError
from functions.classification.uploads.items import Wish, draft_of, enrichment_of
from trending_core.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from functions.classification.files.results import ResultFormat
    from trending_core.models import Draft
    from trending_core.store import ItemStore

AT_ONCE: Final = 8
"""Items written at the same time."""
AHEAD: Final = 64
"""Rows whose items are under way, at most: enough for `AT_ONCE` even if one in eight is slow."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a row that was to become an item: its id, or the reason why there is none."""

    item_id: str | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Itemised(Classified["Sequence[float]"]):
    """A classified row that was to become an item."""

    verdict: Verdict


Outcome = Classified["Sequence[float]"] | RowError


class ItemWriter:
    """Makes items of rows.

    Parameters
    ----------
    store : ItemStore
        Used by several threads.
    results : ResultFormat
        Knows the model's labels and thresholds.
    now : callable
        Unix time.
    """

    def __init__(self, store: ItemStore, results: ResultFormat, *, now: Callable[[], float]) -> None:
        self._store = store
        self._results = results
        self._now = now

    def follow(
        self, outcomes: Iterable[Outcome], wish: Wish, *, check: Callable[[], None], ahead: int = AHEAD
    ) -> Generator[Outcome]:
        """Yield every outcome in order, that of a row that was to become an item as `Itemised`, once that is decided.

        Of rows that name one item, the first of the file is written first.

        Parameters
        ----------
        check : callable
            Called before an item is written; raises `TimeIsUp`.
        ahead : int
            Rows that are taken before the first of them is decided, at most.

        Raises
        ------
        Exception
            From ``outcomes`` or ``check``, such as `FileError` and `TimeIsUp`, after everything before it has been given.
        Unavailable
            If the store does not answer.
        """
        if wish is Wish.NONE:
            yield from outcomes
            return
        failure: Exception | None = None
        with ExitStack() as stack:
            pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="items")
            stack.callback(pool.shutdown, cancel_futures=True)
            writes = _Writes(pool, self._write)
            try:
                for outcome in outcomes:
                    if isinstance(outcome, RowError) or not wish.covers(outcome.row):
                        writes.skip(outcome)
                    else:
                        check()
                        writes.start(outcome)
                    if len(writes) > ahead:
                        yield writes.finish()
            except Exception as error:  # noqa: BLE001 -- raised below: what came before it is not lost with it
                failure = error
            while len(writes):
                yield writes.finish()
        if failure:
            raise failure

    def _write(self, draft: Draft, probabilities: Sequence[float]) -> Verdict:
        enrichment = enrichment_of(draft, probabilities, self._results)
        now = datetime.fromtimestamp(self._now(), UTC)
        try:
            return Verdict(self._store.complete(draft, enrichment, now, leave_pending=True).item_id)
        except Conflict:
            return Verdict(None, f"there is an item {draft.item_id} with another title or text")


class _Writes:
    """Rows in order, with the writes of their items that are under way."""

    def __init__(self, pool: ThreadPoolExecutor, write: Callable[[Draft, Sequence[float]], Verdict]) -> None:
        self._pool = pool
        self._write = write
        self._rows: deque[tuple[Outcome, str, Future[Verdict] | None]] = deque()
        self._last: dict[str, Future[Verdict]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def skip(self, outcome: Outcome) -> None:
        """Take a row that is to become no item."""
        self._rows.append((outcome, "", None))

    def start(self, outcome: Classified[Sequence[float]]) -> None:
        """Begin to write a row's item, after another one of the same id."""
        draft = draft_of(outcome.row)
        if isinstance(draft, str):
            refused: Future[Verdict] = Future()
            refused.set_result(Verdict(None, draft))
            self._rows.append((outcome, "", refused))
            return
        if draft.item_id in self._last:
            self._last[draft.item_id].result()
        future = self._pool.submit(self._write, draft, outcome.prediction)
        self._last[draft.item_id] = future
        self._rows.append((outcome, draft.item_id, future))

    def finish(self) -> Outcome:
        """Wait for the first row."""
        outcome, item_id, future = self._rows.popleft()
        if future is None or isinstance(outcome, RowError):
            return outcome
        verdict = future.result()
        if self._last.get(item_id) is future:
            del self._last[item_id]
        return Itemised(outcome.row, outcome.prediction, verdict)
