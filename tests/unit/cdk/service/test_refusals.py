"""An impossible spec is refused where it is written, with one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cdk.service import (
    STAGES,
    Api,
    Bucket,
    Function,
    Grant,
    Index,
    Key,
    MetricAlarm,
    Notification,
    Queue,
    QueueEvent,
    Rollout,
    Route,
    Schedule,
    Service,
    SpecError,
    Strategy,
    Table,
    TimerEvent,
    Warmup,
    service,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def function(**changes: Any) -> Function:
    values: dict[str, Any] = {
        "name": "classification",
        "image": "functions/classification",
        "handler": "a.handler",
    }
    return Function(**{**values, **changes})


def alarm(**changes: Any) -> MetricAlarm:
    values: dict[str, Any] = {
        "name": "own",
        "metric": "Mine",
        "threshold": 1,
        "meaning": "It rings.",
        "remedy": "Look.",
    }
    return MetricAlarm(**{**values, **changes})


REFUSED: list[tuple[Callable[[], object], str]] = [
    (
        lambda: Warmup(provisioned=1, snap_start=True),
        "provisioned concurrency and SnapStart exclude each other",
    ),
    (
        lambda: Schedule(name="night", at="cron(0 22 * * ? *)", minimum=0, maximum=4),
        "schedule night: provisioned concurrency cannot be scheduled to zero",
    ),
    (
        lambda: Schedule(name="night", at="0 22 * * *", minimum=1, maximum=4),
        "schedule night: '0 22 * * *' is not cron(...), rate(...) or at(...)",
    ),
    (
        lambda: Schedule(name="night", at="cron(0 22 * * ? *)", minimum=5, maximum=4),
        "schedule night: maximum 4 is below minimum 5",
    ),
    (
        lambda: Warmup(
            provisioned=1, schedules=(Schedule(name="night", at="cron(0 22 * * ? *)", minimum=1, maximum=4),)
        ),
        "schedules move the bounds of provisioned concurrency: name provisioned and provisioned_max",
    ),
    (lambda: Warmup(provisioned=-1), "provisioned concurrency -1 is negative"),
    (lambda: Warmup(provisioned=5, provisioned_max=4), "provisioned concurrency cannot grow from 5 to 4"),
    (lambda: Warmup(target_utilization=0.95), "target utilization 0.95 is not between 0.1 and 0.9"),
    (
        lambda: Rollout(strategy=Strategy.MANUAL, weight=1.2),
        "a manual rollout needs a weight from 0 to 1, not 1.2",
    ),
    (
        lambda: Rollout(strategy=Strategy.MANUAL, weight=-0.1),
        "a manual rollout needs a weight from 0 to 1, not -0.1",
    ),
    (
        lambda: Rollout(strategy=Strategy.CANARY, weight=0.5),
        "a weight is held by hand: it excludes the strategy canary",
    ),
    (
        lambda: Rollout(strategy=Strategy.MANUAL, weight=0.5, previous_version="$LATEST"),
        "previous version '$LATEST' is not the number of a published version",
    ),
    (
        lambda: function(
            warmup=Warmup(provisioned=1),
            rollout=Rollout(strategy=Strategy.MANUAL, weight=0.5, previous_version="3"),
        ),
        "classification: an alias whose weight is held by hand cannot have provisioned concurrency: Lambda refuses it "
        "beside weights",
    ),
    (
        lambda: function(alarms=tuple(alarm(name=f"own-{number}", per_version=True) for number in range(8))),
        "classification: 8 alarms of its own stop a rollout, and CodeDeploy takes 7 beside those for errors and latency",
    ),
    (
        lambda: alarm(per_version=True, statistic="p99"),
        "alarm own: a rollout can watch Sum, Maximum, Minimum, Average, SampleCount, not the statistic p99",
    ),
    (lambda: alarm(minutes=0), "alarm own: 0 minutes is not within 1 to 60"),
    (
        lambda: Service(
            stage="dev", functions=(function(environment={"POWERTOOLS_METRICS_NAMESPACE": "Mine"}),)
        ),
        "classification: environment variable POWERTOOLS_METRICS_NAMESPACE is set by the service for every function",
    ),
    (lambda: Rollout(percent=0), "rollout percent 0 is not between 1 and 99"),
    (lambda: Rollout(interval_minutes=0), "rollout interval of 0 minutes is not at least 1"),
    (
        lambda: function(routes=(Route(method="GET", path="/"),), timeout_s=30),
        "classification: timeout of 30 s on a synchronous route exceeds the gateway's 29 s",
    ),
    (
        lambda: function(reserved_concurrency=4, warmup=Warmup(provisioned=2, provisioned_max=5)),
        "classification: reserved concurrency 4 is below what provisioned concurrency may need",
    ),
    (
        lambda: function(
            reserved_concurrency=9,
            warmup=Warmup(
                provisioned=2,
                provisioned_max=5,
                schedules=(Schedule(name="rush", at="cron(0 18 * * ? *)", minimum=2, maximum=10),),
            ),
        ),
        "classification: reserved concurrency 9 is below what provisioned concurrency may need",
    ),
    (
        lambda: function(timeout_s=20, rollout=Rollout(max_p99_ms=20_000)),
        "classification: no invocation outlasts the timeout of 20 s, so a p99 limit of 20000 ms stops nothing",
    ),
    (lambda: function(memory_mb=64), "classification: memory of 64 MB is not within 128 to 10240"),
    (
        lambda: function(name="Classify!"),
        "function name 'Classify!' is not lower-case letters, digits and hyphens",
    ),
    (
        lambda: function(environment={"A": "1"}, grants=(Grant(to="items", can=("read",), variable="A"),)),
        "classification: environment variable A is set twice",
    ),
    (lambda: Grant(to="items", can=(), variable="A"), "a grant to items that allows nothing"),
    (
        lambda: Grant(to="files", can=("read",), variable="A", under=("work/",)),
        "a grant to files: prefixes say where it may write, and it may not",
    ),
    (
        lambda: Grant(to="files", can=("write",), variable="A", under=("work",)),
        "a grant to files: prefix 'work' is not like work/",
    ),
    (
        lambda: Grant(to="files", can=("write",), variable="A", under=("*/",)),
        "a grant to files: prefix '*/' is not like work/",
    ),
    (
        lambda: Service(
            stage="dev",
            functions=(function(grants=(Grant(to="items", can=("write",), variable="A", under=("a/",)),)),),
            tables=(Table(name="items"),),
        ),
        "classification: items is no bucket and has no prefixes",
    ),
    (
        lambda: Service(
            stage="dev", functions=(function(grants=(Grant(to="enrich", can=("invoke",), variable="A"),)),)
        ),
        "unknown function 'enrich'; the service has: classification",
    ),
    (
        lambda: Service(
            stage="dev",
            functions=(function(grants=(Grant(to="classification", can=("invoke",), variable="A"),)),),
        ),
        "classification: a function that may invoke itself can run for ever",
    ),
    (
        lambda: Service(
            stage="dev",
            functions=(function(grants=(Grant(to="jobs", can=("write",), variable="A"),)),),
            queues=(Queue(name="jobs"),),
        ),
        "classification: write is nothing that can be done with jobs",
    ),
    (
        lambda: Service(
            stage="dev",
            functions=(function(grants=(Grant(to="files", can=("add",), variable="A"),)),),
            buckets=(Bucket(name="files"),),
        ),
        "classification: add is nothing that can be done with files",
    ),
    (
        lambda: Service(stage="dev", functions=(function(events=(QueueEvent(queue="jobs"),)),)),
        "unknown queue 'jobs'; the service has: no queue",
    ),
    (
        lambda: Service(
            stage="dev",
            functions=(function(timeout_s=60, events=(QueueEvent(queue="jobs"),)),),
            queues=(Queue(name="jobs", visibility_s=359),),
        ),
        "queue jobs: visibility of 359 s is below 6 times the 60 s of classification",
    ),
    (
        lambda: Service(
            stage="dev",
            functions=(function(events=(QueueEvent(queue="jobs"), QueueEvent(queue="files"))),),
            queues=(Queue(name="jobs", max_receives=3), Queue(name="files", max_receives=4)),
        ),
        "classification: its queues differ in max_receives, and it is told one number",
    ),
    (
        lambda: Service(
            stage="dev",
            functions=(),
            buckets=(Bucket(name="files", notifications=(Notification(queue="jobs"),)),),
        ),
        "unknown queue 'jobs'; the service has: no queue",
    ),
    (
        lambda: Service(stage="dev", functions=(function(),), tables=(Table(name="classification"),)),
        "the name classification stands for two things",
    ),
    (
        lambda: Table(name="items", indexes=(Index(name="a", partition=Key(name="x")),) * 2),
        "table items: two indexes have the same name",
    ),
    (
        lambda: TimerEvent(name="nightly", at="at(2026-12-24T18:00:00)"),
        "timer nightly: 'at(2026-12-24T18:00:00)' is neither cron(...) nor rate(...)",
    ),
    (
        lambda: Route(method="POST", path="/classify", cache_s=10),
        "route POST /classify: only answers to GET can be cached",
    ),
    (lambda: Api(cache_gb="2"), "API cache of 2 GB is not one of 0.5, 1.6, 6.1, 13.5, 28.4, 58.2, 118, 237"),
    (
        lambda: Api(quota_per_day=10),
        "a daily quota is counted per API key: it needs keys, and at least one request",
    ),
    (lambda: service("qa"), "unknown stage 'qa'; there are: local, dev, staging, production"),
]


@pytest.mark.parametrize(("make", "sentence"), REFUSED, ids=[sentence for _, sentence in REFUSED])
def test_an_impossible_spec_is_refused_with_a_sentence(make: Callable[[], object], sentence: str) -> None:
    with pytest.raises(SpecError) as raised:
        make()
    assert str(raised.value) == sentence


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_has_the_same_functions_behind_the_same_routes(stage: str) -> None:
    routes = {(f.name, r.method, r.path) for f in service(stage).functions for r in f.routes}
    assert routes == {(f.name, r.method, r.path) for f in service("local").functions for r in f.routes}


def test_warmups_name_functions_that_exist() -> None:
    from cdk.service.catalogue import WARMUPS  # noqa: PLC0415 -- not part of the package's surface

    names = {function.name for function in service("local").functions}
    for stage, warmups in WARMUPS.items():
        assert set(warmups) <= names, stage


def test_a_weight_of_all_the_traffic_may_be_kept_warm() -> None:
    manual = Rollout(strategy=Strategy.MANUAL, weight=1)
    assert function(warmup=Warmup(provisioned=1), rollout=manual).warmup.provisioned == 1


def test_each_stage_writes_its_metrics_under_a_name_of_its_own() -> None:
    namespaces = [service(stage).metrics_namespace for stage in STAGES]
    assert namespaces == [f"TrendingNow/{stage}" for stage in STAGES]
    for stage, namespace in zip(STAGES, namespaces, strict=True):
        spec = service(stage)
        for one in spec.functions:
            given = spec.environment(one)
            assert given["POWERTOOLS_METRICS_NAMESPACE"] == namespace
            assert given["POWERTOOLS_SERVICE_NAME"] == one.name


def test_a_function_that_reads_a_queue_is_told_how_often_a_message_is_delivered() -> None:
    reader = function(events=(QueueEvent(queue="jobs"),))
    spec = Service(stage="dev", functions=(reader,), queues=(Queue(name="jobs", max_receives=7),))
    assert spec.environment(reader)["QUEUE_MAX_RECEIVES"] == "7"
    assert "QUEUE_MAX_RECEIVES" not in Service(stage="dev", functions=(function(),)).environment(function())


def test_a_function_feeds_itself_if_it_sends_to_a_queue_that_it_reads() -> None:
    reads, sends = QueueEvent(queue="jobs"), Grant(to="jobs", can=("send",), variable="A")
    assert function(events=(reads,), grants=(sends,)).feeds_itself
    assert not function(events=(reads,)).feeds_itself
    assert not function(grants=(sends,)).feeds_itself
    assert not function(events=(QueueEvent(queue="others"),), grants=(sends,)).feeds_itself
    buries = Grant(to="jobs", can=("bury",), variable="A")
    assert not function(events=(reads,), grants=(buries,)).feeds_itself


def test_only_production_protects_data() -> None:
    assert {stage for stage in STAGES if service(stage).protected} == {"production"}
