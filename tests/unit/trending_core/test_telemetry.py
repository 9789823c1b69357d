from __future__ import annotations

import json

import pytest

from trending_core.telemetry import (
    MAX_FRAMES,
    MetricUnit,
    error_places,
    get_logger,
    get_metrics,
    watched_metrics,
)

SECRET = "the whole plot"


def fail(depth: int) -> None:
    if depth:
        fail(depth - 1)
    raise ValueError(SECRET)


def wrap(depth: int) -> None:
    try:
        fail(depth)
    except ValueError as error:
        message = f"while reading {SECRET}"
        raise RuntimeError(message) from error


def caught(depth: int = 0) -> BaseException:
    with pytest.raises(RuntimeError) as error:
        wrap(depth)
    return error.value


def test_places_name_types_and_lines_but_repeat_no_words() -> None:
    places = error_places(caught())
    assert places[0] == "builtins.ValueError"
    assert "builtins.RuntimeError" in places
    assert any(place.endswith(" fail") and "test_telemetry.py:" in place for place in places)
    assert SECRET not in "\n".join(places)


def test_places_of_a_deep_stack_are_bounded() -> None:
    assert len(error_places(caught(depth=200))) <= MAX_FRAMES + 5


def test_there_is_one_logger_and_one_set_of_metrics() -> None:
    assert get_logger() is get_logger()
    assert get_metrics() is get_metrics()


def test_metrics_are_written_in_the_embedded_metric_format(capsys: pytest.CaptureFixture[str]) -> None:
    get_metrics().add_dimension(name="route", value="GET /x")
    get_metrics().add_metric(name="Latency", unit=MetricUnit.Milliseconds, value=1.5)
    get_metrics().flush_metrics()
    blob = json.loads(capsys.readouterr().out)
    (directive,) = blob["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "TrendingNow"
    assert directive["Metrics"] == [{"Name": "Latency", "Unit": "Milliseconds"}]
    assert blob["Latency"] == [1.5]


def test_what_alarms_watch_counts_for_the_function_and_for_its_version(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "enrichment")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "TrendingNow/staging")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "trending-now-staging-enrichment")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_VERSION", "12")
    metrics = watched_metrics()
    metrics.add_metric(name="Enriched", unit=MetricUnit.Count, value=1)
    metrics.flush_metrics()
    blob = json.loads(capsys.readouterr().out)
    (directive,) = blob["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "TrendingNow/staging"
    assert directive["Dimensions"] == [["service"], ["service", "function_name", "function_version"]]
    assert (blob["service"], blob["function_name"], blob["function_version"]) == (
        "enrichment",
        "trending-now-staging-enrichment",
        "12",
    )


def test_outside_lambda_there_is_no_version_to_count_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "enrichment")
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_VERSION", raising=False)
    metrics = watched_metrics()
    metrics.add_metric(name="Enriched", unit=MetricUnit.Count, value=1)
    metrics.flush_metrics()
    (directive,) = json.loads(capsys.readouterr().out)["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["service"]]
