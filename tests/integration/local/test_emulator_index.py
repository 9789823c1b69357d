"""The emulator's ordered indexes answer like one sorted list, whatever was put, moved and deleted before."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from cdk.local.resources import make_table
from cdk.service import Index, Key, Table
from tests.support.stores import session

if TYPE_CHECKING:
    from collections.abc import Callable

    from cdk.local.emulator import Emulator

TABLE = Table(
    name="ordered",
    indexes=(
        Index(name="by-number", partition=Key(name="shelf"), sort=Key(name="number", type="N"), include=()),
    ),
)
STEPS = 400


def every_row(page: Callable[..., dict[str, Any]]) -> list[tuple[int, str]]:
    """Read page after page by the key that each one ends with."""
    rows: list[tuple[int, str]] = []
    more: dict[str, Any] = {}
    while True:
        answer = page(**more)
        rows += [(int(Decimal(row["number"]["N"])), row["pk"]["S"]) for row in answer["Items"]]
        if "LastEvaluatedKey" not in answer:
            return rows
        more = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def test_falling_pages_follow_every_change(emulator: Emulator, aws_environment: None) -> None:
    chance = random.Random(8)
    client = session().client("dynamodb", endpoint_url=emulator.endpoint_url)
    make_table(client, TABLE)
    rows: dict[str, tuple[str, int]] = {}

    def page(shelf: str, limit: int, **more: Any) -> dict[str, Any]:
        values: dict[str, Any] = {":s": {"S": shelf}}
        names = {"#s": "shelf"}
        condition = "#s = :s"
        if "most" in more:
            values[":m"], names["#n"] = {"N": str(more.pop("most"))}, "number"
            condition += " AND #n <= :m"
        answer: Any = client.query(
            TableName=TABLE.name,
            IndexName="by-number",
            KeyConditionExpression=condition,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
            ScanIndexForward=False,
            Limit=limit,
            **more,
        )
        return answer  # type: ignore[no-any-return]

    def wanted(shelf: str, most: int = 10**6) -> list[tuple[int, str]]:
        return sorted(((n, pk) for pk, (s, n) in rows.items() if s == shelf and n <= most), reverse=True)

    for step in range(STEPS):
        pk = f"row-{chance.randrange(40)}"
        key = {"pk": {"S": pk}, "sk": {"S": "x"}}
        shelf, number = chance.choice("ab"), chance.randrange(30)
        match chance.randrange(4):
            case 0:
                client.put_item(
                    TableName=TABLE.name, Item={**key, "shelf": {"S": shelf}, "number": {"N": str(number)}}
                )
                rows[pk] = (shelf, number)
            case 1 if pk in rows:
                client.update_item(
                    TableName=TABLE.name,
                    Key=key,
                    UpdateExpression="ADD #n :n",
                    ExpressionAttributeNames={"#n": "number"},
                    ExpressionAttributeValues={":n": {"N": "3"}},
                )
                rows[pk] = (rows[pk][0], rows[pk][1] + 3)
            case 2:
                client.delete_item(TableName=TABLE.name, Key=key)
                rows.pop(pk, None)
            case _:
                most = chance.randrange(40)
                found = page(shelf, 5, most=most)
                assert [(int(r["number"]["N"]), r["pk"]["S"]) for r in found["Items"]] == wanted(shelf, most)[
                    :5
                ]
                assert found["ScannedCount"] <= 5
        if step % 50 == 49:
            assert every_row(lambda **more: page("a", 4, **more)) == wanted("a")
    client.close()


@pytest.mark.parametrize(
    "more", [{"ScanIndexForward": True}, {"FilterExpression": "attribute_exists(pk)"}, {}]
)
def test_queries_of_another_form_are_the_emulators_own(
    emulator: Emulator, aws_environment: None, more: dict[str, Any]
) -> None:
    client = session().client("dynamodb", endpoint_url=emulator.endpoint_url)
    make_table(client, TABLE)
    for n in range(5):
        item: Any = {
            "pk": {"S": f"f-{n}"},
            "sk": {"S": "x"},
            "shelf": {"S": "other"},
            "number": {"N": str(n)},
        }
        client.put_item(TableName=TABLE.name, Item=item)
    answer = client.query(
        TableName=TABLE.name,
        IndexName="by-number",
        KeyConditionExpression="shelf = :s",
        ExpressionAttributeValues={":s": {"S": "other"}},
        **more,
    )
    assert [row["number"]["N"] for row in answer["Items"]] == ["0", "1", "2", "3", "4"]
    client.close()
