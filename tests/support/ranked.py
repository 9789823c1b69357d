"""Many items with different totals, put into a store fast: rows as the store writes them, without its transactions."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from tests.support.stores import NOW, draft, enrichment
from trending_core.decay import WINDOWS
from trending_core.dynamo_actions import first_rows
from trending_core.dynamo_codec import epochs_key, write_item
from trending_core.models import Item

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb.client import DynamoDBClient

    from trending_core.store_memory import MemoryItemStore

_ENRICHMENT = enrichment(genres=(), tags=(), score=5)
_BATCH = 25


def fill_memory(store: MemoryItemStore, count: int) -> None:
    """Complete so many items, a second apart."""
    for i in range(count):
        store.complete(draft(f"item-{i}"), _ENRICHMENT, NOW - timedelta(seconds=i))


def fill_table(client: DynamoDBClient, table: str, count: int, *, described: int | None = None) -> None:
    """Write the rows of so many items, a second apart; the items themselves of the newest `described` only."""
    for window in WINDOWS.values():
        epochs = sorted({str(window.epoch(NOW - timedelta(seconds=i))) for i in (0, count)})
        client.put_item(TableName=table, Item={**epochs_key(window), "epochs": {"NS": epochs}})
    rows = _rows(count, count if described is None else described)
    while batch := list(islice(rows, _BATCH)):
        client.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": row}} for row in batch]})


def _rows(count: int, described: int) -> Iterator[dict[str, Any]]:
    template = Item.of(draft(), NOW).ready(_ENRICHMENT, NOW)
    for i in range(count):
        item_id = f"item-{i}"
        if i < described:
            yield write_item(template.model_copy(update={"item_id": item_id}))
        for row in first_rows(item_id, _ENRICHMENT, NOW - timedelta(seconds=i)):
            yield row.write(WINDOWS)
