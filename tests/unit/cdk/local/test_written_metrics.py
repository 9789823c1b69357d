from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdk.local.written_metrics import Written, WrittenMetrics
from cdk.service import STATISTICS
from trending_core.telemetry import MetricUnit, watched_metrics


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def line(*, dimensions: list[list[str]] | None = None, **values: Any) -> str:
    directive = {
        "Namespace": "TrendingNow/local",
        "Dimensions": dimensions or [["service"], ["service", "function_version"]],
        "Metrics": [{"Name": name, "Unit": "Count"} for name in values],
    }
    return json.dumps(
        {"_aws": {"CloudWatchMetrics": [directive]}, "service": "a", "function_version": "2", **values}
    )


def test_what_the_functions_write_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "classification")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "classification")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_VERSION", "2")
    metrics = watched_metrics()
    metrics.add_metric(name="Classified", unit=MetricUnit.Count, value=3)
    metrics.add_metric(name="Classified", unit=MetricUnit.Count, value=4)
    with redirect_stdout(io.StringIO()) as out:
        metrics.flush_metrics()
    written = WrittenMetrics()
    written.read(out.getvalue().strip())
    assert written.latest(60).statistic("Classified", "Sum") == 7


@pytest.mark.parametrize(
    "text",
    [
        "plain text with function_version",
        '{"_aws": "function_version"}',
        '{"_aws": {"CloudWatchMetrics": [{"Dimensions": [["function_version"]], "Metrics": [{"Name": "A"}]}]}}',
        line(A="no number"),
        line(dimensions=[["service"]], A=1),
        '["_aws", "function_version"]',
        '{"_aws": {"CloudWatchMetrics": null}, "function_version": "2"',
    ],
)
def test_other_lines_pass(text: str) -> None:
    written = WrittenMetrics()
    written.read(text)
    assert written.latest(60) == Written({})


def test_a_period_holds_its_own_lines_and_reaches_back_for_enough_of_them() -> None:
    clock = Clock()
    written = WrittenMetrics(clock)
    for value in range(10):
        written.read(line(A=[value]))
        clock.now += 1
    assert written.latest(3.5).statistic("A", "Sum") == 9 + 8 + 7
    assert written.latest(0, at_least=2).statistic("A", "Sum") == 9 + 8
    assert written.latest(100, since=1_008).statistic("A", "Sum") == 9 + 8
    assert written.latest(0, since=1_009, at_least=5).statistic("A", "Sum") == 9
    assert written.latest(100).statistic("B", "Sum") is None


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=50))
def test_statistics_are_cloudwatchs(values: list[float]) -> None:
    found = {name: Written({"A": tuple(values)}).statistic("A", name) for name in STATISTICS}
    assert found["Minimum"] == min(values)
    assert found["Maximum"] == max(values)
    assert found["SampleCount"] == len(values)
    assert found["Average"] == pytest.approx(sum(values) / len(values), abs=1e-3)
    assert found["Sum"] == pytest.approx(sum(values), abs=1e-3)
