"""The trending logic: which ranking a query means, at which moment an event counts. Must not know: HTTP, DynamoDB.

An event counts at the time the service receives it. A client's clock is not asked: it could lie ahead and lift an item,
or behind and hide what is happening now.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from functions.trending.schemas import (
    EventAnswer,
    EventRequest,
    ItemDetail,
    TrendingAnswer,
    TrendingEntry,
    TrendingTotals,
    WindowName,
)
from trending_core import cursor as cursors
from trending_core import ranking
from trending_core.decay import WINDOWS
from trending_core.errors import FieldError, InvalidInput
from trending_core.events import Event
from trending_core.genres import GENRES
from trending_core.models import normalise_tag
from trending_core.views import StoredItem

if TYPE_CHECKING:
    from collections.abc import Callable

    from trending_core.ranking import Partition
    from trending_core.store import ItemStore


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class TrendingService:
    """Answers about stored items.

    Parameters
    ----------
    store : ItemStore
    now : callable
        The moment, aware.
    """

    store: ItemStore
    now: Callable[[], datetime] = _now

    def item(self, item_id: str) -> ItemDetail:
        """Show an item.

        Raises
        ------
        NotFound
            If there is none of that id.
        """
        standing = self.store.standing(item_id, self.now())
        return ItemDetail(
            **StoredItem.fields_of(standing.item),
            engagement=standing.engagement,
            trending=TrendingTotals(**standing.totals),
        )

    def record(self, item_id: str, request: EventRequest) -> EventAnswer:
        """Count an event now.

        Raises
        ------
        NotFound
            If there is no such item.
        Conflict
            If it is not ready yet.
        """
        event = Event(
            item_id=item_id, event_id=request.event_id, type=request.type, value=request.value, at=self.now()
        )
        (counted,) = self.store.record(item_id, [event])
        return EventAnswer(item_id=item_id, event_id=request.event_id, counted=counted)

    def trending(
        self, *, genre: str | None, tag: str | None, window: WindowName, limit: int, cursor: str | None
    ) -> TrendingAnswer:
        """Read a page of a ranking.

        Raises
        ------
        InvalidInput
            If the genre is unknown, the tag has no letter or digit, both are given, or the cursor cannot be used.
        """
        tag = _tag(tag)
        partition = _partition(genre, tag)
        after = cursors.decode(cursor, partition, WINDOWS[window]) if cursor is not None else None
        page = self.store.trending(partition, WINDOWS[window], limit=limit, now=self.now(), after=after)
        return TrendingAnswer(
            window=window,
            genre=genre,
            tag=tag,
            entries=[
                TrendingEntry(rank=rank, trending_score=entry.trending_score, item=StoredItem.of(entry.item))
                for rank, entry in enumerate(page.entries, start=1)
            ],
            next=cursors.encode(page.next_place, partition, WINDOWS[window]) if page.next_place else None,
        )


def _refuse(*, field: str, reason: str) -> InvalidInput:
    return InvalidInput(f"{field} {reason}.", errors=[FieldError(field, reason)])


def _tag(tag: str | None) -> str | None:
    normal = None if tag is None else normalise_tag(tag)
    if tag is not None and normal is None:
        reason = "needs at least one letter or digit"
        raise _refuse(field="tag", reason=reason)
    return normal


def _partition(genre: str | None, tag: str | None) -> Partition:
    if genre is not None and tag is not None:
        reason = "cannot be combined with genre: a ranking is of one or the other"
        raise _refuse(field="tag", reason=reason)
    if tag is not None:
        return ranking.tag(tag)
    if genre is None:
        return ranking.ALL
    if genre not in GENRES:
        reason = f"must be one of {', '.join(GENRES)}"
        raise _refuse(field="genre", reason=reason)
    return ranking.genre(genre)
