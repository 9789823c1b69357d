"""`POST /enrich-item` as API Gateway sees it: good answers by the document, and every bad input by its rule."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from functions.enrichment.llm import FailureKind, LlmError, LlmReply
from functions.enrichment.once import DynamoOnce
from functions.enrichment.routes import build_app
from tests.support.enrichment import GOOD, KEY, NOW, ScriptedLlm, draft, house
from tests.support.gateway import Answer, proxy_event, read
from tests.support.lambda_context import TimedContext
from tests.support.openapi import assert_documented
from trending_core.errors import InProgress
from trending_core.http import handle
from trending_core.views import StoredItem

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.enrichment import House

REPLY = LlmReply(text=GOOD, model="gemini-2.5-flash-lite", input_tokens=100, output_tokens=20)
BODY: dict[str, Any] = {
    "title": "The Salt Road",
    "plot": "Two sisters smuggle salt across a closed border and find out who closed it.",
    "reviews": ["Tense, beautifully shot, and the ending is earned."],
    "year": 2024,
}


def post(
    made: House, body: Any, headers: dict[str, str] | None = None, *, api_key_id: str | None = None
) -> Answer:
    text = body if isinstance(body, str) else json.dumps(body)
    event = proxy_event("POST", "/enrich-item", text)
    event["requestContext"]["identity"]["apiKeyId"] = api_key_id
    for name, value in (headers or {}).items():
        event["headers"][name] = value
        event["multiValueHeaders"][name] = [value]
    context: Any = TimedContext()
    return read(handle(build_app(made.service), event, context))


def fields(answer: Answer) -> list[str]:
    return [error["field"] for error in answer.body["errors"]]


def test_an_item_is_enriched_stored_and_returned() -> None:
    made = house(ScriptedLlm([REPLY]))
    answer = post(made, {**BODY, "item_id": "salt"})
    assert answer.status == 200
    assert "x-request-id" in answer.headers
    assert answer.body["item_id"] == "salt"
    assert answer.body["status"] == "ready"
    assert answer.body["enriched_by"] == "gemini"
    assert answer.body["prompt_version"] == "v1"
    assert answer.body["model"] == "gemini-2.5-flash-lite"
    assert answer.body["tokens"] == {"input": 100, "output": 20}
    assert [genre["label"] for genre in answer.body["genres"]] == ["Thriller", "Drama"]
    assert StoredItem.of(made.store.get("salt")) == StoredItem.model_validate(answer.body)
    assert post(made, {**BODY, "item_id": "salt"}).body == answer.body


def test_without_an_id_the_same_content_is_the_same_item() -> None:
    made = house(None)
    first, again = post(made, BODY), post(made, BODY)
    assert first.body["item_id"] == again.body["item_id"]
    assert post(made, {**BODY, "year": 2023}).body["item_id"] != first.body["item_id"]


def test_respond_async_is_accepted_with_a_location() -> None:
    made = house(ScriptedLlm([REPLY]))
    answer = post(made, {**BODY, "item_id": "salt"}, {"Prefer": "respond-async, wait=10"})
    assert answer.status == 202
    assert answer.headers["location"] == "/prod/items/salt"
    assert answer.headers["preference-applied"] == "respond-async"
    assert answer.body["status"] == "pending"
    made.service.work(made.queue.jobs[0], remaining_ms=lambda: 29_000)
    done = post(made, {**BODY, "item_id": "salt"}, {"prefer": "respond-async"})
    assert (done.status, done.body["status"]) == (200, "ready")


def test_a_key_that_queued_an_item_gives_the_pending_item_to_a_request_that_would_wait(
    aws_environment: None,
) -> None:
    with mock_aws():
        client = boto3.client("dynamodb")
        client.create_table(
            TableName="idempotency",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
        made = house(None, keys=DynamoOnce(client, "idempotency", prefix="key", keep_s=60))
        key = {"Idempotency-Key": "k1"}
        assert post(made, BODY, {**key, "Prefer": "respond-async"}).status == 202
        again = post(made, BODY, key)
        assert (again.status, again.body["status"]) == (202, "pending")
        assert len(made.queue.jobs) == 1
        made.service.give_up(made.queue.jobs[0], "It failed.")
        failed = post(made, BODY, key)
        assert (failed.status, failed.body["status"], failed.body["failure"]) == (200, "failed", "It failed.")
        fresh = post(made, BODY)
        assert (fresh.status, fresh.body["status"]) == (200, "ready")


@pytest.mark.parametrize("prefer", ["return=minimal", "handling=lenient", "x-respond-async", ""])
def test_other_preferences_are_ignored(prefer: str) -> None:
    assert post(house(None), BODY, {"Prefer": prefer}).status == 200


def test_other_content_under_a_taken_id_is_409() -> None:
    made = house(None)
    post(made, {**BODY, "item_id": "salt"})
    answer = post(made, {**BODY, "item_id": "salt", "title": "Other"})
    assert answer.status == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.body["type"].endswith(":conflict")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"reviews": ["r" * 200_000]}, "reviews[0]"),
        ({"reviews": ["fine"] * 500}, "reviews"),
        ({"reviews": [""]}, "reviews[0]"),
        ({"reviews": "fine"}, "reviews"),
        ({"reviews": [7]}, "reviews[0]"),
        ({"year": datetime.now(UTC).year + 3}, "year"),
        ({"year": 99_999}, "year"),
        ({"year": 1500}, "year"),
        ({"year": "last"}, "year"),
        ({"year": "2024"}, "year"),
        ({"year": 2024.0}, "year"),
        ({"title": ""}, "title"),
        ({"title": " "}, "title"),
        ({"plot": "\u200b"}, "plot"),
        ({"reviews": ["fine", "\n"]}, "reviews[1]"),
        ({"title": "t" * 301}, "title"),
        ({"title": None}, "title"),
        ({"plot": ""}, "plot"),
        ({"plot": "p" * 20_001}, "plot"),
        ({"kind": "opera"}, "kind"),
        ({"item_id": "no spaces please"}, "item_id"),
        ({"item_id": "x" * 65}, "item_id"),
        ({"item_id": "../etc"}, "item_id"),
        ({"item_id": ""}, "item_id"),
        ({"item_id": "it-0123456789abcdef01234567"}, "item_id"),
        ({"fallback": "maybe"}, "fallback"),
        ({"fallback": "yes"}, "fallback"),
        ({"fallback": 1}, "fallback"),
        ({"score": 10}, "score"),
    ],
)
def test_what_breaks_the_schema_is_422_and_named(changes: dict[str, Any], field: str) -> None:
    made = house(None)
    answer = post(made, {**BODY, **changes})
    assert answer.status == 422
    assert field in fields(answer)
    assert made.classifier.calls == 0


def test_missing_fields_are_named() -> None:
    answer = post(house(None), {})
    assert answer.status == 422
    assert set(fields(answer)) == {"title", "plot"}


def test_texts_that_are_too_long_together_are_422() -> None:
    answer = post(house(None), {**BODY, "reviews": ["r" * 20_000] * 20})
    assert answer.status == 422
    assert "bytes together" in answer.body["errors"][0]["reason"]


def test_bodies_that_are_no_json_object_and_too_large_ones() -> None:
    made = house(None)
    assert post(made, "{").status == 400
    assert post(made, "[]").status == 422
    assert post(made, {**BODY, "reviews": ["r" * 2_000_000]}).status == 413


class Holding:
    """A `Once` that remembers the keys it saw, and is always at work."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def run(self, key: str, content: str, work: Callable[[], str], *, remaining_ms: Callable[[], int]) -> str:
        self.keys.append(key)
        message = "The same request is being worked on; ask again in 5 seconds."
        raise InProgress(message, retry_after_s=5)


