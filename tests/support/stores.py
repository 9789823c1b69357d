"""Item stores for tests, and what to put in them."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import boto3

from cdk.local.resources import make_table
from cdk.service import service
from trending_core.dynamo_client import connect
from trending_core.events import Event, EventType
from trending_core.genres import Genre
from trending_core.models import Draft, Enrichment, GenreScore
from trending_core.store_dynamodb import DynamoItemStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb.client import DynamoDBClient

    from trending_core.decay import Window
    from trending_core.store import ItemStore

NOW: Final = datetime(2026, 3, 10, 12, tzinfo=UTC)
ITEMS: Final = next(table for table in service("local").tables if table.name == "items")


@contextmanager
def dynamo_store(endpoint_url: str | None = None) -> Iterator[tuple[DynamoItemStore, DynamoDBClient]]:
    """Make a store on a table of its own; region and credentials come from the environment."""
    client = connect(endpoint_url)
    name = make_table(client, replace(ITEMS, name=f"items-{uuid4().hex[:12]}"))
    yield DynamoItemStore(client, name), client
    client.delete_table(TableName=name)
    client.close()


def draft(item_id: str = "salt-road", **changes: Any) -> Draft:
    fields: dict[str, Any] = {
        "item_id": item_id,
        "title": "The Salt Road",
        "plot": "Two sisters drive their late father's truck across a drying lake.",
        "reviews": ("Quiet and exact.",),
        "year": 2024,
    }
    return Draft(**fields | changes)


def enrichment(
    *, genres: tuple[str, ...] = ("Drama",), tags: tuple[str, ...] = ("sisters",), score: float = 0
) -> Enrichment:
    return Enrichment(
        genres=tuple(GenreScore(label=Genre(label), probability=0.8) for label in genres),
        summary="Two sisters cross a lake.",
        score=score,
        tags=tags,
        enriched_by="local",
    )


def event(
    item_id: str,
    event_id: str,
    kind: EventType = EventType.VIEW,
    *,
    at: datetime = NOW,
    value: float | None = None,
) -> Event:
    return Event(item_id=item_id, event_id=event_id, type=kind, value=value, at=at)


def total(store: ItemStore, item_id: str, window: Window, now: datetime) -> float:
    """Read an item's decayed total in one window."""
    return store.standing(item_id, now).totals[window.name]


def session() -> boto3.Session:
    return boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name="us-east-1")
