"""The function as Lambda loads it: settings from the environment, a table at the endpoint, raw events."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

import pytest

from functions.trending.settings import Settings
from tests.support.gateway import Context, proxy_event, read
from tests.support.stores import NOW, draft, dynamo_store, enrichment, session
from trending_core.errors import SettingsError
from trending_core.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from cdk.local.emulator import Emulator

MODULE = "functions.trending.handler"


@pytest.fixture
def function(
    emulator: Emulator, aws_environment: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ModuleType]:
    with dynamo_store(emulator.endpoint_url) as (store, _):
        store.complete(draft(), enrichment(), NOW)
        monkeypatch.setenv("ITEMS_TABLE", store._table)
        monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.endpoint_url)
        sys.modules.pop(MODULE, None)
        yield importlib.import_module(MODULE)
        sys.modules.pop(MODULE, None)


def ask(function: ModuleType, method: str, path: str, body: str | None = None) -> Any:
    return read(function.handler(proxy_event(method, path, body), Context(function_name="trending")))


def test_an_item_is_found_counted_and_ranked(function: ModuleType) -> None:
    assert ask(function, "GET", "/items/salt-road").body["title"] == "The Salt Road"
    body = '{"type": "like", "event_id": "e1"}'
    assert ask(function, "POST", "/items/salt-road/events", body).body["counted"] is True
    assert ask(function, "POST", "/items/salt-road/events", body).body["counted"] is False
    (entry,) = ask(function, "GET", "/trending").body["entries"]
    assert (entry["item"]["item_id"], entry["trending_score"] > 0) == ("salt-road", True)
    assert ask(function, "GET", "/items/nobody").status == 404


def test_a_store_that_is_gone_is_a_503_that_says_so(function: ModuleType, emulator: Emulator) -> None:

    client = session().client("dynamodb", endpoint_url=emulator.endpoint_url)
    table = function.settings.items_table
    request = client.describe_table(TableName=table)["Table"]
    client.delete_table(TableName=table)
    answer = ask(function, "GET", "/items/salt-road")
    assert answer.status == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert "ResourceNotFoundException" in answer.body["detail"]
    client.create_table(
        TableName=table,
        KeySchema=request["KeySchema"],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("PK", "SK")],
        BillingMode="PAY_PER_REQUEST",
    )
    client.close()


def test_a_missing_setting_stops_the_init(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ITEMS_TABLE", raising=False)
    with pytest.raises(SettingsError, match="ITEMS_TABLE"):
        load_settings(Settings)
