"""The deployment spec: what runs, how large, behind which routes, and how a new version takes over.

Plain data. ``cdk/stacks`` puts it on AWS and ``cdk/local`` on this machine; this package imports neither, nor
any function's code. An impossible spec is refused when it is made, with one sentence, as a `SpecError`.
"""

from cdk.service.api import Api
from cdk.service.catalogue import CLASSIFICATION, STAGES, service
from cdk.service.data import Bucket, Index, Key, Notification, Queue, Resource, Secret, Table
from cdk.service.functions import STATISTICS, Function, Grant, MetricAlarm, QueueEvent, Route, TimerEvent
from cdk.service.limits import (
    GATEWAY_PAYLOAD_BYTES,
    GATEWAY_TIMEOUT_S,
    LAMBDA_PAYLOAD_BYTES,
    MEMORY_MB,
    MEMORY_MB_PER_VCPU,
    TIMEOUT_S,
    SpecError,
)
from cdk.service.rollout import Rollout, Strategy
from cdk.service.service import METRICS_NAMESPACE, Service
from cdk.service.upload_map import UploadMap
from cdk.service.warmup import Schedule, Warmup

__all__ = [
    "CLASSIFICATION",
    "GATEWAY_PAYLOAD_BYTES",
    "GATEWAY_TIMEOUT_S",
    "LAMBDA_PAYLOAD_BYTES",
    "MEMORY_MB",
    "MEMORY_MB_PER_VCPU",
    "METRICS_NAMESPACE",
    "STAGES",
    "STATISTICS",
    "TIMEOUT_S",
    "Api",
    "Bucket",
    "Function",
    "Grant",
    "Index",
    "Key",
    "MetricAlarm",
    "Notification",
    "Queue",
    "QueueEvent",
    "Resource",
    "Rollout",
    "Route",
    "Schedule",
    "Secret",
    "Service",
    "SpecError",
    "Strategy",
    "Table",
    "TimerEvent",
    "UploadMap",
    "Warmup",
    "service",
]
