"""Events are retried, offered again or given up, by what came of them; what the service's end loses is counted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import pytest

from cdk.local.errors import EnvironmentGoneError, LocalServiceError, ThrottledError
from cdk.local.event_queue import EventQueue
from cdk.local.invocation import InvocationResult
from tests.support.local import asynchronous, eventually_async

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cdk.local.function import LocalFunction

ANSWERED = InvocationResult(payload=b"1", error_type=None, version="1", duration_ms=1)
FAILED = InvocationResult(
    payload=b'{"errorType": "KeyError", "errorMessage": "no title"}',
    error_type="KeyError",
    version="1",
    duration_ms=1,
)


class Scripted:
    """A function that does what its script says, and waits forever once that is at its end."""

    name = "echo"

    def __init__(self, *outcomes: InvocationResult | LocalServiceError) -> None:
        self._outcomes = list(outcomes)
        self.asked: list[tuple[bytes, str, str]] = []

    async def invoke(self, payload: bytes, *, qualifier: str, request_id: str) -> InvocationResult:
        self.asked.append((payload, qualifier, request_id))
        if not self._outcomes:
            await asyncio.Event().wait()
        outcome = self._outcomes.pop(0)
        if isinstance(outcome, LocalServiceError):
            raise outcome
        return outcome


def put(queue: EventQueue, function: Scripted, request_id: str = "a") -> None:
    queue.put(cast("LocalFunction", function), b"{}", qualifier="live", request_id=request_id)


@asynchronous
async def test_an_answered_event_is_done() -> None:
    queue, function, last = EventQueue(), Scripted(ANSWERED), Scripted()
    put(queue, function)
    assert await eventually_async(lambda: len(function.asked) == 1)
    put(queue, last, "b")
    assert await eventually_async(lambda: len(last.asked) == 1)
    assert function.asked == [(b"{}", "live", "a")]
    assert queue.dropped == 0
    await queue.stop()


@pytest.mark.parametrize(
    ("delays_s", "outcomes", "asked", "reason"),
    [
        ((0, 0), [FAILED] * 3, 3, "KeyError: no title"),
        ((), [FAILED], 1, "KeyError: no title"),
        ((0, 0), [FAILED, EnvironmentGoneError("its process ended")], 2, "its process ended"),
    ],
)
def test_an_event_that_fails_is_retried_and_then_given_up_with_the_reason(
    delays_s: Sequence[float],
    outcomes: list[InvocationResult | LocalServiceError],
    asked: int,
    reason: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    @asynchronous
    async def run() -> None:
        queue, function = EventQueue(delays_s=delays_s), Scripted(*outcomes)
        put(queue, function)
        assert await eventually_async(lambda: queue.dropped == 1)
        assert len(function.asked) == asked
        await queue.stop()

    run()
    assert caplog.messages == [f"asynchronous invocation a of echo is given up: {reason}"]


def test_an_event_that_finds_no_room_uses_up_no_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cdk.local.event_queue._THROTTLE_DELAY_S", 0)

    @asynchronous
    async def run() -> None:
        queue = EventQueue(delays_s=(0,))
        function = Scripted(*[ThrottledError("all are busy")] * 5, FAILED, ThrottledError("all are busy"))
        put(queue, function)
        assert await eventually_async(lambda: len(function.asked) == 8)
        assert queue.dropped == 0
        await queue.stop()

    run()


def test_an_event_that_finds_no_room_for_too_long_is_given_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("cdk.local.event_queue.MAX_AGE_S", -1)

    @asynchronous
    async def run() -> None:
        queue = EventQueue()
        put(queue, Scripted(ThrottledError("all are busy")))
        assert await eventually_async(lambda: queue.dropped == 1)

    run()
    assert caplog.messages == ["asynchronous invocation a of echo is given up: all are busy"]


def test_a_full_queue_refuses_and_the_end_says_how_many_are_lost(caplog: pytest.LogCaptureFixture) -> None:
    @asynchronous
    async def run() -> None:
        queue, function = EventQueue(length=2), Scripted()
        put(queue, function, "a")
        put(queue, function, "b")
        with pytest.raises(ThrottledError, match=r"^2 asynchronous invocations wait already$"):
            put(queue, function, "c")
        await queue.stop()
        await queue.stop()

    run()
    assert caplog.messages == ["2 asynchronous invocations were not finished and are lost"]
