"""The service on fakes: order of checks, idempotency, the queue, and death in the middle."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from functions.enrichment import measures
from functions.enrichment.jobs import Job
from functions.enrichment.ledger import KEEP_S, REFUSED_S, DynamoPaidAnswers
from functions.enrichment.llm import FailureKind, LlmError, LlmReply
from functions.enrichment.once import DynamoOnce
from functions.enrichment.service import Order
from tests.support.enrichment import (
    GOOD,
    NOW,
    FakeClassifier,
    MemoryAnswers,
    ScriptedLlm,
    draft,
    far_off,
    house,
)
from trending_core.errors import (
    Conflict,
    InProgress,
    InvalidInput,
    NotFound,
    Unavailable,
    UpstreamFailed,
    UpstreamTimeout,
)
from trending_core.models import Status
from trending_core.store_memory import MemoryItemStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from mypy_boto3_dynamodb.client import DynamoDBClient

    from functions.enrichment.llm import LlmRequest
    from trending_core.models import Draft, Enrichment, Item

REPLY = LlmReply(text=GOOD, model="gemini-2.5-flash-lite", input_tokens=100, output_tokens=20)
PROSE = LlmReply(text="prose", model="gemini-2.5-flash-lite", input_tokens=50, output_tokens=5)
DOWN = LlmError("down", kind=FailureKind.REQUEST_REFUSED)


class Killed(BaseException):
    """The process is gone: nothing after it runs that catches `Exception`."""


class DyingStore(MemoryItemStore):
    """Dies in the middle of the first write."""

    def __init__(self) -> None:
        super().__init__()
        self.lives = 0

    def complete(
        self, draft: Draft, enrichment: Enrichment, now: datetime, *, leave_pending: bool = False
    ) -> Item:
        if self.lives == 0:
            self.lives += 1
            raise Killed
        return super().complete(draft, enrichment, now, leave_pending=leave_pending)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[DynamoDBClient]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        client.create_table(
            TableName="idempotency",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
        yield client


def once(table: DynamoDBClient) -> dict[str, Any]:
    return {
        "keys": DynamoOnce(table, "idempotency", prefix="key", keep_s=3600),
        "contents": DynamoOnce(table, "idempotency", prefix="content", keep_s=30),
    }


def test_a_repeated_request_is_answered_from_the_store_and_not_paid_again() -> None:
    llm = ScriptedLlm([REPLY])
    answers = MemoryAnswers()
    made = house(llm, answers=answers)
    first = made.service.enrich(Order(draft=draft()), remaining_ms=far_off)
    answers.kept.clear()
    assert made.service.enrich(Order(draft=draft()), remaining_ms=far_off) == first
    assert len(llm.requests) == 1
    assert first.enrichment is not None
    assert (first.enrichment.tokens.input, first.enrichment.tokens.output) == (100, 20)


def test_without_a_key_the_embedded_enricher_answers_and_says_so() -> None:
    item = house(None).service.enrich(Order(draft=draft()), remaining_ms=far_off)
    assert item.enrichment is not None
    assert item.enrichment.enriched_by == "local"
    assert item.enrichment.tokens.input == 0


def test_an_item_id_with_other_content_is_a_conflict_and_changes_nothing() -> None:
    llm = ScriptedLlm([REPLY])
    made = house(llm)
    first = made.service.enrich(Order(draft=draft(item_id="salt")), remaining_ms=far_off)
    for order in (
        Order(draft=draft(item_id="salt", year=1999)),
        Order(draft=draft(item_id="salt", reviews=())),
    ):
        with pytest.raises(Conflict, match="other content"):
            made.service.enrich(order, remaining_ms=far_off)
        with pytest.raises(Conflict, match="other content"):
            made.service.submit(order, remaining_ms=far_off)
    assert made.store.get("salt") == first
    assert len(llm.requests) == 1


def test_no_reviews_are_no_score_whatever_the_model_says() -> None:
    item = house(ScriptedLlm([REPLY])).service.enrich(Order(draft=draft(reviews=())), remaining_ms=far_off)
    assert item.enrichment is not None
    assert item.enrichment.score == 5.0


def test_killed_between_answer_and_write_leaves_nothing_and_a_retry_completes_without_paying(
    table: DynamoDBClient,
) -> None:
    llm = ScriptedLlm([REPLY])
    store = DyingStore()
    made = house(llm, store=store, answers=DynamoPaidAnswers(table, "idempotency"), **once(table))
    order = Order(draft=draft(), idempotency_key="my-key")
    told = itertools.chain(
        [1, 1], itertools.repeat(far_off())
    )  # to the two records: they end with this invocation
    with pytest.raises(Killed):
        made.service.enrich(order, remaining_ms=lambda: next(told))
    assert len(llm.requests) == 1
    with pytest.raises(NotFound):
        store.get(order.draft.item_id)
    item = made.service.enrich(order, remaining_ms=far_off)
    assert item.status is Status.READY
    assert item.enrichment is not None
    assert item.enrichment.enriched_by == "gemini"
    assert item.enrichment.tokens.output == 20
    assert len(llm.requests) == 1, "the retry paid again"


def test_killed_while_its_time_still_runs_the_key_is_held_and_the_caller_told_to_wait(
    table: DynamoDBClient,
) -> None:
    made = house(ScriptedLlm([REPLY]), store=DyingStore(), **once(table))
    with pytest.raises(Killed):
        made.service.enrich(Order(draft=draft()), remaining_ms=far_off)
    with pytest.raises(InProgress, match="being worked on") as caught:
        made.service.enrich(Order(draft=draft()), remaining_ms=far_off)
    assert caught.value.headers["Retry-After"] == "5"


def test_a_concurrent_request_waits_and_pays_nothing(table: DynamoDBClient) -> None:
    refused: list[InProgress] = []

    class Busy(ScriptedLlm):
        """While it thinks, the same request arrives in another environment."""

        def generate(self, request: LlmRequest, *, timeout_s: float) -> LlmReply:
            with pytest.raises(InProgress, match="being worked on") as caught:
                second.service.enrich(Order(draft=draft()), remaining_ms=far_off)
            refused.append(caught.value)
            return super().generate(request, timeout_s=timeout_s)

    store = MemoryItemStore()
    other = ScriptedLlm([REPLY])
    second = house(other, store=store, **once(table))
    busy = Busy([REPLY])
    first = house(busy, store=store, **once(table))
    item = first.service.enrich(Order(draft=draft()), remaining_ms=far_off)
    assert len(refused) == len(busy.requests) == 1
    assert second.service.enrich(Order(draft=draft()), remaining_ms=far_off) == item
    assert other.requests == []


def test_an_idempotency_key_stands_for_one_content(table: DynamoDBClient) -> None:
    llm = ScriptedLlm([REPLY])
    made = house(llm, **once(table))
    order = Order(draft=draft(), idempotency_key="k1")
    first = made.service.enrich(order, remaining_ms=far_off)
    assert made.service.enrich(order, remaining_ms=far_off) == first
    with pytest.raises(InvalidInput) as caught:
        made.service.enrich(Order(draft=draft(year=1999), idempotency_key="k1"), remaining_ms=far_off)
    assert caught.value.errors[0].field == "Idempotency-Key"
    assert len(llm.requests) == 1


def test_a_failed_request_frees_its_key(table: DynamoDBClient) -> None:
    made = house(ScriptedLlm([DOWN, REPLY]), **once(table))
    order = Order(draft=draft(), fallback=False, idempotency_key="k1")
    with pytest.raises(UpstreamFailed, match="down"):
        made.service.enrich(order, remaining_ms=far_off)
    assert made.service.enrich(order, remaining_ms=far_off).status is Status.READY


def test_the_same_content_under_two_ids_is_two_items_and_one_payment(table: DynamoDBClient) -> None:
    llm = ScriptedLlm([REPLY])
    made = house(llm, **once(table))
    one = made.service.enrich(Order(draft=draft(item_id="one")), remaining_ms=far_off)
    two = made.service.enrich(Order(draft=draft(item_id="two")), remaining_ms=far_off)
    assert (one.item_id, two.item_id) == ("one", "two")
    assert one.enrichment == two.enrichment
    assert len(llm.requests) == 1


def test_an_answer_that_cannot_be_kept_is_still_used() -> None:
    made = house(ScriptedLlm([REPLY]), answers=MemoryAnswers(full=True))
    item = made.service.enrich(Order(draft=draft()), remaining_ms=far_off)
    assert item.enrichment is not None
    assert item.enrichment.enriched_by == "gemini"


def test_nothing_is_paid_where_it_cannot_be_known_whether_it_was_paid_before() -> None:
    class Unreadable(MemoryAnswers):
        def get(self, fingerprint: str) -> LlmReply | None:
            message = "The item store does not answer."
            raise Unavailable(message)

    llm = ScriptedLlm([REPLY])
    with pytest.raises(Unavailable):
        house(llm, answers=Unreadable()).service.enrich(Order(draft=draft()), remaining_ms=far_off)
    assert llm.requests == []


def test_without_model_and_classification_nothing_is_stored() -> None:
    made = house(ScriptedLlm([DOWN]), classifier=FakeClassifier(down=True))
    with pytest.raises(Unavailable, match="nothing was stored"):
        made.service.enrich(Order(draft=draft()), remaining_ms=far_off)
    assert made.store.begin(draft(), NOW).created


def test_the_invocations_remaining_time_bounds_the_attempts() -> None:
    llm = ScriptedLlm([REPLY])
    house(llm).service.enrich(Order(draft=draft()), remaining_ms=lambda: 15_000)
    assert llm.timeouts[0] <= 15 - 3 - 8
    llm = ScriptedLlm([REPLY])
    house(llm).service.enrich(Order(draft=draft()), remaining_ms=far_off)
    assert llm.timeouts[0] <= 12


def test_without_time_the_model_is_not_asked_and_a_caller_without_fallback_gets_504() -> None:
    llm = ScriptedLlm([REPLY])
    with pytest.raises(UpstreamTimeout) as caught:
        house(llm).service.enrich(Order(draft=draft(), fallback=False), remaining_ms=lambda: 5_500)
    assert caught.value.status == 504
    assert llm.requests == []


def test_answers_that_were_refused_twice_are_paid_again_after_an_hour_and_not_before(
    table: DynamoDBClient,
) -> None:
    now = [1_000.0]
    llm = ScriptedLlm([PROSE, PROSE, REPLY])
    answers = DynamoPaidAnswers(table, "idempotency", clock=lambda: now[0])
    made = house(llm, answers=answers, **once(table))
    order = Order(draft=draft(), fallback=False)
    for waited_s in (0, 900, 900, REFUSED_S - 1_801):  # every delivery of a message, and more
        now[0] += waited_s
        with pytest.raises(UpstreamFailed, match="no usable answer twice"):
            made.service.enrich(order, remaining_ms=far_off)
    assert len(llm.requests) == 2
    now[0] += 1
    assert made.service.enrich(order, remaining_ms=far_off).status is Status.READY
    assert len(llm.requests) == 3


def test_letting_go_of_no_answer_leaves_none(table: DynamoDBClient) -> None:
    answers = DynamoPaidAnswers(table, "idempotency")
    answers.drop("f1")
    assert answers.get("f1") is None


def test_killed_between_two_refused_answers_pays_for_each_once() -> None:
    class Dies(ScriptedLlm):
        """Takes the process with it once, when it is asked for a repair."""

        def generate(self, request: LlmRequest, *, timeout_s: float) -> LlmReply:
            if len(self.requests) == 1 and not deaths:
                deaths.append(1)
                raise Killed
            return super().generate(request, timeout_s=timeout_s)

    deaths: list[int] = []
    llm = Dies([PROSE])
    made = house(llm)
    order = Order(draft=draft(), fallback=False)
    with pytest.raises(Killed):
        made.service.enrich(order, remaining_ms=far_off)
    with pytest.raises(UpstreamFailed):
        made.service.enrich(order, remaining_ms=far_off)
    assert len(llm.requests) == 2, "a question was paid for again"


def test_refused_answers_that_cannot_be_let_go_change_nothing_else() -> None:
    class Sticky(MemoryAnswers):
        def drop(self, fingerprint: str) -> None:
            message = "The item store does not answer."
            raise Unavailable(message)

    made = house(ScriptedLlm([PROSE]), answers=Sticky())
    item = made.service.enrich(Order(draft=draft()), remaining_ms=far_off)
    assert item.enrichment is not None
    assert item.enrichment.enriched_by == "local"


def test_a_queued_item_is_pending_then_ready() -> None:
    made = house(ScriptedLlm([REPLY]))
    item = made.service.submit(Order(draft=draft()), remaining_ms=far_off)
    assert item.status is Status.PENDING
    assert made.queue.jobs == [Job(item_id=item.item_id, fallback=True)]
    assert made.service.work(made.queue.jobs[0], remaining_ms=far_off).status is Status.READY
    assert made.service.submit(Order(draft=draft()), remaining_ms=far_off).status is Status.READY
    assert len(made.queue.jobs) == 1, "a ready item is not queued again"


def test_a_sender_that_died_before_its_message_is_repaired_by_a_repeat() -> None:
    made = house(ScriptedLlm([REPLY]))
    made.queue.down = True
    with pytest.raises(Unavailable):
        made.service.submit(Order(draft=draft()), remaining_ms=far_off)
    made.queue.down = False
    made.service.submit(Order(draft=draft()), remaining_ms=far_off)
    assert len(made.queue.jobs) == 1


def test_giving_up_marks_a_pending_item_and_a_repeat_queues_it_again() -> None:
    made = house(ScriptedLlm([DOWN]))
    item = made.service.submit(Order(draft=draft()), remaining_ms=far_off)
    job = made.queue.jobs[0]
    made.service.give_up(job, "The language model failed.")
    assert made.store.get(item.item_id).failure == "The language model failed."
    assert made.service.submit(Order(draft=draft()), remaining_ms=far_off).status is Status.PENDING
    assert len(made.queue.jobs) == 2
    made.service.give_up(Job(item_id="unknown", fallback=True), "no matter")


def test_a_kept_answer_expires(table: DynamoDBClient) -> None:
    clock = itertools.chain([1_000.0, 1_000.0 + KEEP_S - 1], itertools.repeat(1_000.0 + KEEP_S))
    answers = DynamoPaidAnswers(table, "idempotency", clock=lambda: next(clock))
    answers.put("f1", REPLY)
    assert answers.get("f1") == REPLY
    assert answers.get("f1") is None
    assert answers.get("f2") is None


def test_records_that_cannot_be_read_are_unavailable(table: DynamoDBClient) -> None:
    broken = DynamoOnce(table, "no-such-table", prefix="key", keep_s=1)
    with pytest.raises(Unavailable):
        broken.run("k", "c", lambda: "x", remaining_ms=far_off)
    with pytest.raises(Unavailable):
        DynamoPaidAnswers(table, "no-such-table").get("f")


def test_tokens_cost_and_fallback_are_measured_under_the_functions_name_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measures.flush()
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "enrichment")
    made = house(ScriptedLlm([PROSE, REPLY, DOWN]))
    made.service.enrich(Order(draft=draft()), remaining_ms=far_off)
    made.service.enrich(Order(draft=draft(year=1999)), remaining_ms=far_off)
    blobs = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    paid, made_first, failed, made_second = blobs
    assert {str(blob["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0]) for blob in blobs} == {"['service']"}
    assert {blob["service"] for blob in blobs} == {"enrichment"}
    assert paid["LlmInputTokens"] == [50.0, 100.0]
    assert paid["LlmOutputTokens"] == [5.0, 20.0]
    assert sum(paid["LlmCostUsd"]) == pytest.approx(150 * 0.1e-6 + 25 * 0.4e-6)
    assert paid["LlmInvalidAnswers"] == [1.0]
    assert (made_first["Enriched"], made_first["Fallbacks"]) == ([1.0], [0.0])
    assert failed["LlmFailures"] == [1.0]
    assert (made_second["Enriched"], made_second["Fallbacks"], made_second["LlmBreakerOpen"]) == (
        [1.0],
        [1.0],
        [0.0],
    )
