"""The emulator's index partitions, kept in order as DynamoDB keeps them. Must not know: our tables.

ministack (1.5) answers a query on an index by collecting, sorting and filtering the index's whole partition, so that a page costs
more the more items there are. DynamoDB reads from an ordered index and stops at the limit. This module gives ministack's
query the rows around the place it starts from, out of an ordered list kept beside ministack's own membership tables;
everything else about the query stays ministack's. It covers the form in which rankings are read: an index with a number
as its sort key, falling, with a limit. Any other query is untouched.
"""

from __future__ import annotations

import re
import threading
from bisect import bisect_left, bisect_right, insort
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import ModuleType

_NEEDED: Final = (
    "_query",
    "_index_members",
    "_index_item",
    "_index_partition",
    "_index_def",
    "_INDEX_MEMBERS",
)
_CONDITION: Final = re.compile(r"^(#\w+) = :\w+(?: AND (#\w+) <= (:\w+))?$")
_LAST: Final = "\U0010ffff"

Entry = tuple[Decimal, str, str]
"""Sort key, then the table's own keys."""


class Members(dict[str, Any]):
    """ministack's membership table of a table's indexes, with ordered lists beside it.

    Attributes
    ----------
    ordered : dict
        Index and partition to its entries, rising; made at the first query.
    """

    def __init__(self, members: dict[str, Any]) -> None:
        super().__init__(members)
        self.ordered: dict[tuple[str, Any], list[Entry]] = {}


class KeptOrder:
    """What takes the place of three of ministack's functions.

    Parameters
    ----------
    dynamodb : module
        ``ministack.services.dynamodb``.
    """

    def __init__(self, dynamodb: ModuleType) -> None:
        self._dynamodb: Any = dynamodb
        self._query: Callable[[dict[str, Any]], Any] = dynamodb._query  # noqa: SLF001 -- there is no public way
        self._members: Callable[[dict[str, Any]], Any] = dynamodb._index_members  # noqa: SLF001
        self._item: Callable[..., None] = dynamodb._index_item  # noqa: SLF001
        self._request = threading.local()
        self._lock = threading.RLock()

    def query(self, data: dict[str, Any]) -> Any:  # noqa: ANN401 -- ministack's answer, handed through
        """Answer a query, remembering it for `members`."""
        self._request.data = data
        try:
            return self._query(data)
        finally:
            self._request.data = None

    def members(self, table: dict[str, Any]) -> Any:  # noqa: ANN401 -- ministack's table, or what stands for it
        """Give the membership table; inside a query that is covered, only the rows it needs."""
        key = self._dynamodb._INDEX_MEMBERS  # noqa: SLF001
        with self._lock:
            members = self._members(table)
            if not isinstance(members, Members):
                members = table[key] = Members(members)
        data = getattr(self._request, "data", None)
        return members if data is None else _Needed(self, table, members, data)

    def item(
        self, table: dict[str, Any], base_pk: str, base_sk: str, item: dict[str, Any], add: bool
    ) -> None:
        """Note that an item came or went."""
        with self._lock:
            self._item(table, base_pk, base_sk, item, add)
            members = table.get(self._dynamodb._INDEX_MEMBERS)  # noqa: SLF001
            if not isinstance(members, Members):
                return
            for index in table.get("GlobalSecondaryIndexes", []):
                hashes, ranges = self._dynamodb._index_key_lists(index)  # noqa: SLF001
                partition = self._dynamodb._index_partition(item, hashes, ranges)  # noqa: SLF001
                place = (index["IndexName"], partition)
                if place in members.ordered and not _note(
                    members.ordered[place], _entry(item, ranges[0], base_pk, base_sk), add=add
                ):
                    del members.ordered[place]

    def needed(
        self, table: dict[str, Any], members: Members, data: dict[str, Any], partition: object
    ) -> Iterable[tuple[str, str]] | None:
        """Give the table keys of the rows that a query may answer with; None where it is not covered."""
        index = self._dynamodb._index_def(table, data["IndexName"])  # noqa: SLF001
        number = _covered(data, index, table)
        if number is None:
            return None
        with self._lock:
            place = (data["IndexName"], partition)
            if place not in members.ordered:
                rows = members.get(place[0], {}).get(partition, ())
                items = table["items"]
                members.ordered[place] = sorted(_entry(items[pk][sk], number, pk, sk) for pk, sk in rows)
            entries = members.ordered[place]
            end = _end(entries, data, number, table)
            return [(pk, sk) for _, pk, sk in entries[max(0, end - data["Limit"] - 1) : end]]


