"""The hooks' golden requests, sent to a version or alias on this machine. The asking and judging is `functions.hooks`'."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
from typing import TYPE_CHECKING, Any

from cdk.local.errors import LocalServiceError, ThrottledError
from cdk.local.invocation import error_message
from functions.hooks.golden import InvocationError, Suite, Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cdk.local.function import LocalFunction
    from cdk.local.invocation import InvocationResult


class GoldenRequests:
    """One asking of a suite; cancelling `ask` ends it within moments.

    Parameters
    ----------
    qualifier : str
        The version's number, or the alias.
    max_ms : float
        Latency in ms that no answer may exceed.

    Attributes
    ----------
    asked, failed : int
        Requests that the function executed or turned away for this, and those of them that count as failed in its metrics.
    """

    def __init__(self, function: LocalFunction, qualifier: str, suite: Suite, *, max_ms: float) -> None:
        self.asked = 0
        self.failed = 0
        self._function = function
        self._qualifier = qualifier
        self._suite = suite
        self._max_ms = max_ms
        self._loop = asyncio.get_running_loop()
        self._given_up = False
        self._current: concurrent.futures.Future[InvocationResult] | None = None

    async def ask(self) -> Verdict:
        """Send every request and give the verdict."""
        # `judge` is plain, blocking code, as it runs in a Lambda function; so it gets a thread.
        thread = asyncio.ensure_future(
            asyncio.to_thread(judge, self._suite, self._invoke, max_ms=self._max_ms)
        )
        try:
            return await asyncio.shield(thread)
        except asyncio.CancelledError:
            self._given_up = True
            if self._current is not None:
                self._current.cancel()
            await thread
            raise

    def _invoke(self, event: dict[str, Any]) -> Mapping[str, Any]:
        if self._given_up:
            message = "not asked: the rollout has ended"
            raise InvocationError(message)
        payload = json.dumps(event).encode()
        self._current = asyncio.run_coroutine_threadsafe(
            self._function.invoke(payload, qualifier=self._qualifier), self._loop
        )
        try:
            result = self._current.result()
        except ThrottledError as error:
            self.asked += 1
            self.failed += 1
            raise InvocationError(str(error)) from error
        except (LocalServiceError, concurrent.futures.CancelledError) as error:
            raise InvocationError(str(error)) from error
        self.asked += 1
        self.failed += result.failed
        if result.error_type is not None:
            message = f"the function failed ({result.error_type}): {error_message(result.payload)}"
            raise InvocationError(message)
        response = json.loads(result.payload)
        if not isinstance(response, dict):
            message = f"the function answered {type(response).__name__}, not an object"
            raise InvocationError(message)
        return response
