"""The item store in a process's memory: what tests of the logic run on. Must not know: DynamoDB.

It keeps the promises of `trending_core.store`, but for the process's lifetime only. Its index is kept in order, like
DynamoDB's, so that a page costs the same however many items there are.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from threading import RLock
from typing import TYPE_CHECKING, Final

from trending_core.decay import WINDOWS, add, carry_over, decayed, increment, tie_break
from trending_core.events import Engagement, Event, EventType, enrichment_weight
from trending_core.models import Draft, Item, Status
from trending_core.ranking import Partition, Place, ShardQuery, index_key, partitions_of, read_page
from trending_core.store import (
    Begun,
    Page,
    Ranked,
    Standing,
    check_batch,
    not_found,
    not_ready,
    other_content,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from trending_core.decay import Window
    from trending_core.models import Enrichment

_AFTER_ANY_ID: Final = "\U0010ffff"


@dataclass(slots=True)
class _Entry:
    item: Item
    draft: Draft
    numbers: dict[str, tuple[int, Decimal]] = field(default_factory=dict)
    """Per window: epoch and stored number."""
    partitions: tuple[Partition, ...] = ()
    markers: set[str] = field(default_factory=set)
    counts: Counter[EventType] = field(default_factory=Counter)
    rating_sum: Decimal = Decimal(0)


class MemoryItemStore:
    """An `ItemStore` that lasts as long as its process; safe for threads."""

    def __init__(self, windows: Iterable[Window] = tuple(WINDOWS.values())) -> None:
        self._windows = tuple(windows)
        self._entries: dict[str, _Entry] = {}
        self._index: defaultdict[str, list[tuple[Decimal, str]]] = defaultdict(list)
        self._epochs: defaultdict[str, set[int]] = defaultdict(set)
        self._lock = RLock()

    def begin(self, draft: Draft, now: datetime) -> Begun:
        """Store a pending item; see `ItemStore.begin`."""
        with self._lock:
            entry = self._same(draft)
            if entry is None:
                entry = self._entries[draft.item_id] = _Entry(Item.of(draft, now), draft)
                return Begun(entry.item, created=True)
            if entry.item.status is Status.FAILED:
                entry.item = Item.of(draft, now).model_copy(update={"created_at": entry.item.created_at})
            return Begun(entry.item, created=False)

    def complete(
        self, draft: Draft, enrichment: Enrichment, now: datetime, *, leave_pending: bool = False
    ) -> Item:
        """Make an item ready; see `ItemStore.complete`."""
        left = {Status.READY, Status.PENDING} if leave_pending else {Status.READY}
        with self._lock:
            entry = self._same(draft)
            if entry is not None and entry.item.status in left:
                return entry.item
            if entry is None:
                entry = self._entries[draft.item_id] = _Entry(Item.of(draft, now), draft)
            entry.item = entry.item.ready(enrichment, now)
            entry.partitions = partitions_of(enrichment)
            weight = enrichment_weight(enrichment.score)
            for window in self._windows:
                epoch = window.epoch(now)
                number = add(tie_break(draft.item_id), increment(window, epoch, weight, now))
                self._move(entry, window, epoch, number)
            return entry.item

    def fail(self, item_id: str, reason: str, now: datetime) -> Item:
        """Mark a pending item as failed; see `ItemStore.fail`."""
        with self._lock:
            entry = self._entry(item_id)
            if entry.item.status is Status.PENDING:
                entry.item = entry.item.failed(reason, now)
            return entry.item

    def get(self, item_id: str) -> Item:
        """Read an item; see `ItemStore.get`."""
        return self._entry(item_id).item

    def get_many(self, item_ids: Iterable[str]) -> Mapping[str, Item]:
        """Read several items; see `ItemStore.get_many`."""
        return {item_id: self._entries[item_id].item for item_id in item_ids if item_id in self._entries}

    def draft(self, item_id: str) -> Draft:
        """Read an item's texts; see `ItemStore.draft`."""
        return self._entry(item_id).draft

    def record(self, item_id: str, events: Sequence[Event]) -> tuple[bool, ...]:
        """Count events; see `ItemStore.record`."""
        check_batch(item_id, events)
        with self._lock:
            entry = self._entry(item_id)
            if entry.item.status is not Status.READY:
                raise not_ready(entry.item)
            counted = tuple(event.event_id not in entry.markers for event in events)
            new = [event for event, counts in zip(events, counted, strict=True) if counts]
            for window in self._windows:
                epoch, number = entry.numbers[window.name]
                later = max([epoch, *(window.epoch(event.at) for event in new)])
                number = carry_over(number, epochs=later - epoch)
                for event in new:
                    number = add(number, increment(window, later, event.weight, event.at))
                self._move(entry, window, later, number)
            entry.markers.update(event.event_id for event in new)
            entry.counts.update(event.type for event in new)
            entry.rating_sum += sum((event.rating for event in new), Decimal(0))
            return counted

    def standing(self, item_id: str, now: datetime) -> Standing:
        """Read an item with what happened to it; see `ItemStore.standing`."""
        with self._lock:
            entry = self._entry(item_id)
            totals = {window.name: 0.0 for window in self._windows} | {
                window.name: decayed(window, *entry.numbers[window.name], now)
                for window in self._windows
                if window.name in entry.numbers
            }
            return Standing(entry.item, Engagement.of(entry.counts, entry.rating_sum), totals)

    def trending(
        self, partition: Partition, window: Window, *, limit: int, now: datetime, after: Place | None = None
    ) -> Page:
        """Read a page of a ranking; see `ItemStore.trending`."""
        with self._lock:
            epochs = self._epochs[window.name] | {window.epoch(now)}
            page = read_page(self._read_shards, partition, window, epochs, limit=limit, after=after)
            entries = tuple(
                Ranked(self._entries[row.item_id].item, decayed(window, row.epoch, row.number, now))
                for row in page.rows
            )
        return Page(entries, page.rows[-1] if page.more else None, page.rows_read)

    def _entry(self, item_id: str) -> _Entry:
        if item_id not in self._entries:
            raise not_found(item_id)
        return self._entries[item_id]

    def _same(self, draft: Draft) -> _Entry | None:
        entry = self._entries.get(draft.item_id)
        if entry is not None and entry.item.content_hash != draft.content_hash:
            raise other_content(draft.item_id)
        return entry

    def _move(self, entry: _Entry, window: Window, epoch: int, number: Decimal) -> None:
        """Set an item's number in a window and its rows in all of its partitions."""
        item_id = entry.item.item_id
        before = entry.numbers.get(window.name)
        for partition in entry.partitions:
            shard = partition.shard(item_id)
            if before is not None:
                rows = self._index[index_key(window, before[0], partition, shard)]
                del rows[bisect_left(rows, (before[1], item_id))]
            insort(self._index[index_key(window, epoch, partition, shard)], (number, item_id))
        entry.numbers[window.name] = (epoch, number)
        self._epochs[window.name].add(epoch)

    def _read_shards(self, shards: Sequence[ShardQuery]) -> list[tuple[list[Place], int]]:
        return [shard.read(self._read) for shard in shards]

    def _read(
        self, key: str, at_most: Decimal | None, limit: int, token: object
    ) -> tuple[Sequence[tuple[str, Decimal]], object]:
        rows = self._index.get(key, [])
        if isinstance(token, int):
            end = token
        else:
            end = len(rows) if at_most is None else bisect_right(rows, (at_most, _AFTER_ANY_ID))
        start = max(end - limit, 0)
        batch = [(item_id, number) for number, item_id in reversed(rows[start:end])]
        return batch, start or None
