"""The alarms of the deployment spec watch metrics that the function really writes, with just those dimensions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cdk.service import METRICS_NAMESPACE, service
from functions.enrichment.llm import FailureKind, LlmError
from functions.enrichment.routes import build_app
from tests.support.enrichment import ScriptedLlm, house
from tests.support.gateway import proxy_event
from tests.support.lambda_context import TimedContext
from trending_core.http import handle
from trending_core.telemetry import get_metrics

if TYPE_CHECKING:
    from collections.abc import Iterator

SPEC = service("production").function("enrichment")


@pytest.fixture(autouse=True)
def as_deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in SPEC.environment.items():
        monkeypatch.setenv(name, value)
    get_metrics.cache_clear()
    yield
    get_metrics.cache_clear()


def written(lines: str) -> set[tuple[str, str, frozenset[tuple[str, str]]]]:
    """Give namespace, name and dimensions of every metric in a log."""
    found: set[tuple[str, str, frozenset[tuple[str, str]]]] = set()
    for line in lines.splitlines():
        blob: dict[str, Any] = json.loads(line) if line.startswith("{") else {}
        for directive in blob.get("_aws", {}).get("CloudWatchMetrics", []):
            for names in directive["Dimensions"]:
                dimensions = frozenset((name, blob[name]) for name in names)
                found.update((directive["Namespace"], m["Name"], dimensions) for m in directive["Metrics"])
    return found


def test_every_alarm_of_the_spec_watches_what_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    down = ScriptedLlm([LlmError("The language model is down.", kind=FailureKind.OVERLOADED)] * 20)
    context: Any = TimedContext()
    body = {
        "title": "The Salt Road",
        "plot": "Two sisters smuggle salt across a closed border.",
        "reviews": [],
    }
    handle(build_app(house(down).service), proxy_event("POST", "/enrich-item", json.dumps(body)), context)
    metrics = written(capsys.readouterr().out)
    assert SPEC.alarms
    for alarm in SPEC.alarms:
        dimensions = frozenset({("service", SPEC.name), *alarm.dimensions})
        for name in (alarm.metric, alarm.per):
            assert name is None or (METRICS_NAMESPACE, name, dimensions) in metrics
