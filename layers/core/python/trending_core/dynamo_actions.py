"""The writes of the item store, as actions of a transaction. Must not know: how transactions are sent or repeated."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from trending_core.decay import WINDOWS, add, carry_over, increment, tie_break
from trending_core.dynamo_codec import (
    ALL_ROW,
    RATING_SUM,
    TrendRow,
    count_attribute,
    item_key,
    number,
    text,
    write_item,
)
from trending_core.events import EventType, enrichment_weight
from trending_core.ranking import partitions_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from trending_core.dynamo_codec import Value
    from trending_core.events import Event
    from trending_core.models import Enrichment, Item

Action = dict[str, Any]
"""One entry of ``TransactItems``."""

NOT_THERE: Final = "attribute_not_exists(PK)"


def put(table: str, row: dict[str, Value], *, unless: str | None = None) -> Action:
    """Put a row, on a condition if there is one."""
    condition = {"ConditionExpression": unless} if unless else {}
    return {"Put": {"TableName": table, "Item": row, **condition}}


def put_item(table: str, item: Item, *, over: Item | None) -> Action:
    """Put an item on condition that nothing changed since it was read as `over` (None: was not there)."""
    if over is None:
        return put(table, write_item(item), unless=NOT_THERE)
    action = put(table, write_item(item), unless="content_hash = :hash AND #status = :status")
    action["Put"]["ExpressionAttributeNames"] = {"#status": "status"}
    action["Put"]["ExpressionAttributeValues"] = {
        ":hash": text(over.content_hash),
        ":status": text(over.status.value),
    }
    return action


def first_rows(item_id: str, enrichment: Enrichment, now: datetime) -> list[TrendRow]:
    """Give a new item's rows in the rankings, "all" first, with its enrichment as the first event."""
    weight = enrichment_weight(enrichment.score)
    numbers = {}
    for name, window in WINDOWS.items():
        epoch = window.epoch(now)
        numbers[name] = (epoch, add(tie_break(item_id), increment(window, epoch, weight, now)))
    return [TrendRow(item_id, partition, numbers) for partition in partitions_of(enrichment)]


def carried(table: str, row: TrendRow, latest: Mapping[str, int]) -> Action:
    """Carry a row's numbers over into the epochs `latest`, on condition that they are still the ones read."""
    numbers = {
        name: (latest[name], carry_over(value, epochs=latest[name] - epoch))
        for name, (epoch, value) in row.numbers.items()
    }
    new = TrendRow(row.item_id, row.partition, numbers).write(WINDOWS)
    key = {"PK": new.pop("PK"), "SK": new.pop("SK")}
    values = {f":{name}": value for name, value in new.items()}
    conditions = []
    for name, (epoch, value) in row.numbers.items():
        values |= {f":old_{name}": number(value), f":old_{name}_epoch": number(epoch)}
        conditions.append(f"#{name} = :old_{name} AND #{name}_epoch = :old_{name}_epoch")
    return {
        "Update": {
            "TableName": table,
            "Key": key,
            "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in new),
            "ConditionExpression": " AND ".join(conditions),
            "ExpressionAttributeNames": {f"#{name}": name for name in new},
            "ExpressionAttributeValues": values,
        }
    }


def additions(table: str, rows: Sequence[TrendRow], events: Sequence[Event]) -> list[Action]:
    """Add events to all of an item's rows; the row of "all" also counts them by type."""
    epochs = rows[0].epochs()
    sums = {
        name: add(*(increment(window, epochs[name], event.weight, event.at) for event in events))
        for name, window in WINDOWS.items()
    }
    counts = {
        count_attribute(kind): Decimal(sum(event.type is kind for event in events)) for kind in EventType
    }
    counts[RATING_SUM] = add(*(event.rating for event in events))
    tally = sums | {name: value for name, value in counts.items() if value}
    return [_addition(table, row, tally if row.sort == ALL_ROW else sums) for row in rows]


def _addition(table: str, row: TrendRow, sums: Mapping[str, Decimal]) -> Action:
    """Add to a row on condition that its numbers are of the epochs that the sums were computed for."""
    epochs = {f"{name}_epoch": number(epoch) for name, epoch in row.epochs().items()}
    values = {f":{name}": number(value) for name, value in sums.items()}
    return {
        "Update": {
            "TableName": table,
            "Key": item_key(row.item_id, row.sort),
            "UpdateExpression": "ADD " + ", ".join(f"#{name} :{name}" for name in sums),
            "ConditionExpression": " AND ".join(f"#{name} = :{name}" for name in epochs),
            "ExpressionAttributeNames": {f"#{name}": name for name in (*sums, *epochs)},
            "ExpressionAttributeValues": values | {f":{name}": value for name, value in epochs.items()},
        }
    }
