"""A page of `/trending` reads the same rows however many items there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moto import mock_aws

from tests.support.ranked import fill_memory, fill_table
from tests.support.stores import NOW, dynamo_store
from trending_core.decay import DAY
from trending_core.ranking import ALL, SHARDS
from trending_core.store_memory import MemoryItemStore

if TYPE_CHECKING:
    from trending_core.ranking import Place
    from trending_core.store import ItemStore

LIMIT = 20
PAGES = 3


def rows_read(store: ItemStore) -> list[int]:
    """Rows read for each of the first pages."""
    counts = []
    after: Place | None = None
    for _ in range(PAGES):
        page = store.trending(ALL, DAY, limit=LIMIT, now=NOW, after=after)
        assert len(page.entries) == LIMIT
        counts.append(page.rows_read)
        after = page.next_place
    return counts


def test_ten_times_the_items_read_no_more_rows() -> None:
    counts = []
    for items in (1_000, 10_000):
        store = MemoryItemStore()
        fill_memory(store, items)
        counts.append(rows_read(store))
    assert counts[0] == counts[1]
    # A row more than the page from each shard, to see whether more follow and where equal numbers end; from the shard
    # that the place lies in, once more.
    assert max(counts[0]) <= (SHARDS[ALL.kind] + 1) * (LIMIT + 2)


def test_the_index_reads_no_more_than_it_is_asked_for(aws_environment: None) -> None:
    """What DynamoDB itself counts, query by query, for one page."""
    with mock_aws(), dynamo_store() as (store, client):
        fill_table(client, store._table, 600)
        scanned: list[int] = []
        client.meta.events.register(
            "after-call.dynamodb.Query", lambda parsed, **_: scanned.append(parsed["ScannedCount"])
        )
        page = store.trending(ALL, DAY, limit=LIMIT, now=NOW)
        assert len(scanned) == SHARDS[ALL.kind]
        assert set(scanned) == {LIMIT + 2}
        assert page.rows_read == sum(scanned)
