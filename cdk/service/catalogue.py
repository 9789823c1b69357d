"""The project's own functions and data, and how each stage differs."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cdk.service.api import Api
from cdk.service.data import Bucket, Index, Key, Notification, Queue, Secret, Table
from cdk.service.functions import Function, Grant, MetricAlarm, QueueEvent, Route
from cdk.service.limits import MEMORY_MB_PER_VCPU, SpecError
from cdk.service.rollout import Rollout
from cdk.service.service import Service
from cdk.service.upload_map import UploadMap
from cdk.service.warmup import Schedule, Warmup

if TYPE_CHECKING:
    from collections.abc import Mapping

CLASSIFICATION: Final = Function(
    name="classification",
    image="functions/classification",
    handler="functions.classification.handler.handler",
    layers=("core", "genre"),
    models=("genre-bert", "genre-xgboost"),
    routes=(
        Route(method="POST", path="/classify"),
        Route(method="GET", path="/health", public=True),
        Route(method="GET", path="/openapi.json", public=True),
        Route(method="GET", path="/docs", public=True),
    ),
    memory_mb=MEMORY_MB_PER_VCPU,
    timeout_s=20,
    warmup=Warmup(provisioned=1),
    rollout=Rollout(golden="classification"),
    alarms=(
        MetricAlarm(
            name="unlabelled",
            metric="Unlabelled",
            per="Classified",
            threshold=0.5,
            per_version=True,
            meaning="More than half of the texts got no genre at all.",
            remedy="Compare with the model's report; if it began with a rollout, roll back; else look at what is being sent.",
        ),
        MetricAlarm(
            name="overlabelled",
            metric="Labels",
            per="Classified",
            threshold=6,
            per_version=True,
            meaning="Texts get more than six genres on average, where people give two or three.",
            remedy="As for unlabelled: thresholds that do not fit the network select too many.",
        ),
    ),
)

UPLOADS: Final = Function(
    name="uploads",
    image="functions/classification",
    handler="functions.classification.upload_handler.handler",
    layers=("core", "genre"),
    models=("genre-bert", "genre-xgboost"),
    memory_mb=4 * MEMORY_MB_PER_VCPU,
    timeout_s=300,
    grants=(
        Grant(to="files", can=("read", "write"), variable="UPLOADS_BUCKET", under=("work/", "results/")),
        Grant(to="upload-progress", can=("add",), variable="UPLOAD_PROGRESS_TABLE"),
        Grant(to="items", can=("add",), variable="ITEMS_TABLE"),
        Grant(to="new-uploads", can=("send",), variable="UPLOADS_QUEUE_URL"),
        Grant(to="new-uploads", can=("bury",), variable="UPLOADS_DEAD_LETTERS_URL"),
        Grant(to="upload-map", can=("start",), variable="UPLOAD_STATE_MACHINE_ARN"),
    ),
    events=(QueueEvent(queue="new-uploads", batch_size=1, max_concurrency=2),),
    rollout=Rollout(max_p99_ms=295_000, golden="uploads"),
)
"""Files dropped into the bucket, from the classification's image. One file a message and one message an invocation: a
long file holds up nobody. Rows are computed one a thread, so a file takes a quarter of the time on four vCPUs and costs the
same as on one. A file longer than an invocation hands over to the next, so a longer timeout would gain
nothing, and a worker that died is replaced after six of them. A large file goes to the state machine `UPLOAD_MAP`, whose
batches come back to this function."""

ENRICHMENT: Final = Function(
    name="enrichment",
    image="functions/enrichment",
    handler="functions.enrichment.handler.handler",
    layers=("core",),
    routes=(Route(method="POST", path="/enrich-item"),),
    memory_mb=1024,
    timeout_s=29,
    grants=(
        Grant(to="items", can=("add",), variable="ITEMS_TABLE"),
        Grant(to="idempotency", can=("add", "delete"), variable="IDEMPOTENCY_TABLE"),
        Grant(to="enrichments", can=("send",), variable="ENRICHMENT_QUEUE_URL"),
        Grant(to="gemini-api-key", can=("read",), variable="GEMINI_SECRET_ARN"),
        Grant(to="classification", can=("invoke",), variable="CLASSIFICATION_FUNCTION"),
    ),
    rollout=Rollout(max_p99_ms=26_000, golden="enrichment"),
    alarms=(
        MetricAlarm(
            name="fallbacks",
            metric="Fallbacks",
            per="Enriched",
            threshold=0.2,
            per_version=True,
            meaning="More than a fifth of the items were enriched without the language model that is configured.",
            remedy="Read the provider's status page, the key's quota and the log's field kind; items made meanwhile are "
            "valid and say enriched_by.",
        ),
        MetricAlarm(
            name="breaker",
            metric="LlmBreakerOpen",
            threshold=0,
            statistic="Maximum",
            per_version=True,
            meaning="The language model failed five times in a row somewhere and is not asked for a while.",
            remedy="As for fallbacks; it closes by itself when the model answers again.",
        ),
    ),
)
"""An enrichment may take 24 s (``functions.enrichment.service``), so its 99th percentile says little about a version."""

ENRICHMENT_WORKER: Final = replace(
    ENRICHMENT,
    name="enrichment-worker",
    handler="functions.enrichment.worker.handler",
    routes=(),
    timeout_s=150,
    grants=tuple(grant for grant in ENRICHMENT.grants if "send" not in grant.can),
    events=(QueueEvent(queue="enrichments", batch_size=5, max_concurrency=2),),
    rollout=Rollout(max_p99_ms=130_000, golden="enrichment-worker"),
)
"""What ``Prefer: respond-async`` queued; five items of at most 24 s each fit its timeout, and its limit of the 99th
percentile."""

TRENDING: Final = Function(
    name="trending",
    image="functions/trending",
    handler="functions.trending.handler.handler",
    layers=("core",),
    routes=(
        Route(method="GET", path="/items/{item_id}"),
        Route(method="POST", path="/items/{item_id}/events"),
        Route(method="GET", path="/trending"),
    ),
    memory_mb=512,
    timeout_s=15,
    grants=(Grant(to="items", can=("read", "write"), variable="ITEMS_TABLE"),),
    rollout=Rollout(golden="trending"),
)

ITEMS: Final = Table(
    name="items",
    partition=Key(name="PK"),
    sort=Key(name="SK"),
    indexes=(
        Index(name="day", partition=Key(name="day_at"), sort=Key(name="day", type="N"), include=()),
        Index(name="week", partition=Key(name="week_at"), sort=Key(name="week", type="N"), include=()),
    ),
    ttl_attribute="expires_at",
)
"""Items, their rows in the rankings and the markers of events: ``trending_core.dynamo_codec`` has the layout."""

IDEMPOTENCY: Final = Table(
    name="idempotency", partition=Key(name="id"), sort=None, ttl_attribute="expiration"
)
"""Records of requests and paid answers of the enrichment: Powertools' own layout, one partition per key."""

