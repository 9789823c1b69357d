"""A circuit breaker: a provider that is down is not asked, so that a request falls back at once.

One per execution environment, in memory. Sharing it through DynamoDB would cost a read on every request and a write on
every failure to save each environment a handful of failed attempts; with the few environments that this function's
concurrency allows, that is the dearer way. Must not know what it guards.
"""

from __future__ import annotations

import time
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from functions.enrichment.llm import OUTAGE, FailureKind, LlmError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class State(StrEnum):
    """Closed lets calls through, open refuses them, half-open lets one through to see."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitBreaker:
    """Opens after so many outages in a row; one call decides whether it closes again.

    Parameters
    ----------
    threshold : int
        Outages in a row that open it.
    open_s : float
        Seconds it stays open the first time; doubles with each probe that fails, up to `max_open_s`.
    max_open_s : float
    clock : callable
        A monotonic clock, in seconds.
    """

    def __init__(
        self,
        *,
        threshold: int = 5,
        open_s: float = 15.0,
        max_open_s: float = 120.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._threshold = threshold
        self._first_open_s = open_s
        self._max_open_s = max_open_s
        self._clock = clock
        self._failures = 0
        self._open_s = open_s
        self._opened_at: float | None = None

    @property
    def state(self) -> State:
        """What the next call meets."""
        if self._opened_at is None:
            return State.CLOSED
        return State.OPEN if self._clock() < self._opened_at + self._open_s else State.HALF_OPEN

    def call(self, operation: Callable[[], T]) -> T:
        """Run `operation`, unless the circuit is open.

        Raises
        ------
        LlmError
            With kind ``breaker_open`` if it is; otherwise whatever the operation raises.
        """
        if self.state is State.OPEN:
            message = "The language model is not asked at the moment because it failed repeatedly."
            raise LlmError(message, kind=FailureKind.BREAKER_OPEN)
        try:
            result = operation()
        except LlmError as error:
            if error.kind in OUTAGE:
                self._failed()
            else:
                self._succeeded()  # the provider answered; this item is its only trouble
            raise
        self._succeeded()
        return result

    def _succeeded(self) -> None:
        self._failures = 0
        self._opened_at = None
        self._open_s = self._first_open_s

    def _failed(self) -> None:
        if self._opened_at is not None:
            self._open_s = min(self._open_s * 2, self._max_open_s)
            self._opened_at = self._clock()
            return
        self._failures += 1
        if self._failures >= self._threshold:
            self._opened_at = self._clock()
