"""When to ask again, and how long to wait first.

Owns the budget of a request and the waits between attempts: exponential backoff with full jitter
(https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), and never earlier than the provider asked.
Clock, sleep and chance are handed in. Must not know what is attempted.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from functions.enrichment.llm import RETRYABLE, FailureKind, LlmError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Budget:
    """Seconds that a request may still take.

    Parameters
    ----------
    seconds : float
        From now.
    clock : callable
        A monotonic clock, in seconds.
    """

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def remaining_s(self) -> float:
        """Give the seconds left; 0 when it is spent."""
        return max(0.0, self._end - self._clock())

    def less(self, seconds: float) -> Budget:
        """Give a budget that ends `seconds` earlier, so that something can still follow."""
        return Budget(max(0.0, self.remaining_s() - seconds), clock=self._clock)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Limits on attempts; times in seconds.

    Parameters
    ----------
    attempts : int
        Attempts in all.
    base_s, cap_s : float
        The wait before attempt n + 1 is drawn from 0 to ``min(cap_s, base_s * 2**(n - 1))``.
    attempt_timeout_s : float
        Longest single attempt.
    min_attempt_s : float
        An attempt for which the budget has less than this is not begun, the first one included.
    """

    attempts: int = 4
    base_s: float = 0.5
    cap_s: float = 6.0
    attempt_timeout_s: float = 12.0
    min_attempt_s: float = 1.0


class Retrier:
    """Runs an operation until it succeeds, fails for good, or the budget ends.

    Parameters
    ----------
    policy : RetryPolicy
    sleep : callable
        Waits for so many seconds.
    uniform : callable
        Draws from an interval.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        *,
        sleep: Callable[[float], None] = time.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._policy = policy
        self._sleep = sleep
        self._uniform = uniform

    def run(self, operation: Callable[[float], T], budget: Budget) -> T:
        """Call `operation` with the seconds it may take, again and again.

        Raises
        ------
        LlmError
            The last failure, when it is not worth another attempt or no time is left for one; with kind ``no_time``
            if there was none for the first.
        """
        attempt = 1
        failed: LlmError | None = None
        while True:
            left_s = budget.remaining_s()
            if left_s < self._policy.min_attempt_s:
                raise failed or _no_time()
            try:
                return operation(min(self._policy.attempt_timeout_s, left_s))
            except LlmError as error:
                failed = error
                wait_s = self._wait_s(attempt, error)
                time_left = budget.remaining_s() - wait_s >= self._policy.min_attempt_s
                if error.kind not in RETRYABLE or attempt >= self._policy.attempts or not time_left:
                    raise
                self._sleep(wait_s)
            attempt += 1

    def _wait_s(self, attempt: int, error: LlmError) -> float:
        jitter = self._uniform(0.0, min(self._policy.cap_s, self._policy.base_s * 2 ** (attempt - 1)))
        return (
            jitter if error.retry_after_s is None else error.retry_after_s + min(jitter, self._policy.base_s)
        )


def _no_time() -> LlmError:
    message = "No time was left to ask the language model."
    return LlmError(message, kind=FailureKind.NO_TIME)
