"""The functions' own metrics: each alarm watches exactly what the code writes at that stage, dimension by dimension.

The code runs here under the variables that the template gives it, its log is read as CloudWatch reads it, and what was
found is held against the alarms and the dashboard of the synthesised template.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from functions.classification.routes import build_app as classification_app
from functions.classification.service import Classifier
from functions.enrichment import measures
from functions.enrichment.batch import work_batch
from functions.enrichment.llm import FailureKind, LlmError
from functions.enrichment.routes import build_app as enrichment_app
from functions.enrichment.service import Order
from genre_model import GENRES
from tests.support.cloud import text
from tests.support.enrichment import ScriptedLlm, draft, far_off, house
from tests.support.gateway import proxy_event
from tests.support.lambda_context import TimedContext
from trending_core.http import handle, make_app
from trending_core.telemetry import get_logger, get_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    from genre_model import Document
    from tests.infrastructure.conftest import Synth
    from tests.support.cloud import Template

Metric = tuple[str, str, frozenset[tuple[str, str]]]
"""Namespace, name, dimensions."""
STAGES = ["dev", "staging", "production"]
VERSION = "7"


class TwoGenres:
    """A model that finds the first two genres in every text."""

    name, version = "genre-bert", "0.1.0"
    thresholds: npt.NDArray[np.float32] = np.full(len(GENRES), 0.5, np.float32)

    def predict(self, documents: Sequence[Document]) -> npt.NDArray[np.float32]:
        row = [0.9, 0.8, *[0.1] * (len(GENRES) - 2)]
        return np.array([row] * len(documents), np.float32)


def down() -> ScriptedLlm:
    return ScriptedLlm([LlmError("The language model is down.", kind=FailureKind.OVERLOADED)] * 40)


def run_classification(context: Any) -> None:
    body = json.dumps({"text": "Two sisters smuggle salt across a closed border."})
    handle(
        classification_app(Classifier({"bert": TwoGenres()}), function_version=VERSION),
        post("/classify", body),
        context,
    )


def run_enrichment(context: Any) -> None:
    body = json.dumps({"title": "The Salt Road", "plot": "Two sisters smuggle salt.", "reviews": []})
    handle(enrichment_app(house(down()).service), post("/enrich-item", body), context)


def run_worker(context: Any) -> None:
    made = house(down())
    made.service.submit(Order(draft=draft(), fallback=True), remaining_ms=far_off)
    record = {
        "messageId": "m1",
        "body": made.queue.jobs[-1].model_dump_json(),
        "attributes": {"ApproximateReceiveCount": "1"},
    }
    work_batch(made.service, {"Records": [record]}, max_receives=3, remaining_ms=lambda: 150_000)


RUN: dict[str, Callable[[Any], object]] = {
    "classification": run_classification,
    "enrichment": run_enrichment,
    "enrichment-worker": run_worker,
}


def post(path: str, body: str) -> dict[str, Any]:
    return proxy_event("POST", path, body)


@pytest.fixture(autouse=True)
def _as_a_new_process() -> Iterator[None]:
    get_logger()  # made now, it writes to the whole run's output; later, to that of one test, which is closed then
    measures.flush()
    get_metrics.cache_clear()
    yield
    measures.flush()
    get_metrics.cache_clear()


def written(log: str) -> set[Metric]:
    """Give every metric in a log."""
    found: set[Metric] = set()
    for line in log.splitlines():
        blob: dict[str, Any] = json.loads(line) if line.startswith("{") else {}
        for directive in blob.get("_aws", {}).get("CloudWatchMetrics", []):
            for names in directive["Dimensions"]:
                dimensions = frozenset((name, blob[name]) for name in names)
                found.update((directive["Namespace"], m["Name"], dimensions) for m in directive["Metrics"])
    return found


def watched(template: Template, function: str) -> dict[Metric, set[str]]:
    """Give the metrics of the project's namespaces that alarms watch for a function, and which alarms do."""
    found: dict[Metric, set[str]] = {}
    for alarm in template.of_type("AWS::CloudWatch::Alarm").values():
        properties = alarm["Properties"]
        queries = [q["MetricStat"]["Metric"] for q in properties.get("Metrics", []) if "MetricStat" in q]
        for metric in queries or [properties]:
            if not metric["Namespace"].startswith("TrendingNow"):
                continue
            dimensions = {entry["Name"]: value(template, entry["Value"]) for entry in metric["Dimensions"]}
            if dimensions["service"] == function:
                key = (metric["Namespace"], metric["MetricName"], frozenset(dimensions.items()))
                found.setdefault(key, set()).add(properties["AlarmName"])
    return found


