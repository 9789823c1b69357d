"""Asynchronous invocations (type Event): accepted at once, run later, retried, and given up after two retries.

Owns the bound on what waits and the retries; must not know who asks. Unlike Lambda's, the queue is in memory: what it
holds when the service ends is lost, and the log says how much that was. The waits between attempts are those of AWS (one
and two minutes) scaled down. https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

from cdk.local.errors import LocalServiceError, ThrottledError
from cdk.local.invocation import error_message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cdk.local.function import LocalFunction

_LOG: Final = logging.getLogger(__name__)
QUEUE_LENGTH: Final = 1_000
CONCURRENT: Final = 8
RETRY_DELAYS_S: Final = (1.0, 2.0)
MAX_AGE_S: Final = 6 * 3600.0
"""How long an event that finds no free environment is offered again."""
_THROTTLE_DELAY_S: Final = 1.0


class EventQueue:
    """Events that wait for their function.

    Parameters
    ----------
    length : int
        Most events that may wait or run.
    delays_s : sequence of float
        Wait before each retry, in seconds; their number is the number of retries.
    """

    def __init__(self, *, length: int = QUEUE_LENGTH, delays_s: Sequence[float] = RETRY_DELAYS_S) -> None:
        self.dropped = 0
        self._length = length
        self._delays_s = tuple(delays_s)
        self._slots = asyncio.Semaphore(CONCURRENT)
        self._tasks: set[asyncio.Task[None]] = set()

    def put(self, function: LocalFunction, payload: bytes, *, qualifier: str, request_id: str) -> None:
        """Accept an event.

        Raises
        ------
        ThrottledError
            If too many wait already.
        """
        if len(self._tasks) >= self._length:
            message = f"{self._length} asynchronous invocations wait already"
            raise ThrottledError(message)
        task = asyncio.get_running_loop().create_task(self._run(function, payload, qualifier, request_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Give up what waits."""
        if self._tasks:
            _LOG.warning("%d asynchronous invocations were not finished and are lost", len(self._tasks))
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, function: LocalFunction, payload: bytes, qualifier: str, request_id: str) -> None:
        delays = iter(self._delays_s)
        end = time.monotonic() + MAX_AGE_S
        while True:
            try:
                async with self._slots:
                    result = await function.invoke(payload, qualifier=qualifier, request_id=request_id)
            except ThrottledError as error:
                reason = str(error)
                delay = _THROTTLE_DELAY_S if time.monotonic() < end else None
            except LocalServiceError as error:
                reason, delay = str(error), None
            else:
                if result.error_type is None:
                    return
                reason = f"{result.error_type}: {error_message(result.payload)}"
                delay = next(delays, None)
            if delay is None:
                self.dropped += 1
                _LOG.error(
                    "asynchronous invocation %s of %s is given up: %s", request_id, function.name, reason
                )
                return
            await asyncio.sleep(delay)
