"""The rules of a rollout: steps from the spec, alarms from metrics."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdk.local.errors import RolloutError
from cdk.local.metrics import Snapshot
from cdk.local.rollout_plan import (
    EVIDENCE,
    MIN_REQUESTS,
    Step,
    alarm,
    check_speed,
    is_over,
    own_alarm,
    steps,
)
from cdk.local.written_metrics import Written
from cdk.service import MetricAlarm, Rollout, SpecError, Strategy

LIMITS = Rollout(max_error_rate=0.02, max_p99_ms=300, max_slowdown=2)


def seen(
    invocations: int = 100, errors: int = 0, p50_ms: float | None = 50, p99_ms: float | None = 90
) -> Snapshot:
    return Snapshot(invocations, errors, p50_ms, p99_ms)


@pytest.mark.parametrize(
    ("strategy", "weights", "seconds"),
    [
        (Strategy.ALL_AT_ONCE, [1.0], [60]),
        (Strategy.CANARY, [0.3, 1.0], [240, 60]),
        (Strategy.LINEAR, [0.3, 0.6, 0.9, 1.0], [240, 240, 240, 60]),
    ],
)
def test_strategies_as_steps(strategy: Strategy, weights: list[float], seconds: list[float]) -> None:
    found = steps(Rollout(strategy=strategy, percent=30, interval_minutes=4))
    assert [step.weight for step in found] == pytest.approx(weights)
    assert [step.hold_s for step in found] == seconds


@given(st.sampled_from([Strategy.CANARY, Strategy.LINEAR]), st.integers(1, 99))
def test_weights_rise_to_full_traffic(strategy: Strategy, percent: int) -> None:
    weights = [step.weight for step in steps(Rollout(strategy=strategy, percent=percent))]
    assert weights[-1] == 1.0
    assert all(0 < before < after for before, after in pairwise(weights))


def test_a_weight_held_by_hand_is_no_rollout() -> None:
    with pytest.raises(RolloutError, match="by hand"):
        steps(Rollout(strategy=Strategy.MANUAL, weight=1.0))


@pytest.mark.parametrize("speed", [0, 0.5, -1, 1e9, float("nan"), float("inf")])
def test_impossible_speeds_are_refused(speed: float) -> None:
    with pytest.raises(RolloutError):
        check_speed(speed)


def test_a_step_lasts_for_the_spec_s_time_without_requests() -> None:
    step = Step(0.1, 300)
    assert not is_over(step, elapsed_s=299, speed=1, requests=10_000)
    assert is_over(step, elapsed_s=300, speed=1, requests=0)


def test_compressed_time_does_not_compress_the_evidence() -> None:
    step = Step(0.1, 300)
    assert not is_over(step, elapsed_s=2.9, speed=100, requests=10_000)
    assert not is_over(step, elapsed_s=100, speed=100, requests=EVIDENCE - 1)
    assert is_over(step, elapsed_s=3, speed=100, requests=EVIDENCE)


def test_a_version_within_its_limits_rings_no_alarm() -> None:
    assert alarm(LIMITS, seen(errors=2, p50_ms=100, p99_ms=300), seen(), memory_kills=1) is None
    assert alarm(LIMITS, seen(0, 0, None, None), seen(0, 0, None, None), memory_kills=0) is None


@pytest.mark.parametrize(
    ("new", "rings"),
    [
        (seen(1, errors=1), False),
        (seen(2, errors=2), True),
        (seen(99, errors=2), True),
        (seen(100, errors=2), False),
        (seen(100, errors=3), True),
        (seen(5_000, errors=101), True),
    ],
)
def test_error_rate(new: Snapshot, rings: bool) -> None:
    assert (alarm(LIMITS, new, seen(), memory_kills=0) is not None) is rings


@pytest.mark.parametrize(
    ("new", "old", "word"),
    [
        (seen(p99_ms=301), seen(), "p99"),
        (seen(19, p99_ms=301), seen(), ""),
        (seen(p50_ms=101), seen(), "median"),
        (seen(p50_ms=101), seen(19), ""),
        (seen(p50_ms=101), seen(0, 0, None, None), ""),
        (seen(p50_ms=9), seen(p50_ms=1), ""),
    ],
)
def test_latency(new: Snapshot, old: Snapshot, word: str) -> None:
    reason = alarm(LIMITS, new, old, memory_kills=0) or ""
    assert word in reason
    assert bool(reason) is bool(word)


def test_a_second_environment_without_memory_is_a_leak() -> None:
    assert "memory setting" in (alarm(LIMITS, seen(), seen(), memory_kills=2) or "")


@pytest.mark.parametrize("factor", [0.9, 0, -1, float("nan")])
def test_a_slowdown_below_1_is_refused(factor: float) -> None:
    with pytest.raises(SpecError, match="max_slowdown"):
        Rollout(max_slowdown=factor)


def own(**changes: object) -> MetricAlarm:
    values: dict[str, object] = {
        "name": "unlabelled",
        "metric": "Unlabelled",
        "per": "Classified",
        "threshold": 0.5,
        "meaning": "No genre.",
        "remedy": "Look.",
    }
    return MetricAlarm(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("unlabelled", "classified", "rings"),
    [
        ((5.0, 45.0), (50.0, 50.0), False),
        ((6.0, 45.0), (50.0, 50.0), True),
        ((4.0,), (4.0,), False),
        ((11.0,), (11.0,), True),
    ],
)
def test_a_share_of_its_own_metrics(
    unlabelled: tuple[float, ...], classified: tuple[float, ...], rings: bool
) -> None:
    reason = own_alarm([own()], Written({"Unlabelled": unlabelled, "Classified": classified}))
    assert (reason is not None) is rings
    assert reason is None or reason.endswith("No genre.")


@pytest.mark.parametrize(("values", "rings"), [((0.0, 0.0), False), ((0.0, 1.0, 0.0), True), ((), False)])
def test_one_of_its_own_metrics_alone(values: tuple[float, ...], rings: bool) -> None:
    breaker = own(metric="LlmBreakerOpen", per=None, threshold=0, statistic="Maximum")
    assert (own_alarm([breaker], Written({"LlmBreakerOpen": values})) is not None) is rings


def test_what_was_not_written_rings_nothing() -> None:
    assert own_alarm([own()], Written({})) is None
    assert own_alarm([own()], Written({"Unlabelled": (50.0,)})) is None
    assert own_alarm([own()], Written({"Classified": (50.0,)})) is None


@given(st.integers(0, 200), st.integers(0, 200), st.floats(0.01, 1))
def test_more_of_the_whole_never_makes_a_share_ring(part: int, whole: int, threshold: float) -> None:
    alarms = [own(threshold=threshold)]
    rings = own_alarm(alarms, Written({"Unlabelled": (part,), "Classified": (whole,)}))
    more = own_alarm(alarms, Written({"Unlabelled": (part,), "Classified": (whole, MIN_REQUESTS)}))
    assert more is None or rings is not None
