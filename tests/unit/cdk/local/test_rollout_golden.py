"""Golden requests of a rollout on this machine: which count as asked, which as failed, and how they are given up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import pytest

from cdk.local.errors import InitError, LocalServiceError, ThrottledError
from cdk.local.invocation import InvocationResult
from cdk.local.rollout_golden import GoldenRequests
from functions.hooks.golden import ROUNDS, Case, Suite
from tests.support.local import asynchronous, eventually_async

if TYPE_CHECKING:
    from cdk.local.function import LocalFunction

CASE = Case(name="health", request={"method": "GET", "path": "/health"}, status=200, schema={})
SUITE = Suite(name="echo", cases=(CASE,), min_agreement=0)


def result(payload: bytes, error_type: str | None = None) -> InvocationResult:
    return InvocationResult(payload=payload, error_type=error_type, version="2", duration_ms=1)


class Answering:
    """A function that always does the same; with nothing to do, it never answers."""

    def __init__(self, outcome: InvocationResult | LocalServiceError | None) -> None:
        self._outcome = outcome
        self.qualifiers: list[str] = []

    async def invoke(self, payload: bytes, *, qualifier: str) -> InvocationResult:
        self.qualifiers.append(qualifier)
        if isinstance(self._outcome, LocalServiceError):
            raise self._outcome
        if self._outcome is None:
            await asyncio.Event().wait()
        assert self._outcome is not None
        return self._outcome


def golden(function: Answering) -> GoldenRequests:
    return GoldenRequests(cast("LocalFunction", function), "2", SUITE, max_ms=1e9)


@pytest.mark.parametrize(
    ("outcome", "asked", "failed", "faults"),
    [
        (result(b'{"statusCode": 200, "body": "{}"}'), ROUNDS, 0, ()),
        (result(b'{"statusCode": 503, "body": "{}"}'), 1, 1, ("health: status 503, not 200",)),
        (result(b"[]"), 1, 0, ("health: the function answered list, not an object",)),
        (
            result(b'{"errorType": "KeyError", "errorMessage": "title"}', "KeyError"),
            1,
            1,
            ("health: the function failed (KeyError): title",),
        ),
        (ThrottledError("all are busy"), 1, 1, ("health: all are busy",)),
        (InitError("echo 2", "Runtime.ImportModuleError", "no module"), 0, 0, None),
    ],
)
def test_what_comes_of_a_request_is_counted_as_the_function_s_metrics_count_it(
    outcome: InvocationResult | LocalServiceError, asked: int, failed: int, faults: tuple[str, ...] | None
) -> None:
    @asynchronous
    async def run() -> None:
        function = Answering(outcome)
        requests = golden(function)
        verdict = await requests.ask()
        assert (requests.asked, requests.failed) == (asked, failed)
        assert verdict.faults == ((f"health: {outcome}",) if faults is None else faults)
        assert set(function.qualifiers) == {"2"}

    run()


@asynchronous
async def test_a_rollout_that_ends_gives_up_the_request_under_way_and_asks_no_more() -> None:
    function = Answering(None)
    requests = golden(function)
    asking = asyncio.ensure_future(requests.ask())
    assert await eventually_async(lambda: len(function.qualifiers) == 1)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert (requests.asked, len(function.qualifiers)) == (0, 1)
