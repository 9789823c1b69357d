"""The trending function as API Gateway sees it, on a store in memory with a clock that stands still."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest

from functions.trending.routes import build_app
from functions.trending.service import TrendingService
from functions.trending.settings import Settings
from tests.support.gateway import Answer, Context, proxy_event, read
from tests.support.stores import NOW, draft, enrichment
from trending_core.http import handle
from trending_core.store_memory import MemoryItemStore

if TYPE_CHECKING:
    from trending_core.store import ItemStore


class Call(Protocol):
    """Send one request to the trending function."""

    def __call__(
        self,
        method: str,
        path: str,
        body: str | bytes | None = None,
        *,
        query: dict[str, str] | None = None,
        content_type: str | None = "application/json",
    ) -> Answer: ...


@pytest.fixture
def items() -> ItemStore:
    """Three items: two dramas and a comedy, with scores 8, 5 and 2."""
    store = MemoryItemStore()
    store.complete(draft("salt-road"), enrichment(genres=("Drama",), tags=("sisters",), score=8), NOW)
    store.complete(draft("lake"), enrichment(genres=("Drama", "Comedy"), tags=("lake",), score=5), NOW)
    store.complete(draft("bus"), enrichment(genres=("Comedy",), tags=("sisters", "slow-burn"), score=2), NOW)
    store.begin(draft("pending-one"), NOW)
    return store


@pytest.fixture
def call(items: ItemStore) -> Call:
    settings = Settings(items_table="items")
    app = build_app(TrendingService(items, now=lambda: NOW))

    def send(
        method: str,
        path: str,
        body: str | bytes | None = None,
        *,
        query: dict[str, str] | None = None,
        content_type: str | None = "application/json",
    ) -> Answer:
        event: dict[str, Any] = proxy_event(method, path, body, content_type=content_type)
        event["queryStringParameters"] = query
        event["multiValueQueryStringParameters"] = {k: [v] for k, v in query.items()} if query else None
        return read(handle(app, event, Context(), max_body_bytes=settings.max_body_bytes))  # type: ignore[arg-type]  # as much of a context as is read

    return send