ENRICHMENTS: Final = Queue(name="enrichments", visibility_s=900, max_receives=3)
GEMINI_API_KEY: Final = Secret(
    name="gemini-api-key", purpose="API key for Gemini; without a value the embedded enricher answers"
)

NEW_UPLOADS: Final = Queue(name="new-uploads", visibility_s=1_800, max_receives=3)
UPLOAD_PROGRESS: Final = Table(
    name="upload-progress", partition=Key(name="id"), sort=None, ttl_attribute="expires_at"
)
"""How far each upload is: ``functions.classification.uploads.progress`` has the layout."""
FILES: Final = Bucket(
    name="files",
    notifications=(Notification(queue="new-uploads", prefix="uploads/"),),
    expire_days=(("work/", 30),),
)
"""``uploads/`` for files, ``results/`` for what came of them, ``work/`` for chunks of files that are being worked on."""

UPLOAD_MAP: Final = UploadMap(name="upload-map", function="uploads", bucket="files", max_concurrency=10)
LOCAL_BATCHES: Final = 2
"""Batches at the same time on this machine, which has few environments to offer."""

FUNCTIONS: Final[tuple[Function, ...]] = (CLASSIFICATION, UPLOADS, ENRICHMENT, ENRICHMENT_WORKER, TRENDING)
TABLES: Final[tuple[Table, ...]] = (ITEMS, IDEMPOTENCY, UPLOAD_PROGRESS)
BUCKETS: Final[tuple[Bucket, ...]] = (FILES,)
QUEUES: Final[tuple[Queue, ...]] = (ENRICHMENTS, NEW_UPLOADS)
SECRETS: Final[tuple[Secret, ...]] = (GEMINI_API_KEY,)

STAGES: Final = ("local", "dev", "staging", "production")

_NO_WARMUP: Final[Mapping[str, Warmup]] = MappingProxyType({})
WARMUPS: Final[Mapping[str, Mapping[str, Warmup]]] = MappingProxyType(
    {
        # On this machine a function keeps what it says itself. Staging keeps one environment, so that a rollout meets
        # provisioned concurrency there before it does in production.
        "dev": _NO_WARMUP,
        "staging": MappingProxyType({"classification": Warmup(provisioned=1)}),
        "production": MappingProxyType(
            {
                "classification": Warmup(
                    provisioned=2,
                    provisioned_max=20,
                    schedules=(
                        Schedule(name="evening", at="cron(0 16 * * ? *)", minimum=4, maximum=20),
                        Schedule(name="night", at="cron(0 23 * * ? *)", minimum=1, maximum=20),
                    ),
                )
            }
        ),
    }
)
"""Stage to function to warm-up on AWS; a function that is not named there has none."""


def service(stage: str) -> Service:
    """Give the spec of one stage.

    Raises
    ------
    SpecError
        If the stage is unknown.
    """
    if stage not in STAGES:
        message = f"unknown stage {stage!r}; there are: {', '.join(STAGES)}"
        raise SpecError(message)
    functions = FUNCTIONS
    if stage in WARMUPS:
        warmups = WARMUPS[stage]
        functions = tuple(replace(f, warmup=warmups.get(f.name, Warmup())) for f in FUNCTIONS)
    production = stage == "production"
    return Service(
        stage=stage,
        functions=functions,
        tables=TABLES,
        buckets=BUCKETS,
        queues=QUEUES,
        secrets=SECRETS,
        state_machines=(
            replace(UPLOAD_MAP, max_concurrency=LOCAL_BATCHES) if stage == "local" else UPLOAD_MAP,
        ),
        api=Api(
            keys=stage in {"staging", "production"},
            quota_per_day=100_000 if production else None,
            firewall=production,
        ),
        log_days={"production": 90, "staging": 30}.get(stage, 7),
        protected=production,
    )
