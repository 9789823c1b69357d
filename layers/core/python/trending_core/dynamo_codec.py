"""The items table's layout: keys, and rows as DynamoDB attribute values. Must not know: requests, conditions, retries.

=========================  ==================  =============================================================
PK                         SK                  holds
=========================  ==================  =============================================================
``ITEM#<id>``              ``META``            the item with its enrichment, as JSON
``ITEM#<id>``              ``DRAFT``           the submitted texts, as JSON
``ITEM#<id>``              ``TREND#<part>``    per window: a number, its epoch, and its key in the window's index
``EVENT#<id>#<event id>``  ``EVENT``           the marker of a counted event, until ``expires_at`` (TTL)
``EPOCHS``                 window              the epochs that hold rows
=========================  ==================  =============================================================

Window ``day`` has its number in ``day``, its epoch in ``day_epoch`` and its index key in ``day_at``; the index ``day``
has the partition key ``day_at`` and the sort key ``day``. ``TREND#all`` also counts the events by type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from trending_core.events import Engagement, EventType
from trending_core.models import Draft, Item
from trending_core.ranking import ALL, Partition, PartitionKind, index_key

if TYPE_CHECKING:
    from datetime import datetime

    from trending_core.decay import Window
    from trending_core.events import Event

META: Final = "META"
DRAFT: Final = "DRAFT"
TREND: Final = "TREND#"
ALL_ROW: Final = f"{TREND}{ALL.key}"
RATING_SUM: Final = "rating_sum"
_ITEM: Final = "ITEM#"

Value = dict[str, Any]
"""One attribute value, such as ``{"N": "1"}``."""

Row = Mapping[str, Any]
"""A row as it was read: attribute values by name."""


def text(value: str) -> Value:
    """Write a string."""
    return {"S": value}


def number(value: Decimal | int) -> Value:
    """Write a number without an exponent."""
    return {"N": format(value, "f") if isinstance(value, Decimal) else str(value)}


def item_key(item_id: str, sort: str) -> dict[str, Value]:
    """Give the key of one of an item's rows."""
    return {"PK": text(f"{_ITEM}{item_id}"), "SK": text(sort)}


def item_id_of(row: Row) -> str:
    """Give the item that a row belongs to."""
    return str(row["PK"]["S"]).removeprefix(_ITEM)


def epochs_key(window: Window) -> dict[str, Value]:
    """Give the key of the row that lists a window's epochs."""
    return {"PK": text("EPOCHS"), "SK": text(window.name)}


def read_epochs(row: Row) -> frozenset[int]:
    """Read the row that lists a window's epochs; none where it is not there yet."""
    return frozenset(int(epoch) for epoch in row.get("epochs", {"NS": []})["NS"])


def write_item(item: Item) -> dict[str, Value]:
    """Write an item's ``META`` row; status and hash lie beside the JSON because conditions read them."""
    return item_key(item.item_id, META) | {
        "status": text(item.status.value),
        "content_hash": text(item.content_hash),
        "body": text(item.model_dump_json()),
    }


def read_item(row: Row) -> Item:
    """Read a ``META`` row."""
    return Item.model_validate_json(row["body"]["S"])


def write_draft(draft: Draft) -> dict[str, Value]:
    """Write an item's ``DRAFT`` row."""
    return item_key(draft.item_id, DRAFT) | {"body": text(draft.model_dump_json())}


def read_draft(row: Row) -> Draft:
    """Read a ``DRAFT`` row."""
    return Draft.model_validate_json(row["body"]["S"])


def write_marker(event: Event, expires_at: datetime) -> dict[str, Value]:
    """Write the marker of a counted event."""
    return {
        "PK": text(f"EVENT#{event.item_id}#{event.event_id}"),
        "SK": text("EVENT"),
        "expires_at": number(int(expires_at.timestamp())),
    }


@dataclass(frozen=True, slots=True)
class TrendRow:
    """An item's row in one partition: per window its epoch and its stored number."""

    item_id: str
    partition: Partition
    numbers: Mapping[str, tuple[int, Decimal]]

    @property
    def sort(self) -> str:
        """The row's sort key in the table."""
        return f"{TREND}{self.partition.key}"

    def epochs(self) -> dict[str, int]:
        """Give the epoch per window."""
        return {name: epoch for name, (epoch, _) in self.numbers.items()}

    def write(self, windows: Mapping[str, Window]) -> dict[str, Value]:
        """Write the row with its places in the indexes."""
        row = item_key(self.item_id, self.sort)
        shard = self.partition.shard(self.item_id)
        for name, (epoch, value) in self.numbers.items():
            row[name] = number(value)
            row[f"{name}_epoch"] = number(epoch)
            row[f"{name}_at"] = text(index_key(windows[name], epoch, self.partition, shard))
        return row


def read_trend(row: Row, windows: Mapping[str, Window]) -> TrendRow:
    """Read a ``TREND#`` row."""
    kind, _, name = str(row["SK"]["S"]).removeprefix(TREND).partition("#")
    numbers = {w: (int(row[f"{w}_epoch"]["N"]), Decimal(row[w]["N"])) for w in windows}
    return TrendRow(item_id_of(row), Partition(PartitionKind(kind), name), numbers)


def count_attribute(kind: EventType) -> str:
    """Name the counter of a type of event in the row ``TREND#all``."""
    return f"n_{kind.value}"


def read_engagement(row: Row) -> Engagement:
    """Read the counters of a ``TREND#all`` row."""
    counts = {kind: int(row.get(count_attribute(kind), number(0))["N"]) for kind in EventType}
    return Engagement.of(counts, Decimal(row.get(RATING_SUM, number(0))["N"]))
