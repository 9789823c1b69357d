"""A draft becomes a stored item, now or through the queue, and never twice.

Owns the order of checks, enrichment and write. Three things keep a repeated request from paying again, each covering
what the one before cannot: the stored item answers once it is ready; `Once` refuses a second request while the first
one runs; kept answers (`functions.enrichment.ledger`) complete what a killed function began. Must not know HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from functions.enrichment.jobs import Job
from functions.enrichment.retry import Budget
from trending_core.errors import NotFound
from trending_core.models import Status
from trending_core.store import other_content

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.enrichment.enricher import Enricher
    from functions.enrichment.jobs import JobQueue
    from functions.enrichment.once import Once
    from trending_core.models import Draft, Item
    from trending_core.store import ItemStore

TOTAL_S: Final = 24.0
"""Seconds for one enrichment, all attempts included; under API Gateway's 29."""
MARGIN_S: Final = 3.0
"""Seconds before the invocation's timeout at which an enrichment must have ended."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One request: a draft and how it may be answered.

    Parameters
    ----------
    draft : Draft
    fallback : bool
        Whether the embedded enricher may answer where the model cannot.
    idempotency_key : str or None
        Chosen by the caller.
    """

    draft: Draft
    fallback: bool = True
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrichmentService:
    """Takes orders.

    Parameters
    ----------
    store : ItemStore
    enricher : Enricher
    keys : Once
        Remembers callers' idempotency keys.
    contents : Once
        Lets one enrichment of the same content run at a time.
    queue : JobQueue
    now : callable
        The moment, aware.
    """

    store: ItemStore
    enricher: Enricher
    keys: Once
    contents: Once
    queue: JobQueue
    now: Callable[[], datetime] = _now

    def enrich(self, order: Order, *, remaining_ms: Callable[[], int]) -> Item:
        """Enrich and store an item, or give the one that is there.

        Raises
        ------
        Conflict
            If an item of that id has other content.
        InProgress
            If the same enrichment is under way.
        InvalidInput
            If the idempotency key was used with another request.
        UpstreamFailed, UpstreamTimeout
            If the model does not answer and no fallback is allowed.
        Unavailable
            If the store, or the fallback, does not answer.
        """
        return self._keyed(
            order,
            lambda: self.complete(order.draft, fallback=order.fallback, remaining_ms=remaining_ms),
            remaining_ms,
        )

    def submit(self, order: Order, *, remaining_ms: Callable[[], int]) -> Item:
        """Store a pending item and queue its enrichment; an item that is ready is given as it is.

        A message is sent for an item that is pending already, too: the sender may have died before its own.

        Raises
        ------
        Conflict, InProgress, InvalidInput, Unavailable
            As in `enrich`.
        """
        return self._keyed(order, lambda: self._queue(order), remaining_ms)

    def complete(self, draft: Draft, *, fallback: bool, remaining_ms: Callable[[], int]) -> Item:
        """Enrich a draft unless its item is ready, one at a time per content."""
        found = self._find(draft)
        if found is not None and found.status is Status.READY:
            return found

        def work() -> str:
            budget = Budget(min(TOTAL_S, remaining_ms() / 1000 - MARGIN_S))
            enrichment = self.enricher.enrich(draft, budget, fallback=fallback)
            return self.store.complete(draft, enrichment, self.now()).item_id

        item_id = self.contents.run(draft.content_hash, draft.content_hash, work, remaining_ms=remaining_ms)
        if item_id == draft.item_id:
            return self.store.get(item_id)
        # The same content was finished a moment ago under another id: this item still has to be written.
        return self.store.get(work())

    def work(self, job: Job, *, remaining_ms: Callable[[], int]) -> Item:
        """Do a queued job.

        Raises
        ------
        NotFound
            If the item is not stored.
        Conflict, InProgress, UpstreamFailed, UpstreamTimeout, Unavailable, InternalError
            As in `enrich`: the message should come back later.
        """
        draft = self.store.draft(job.item_id)
        return self.complete(draft, fallback=job.fallback, remaining_ms=remaining_ms)

    def give_up(self, job: Job, reason: str) -> None:
        """Mark a pending item as failed; one that is not stored stays so."""
        try:
            self.store.fail(job.item_id, reason, self.now())
        except NotFound:
            return

    def _queue(self, order: Order) -> Item:
        item = self.store.begin(order.draft, self.now()).item
        if item.status is Status.PENDING:
            self.queue.send(Job(item_id=item.item_id, fallback=order.fallback))
        return item

    def _keyed(self, order: Order, answer: Callable[[], Item], remaining_ms: Callable[[], int]) -> Item:
        """Answer under the caller's key, where there is one."""
        if order.idempotency_key is None:
            return answer()
        content = f"{order.draft.item_id}:{order.draft.content_hash}"
        item_id = self.keys.run(
            order.idempotency_key, content, lambda: answer().item_id, remaining_ms=remaining_ms
        )
        return self.store.get(item_id)

    def _find(self, draft: Draft) -> Item | None:
        """Find the draft's item; `Conflict` where one of that id has other content."""
        try:
            found = self.store.get(draft.item_id)
        except NotFound:
            return None
        if found.content_hash != draft.content_hash:
            raise other_content(draft.item_id)
        return found
