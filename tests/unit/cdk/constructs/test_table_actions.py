"""The words of a table's grant, held against what the code that has them calls: neither less nor more."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from moto import mock_aws

from cdk.constructs.access import TABLE_ADD, TABLE_DELETE, TABLE_READ, TABLE_WRITE
from cdk.local.resources import make_table
from cdk.service import service
from functions.classification.uploads.progress import ProgressTable, Status
from functions.classification.uploads.upload import Upload
from functions.enrichment.ledger import DynamoPaidAnswers
from functions.enrichment.llm import LlmReply
from functions.enrichment.once import DynamoOnce
from tests.support.stores import NOW, draft, dynamo_store, enrichment, event
from tests.support.table_actions import table_actions
from trending_core.decay import DAY
from trending_core.dynamo_client import connect
from trending_core.ranking import ALL
from trending_core.store_dynamodb import DynamoItemStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb.client import DynamoDBClient


class BrokeError(Exception):
    """The work failed."""


@pytest.fixture
def client(aws_environment: None) -> Iterator[DynamoDBClient]:
    with mock_aws():
        made = connect()
        for table in service("local").tables:
            make_table(made, table)
        yield made


def granted(function: str, table: str) -> tuple[str, ...]:
    """Give the words of a function's grant to a table."""
    (words,) = [grant.can for grant in service("production").function(function).grants if grant.to == table]
    return words


@pytest.mark.parametrize("function", ["enrichment", "enrichment-worker"])
def test_an_enrichment_adds_items_and_reads_single_rows(client: DynamoDBClient, function: str) -> None:
    needed, store = table_actions(client), DynamoItemStore(client, "items")
    store.begin(draft("m1"), NOW)
    store.complete(store.draft("m1"), enrichment(), NOW)
    store.begin(draft("m2"), NOW)
    store.fail("m2", "no answer", NOW)
    assert store.get("m1").enrichment is not None
    assert granted(function, "items") == ("add",)
    assert needed == set(TABLE_ADD)


@pytest.mark.parametrize("function", ["enrichment", "enrichment-worker"])
def test_records_of_requests_and_paid_answers_are_deleted_too(client: DynamoDBClient, function: str) -> None:
    needed = table_actions(client)
    once = DynamoOnce(client, "idempotency", prefix="key", keep_s=60)

    def breaks() -> str:
        raise BrokeError

    with pytest.raises(BrokeError):
        once.run("k", "c", breaks, remaining_ms=lambda: 29_000)
    answers: set[str] = {once.run("k", "c", lambda: "done", remaining_ms=lambda: 29_000) for _ in range(2)}
    assert answers == {"done"}
    paid = DynamoPaidAnswers(client, "idempotency")
    paid.put("f", LlmReply(text="{}", model="m", input_tokens=1, output_tokens=1))
    assert paid.get("f") is not None
    paid.drop("f")
    assert granted(function, "idempotency") == ("add", "delete")
    assert needed == {*TABLE_ADD, *TABLE_DELETE}


def test_rankings_are_read_and_counted_but_nothing_is_deleted(aws_environment: None) -> None:
    with mock_aws(), dynamo_store() as (store, client):
        store.complete(draft("m1"), enrichment(), NOW)
        needed = table_actions(client)
        later = NOW + timedelta(days=40)  # in another epoch, so that the rows are carried over
        assert store.record("m1", [event("m1", "e1", at=later)]) == (True,)
        assert store.standing("m1", later).item.item_id == "m1"
        assert len(store.trending(ALL, DAY, limit=3, now=later).entries) == 1
        assert needed == {*TABLE_READ, *TABLE_WRITE}
    assert granted("trending", "items") == ("read", "write")


def test_an_upload_s_record_is_read_alone_and_never_deleted(client: DynamoDBClient) -> None:
    needed = table_actions(client)
    table = ProgressTable(client, "upload-progress", lease_s=60, now=lambda: 1_000.0)
    upload = Upload("files", "uploads/a.csv", None, "e")
    progress = table.claim(upload, chunk_rows=8, again=False)
    mapped = table.advance(progress, status=Status.MAPPED, lease_until=0.0)
    assert table.add_done(upload, mapped.generation, 0)
    assert granted("uploads", "upload-progress") == ("add",)
    assert needed == set(TABLE_ADD)
