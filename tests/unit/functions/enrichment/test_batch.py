"""SQS batches: each job on its own, and the last delivery of one that fails marks its item."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from functions.enrichment.batch import BROKE, NO_TIME, work_batch
from functions.enrichment.llm import FailureKind, LlmError, LlmReply
from functions.enrichment.service import Order
from tests.support.enrichment import GOOD, KEY, ScriptedLlm, draft, far_off, house
from trending_core.errors import Unavailable
from trending_core.models import Status
from trending_core.store_memory import MemoryItemStore

if TYPE_CHECKING:
    from datetime import datetime

    import pytest

    from tests.support.enrichment import House
    from trending_core.models import Item

REPLY = LlmReply(text=GOOD, model="gemini-2.5-flash-lite", input_tokens=100, output_tokens=20)
DOWN = LlmError("The language model is down.", kind=FailureKind.REQUEST_REFUSED)


def record(number: int, body: str, receives: int = 1) -> dict[str, Any]:
    return {
        "messageId": f"m{number}",
        "receiptHandle": f"r{number}",
        "body": body,
        "attributes": {"ApproximateReceiveCount": str(receives)},
        "eventSource": "aws:sqs",
    }


def work(made: House, *records: dict[str, Any], left_ms: int = 150_000) -> list[str]:
    event = {"Records": list(records)}
    answer = work_batch(made.service, event, max_receives=3, remaining_ms=lambda: left_ms)
    assert list(answer) == ["batchItemFailures"]
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def submit(made: House, title: str, *, fallback: bool = True) -> str:
    made.service.submit(Order(draft=draft(title=title), fallback=fallback), remaining_ms=far_off)
    return made.queue.jobs[-1].model_dump_json()


def test_good_jobs_are_done_and_bad_messages_named() -> None:
    made = house(ScriptedLlm([REPLY]))
    good, other = submit(made, "one"), submit(made, "two")
    failed = work(
        made,
        record(1, good),
        record(2, "not a job"),
        record(3, '{"item_id": "unknown", "fallback": true}'),
        record(4, other),
    )
    assert failed == ["m2", "m3"]
    for body in (good, other):
        assert made.store.get(json.loads(body)["item_id"]).status is Status.READY


def test_a_job_delivered_twice_is_paid_once() -> None:
    llm = ScriptedLlm([REPLY])
    made = house(llm)
    job = submit(made, "one")
    assert work(made, record(1, job), record(2, job)) == []
    assert len(llm.requests) == 1


def test_a_failing_job_comes_back_and_its_last_delivery_marks_the_item() -> None:
    made = house(ScriptedLlm([DOWN]))
    job = submit(made, "one", fallback=False)
    item_id = json.loads(job)["item_id"]
    for receives in (1, 2):
        assert work(made, record(1, job, receives)) == ["m1"]
        assert made.store.get(item_id).status is Status.PENDING
    assert work(made, record(1, job, 3)) == ["m1"], "the dead-letter queue still gets it"
    item = made.store.get(item_id)
    assert item.status is Status.FAILED
    assert item.failure == "The language model is down."


def test_a_job_that_would_not_end_in_time_is_left_for_the_next_invocation() -> None:
    llm = ScriptedLlm([REPLY])
    made = house(llm)
    job = submit(made, "one")
    assert work(made, record(1, job), left_ms=10_000) == ["m1"]
    assert llm.requests == []


def test_a_job_that_never_got_time_marks_its_item_with_the_last_delivery() -> None:
    llm = ScriptedLlm([REPLY])
    made = house(llm)
    job = submit(made, "one")
    item_id = json.loads(job)["item_id"]
    for receives in (1, 2):
        assert work(made, record(1, job, receives), left_ms=10_000) == ["m1"]
        assert made.store.get(item_id).status is Status.PENDING
    assert work(made, record(1, job, 3), left_ms=10_000) == ["m1"]
    assert made.store.get(item_id).failure == NO_TIME
    assert llm.requests == []


def test_a_job_that_breaks_each_time_marks_its_item_without_the_errors_words() -> None:
    llm = ScriptedLlm([RuntimeError(f"secret {KEY}")])
    made = house(llm)
    job = submit(made, "one")
    for receives in (1, 2, 3):
        assert work(made, record(1, job, receives)) == ["m1"]
    item = made.store.get(json.loads(job)["item_id"])
    assert len(llm.requests) == 3
    assert item.status is Status.FAILED
    assert item.failure == BROKE


def test_an_item_that_cannot_be_marked_fails_no_neighbour_and_is_measured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Unmarkable(MemoryItemStore):
        def fail(self, item_id: str, reason: str, now: datetime) -> Item:
            message = "The item store does not answer."
            raise Unavailable(message)

    made = house(ScriptedLlm([DOWN, REPLY]), store=Unmarkable())
    one, two = submit(made, "one", fallback=False), submit(made, "two")
    assert work(made, record(1, one, 3), record(2, two, 3)) == ["m1"]
    assert made.store.get(json.loads(two)["item_id"]).status is Status.READY
    measured = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"FailedJobs"' in line]
    assert [line["FailedJobs"] for line in measured] == [[1.0]]


def test_a_broken_job_fails_alone_and_its_words_are_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    made = house(ScriptedLlm([RuntimeError(f"secret {KEY}"), REPLY]))
    one, two = submit(made, "one"), submit(made, "two")
    assert work(made, record(1, one), record(2, two)) == ["m1"]
    assert KEY not in capsys.readouterr().out
