"""When an attempt is repeated, and how long is waited first; on a clock that only moves by waiting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.enrichment.breaker import CircuitBreaker, State
from functions.enrichment.llm import OUTAGE, RETRYABLE, FailureKind, LlmError
from functions.enrichment.retry import Budget, Retrier, RetryPolicy
from tests.support.enrichment import Clock

KINDS = st.sampled_from(FailureKind)


def fault(kind: FailureKind, retry_after_s: float | None = None) -> LlmError:
    return LlmError("no", kind=kind, retry_after_s=retry_after_s)


def largest(low: float, high: float) -> float:
    return high


def test_waits_double_up_to_the_cap_with_full_jitter() -> None:
    clock = Clock()
    drawn: list[tuple[float, float]] = []

    def middle(low: float, high: float) -> float:
        drawn.append((low, high))
        return (low + high) / 2

    def fail(_: float) -> None:
        raise fault(FailureKind.OVERLOADED)

    policy = RetryPolicy(attempts=6, base_s=1, cap_s=5)
    with pytest.raises(LlmError):
        Retrier(policy, sleep=clock.sleep, uniform=middle).run(fail, Budget(100, clock=clock))
    assert drawn[:5] == [(0, 1), (0, 2), (0, 4), (0, 5), (0, 5)]
    assert clock.waits == [0.5, 1, 2, 2.5, 2.5]


@given(
    kind=KINDS,
    retry_after_s=st.none() | st.floats(0, 100),
    budget_s=st.floats(0, 30),
    took_s=st.floats(0, 12),
)
def test_no_request_outlives_its_budget(
    kind: FailureKind, retry_after_s: float | None, budget_s: float, took_s: float
) -> None:
    clock = Clock()
    budget = Budget(budget_s, clock=clock)
    enough = budget.remaining_s() >= RetryPolicy().min_attempt_s
    begun: list[float] = []
    start = clock.now

    def attempt(timeout_s: float) -> None:
        begun.append(clock.now)
        assert timeout_s <= budget_s - (clock.now - start) + 1e-9
        clock.now += min(took_s, timeout_s)
        raise fault(kind, retry_after_s)

    with pytest.raises(LlmError):
        Retrier(RetryPolicy(), sleep=clock.sleep, uniform=largest).run(attempt, budget)
    assert clock.now - start <= budget_s + 1e-9
    assert int(enough) <= len(begun) <= (RetryPolicy().attempts if enough else 0)
    assert all(budget_s - (moment - start) >= RetryPolicy().min_attempt_s - 1e-9 for moment in begun)
    if kind not in RETRYABLE:
        assert len(begun) == int(enough)
    if retry_after_s is not None:
        assert all(wait >= retry_after_s for wait in clock.waits)


def test_without_time_nothing_is_asked() -> None:
    clock = Clock()
    asked: list[float] = []
    with pytest.raises(LlmError) as caught:
        Retrier(RetryPolicy(min_attempt_s=1)).run(asked.append, Budget(0.9, clock=clock))
    assert caught.value.kind is FailureKind.NO_TIME
    assert asked == []


def test_a_wait_that_took_longer_leaves_the_failure_before_it() -> None:
    clock = Clock()
    asked: list[float] = []

    def attempt(timeout_s: float) -> None:
        asked.append(timeout_s)
        raise fault(FailureKind.OVERLOADED)

    def oversleep(seconds: float) -> None:
        clock.sleep(seconds + 10)

    with pytest.raises(LlmError) as caught:
        Retrier(RetryPolicy(), sleep=oversleep).run(attempt, Budget(10, clock=clock))
    assert caught.value.kind is FailureKind.OVERLOADED
    assert asked == [10]


def test_a_success_ends_it() -> None:
    clock = Clock()
    left = [fault(FailureKind.RATE_LIMITED, 2.0), fault(FailureKind.TIMEOUT)]

    def attempt(_: float) -> str:
        if left:
            raise left.pop(0)
        return "done"

    retrier = Retrier(RetryPolicy(), sleep=clock.sleep, uniform=largest)
    assert retrier.run(attempt, Budget(24, clock=clock)) == "done"
    assert clock.waits == [2.5, 1.0]


def test_a_budget_can_be_shortened_but_not_below_nothing() -> None:
    clock = Clock()
    budget = Budget(10, clock=clock)
    assert budget.less(4).remaining_s() == 6
    assert budget.less(40).remaining_s() == 0
    clock.now += 20
    assert budget.remaining_s() == 0


class TestBreaker:
    def make(self) -> tuple[CircuitBreaker, Clock]:
        clock = Clock()
        return CircuitBreaker(threshold=3, open_s=10, max_open_s=35, clock=clock), clock

    def state(self, breaker: CircuitBreaker) -> State:
        return breaker.state  # a call, so that mypy does not take one answer for all

    def fail(self, breaker: CircuitBreaker, kind: FailureKind = FailureKind.OVERLOADED) -> FailureKind:
        def operation() -> None:
            raise fault(kind)

        with pytest.raises(LlmError) as caught:
            breaker.call(operation)
        return caught.value.kind

    def test_outages_in_a_row_open_it_and_a_probe_closes_it(self) -> None:
        breaker, clock = self.make()
        for _ in range(3):
            assert self.state(breaker) is State.CLOSED
            self.fail(breaker)
        assert self.state(breaker) is State.OPEN
        assert self.fail(breaker) is FailureKind.BREAKER_OPEN
        clock.now += 10
        assert self.state(breaker) is State.HALF_OPEN
        assert breaker.call(lambda: "back") == "back"
        assert self.state(breaker) is State.CLOSED
        self.fail(breaker)
        self.fail(breaker)
        assert self.state(breaker) is State.CLOSED, "the count starts anew"

    def test_each_failed_probe_doubles_the_pause_up_to_its_limit(self) -> None:
        breaker, clock = self.make()
        for _ in range(3):
            self.fail(breaker)
        for pause in (10, 20, 35, 35):
            clock.now += pause - 0.001
            assert self.state(breaker) is State.OPEN
            clock.now += 0.001
            assert self.fail(breaker) is FailureKind.OVERLOADED

    def test_a_success_between_outages_starts_the_count_anew(self) -> None:
        breaker, _ = self.make()
        for _ in range(10):
            self.fail(breaker)
            self.fail(breaker)
            breaker.call(lambda: None)
        assert self.state(breaker) is State.CLOSED

    @pytest.mark.parametrize("kind", sorted(set(FailureKind) - OUTAGE))
    def test_one_items_trouble_is_no_outage(self, kind: FailureKind) -> None:
        breaker, _ = self.make()
        for _ in range(10):
            self.fail(breaker, kind)
        assert self.state(breaker) is State.CLOSED
