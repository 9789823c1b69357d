"""Metrics per version: counts, periods, percentiles."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdk.local.invocation import InvocationResult
from cdk.local.metrics import VersionMetrics, percentile


def a_result(
    duration_ms: float = 1.0, *, failed: bool = False, provisioned: bool = False
) -> InvocationResult:
    return InvocationResult(
        payload=b"{}",
        error_type="ValueError" if failed else None,
        version="1",
        duration_ms=duration_ms,
        provisioned=provisioned,
    )


def test_a_period_holds_only_what_ended_in_it() -> None:
    now = [0.0]
    metrics = VersionMetrics(clock=lambda: now[0])
    for second in range(10):
        now[0] = float(second)
        metrics.record(a_result(second * 10.0, failed=second == 9), has_provisioned=False)
    latest = metrics.latest(4.5)
    assert (latest.invocations, latest.errors, latest.error_rate) == (5, 1, 0.2)
    assert (latest.p50_ms, latest.p99_ms) == (70.0, 90.0)
    now[0] = 100.0
    assert metrics.latest(4.5).invocations == 0
    assert metrics.latest(4.5).error_rate == 0.0
    assert metrics.latest(4.5).p99_ms is None
    assert metrics.invocations == 10


def test_spill_over_needs_provisioned_environments() -> None:
    metrics = VersionMetrics()
    metrics.record(a_result(), has_provisioned=False)
    metrics.record(a_result(), has_provisioned=True)
    metrics.record(a_result(provisioned=True), has_provisioned=True)
    assert (metrics.spillover, metrics.provisioned_invocations) == (1, 1)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.sampled_from([1, 50, 99, 100]))
def test_a_percentile_is_a_value_with_that_share_at_or_below(values: list[float], percent: int) -> None:
    ordered = sorted(values)
    found = percentile(ordered, percent)
    assert found in ordered
    assert sum(value <= found for value in ordered) * 100 >= percent * len(ordered)


def test_a_period_can_reach_back_for_enough_invocations_but_not_beyond_a_moment() -> None:
    now = [0.0]
    metrics = VersionMetrics(clock=lambda: now[0])
    for second in range(10):
        now[0] = float(second)
        metrics.record(a_result(), has_provisioned=False)
    assert metrics.now() == 9.0
    assert metrics.latest(1.5, at_least=5).invocations == 5
    assert metrics.latest(1.5, at_least=50).invocations == 10
    assert metrics.latest(1.5, at_least=5, since=7.0).invocations == 3
    assert metrics.latest(8.0, at_least=5, since=7.0).invocations == 3


def test_a_5xx_answer_is_a_failure_but_no_error_of_the_function() -> None:
    metrics = VersionMetrics()
    metrics.record(a_result(), has_provisioned=False)
    metrics.record(replace(a_result(), payload=b'{"statusCode": 500, "body": ""}'), has_provisioned=False)
    metrics.record(a_result(failed=True), has_provisioned=False)
    assert (metrics.invocations, metrics.errors, metrics.server_errors) == (3, 1, 1)
    assert metrics.latest(60).errors == 2


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        ({"statusCode": 503, "body": "{}"}, True),
        ({"body": "{}", "statusCode": 500}, True),
        ({"statusCode": 200, "body": json.dumps({"statusCode": 500})}, False),
        ({"statusCode": 404, "body": "500"}, False),
        ({"statusCode": 5000}, False),
        ({"batchItemFailures": []}, False),
        ("500", False),
    ],
)
def test_a_5xx_status_is_told_from_one_in_a_body(answer: object, failed: bool) -> None:
    assert replace(a_result(), payload=json.dumps(answer).encode()).failed is failed
    compact = json.dumps(answer, separators=(",", ":")).encode()
    assert replace(a_result(), payload=compact).failed is failed