class _Needed:
    """Stands for the membership table within one query: ``.get(index)``, then ``.get(partition, default)``."""

    def __init__(
        self, kept: KeptOrder, table: dict[str, Any], members: Members, data: dict[str, Any]
    ) -> None:
        self._kept, self._table, self._members, self._data = kept, table, members, data
        self._index: str | None = None

    def get(self, name: Any, default: Any = None) -> Any:  # noqa: ANN401 -- as dict.get
        if self._index is None:
            self._index = name
            return self if name in self._members else default
        needed = self._kept.needed(self._table, self._members, self._data, name)
        return self._members[self._index].get(name, default) if needed is None else needed


def keep_order(dynamodb: ModuleType) -> bool:
    """Have ministack's index queries read from ordered partitions; False, and nothing changed, where it has become another."""
    if any(not hasattr(dynamodb, name) for name in _NEEDED):
        return False
    kept = KeptOrder(dynamodb)
    module: Any = dynamodb
    module._query, module._index_members, module._index_item = kept.query, kept.members, kept.item  # noqa: SLF001
    return True


def _covered(data: dict[str, Any], index: dict[str, Any] | None, table: dict[str, Any]) -> str | None:
    """Give the sort key of a covered query."""
    keys = {key["KeyType"]: key["AttributeName"] for key in index["KeySchema"]} if index else {}
    types = {key["AttributeName"]: key["AttributeType"] for key in table["AttributeDefinitions"]}
    condition = _CONDITION.match(data.get("KeyConditionExpression") or "")
    plain = not data.keys() & {"FilterExpression", "QueryFilter", "KeyConditions"} and table.get("sk_name")
    if (
        not condition
        or not plain
        or index is None
        or len(index["KeySchema"]) != 2  # noqa: PLR2004 -- one partition key, one sort key
        or types.get(keys.get("RANGE", "")) != "N"
        or data.get("ScanIndexForward") is not False
        or not isinstance(data.get("Limit"), int)
    ):
        return None
    names = data.get("ExpressionAttributeNames", {})
    if names.get(condition[1]) != keys["HASH"] or (condition[2] and names.get(condition[2]) != keys["RANGE"]):
        return None
    return str(keys["RANGE"])


def _end(entries: list[Entry], data: dict[str, Any], number: str, table: dict[str, Any]) -> int:
    """Give the place in a partition below which a falling query reads."""
    end = len(entries)
    condition = _CONDITION.match(data["KeyConditionExpression"])
    if condition and condition[3]:
        most = Decimal(data["ExpressionAttributeValues"][condition[3]]["N"])
        end = bisect_right(entries, (most, _LAST, _LAST))
    if start := data.get("ExclusiveStartKey"):
        base = (start[table["pk_name"]]["S"], start[table["sk_name"]]["S"])
        end = min(end, bisect_left(entries, (Decimal(start[number]["N"]), *base)))
    return end


def _entry(item: dict[str, Any], number: str, pk: str, sk: str) -> Entry:
    return Decimal(item[number]["N"]), pk, sk


def _note(entries: list[Entry], entry: Entry, *, add: bool) -> bool:
    """Insert or remove an entry; False where the list does not hold what it should."""
    if add:
        insort(entries, entry)
        return True
    at = bisect_left(entries, entry)
    if at < len(entries) and entries[at] == entry:
        del entries[at]
        return True
    return False
