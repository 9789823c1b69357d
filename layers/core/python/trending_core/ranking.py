"""Reading a page of a ranking that is spread over shards and epochs. Must not know: where the rows are stored.

An item has one row in each partition it belongs to ("all", its genres, its tags). A partition is split into shards by
the item's id, so that writes do not pile up on one key, and each shard into epochs (`trending_core.decay`). A page is
merged from the first rows of every shard. Epochs are read from the newest back, and only as long as a row of an older
one could still belong on the page: first one, then as many at the same time as were read before (1, 1, 2, 4, ...). So a
ranking with few rows is read in few rounds however many epochs there were, and a page that the newest epochs settle
costs no look into the others.

Order: the stored number, falling, exact across epochs; equal ones by item id. A `Place` in that order is a cursor:
numbers only grow, so an item that was shown stays above its place and one that did not move stays where it was.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from trending_core.decay import MAX_NUMBER, bound, rank_key
from trending_core.errors import FieldError, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from decimal import Decimal

    from trending_core.decay import Window
    from trending_core.models import Enrichment


class PartitionKind(StrEnum):
    """What a ranking is of."""

    ALL = "all"
    GENRE = "genre"
    TAG = "tag"


SHARDS: Final[Mapping[PartitionKind, int]] = MappingProxyType(
    {PartitionKind.ALL: 8, PartitionKind.GENRE: 4, PartitionKind.TAG: 1}
)
"""Shards per partition. An index partition takes 1,000 write units a second and an event costs two (a sort key that
changes is a delete and a put), so "all" takes about 4,000 events a second. Stored rows know their shard by these
numbers: changing one needs every row of that kind placed anew.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html"""


@dataclass(frozen=True, slots=True)
class Partition:
    """One ranking: of all items, of a genre's or of a tag's."""

    kind: PartitionKind
    name: str = ""

    @property
    def key(self) -> str:
        """Its part of a stored key."""
        return f"{self.kind.value}#{self.name}" if self.name else self.kind.value

    def shard(self, item_id: str) -> int:
        """Which shard holds an item: a stable hash."""
        digest = hashlib.sha256(item_id.encode()).digest()
        return int.from_bytes(digest[-8:]) % SHARDS[self.kind]


ALL: Final = Partition(PartitionKind.ALL)


def genre(label: str) -> Partition:
    """Give a genre's partition."""
    return Partition(PartitionKind.GENRE, label)


def tag(name: str) -> Partition:
    """Give a tag's partition."""
    return Partition(PartitionKind.TAG, name)


def partitions_of(enrichment: Enrichment) -> tuple[Partition, ...]:
    """Give every partition an item has a row in, "all" first: at most 1 + 18 genres + 10 tags."""
    return (
        ALL,
        *(genre(score.label.value) for score in enrichment.genres),
        *(tag(name) for name in enrichment.tags),
    )


def index_key(window: Window, epoch: int, partition: Partition, shard: int) -> str:
    """Give the key of one shard in one epoch."""
    return f"{window.name}#{epoch}#{partition.key}#{shard}"


@dataclass(frozen=True, slots=True)
class Row:
    """One item in a ranking: its stored number and the epoch that number belongs to."""

    item_id: str
    epoch: int
    number: Decimal


Place = Row
"""Where a page ended: its last row."""


class Reader(Protocol):
    """How a store reads one shard: falling by number, a batch at a time."""

    def __call__(
        self, key: str, at_most: Decimal | None, limit: int, token: object
    ) -> tuple[Sequence[tuple[str, Decimal]], object]:
        """Read up to `limit` rows (item id, number), none above `at_most`; with them, the token for more or None."""
        ...


@dataclass(frozen=True, slots=True)
class Slice:
    """The rows of a page, whether more follow, and how many rows were read for it."""

    rows: tuple[Row, ...]
    more: bool
    rows_read: int


@dataclass(frozen=True, slots=True)
class ShardQuery:
    """What a page needs of one shard."""

    key: str
    epoch: int
    at_most: Decimal | None
    need: int
    after: Callable[[Row], bool]

    def read(self, reader: Reader) -> tuple[list[Row], int]:
        """Read the shard's first rows in the ranking's order, with every row of equal number at the cut."""
        rows: list[Row] = []
        count = 0
        token: object = None
        while True:
            batch, token = reader(self.key, self.at_most, self.need + 1, token)
            count += len(batch)
            rows += [row for row in (Row(i, self.epoch, n) for i, n in batch) if self.after(row)]
            if token is None or (len(rows) > self.need and rows[-1].number < rows[self.need - 1].number):
                break
        rows.sort(key=lambda row: (row.number.copy_negate(), row.item_id))
        return rows[: self.need], count


def read_page(
    read_shards: Callable[[Sequence[ShardQuery]], Iterable[tuple[list[Row], int]]],
    partition: Partition,
    window: Window,
    epochs: Iterable[int],
    *,
    limit: int,
    after: Place | None = None,
) -> Slice:
    """Merge one page out of a partition's shards and epochs.

    Parameters
    ----------
    read_shards : callable
        Calls `ShardQuery.read` on each of the queries, at the same time if it can.
    epochs : iterable of int
        All epochs that may hold rows.
    limit : int
        Rows of the page, at least 1.
    after : Place or None
        Where the page before ended.

    Raises
    ------
    InvalidInput
        If `after` lies in an epoch that holds no rows: it came from nowhere.
    """
    newest_first = sorted(epochs, reverse=True)
    if after and after.epoch not in newest_first:
        message = "The cursor cannot be used."
        raise InvalidInput(
            message, errors=[FieldError(field="cursor", reason="names an epoch without items")]
        )
    base = newest_first[-1]
    need = limit + 1

    def order(row: Row) -> tuple[int, str]:
        return -rank_key(row.number, row.epoch, base=base), row.item_id

    start = order(after) if after else None

    def follows(row: Row) -> bool:
        return start is None or order(row) > start

    def shards_of(epoch: int) -> Iterator[ShardQuery]:
        at_most = bound(after.number, after.epoch, target=epoch) if after else None
        for shard in range(SHARDS[partition.kind]):
            yield ShardQuery(index_key(window, epoch, partition, shard), epoch, at_most, need, follows)

    rows: list[Row] = []
    count = 0
    looked = 0
    while looked < len(newest_first):
        highest = -rank_key(MAX_NUMBER, newest_first[looked], base=base)
        if len(rows) >= need and order(rows[need - 1])[0] < highest:
            break
        epochs_now = newest_first[looked : max(1, 2 * looked)]
        looked += len(epochs_now)
        for found, read in read_shards([query for epoch in epochs_now for query in shards_of(epoch)]):
            rows += found
            count += read
        rows.sort(key=order)
    return Slice(tuple(rows[:limit]), len(rows) > limit, count)