def test_each_api_key_has_idempotency_keys_of_its_own() -> None:
    keys = Holding()
    made = house(None, keys=keys)
    for api_key_id in ("a1b2", "c3d4", None):
        post(made, BODY, {"Idempotency-Key": "1"}, api_key_id=api_key_id)
    assert len(set(keys.keys)) == 3
    assert all(key.endswith(":1") for key in keys.keys)


def test_a_request_that_is_being_worked_on_is_no_conflict() -> None:
    answer = post(house(None, keys=Holding()), BODY, {"Idempotency-Key": "1"})
    assert (answer.status, answer.headers["retry-after"]) == (409, "5")
    assert answer.body["type"] == "tag:trending-now,2026:in-progress"
    assert_documented("POST", "/enrich-item", answer)


def test_an_idempotency_key_has_bounds() -> None:
    assert post(house(None), BODY, {"Idempotency-Key": "k" * 256}).status == 422
    assert post(house(None), BODY, {"Idempotency-Key": "k"}).status == 200


@pytest.mark.parametrize(
    ("kind", "status"),
    [(FailureKind.TIMEOUT, 504), (FailureKind.OVERLOADED, 502), (FailureKind.BLOCKED, 502)],
)
def test_only_without_a_fallback_the_models_failure_reaches_the_caller(
    kind: FailureKind, status: int
) -> None:
    made = house(ScriptedLlm([LlmError("The language model is down.", kind=kind)]))
    answer = post(made, {**BODY, "fallback": False})
    assert answer.status == status
    assert answer.body["detail"] == "The language model is down."
    assert made.store.begin(draft(), NOW).created
    with_fallback = post(made, {**BODY, "fallback": True})
    assert (with_fallback.status, with_fallback.body["enriched_by"]) == (200, "local")


def test_without_a_model_and_without_a_fallback_is_502() -> None:
    assert post(house(None), {**BODY, "fallback": False}).status == 502


def test_no_text_and_no_key_is_logged(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    assert post(house(ScriptedLlm([RuntimeError(f"{KEY} smuggle")])), BODY).status == 500
    logged = "".join((*(str(vars(record)) for record in caplog.records), *capsys.readouterr()))
    assert "request failed" in logged
    assert KEY not in logged
    assert "smuggle" not in logged
