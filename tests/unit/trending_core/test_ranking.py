"""Merging shards: pages equal one sorted list, whatever the shards, epochs and ties."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from trending_core.decay import DAY, GRID, rank_key
from trending_core.ranking import ALL, SHARDS, PartitionKind, Place, Row, ShardQuery, index_key, read_page

if TYPE_CHECKING:
    from collections.abc import Sequence

Shards = dict[str, list[tuple[Decimal, str]]]


class Shelf:
    """Rows in shards, as an index has them: falling by number, equal numbers in no known order."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.shards: defaultdict[str, list[tuple[Decimal, str]]] = defaultdict(list)
        self.rounds: list[set[int]] = []
        for row in rows:
            key = index_key(DAY, row.epoch, ALL, ALL.shard(row.item_id))
            self.shards[key].append((row.number, row.item_id))
        for shard in self.shards.values():
            # The backwards id is the order of a stranger: the merge must not rely on it.
            shard.sort(key=lambda entry: (entry[0], entry[1][::-1]), reverse=True)

    def read(
        self, key: str, at_most: Decimal | None, limit: int, token: object
    ) -> tuple[Sequence[tuple[str, Decimal]], object]:
        rows = [(i, n) for n, i in self.shards[key] if at_most is None or n <= at_most]
        start = token if isinstance(token, int) else 0
        # Like DynamoDB, which does not look ahead: a full last batch comes with a token for an empty one.
        end = start + limit
        return rows[start:end], end if end <= len(rows) else None

    def read_shards(self, shards: Sequence[ShardQuery]) -> list[tuple[list[Row], int]]:
        self.rounds.append({shard.epoch for shard in shards})
        return [shard.read(self.read) for shard in shards]


# Few different numbers, so that ties and neighbours across epochs are common.
steps = st.one_of(st.integers(0, 5), st.integers(2**32 - 2, 2**32 + 2), st.integers(0, 10**20))
rows = st.lists(
    st.builds(
        Row,
        item_id=st.text("abcdef", min_size=1, max_size=4),
        epoch=st.integers(640, 649),
        number=steps.map(lambda step: step * GRID),
    ),
    max_size=60,
    unique_by=lambda row: row.item_id,
)


@given(rows=rows, limit=st.integers(1, 12))
def test_pages_equal_the_sorted_list(rows: list[Row], limit: int) -> None:
    shelf = Shelf(rows)
    epochs = {649, *(row.epoch for row in rows)}
    wanted = sorted(rows, key=lambda row: (-rank_key(row.number, row.epoch, base=640), row.item_id))
    found: list[Row] = []
    after: Place | None = None
    while True:
        page = read_page(shelf.read_shards, ALL, DAY, epochs, limit=limit, after=after)
        found += page.rows
        assert page.more == (len(found) < len(wanted))
        if not page.more:
            break
        assert len(page.rows) == limit
        after = page.rows[-1]
    assert found == wanted


def test_old_epochs_are_not_read_when_the_page_is_full() -> None:
    rows = [Row(f"new-{i}", 643, Decimal(1)) for i in range(40)]
    rows += [Row(f"old-{i}", 640, Decimal(10) ** 10) for i in range(40)]
    page = read_page(Shelf(rows).read_shards, ALL, DAY, {640, 643}, limit=5)
    assert {row.epoch for row in page.rows} == {643}
    assert page.rows_read <= 40


def test_a_ranking_with_few_rows_reads_many_epochs_in_few_rounds() -> None:
    shelf = Shelf([Row("old", 540, Decimal(1))])
    page = read_page(shelf.read_shards, ALL, DAY, set(range(540, 644)), limit=5)
    assert [row.item_id for row in page.rows] == ["old"]
    assert [len(epochs) for epochs in shelf.rounds] == [1, 1, 2, 4, 8, 16, 32, 40]


def test_at_the_beginning_of_an_epoch_only_the_one_before_it_is_read_too() -> None:
    # Above anything that can be left from the epoch before: 10^20 / 2^32.
    shelf = Shelf([Row(f"item-{i}", 642, Decimal(10) ** 11) for i in range(40)])
    page = read_page(shelf.read_shards, ALL, DAY, set(range(540, 644)), limit=5)
    assert len(page.rows) == 5
    assert shelf.rounds == [{643}, {642}]


def test_every_partition_spreads_over_its_shards() -> None:
    for kind, shards in SHARDS.items():
        partition = ALL if kind is PartitionKind.ALL else type(ALL)(kind, "x")
        assert {partition.shard(f"item-{i}") for i in range(500)} == set(range(shards))
