"""The table's indexes: reading a shard of a ranking, and which epochs there are. Must not know: items, merging."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from trending_core.decay import WINDOWS
from trending_core.dynamo_client import answering
from trending_core.dynamo_codec import epochs_key, item_id_of, number, read_epochs, text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_dynamodb.client import DynamoDBClient

    from trending_core.decay import Window
    from trending_core.ranking import Reader

ROLL_AHEAD: Final = timedelta(minutes=1)
"""A page also looks into an epoch that starts within this time: the writers' clocks may be ahead."""


class RankingIndex:
    """The indexes ``day`` and ``week`` of the items table; safe for threads."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table
        self._known: dict[str, frozenset[int]] = {}
        self._read_in: dict[str, int] = {}

    def announce(self, epochs: Mapping[str, int]) -> None:
        """List epochs (by window) before rows of them are written, so that no row can be there unseen."""
        for name, epoch in epochs.items():
            if epoch in self._known.get(name, ()):
                continue
            with answering():
                answer = self._client.update_item(
                    TableName=self._table,
                    Key=epochs_key(WINDOWS[name]),
                    UpdateExpression="ADD epochs :epoch",
                    ExpressionAttributeValues={":epoch": {"NS": [str(epoch)]}},
                    ReturnValues="ALL_NEW",
                )
            self._known[name] = read_epochs(answer["Attributes"])

    def epochs(self, window: Window, now: datetime) -> frozenset[int]:
        """Give the epochs to look into.

        Rows come up in the current epoch, which is always one of them; so the list that was read in this epoch holds
        until the next.
        """
        current = window.epoch(now)
        if self._read_in.get(window.name) != current:
            with answering():
                answer = self._client.get_item(
                    TableName=self._table, Key=epochs_key(window), ConsistentRead=True
                )
            self._known[window.name] = read_epochs(answer.get("Item", {}))
            self._read_in[window.name] = current
        return self._known[window.name] | {current, window.epoch(now + ROLL_AHEAD)}

    def reader(self, window: Window) -> Reader:
        """Give what reads one shard of a window's index."""

        def read(
            key: str, at_most: Decimal | None, limit: int, token: object
        ) -> tuple[Sequence[tuple[str, Decimal]], object]:
            query: dict[str, Any] = {
                "TableName": self._table,
                "IndexName": window.name,
                "KeyConditionExpression": "#at = :at",
                "ExpressionAttributeNames": {"#at": f"{window.name}_at"},
                "ExpressionAttributeValues": {":at": text(key)},
                "ScanIndexForward": False,
                "Limit": limit,
            }
            if at_most is not None:
                query["KeyConditionExpression"] += " AND #number <= :most"
                query["ExpressionAttributeNames"]["#number"] = window.name
                query["ExpressionAttributeValues"][":most"] = number(at_most)
            if token is not None:
                query["ExclusiveStartKey"] = token
            with answering():
                answer = self._client.query(**query)
            batch = [(item_id_of(row), Decimal(row[window.name]["N"])) for row in answer["Items"]]
            return batch, answer.get("LastEvaluatedKey")

        return read
