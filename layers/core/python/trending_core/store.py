"""The item store: one interface for items, their events and what is trending. Must not know: DynamoDB, HTTP.

`store_dynamodb.DynamoItemStore` keeps items in a table, `store_memory.MemoryItemStore` in a process; both pass the
tests in ``tests/contract/store``. Every write is safe to repeat: a caller that does not know whether a call
succeeded calls again with the same arguments.

Time comes in as an argument (an aware `datetime`), so that a test or a loader of past events decides it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from trending_core.errors import Conflict, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from trending_core.decay import Window
    from trending_core.events import Engagement, Event
    from trending_core.models import Draft, Enrichment, Item
    from trending_core.ranking import Partition, Place

MAX_BATCH: Final = 50
"""Events of one `ItemStore.record`: with an item's rows they fit DynamoDB's 100 actions a transaction."""


@dataclass(frozen=True, slots=True)
class Begun:
    """An item after `ItemStore.begin`; `created` is False where it was there before."""

    item: Item
    created: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """An item with what happened to it: counts so far, and by window its decayed total at the time of the query."""

    item: Item
    engagement: Engagement
    totals: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Ranked:
    """One entry of a page: the item and its decayed total at the time of the query."""

    item: Item
    trending_score: float


@dataclass(frozen=True, slots=True)
class Page:
    """One page of `/trending`: entries in falling order, and where the next page starts (None after the last).

    `rows_read` counts the index rows that were read for it.
    """

    entries: tuple[Ranked, ...]
    next_place: Place | None
    rows_read: int


def check_batch(item_id: str, events: Sequence[Event]) -> None:
    """Refuse events that `ItemStore.record` cannot count in one transaction.

    Raises
    ------
    ValueError
        A mistake of the caller's code, not of a client.
    """
    if not 1 <= len(events) <= MAX_BATCH:
        message = f"{len(events)} events are not 1 to {MAX_BATCH}"
        raise ValueError(message)
    if any(event.item_id != item_id for event in events):
        message = f"not all events are of item {item_id}"
        raise ValueError(message)
    if len({event.event_id for event in events}) < len(events):
        message = "two events have the same event_id"
        raise ValueError(message)


def not_found(item_id: str) -> NotFound:
    """Say that there is no such item."""
    return NotFound(f"There is no item {item_id!r}.")


def other_content(item_id: str) -> Conflict:
    """Say that an id is taken; the rule is in `trending_core.models`."""
    return Conflict(f"Item {item_id!r} exists with other content; an item's text does not change.")


def not_ready(item: Item) -> Conflict:
    """Say that an item takes no events yet."""
    return Conflict(f"Item {item.item_id!r} is {item.status.value}; only a ready item takes events.")


class ItemStore(Protocol):
    """Where items live."""

    def begin(self, draft: Draft, now: datetime) -> Begun:
        """Store a draft as a ``pending`` item with its texts, unless it is there already.

        A ``failed`` item becomes ``pending`` again; a ``pending`` or ``ready`` one is returned as it is.

        Raises
        ------
        Conflict
            If an item of that id has other content.
        """
        ...

    def complete(
        self, draft: Draft, enrichment: Enrichment, now: datetime, *, leave_pending: bool = False
    ) -> Item:
        """Make the draft's item ``ready`` in one transaction: item, texts, and its rows in `/trending`.

        Works with or without `begin` before it. An item that is ready already is returned as it is: the first
        enrichment stays, and only it contributed its score as an event.

        Parameters
        ----------
        leave_pending : bool
            Return a pending item as it is, too: somebody else is about to complete it with more.

        Raises
        ------
        Conflict
            If an item of that id has other content.
        """
        ...

    def fail(self, item_id: str, reason: str, now: datetime) -> Item:
        """Mark a pending item as ``failed``; a ready or failed one is returned as it is.

        Raises
        ------
        NotFound
            If there is no such item.
        """
        ...

    def get(self, item_id: str) -> Item:
        """Read an item as of its last completed write.

        Raises
        ------
        NotFound
            If there is no such item.
        """
        ...

    def get_many(self, item_ids: Iterable[str]) -> Mapping[str, Item]:
        """Read those of the items that exist; at most 100 ids."""
        ...

    def draft(self, item_id: str) -> Draft:
        """Read an item's texts back as they were submitted.

        Raises
        ------
        NotFound
            If there is no such item.
        """
        ...

    def record(self, item_id: str, events: Sequence[Event]) -> tuple[bool, ...]:
        """Count the events of one item, all in one transaction; True for each that counted.

        False marks an ``event_id`` that this item has had before, within the days that markers are kept.

        Parameters
        ----------
        events : sequence of Event
            1 to `MAX_BATCH`, all of `item_id`, with different ids.

        Raises
        ------
        NotFound
            If there is no such item.
        Conflict
            If the item is not ready.
        """
        ...

    def standing(self, item_id: str, now: datetime) -> Standing:
        """Read an item with its counts and its decayed totals at a moment; zeros for one that is not ready.

        Raises
        ------
        NotFound
            If there is no such item.
        """
        ...

    def trending(
        self, partition: Partition, window: Window, *, limit: int, now: datetime, after: Place | None = None
    ) -> Page:
        """Read a page of the ranking of all items, of a genre's or of a tag's.

        Parameters
        ----------
        limit : int
            Entries, 1 to 100.
        after : Place or None
            `next_place` of the page before.
        """
        ...
