"""A service that uses every feature of the deployment spec, whatever the real one uses today."""

from __future__ import annotations

from cdk.service import (
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
    Secret,
    Service,
    Strategy,
    Table,
    TimerEvent,
    UploadMap,
    Warmup,
)

SERVICE = Service(
    stage="staging",
    functions=(
        Function(
            name="classification",
            image="functions/classification",
            handler="functions.classification.handler.handler",
            layers=("core", "genre"),
            models=("genre-bert", "genre-xgboost"),
            routes=(Route(method="POST", path="/classify"), Route(method="GET", path="/health", public=True)),
            memory_mb=3_008,
            timeout_s=20,
            warmup=Warmup(snap_start=True),
            rollout=Rollout(
                strategy=Strategy.LINEAR, percent=20, interval_minutes=7, golden="classification"
            ),
        ),
        Function(
            name="uploads",
            image="functions/classification",
            handler="functions.classification.uploads.handler",
            layers=("core", "genre"),
            models=("genre-bert", "genre-xgboost"),
            timeout_s=300,
            events=(QueueEvent(queue="incoming", batch_size=1, max_concurrency=5),),
            grants=(
                Grant(
                    to="files", can=("read", "write"), variable="FILES_BUCKET", under=("work/", "results/")
                ),
                Grant(to="upload-map", can=("start",), variable="MACHINE"),
                Grant(to="items", can=("add",), variable="ITEMS_TABLE"),
            ),
            rollout=Rollout(strategy=Strategy.ALL_AT_ONCE),
        ),
        Function(
            name="enrichment",
            image="functions/enrichment",
            handler="functions.enrichment.handler.handler",
            layers=("core",),
            architecture="arm64",
            routes=(Route(method="POST", path="/enrich-item"),),
            grants=(
                Grant(to="items", can=("write", "delete"), variable="ITEMS_TABLE"),
                Grant(to="classification", can=("invoke",), variable="CLASSIFICATION"),
                Grant(to="gemini", can=("read",), variable="GEMINI_SECRET_ARN"),
                Grant(to="jobs", can=("send",), variable="JOBS_URL"),
            ),
            alarms=(
                MetricAlarm(
                    name="fallbacks",
                    metric="Fallbacks",
                    per="Enriched",
                    threshold=0.2,
                    meaning="The LLM is down.",
                    remedy="Wait for the provider.",
                    per_version=True,
                ),
                MetricAlarm(
                    name="breaker",
                    metric="LlmBreakerOpen",
                    statistic="Maximum",
                    threshold=0,
                    meaning="No request reaches the LLM.",
                    remedy="Wait for the provider.",
                ),
            ),
            rollout=Rollout(strategy=Strategy.MANUAL, weight=0.1, previous_version="3"),
        ),
        Function(
            name="trending",
            image="functions/trending",
            handler="functions.trending.handler.handler",
            layers=("core",),
            routes=(
                Route(method="GET", path="/items/{item_id}"),
                Route(method="GET", path="/trending", cache_s=30, cache_by=("window", "genre")),
            ),
            reserved_concurrency=40,
            environment={"LOG_LEVEL": "INFO"},
            events=(TimerEvent(name="nightly", at="cron(0 3 * * ? *)"),),
            grants=(Grant(to="items", can=("read",), variable="ITEMS_TABLE"),),
            warmup=Warmup(
                provisioned=2,
                provisioned_max=10,
                target_utilization=0.6,
                schedules=(
                    Schedule(
                        name="evening",
                        at="cron(0 17 * * ? *)",
                        minimum=4,
                        maximum=20,
                        timezone="Europe/Berlin",
                    ),
                ),
            ),
            rollout=Rollout(
                percent=10, interval_minutes=15, max_error_rate=0.05, max_p99_ms=800, golden="trending"
            ),
            alarms=(
                MetricAlarm(
                    name="stale",
                    metric="StaleItems",
                    per="Items",
                    threshold=0.3,
                    minutes=15,
                    per_version=True,
                    meaning="Rankings hold items that are gone.",
                    remedy="Look at the writers.",
                ),
            ),
        ),
    ),
    tables=(
        Table(
            name="items",
            indexes=(
                Index(name="day", partition=Key(name="day_at"), sort=Key(name="day", type="N"), include=()),
                Index(name="tag", partition=Key(name="tag"), include=("title",)),
            ),
            ttl_attribute="expires_at",
        ),
    ),
    buckets=(
        Bucket(
            name="files",
            notifications=(Notification(queue="incoming", prefix="uploads/"),),
            expire_days=(("uploads/", 30),),
        ),
    ),
    queues=(Queue(name="incoming", visibility_s=1_800), Queue(name="jobs", max_receives=5, retention_days=7)),
    state_machines=(UploadMap(name="upload-map", function="uploads", bucket="files", max_concurrency=3),),
    secrets=(Secret(name="gemini", purpose="Key of the language model"),),
    api=Api(origins=("https://example.com",), cache_gb="0.5", rate=20, burst=40),
    log_days=14,
)

DOCUMENT = {
    "paths": {
        "/classify": {
            "post": {
                "requestBody": {
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Classify"}}}
                }
            }
        }
    },
    "components": {
        "schemas": {
            "Classify": {
                "type": "object",
                "required": ["text"],
                "additionalProperties": False,
                "properties": {
                    "text": {"type": "string", "minLength": 1, "maxLength": 100_000},
                    "top_k": {"type": "integer", "exclusiveMinimum": 0, "maximum": 18, "default": 5},
                    "model": {"$ref": "#/components/schemas/Model"},
                },
            },
            "Model": {"const": "bert", "description": "Which model answers."},
        }
    },
}
