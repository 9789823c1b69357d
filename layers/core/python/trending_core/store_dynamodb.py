"""The item store on DynamoDB: one table, one transaction per write. Must not know: HTTP.

The rows are drawn in `trending_core.dynamo_codec`, the reasons in ``docs/adr``. Three rules keep them true:

* An item's rows in `/trending` are made, carried over and added to together, in one transaction each; so all of them
  hold the same numbers always.
* An event's marker is put in the transaction that adds its weight, on condition that it is not there; so an event
  counts once however often it is sent.
* Additions are DynamoDB's ``ADD``, on condition that the item's numbers are still of the epoch the addition was
  computed for; so writers never wait for each other's result and none overwrites another's.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from trending_core.decay import WINDOWS, decayed
from trending_core.dynamo_actions import NOT_THERE, additions, carried, first_rows, put, put_item
from trending_core.dynamo_client import MAX_CONNECTIONS, Patience, Transactor, answering
from trending_core.dynamo_codec import (
    ALL_ROW,
    DRAFT,
    META,
    TREND,
    item_key,
    read_draft,
    read_engagement,
    read_item,
    read_trend,
    write_draft,
    write_marker,
)
from trending_core.dynamo_index import RankingIndex
from trending_core.errors import Unavailable
from trending_core.models import Item, Status
from trending_core.ranking import read_page
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

    from mypy_boto3_dynamodb.client import DynamoDBClient

    from trending_core.decay import Window
    from trending_core.dynamo_actions import Action
    from trending_core.dynamo_codec import Row, TrendRow, Value
    from trending_core.events import Event
    from trending_core.models import Draft, Enrichment
    from trending_core.ranking import Partition, Place, ShardQuery

KEEP_MARKERS: Final = timedelta(days=30)
"""How long a repeated ``event_id`` is recognised."""


class DynamoItemStore:
    """An `ItemStore` on a table of the layout in `trending_core.dynamo_codec`; safe for threads.

    Parameters
    ----------
    client : DynamoDBClient
        From `dynamo_client.connect`.
    table : str
        The table's name.
    transactor : Transactor or None
        How transactions are written; None for the default.
    patience : Patience
        How long a batch is read that DynamoDB answers in parts.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        *,
        transactor: Transactor | None = None,
        patience: Patience = Patience(),  # noqa: B008 -- frozen
    ) -> None:
        self._client = client
        self._table = table
        self._transactor = transactor or Transactor(client, patience)
        self._patience = patience
        self._index = RankingIndex(client, table)

    def begin(self, draft: Draft, now: datetime) -> Begun:
        """Store a pending item; see `ItemStore.begin`."""
        while True:
            found = self._same(draft)
            if found is not None and found.status is not Status.FAILED:
                return Begun(found, created=False)
            item = Item.of(draft, found.created_at if found else now).model_copy(update={"updated_at": now})
            if not self._write(
                [put_item(self._table, item, over=found), put(self._table, write_draft(draft))]
            ):
                return Begun(item, created=found is None)

    def complete(
        self, draft: Draft, enrichment: Enrichment, now: datetime, *, leave_pending: bool = False
    ) -> Item:
        """Make an item ready; see `ItemStore.complete`."""
        left = {Status.READY, Status.PENDING} if leave_pending else {Status.READY}
        while True:
            found = self._same(draft)
            if found is not None and found.status in left:
                return found
            item = (found or Item.of(draft, now)).ready(enrichment, now)
            rows = first_rows(item.item_id, enrichment, now)
            self._index.announce(rows[0].epochs())
            actions = [put_item(self._table, item, over=found), put(self._table, write_draft(draft))]
            if not self._write([*actions, *(put(self._table, row.write(WINDOWS)) for row in rows)]):
                return item

    def fail(self, item_id: str, reason: str, now: datetime) -> Item:
        """Mark a pending item as failed; see `ItemStore.fail`."""
        while True:
            found = self.get(item_id)
            if found.status is not Status.PENDING:
                return found
            item = found.failed(reason, now)
            if not self._write([put_item(self._table, item, over=found)]):
                return item

    def get(self, item_id: str) -> Item:
        """Read an item; see `ItemStore.get`."""
        item = self._find(item_id)
        if item is None:
            raise not_found(item_id)
        return item

    def get_many(self, item_ids: Iterable[str]) -> Mapping[str, Item]:
        """Read several items; see `ItemStore.get_many`."""
        keys = [item_key(item_id, META) for item_id in dict.fromkeys(item_ids)]
        items = [read_item(row) for row in self._rows(keys)] if keys else []
        return {item.item_id: item for item in items}

    def draft(self, item_id: str) -> Draft:
        """Read an item's texts; see `ItemStore.draft`."""
        row = self._row(item_id, DRAFT)
        if row is None:
            raise not_found(item_id)
        return read_draft(row)

    def record(self, item_id: str, events: Sequence[Event]) -> tuple[bool, ...]:
        """Count events; see `ItemStore.record`."""
        check_batch(item_id, events)
        new = list(events)
        expires_at = max(datetime.now(UTC), *(event.at for event in events)) + KEEP_MARKERS
        while new:
            rows = self._rankings(item_id)
            if self._carry_over(rows, new):
                continue
            markers = [put(self._table, write_marker(event, expires_at), unless=NOT_THERE) for event in new]
            failed = self._write([*markers, *additions(self._table, rows, new)])
            if not failed:
                break
            new = [event for i, event in enumerate(new) if i not in failed]
        counted = {event.event_id for event in new}
        return tuple(event.event_id in counted for event in events)

    def standing(self, item_id: str, now: datetime) -> Standing:
        """Read an item with what happened to it, in one call; see `ItemStore.standing`."""
        found = self._rows([item_key(item_id, META), item_key(item_id, ALL_ROW)])
        rows = {row["SK"]["S"]: row for row in found}
        if META not in rows:
            raise not_found(item_id)
        totals = dict.fromkeys(WINDOWS, 0.0)
        if ALL_ROW in rows:
            numbers = read_trend(rows[ALL_ROW], WINDOWS).numbers
            totals = {name: decayed(window, *numbers[name], now) for name, window in WINDOWS.items()}
        return Standing(read_item(rows[META]), read_engagement(rows.get(ALL_ROW, {})), totals)

    def trending(
        self, partition: Partition, window: Window, *, limit: int, now: datetime, after: Place | None = None
    ) -> Page:
        """Read a page of a ranking; see `ItemStore.trending`."""
        epochs = self._index.epochs(window, now)
        read = self._index.reader(window)

        def read_shards(shards: Sequence[ShardQuery]) -> Iterable[tuple[list[Place], int]]:
            return self._threads.map(lambda shard: shard.read(read), shards)

        page = read_page(read_shards, partition, window, epochs, limit=limit, after=after)
        items = self.get_many(row.item_id for row in page.rows)
        entries = tuple(
            Ranked(items[row.item_id], decayed(window, row.epoch, row.number, now)) for row in page.rows
        )
        return Page(entries, page.rows[-1] if page.more else None, page.rows_read)

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(MAX_CONNECTIONS, thread_name_prefix="shard")

    # Items

    def _row(self, item_id: str, sort: str) -> Row | None:
        with answering():
            answer = self._client.get_item(
                TableName=self._table, Key=item_key(item_id, sort), ConsistentRead=True
            )
        return answer.get("Item")

    def _rows(self, keys: Sequence[Mapping[str, Value]]) -> list[Row]:
        """Read those of the rows that exist, 1 to 100 keys, in no order; as often as DynamoDB leaves some out."""
        rows: list[Row] = []
        wanted: Sequence[Any] = keys
        for _ in self._patience.tries():
            # Consistent: an index can be ahead of an eventually consistent read, and show a row without its item.
            with answering():
                answer = self._client.batch_get_item(
                    RequestItems={self._table: {"Keys": wanted, "ConsistentRead": True}}
                )
            rows += answer["Responses"].get(self._table, [])
            left: Mapping[str, Any] = answer.get("UnprocessedKeys", {})
            wanted = left.get(self._table, {}).get("Keys", [])
            if not wanted:
                return rows
        message = f"The item store leaves {len(wanted)} of {len(keys)} rows unread."
        raise Unavailable(message)

    def _find(self, item_id: str) -> Item | None:
        row = self._row(item_id, META)
        return None if row is None else read_item(row)

    def _same(self, draft: Draft) -> Item | None:
        found = self._find(draft.item_id)
        if found is not None and found.content_hash != draft.content_hash:
            raise other_content(draft.item_id)
        return found

    def _write(self, actions: Sequence[Action]) -> frozenset[int]:
        return self._transactor.write(actions)

    def _rankings(self, item_id: str) -> list[TrendRow]:
        """Read a ready item's rows; again where it became ready between looking for them and looking at the item."""
        for _ in self._patience.tries():
            rows = self._trend_rows(item_id)
            if rows:
                return rows
            item = self.get(item_id)
            if item.status is not Status.READY:
                raise not_ready(item)
        message = f"Item {item_id!r} is only just ready."
        raise Unavailable(message)

    def _trend_rows(self, item_id: str) -> list[TrendRow]:
        key = item_key(item_id, TREND)
        with answering():
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="PK = :pk AND begins_with(SK, :sk)",
                ExpressionAttributeValues={":pk": key["PK"], ":sk": key["SK"]},
                ConsistentRead=True,
            )
        return [read_trend(row, WINDOWS) for row in answer["Items"]]

    def _carry_over(self, rows: Sequence[TrendRow], events: Sequence[Event]) -> bool:
        """Bring an item's numbers into the epoch of its newest event; True if they were, and must be read again."""
        epochs = rows[0].epochs()
        latest = {
            name: max(epochs[name], *(window.epoch(event.at) for event in events))
            for name, window in WINDOWS.items()
        }
        if latest == epochs:
            return False
        self._index.announce(latest)
        self._write([carried(self._table, row, latest) for row in rows])
        return True