def value(template: Template, written_as: Any) -> str:
    """Give a dimension's value as it will be: of a version's number the one that this test runs as."""
    if isinstance(written_as, dict) and "Fn::GetAtt" in written_as:
        resource, attribute = written_as["Fn::GetAtt"]
        assert (template.resources[resource]["Type"], attribute) == ("AWS::Lambda::Version", "Version")
        return VERSION
    return text(written_as)


def run(
    monkeypatch: pytest.MonkeyPatch, template: Template, stage: str, name: str, work: Callable[[Any], object]
) -> None:
    """Run a function's code as Lambda would: with the template's own variables."""
    physical = f"trending-now-{stage}-{name}"
    _, function = template.one("AWS::Lambda::Function", FunctionName=physical)
    for variable, given in function["Properties"]["Environment"]["Variables"].items():
        if isinstance(given, str):
            monkeypatch.setenv(variable, given)
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", physical)
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_VERSION", VERSION)
    work(TimedContext(function_name=physical, function_version=VERSION))


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", RUN)
def test_every_alarm_watches_what_is_written(
    synth: Synth, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stage: str, name: str
) -> None:
    assembly = synth(stage)
    template, spec = assembly.template("service"), assembly.spec.function(name)
    run(monkeypatch, template, stage, name, RUN[name])
    metrics = written(capsys.readouterr().out)
    alarms = watched(template, name)
    assert {alarm for names in alarms.values() for alarm in names} >= {
        f"trending-now-{stage}-{name}-{kind}"
        for own in spec.alarms
        for kind in (own.name, *([f"version-{own.name}"] if own.per_version else []))
    }
    own = {key for key in alarms if key[1] != "FailedAnswers"}
    assert own <= metrics
    # Of what alarms watch, only the share of one function at one stage is written at all.
    assert {namespace for namespace, _, _ in metrics} == {f"TrendingNow/{stage}"}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", ["classification", "enrichment", "trending"])
def test_an_answer_that_failed_is_counted_where_the_rollout_looks(
    synth: Synth, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stage: str, name: str
) -> None:
    template = synth(stage).template("service")
    app = make_app()

    @app.get("/broken")
    def broken() -> dict[str, str]:
        message = "a defect"
        raise RuntimeError(message)

    run(
        monkeypatch,
        template,
        stage,
        name,
        lambda context: handle(app, proxy_event("GET", "/broken"), context),
    )
    metrics = written(capsys.readouterr().out)
    (failed,) = {key for key in watched(template, name) if key[1] == "FailedAnswers"}
    assert failed in metrics


@pytest.mark.parametrize("name", RUN)
def test_stages_of_one_account_share_no_metric(
    synth: Synth, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    seen: list[set[Metric]] = []
    for stage in STAGES:
        get_metrics.cache_clear()
        run(monkeypatch, synth(stage).template("service"), stage, name, RUN[name])
        seen.append(written(capsys.readouterr().out))
    assert all(seen)
    assert not set.intersection(*seen)
    assert all(not a & b for a in seen for b in seen if a is not b)


@pytest.mark.parametrize("name", RUN)
def test_the_dashboard_draws_what_is_written(
    synth: Synth, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    template = synth("production").template("service")
    run(monkeypatch, template, "production", name, RUN[name])
    metrics = written(capsys.readouterr().out)
    _, board = template.one("AWS::CloudWatch::Dashboard")
    widgets = json.loads(text(board["Properties"]["DashboardBody"]))["widgets"]
    (own,) = (w for w in widgets if w["properties"]["title"] == f"{name}: what it measures itself")
    drawn = set()
    for row in own["properties"]["metrics"]:
        # "." repeats the row before.
        namespace, metric, *pairs = [part for part in row if isinstance(part, str)]
        drawn.add((namespace, metric, frozenset(zip(pairs[::2], pairs[1::2], strict=True))))
    assert drawn
    assert drawn <= metrics


def test_a_broken_network_shows_in_the_two_shares(
    synth: Synth, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    template = synth("production").template("service")
    run(monkeypatch, template, "production", "classification", RUN["classification"])
    blobs = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"Unlabelled"' in line]
    assert [(b["Classified"], b["Unlabelled"], b["Labels"]) for b in blobs] == [([1.0], [0.0], [2.0])]
