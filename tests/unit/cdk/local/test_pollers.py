"""The SQS poller against moto's SQS and functions that answer as they are told."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from cdk.local.errors import ThrottledError
from cdk.local.function import Functions
from cdk.local.invocation import InvocationResult
from cdk.local.pollers import QueuePoller, failed_ids, queue_pollers, sqs_event
from cdk.local.pool import QUEUE_WAIT_S
from cdk.service import Queue, QueueEvent
from tests.support.local import PATIENCE_S, a_function, a_service, eventually_async

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_sqs.client import SQSClient

    Answer = Callable[[dict[str, Any]], bytes | Exception | InvocationResult]


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Iterator[SQSClient]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        yield boto3.client("sqs", region_name="us-east-1")


@pytest.fixture
def queue(sqs: SQSClient) -> str:
    return sqs.create_queue(QueueName="jobs", Attributes={"VisibilityTimeout": "300"})["QueueUrl"]


def result(payload: bytes, error_type: str | None = None) -> InvocationResult:
    return InvocationResult(payload=payload, error_type=error_type, version="1", duration_ms=1)


@dataclass
class FakeFunction:
    """Answers events and remembers them."""

    answer: Answer
    name: str = "worker"
    events: list[dict[str, Any]] = field(default_factory=list)
    called: asyncio.Event = field(default_factory=asyncio.Event)

    async def invoke(self, payload: bytes) -> InvocationResult:
        event = json.loads(payload)
        self.events.append(event)
        self.called.set()
        outcome = self.answer(event)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome if isinstance(outcome, InvocationResult) else result(outcome)


def poll(
    sqs: SQSClient,
    queue: str,
    answer: Answer,
    *,
    batch_size: int = 10,
    retry_s: float = 0,
    calls: int = 1,
) -> FakeFunction:
    """Run the poller until the function was called so often, then stop it."""

    async def run() -> FakeFunction:
        function = FakeFunction(answer)
        functions = Functions()
        functions.add(cast("Any", function))
        event = QueueEvent(queue="jobs", batch_size=batch_size)
        poller = QueuePoller("worker", event, lambda: (sqs, queue), retry_s=retry_s, wait_s=0)
        await poller.start(functions)
        while len(function.events) < calls:
            function.called.clear()
            await asyncio.wait_for(function.called.wait(), PATIENCE_S)
        await poller.stop(PATIENCE_S)
        return function

    return asyncio.run(run())


def deliveries(function: FakeFunction) -> list[str]:
    """Give how often each message had been delivered that the function was called with."""
    return [
        record["attributes"]["ApproximateReceiveCount"]
        for event in function.events
        for record in event["Records"]
    ]


def left(sqs: SQSClient, queue: str) -> tuple[int, int]:
    """Count messages that wait and messages that are hidden."""
    found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    return int(found["ApproximateNumberOfMessages"]), int(found["ApproximateNumberOfMessagesNotVisible"])


def send(sqs: SQSClient, queue: str, *bodies: str) -> None:
    for body in bodies:
        sqs.send_message(
            QueueUrl=queue,
            MessageBody=body,
            MessageAttributes={"kind": {"DataType": "String", "StringValue": "test"}},
        )


def test_a_finished_batch_is_deleted_and_looks_like_lambdas_event(sqs: SQSClient, queue: str) -> None:
    send(sqs, queue, "one")
    function = poll(sqs, queue, lambda _: b'{"batchItemFailures": []}')
    (record,) = function.events[0]["Records"]
    assert record["body"] == "one"
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"].endswith(":jobs")
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["messageAttributes"]["kind"]["stringValue"] == "test"
    assert left(sqs, queue) == (0, 0)


def test_only_the_failed_messages_of_a_batch_stay_hidden_until_their_timeout(
    sqs: SQSClient, queue: str
) -> None:
    send(sqs, queue, "good", "bad")

    def fail_the_bad(event: dict[str, Any]) -> bytes:
        failures = [{"itemIdentifier": r["messageId"]} for r in event["Records"] if r["body"] == "bad"]
        return json.dumps({"batchItemFailures": failures}).encode()

    async def run() -> list[str]:
        function = FakeFunction(fail_the_bad)
        functions = Functions()
        functions.add(cast("Any", function))
        poller = QueuePoller("worker", QueueEvent(queue="jobs"), lambda: (sqs, queue), retry_s=0, wait_s=0)
        await poller.start(functions)
        while sum(len(event["Records"]) for event in function.events) < 2:
            function.called.clear()
            await asyncio.wait_for(function.called.wait(), PATIENCE_S)
        await poller.stop(PATIENCE_S)
        return [r["body"] for event in function.events for r in event["Records"]]

    assert sorted(asyncio.run(run())) == ["bad", "good"]
    assert left(sqs, queue) == (0, 1)


@pytest.mark.parametrize(
    "answer",
    [
        result(b'{"errorMessage": "no"}', "Runtime.ExitError"),
        b"not JSON",
        b'["not an object"]',
        b'{"batchItemFailures": [{"itemIdentifier": "unknown"}]}',
        b'{"batchItemFailures": [{"itemIdentifier": null}]}',
        b'{"batchItemFailures": [7]}',
    ],
)
def test_a_failed_or_unreadable_answer_deletes_nothing(
    sqs: SQSClient, queue: str, answer: bytes | InvocationResult
) -> None:
    send(sqs, queue, "one")
    poll(sqs, queue, lambda _: answer)
    assert left(sqs, queue) == (0, 1)


def test_a_batch_that_no_environment_is_free_for_is_tried_again_without_another_delivery(
    sqs: SQSClient, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cdk.local.pollers.THROTTLED_S", 0)
    dead = sqs.create_queue(QueueName="jobs-dead")["QueueUrl"]
    redrive = {"deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:jobs-dead", "maxReceiveCount": 3}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedrivePolicy": json.dumps(redrive)})
    send(sqs, queue, "one")
    throttles = iter([ThrottledError("busy")] * 7)
    function = poll(sqs, queue, lambda _: next(throttles, b"null"), retry_s=PATIENCE_S, calls=8)
    assert deliveries(function) == ["1"] * 8
    assert (left(sqs, queue), left(sqs, dead)) == ((0, 0), (0, 0))


def test_a_throttled_batch_goes_back_when_the_visibility_timeout_leaves_no_time(
    sqs: SQSClient, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cdk.local.pollers.THROTTLED_S", 0)
    send(sqs, queue, "one")
    throttles = iter([ThrottledError("busy")])
    function = poll(sqs, queue, lambda _: next(throttles, b"null"), retry_s=-1, calls=2)
    assert deliveries(function) == ["1", "2"]
    assert left(sqs, queue) == (0, 0)


def test_a_stop_does_not_wait_for_a_free_environment(sqs: SQSClient, queue: str) -> None:
    send(sqs, queue, "one")
    function = poll(sqs, queue, lambda _: ThrottledError("busy"), retry_s=600)
    assert len(function.events) == 1
    assert left(sqs, queue) == (1, 0)


def test_a_poller_keeps_a_throttled_batch_while_the_function_could_still_end_in_time() -> None:
    worker = a_function(routes=(), timeout_s=30, events=(QueueEvent(queue="jobs"),))
    (poller,) = queue_pollers(
        a_service(worker, queues=(Queue(name="jobs", visibility_s=180),)), cast("Any", None)
    )
    assert poller._retry_s == 180 - 30 - QUEUE_WAIT_S


def test_a_poller_that_breaks_says_so(sqs: SQSClient, queue: str, caplog: pytest.LogCaptureFixture) -> None:
    send(sqs, queue, "one")
    poll(sqs, queue, lambda _: RuntimeError("a defect"))
    assert "the poller of queue jobs has ended: RuntimeError: a defect" in caplog.text
    assert left(sqs, queue) == (0, 1)


def test_a_batch_that_outlasts_the_grace_goes_back_to_the_queue_at_once(
    sqs: SQSClient, queue: str, caplog: pytest.LogCaptureFixture
) -> None:
    send(sqs, queue, "one")

    class Endless(FakeFunction):
        async def invoke(self, payload: bytes) -> InvocationResult:
            self.called.set()
            await asyncio.Event().wait()
            raise AssertionError(payload)

    async def run() -> None:
        functions = Functions()
        functions.add(cast("Any", function := Endless(lambda _: b"null")))
        poller = QueuePoller("worker", QueueEvent(queue="jobs"), lambda: (sqs, queue), retry_s=0, wait_s=0)
        await poller.start(functions)
        await asyncio.wait_for(function.called.wait(), PATIENCE_S)
        await poller.stop(0.1)

    asyncio.run(run())
    assert left(sqs, queue) == (1, 0)
    assert "a batch of 1 that is not done goes back to the queue" in caplog.text


def test_what_a_poll_brings_after_the_grace_goes_back_to_the_queue(
    sqs: SQSClient, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(sqs, queue, "one")
    asked, given_up, brought = threading.Event(), threading.Event(), threading.Event()
    receive = sqs.receive_message

    def late(**arguments: Any) -> Any:
        asked.set()
        assert given_up.wait(PATIENCE_S)
        answer = receive(**arguments)
        brought.set()
        return answer

    monkeypatch.setattr(sqs, "receive_message", late)

    async def run() -> None:
        functions = Functions()
        functions.add(cast("Any", FakeFunction(lambda _: pytest.fail("it was called"))))
        event = QueueEvent(queue="jobs", max_concurrency=2)
        poller = QueuePoller("worker", event, lambda: (sqs, queue), retry_s=0, wait_s=0)
        await poller.start(functions)
        assert await asyncio.to_thread(asked.wait, PATIENCE_S)
        stopping = asyncio.create_task(poller.stop(0.1))
        # Only when the polls have been given up do they bring anything.
        assert await eventually_async(lambda: all(task.cancelling() for task in poller._tasks))
        given_up.set()
        await stopping

    asyncio.run(run())
    assert brought.is_set()
    assert left(sqs, queue) == (1, 0)


def test_batches_are_no_larger_than_asked_for(sqs: SQSClient, queue: str) -> None:
    send(sqs, queue, *(str(number) for number in range(7)))
    function = poll(sqs, queue, lambda _: b"null", batch_size=3)
    assert all(1 <= len(event["Records"]) <= 3 for event in function.events)


def test_a_queue_that_fails_is_asked_again(
    sqs: SQSClient, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cdk.local.pollers.PAUSE_S", 0.01)
    send(sqs, queue, "one")
    receive, calls = sqs.receive_message, []

    def flaky(**arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) <= 2:
            return receive(**{**arguments, "QueueUrl": "http://localhost/123456789012/gone"})
        return receive(**arguments)

    monkeypatch.setattr(sqs, "receive_message", flaky)
    function = poll(sqs, queue, lambda _: b"null")
    assert len(calls) > 2
    assert function.events[0]["Records"][0]["body"] == "one"


@given(
    ids=st.sets(st.text(min_size=1, max_size=8), min_size=1, max_size=10),
    data=st.data(),
)
def test_named_messages_and_no_others_failed(ids: set[str], data: st.DataObject) -> None:
    failed = data.draw(st.sets(st.sampled_from(sorted(ids))))
    payload = json.dumps({"batchItemFailures": [{"itemIdentifier": name} for name in failed]}).encode()
    assert failed_ids(payload, ids) == failed


def test_nothing_means_that_all_is_done() -> None:
    for payload in (b"", b"null", b"{}", b'{"batchItemFailures": null}', b'{"batchItemFailures": []}'):
        assert failed_ids(payload, {"a"}) == set()


def test_a_message_without_extras_is_an_event_too() -> None:
    event = sqs_event("jobs", [{"MessageId": "1", "ReceiptHandle": "r", "Body": "b"}])
    assert event["Records"][0]["attributes"] == {}
