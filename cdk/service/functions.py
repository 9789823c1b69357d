"""One Lambda function: its image or folder, its size, its routes, its events, and what it may touch."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from cdk.service.limits import (
    GATEWAY_TIMEOUT_S,
    MEMORY_MB,
    MEMORY_MB_PER_VCPU,
    TIMEOUT_S,
    SpecError,
    check_name,
)
from cdk.service.rollout import Rollout
from cdk.service.warmup import Warmup

if TYPE_CHECKING:
    from collections.abc import Mapping

_PATH: Final = re.compile(r"^/(?:[a-z0-9.-]+|\{[a-z_]+\+?\})?(?:/(?:[a-z0-9.-]+|\{[a-z_]+\+?\}))*$")
_PREFIX: Final = re.compile(r"^(?:[a-z0-9-]+/)+$")
_TIMER: Final = re.compile(r"^(?:cron\([^()]+\)|rate\(\d+ (?:minute|hour|day)s?\))$")
SAMPLE_MINUTES: Final = range(1, 60 + 1)
STATISTICS: Final = ("Sum", "Maximum", "Minimum", "Average", "SampleCount")
MAX_VERSION_ALARMS: Final = 7
"""A deployment group takes ten alarms; errors, 5xx answers and p99 are three.
https://docs.aws.amazon.com/codedeploy/latest/userguide/monitoring-create-alarms.html"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method and path of the public API; ``{name}`` is a path parameter.

    ``public`` routes never ask for an API key (health, documents); the others do where keys are configured.
    ``cache_s`` (only GET) lets the gateway keep an answer that many seconds, by path and the query parameters
    ``cache_by``, where the stage has a cache.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    public: bool = False
    cache_s: int = 0
    cache_by: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _PATH.match(self.path):
            message = f"route path {self.path!r} is not like /items/{{item_id}}"
            raise SpecError(message)
        if self.cache_s and self.method != "GET":
            message = f"route {self.method} {self.path}: only answers to GET can be cached"
            raise SpecError(message)
        if not 0 <= self.cache_s <= 3_600:  # noqa: PLR2004 -- API Gateway's longest time to live
            message = f"route {self.path}: a cached answer lives 0 to 3600 s, not {self.cache_s}"
            raise SpecError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a function may do with a table, queue, bucket, secret or other function, and how it learns its name.

    Parameters
    ----------
    to : str
        The resource's name in the spec.
    can : tuple of {"read", "write", "add", "delete", "send", "bury", "start", "invoke"}
        Tables: read (rows, queries), write, add (look at single rows and write them, nothing else), delete; none
        but the last deletes a row. Buckets: read, write. Queues: send, or bury (send to the dead-letter queue; a grant
        of its own, whose variable receives that queue's URL); reading comes with a `QueueEvent`. Secrets: read.
        State machines: start. Functions: invoke, always through the alias ``live``.
    variable : str
        Environment variable that receives the table's or bucket's name, the queue's URL, the secret's or state machine's
        ARN, or the alias' ARN.
    under : tuple of str
        Buckets: prefixes such as ``work/`` that alone may be written; empty for the whole bucket. What may be read is
        the whole bucket in any case.
    """

    to: str
    can: tuple[Literal["read", "write", "add", "delete", "send", "bury", "start", "invoke"], ...]
    variable: str
    under: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.can:
            message = f"a grant to {self.to} that allows nothing"
            raise SpecError(message)
        if "bury" in self.can and len(self.can) > 1:
            message = (
                f"a grant to {self.to}: to bury is another queue than to send, and needs a grant of its own"
            )
            raise SpecError(message)
        if self.under and "write" not in self.can:
            message = f"a grant to {self.to}: prefixes say where it may write, and it may not"
            raise SpecError(message)
        for prefix in self.under:
            if not _PREFIX.match(prefix):
                message = f"a grant to {self.to}: prefix {prefix!r} is not like work/"
                raise SpecError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueEvent:
    """Messages of a queue invoke the function; failed ones are reported one by one (partial batch response)."""

    queue: str
    batch_size: int = 10
    max_concurrency: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.batch_size <= 10:  # noqa: PLR2004 -- SQS' largest batch without a batching window
            message = f"queue {self.queue}: batch size {self.batch_size} is not within 1 to 10"
            raise SpecError(message)
        if self.max_concurrency is not None and not 2 <= self.max_concurrency <= 1_000:  # noqa: PLR2004 -- Lambda's
            message = f"queue {self.queue}: concurrency {self.max_concurrency} is not within 2 to 1000"
            raise SpecError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerEvent:
    """EventBridge Scheduler invokes the function at ``at`` (``cron(...)`` or ``rate(...)``, UTC)."""

    name: str
    at: str

    def __post_init__(self) -> None:
        check_name("timer", self.name)
        if not _TIMER.match(self.at):
            message = f"timer {self.name}: {self.at!r} is neither cron(...) nor rate(...)"
            raise SpecError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricAlarm:
    """An alarm on a metric that the function itself writes.

    Parameters
    ----------
    metric, per : str
        Metric names in the project's namespace; with ``per`` the alarm watches ``metric / per``.
    threshold : float
        Rings above it.
    statistic : str
        Of ``metric``, as CloudWatch names it; ``per`` is always summed up.
    meaning, remedy : str
        One sentence each: what it says when it rings, and what to do then.
    per_version : bool
        Also watched on the version that a rollout moves to, which goes back when it rings. The function writes the metric
        a second time then, with the dimensions ``function_name`` and ``function_version``
        (``trending_core.telemetry.watched_metrics``).
    dimensions : tuple of pairs
        The metric's dimensions besides ``service``, which is the function's name. CloudWatch sums over none: a metric
        that carries another dimension than named here never reaches the alarm.
    """

    name: str
    metric: str
    threshold: float
    meaning: str
    remedy: str
    per: str | None = None
    statistic: str = "Sum"
    minutes: int = 5
    per_version: bool = False
    dimensions: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        check_name("alarm", self.name)
        if self.minutes not in SAMPLE_MINUTES:
            message = f"alarm {self.name}: {self.minutes} minutes is not within 1 to 60"
            raise SpecError(message)
        if self.per_version and self.statistic not in STATISTICS:
            message = f"alarm {self.name}: a rollout can watch {', '.join(STATISTICS)}, not the statistic {self.statistic}"
            raise SpecError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One Lambda function: an image, a handler in it, its size, its routes.

    Parameters
    ----------
    name : str
        Lower-case letters, digits and hyphens.
    image : str
        The folder with the Dockerfile, relative to the project's root; two functions may share one.
    handler : str
        ``module.function``, as the runtime client imports it.
    layers : tuple of str
        Folders under ``layers/`` that the image holds at ``/opt/python``.
    models : tuple of str
        Model names of ``model_artifacts/registry.json`` whose champion the image holds.
    memory_mb, timeout_s : int
        Lambda's own settings.
    environment : mapping of str to str
        Plain settings; a secret is named by its ARN, never held here.
    reserved_concurrency : int or None
        Upper bound on environments; None leaves it to the account.
    grants, events, alarms : tuple
        What it may touch, what invokes it besides routes, what is watched besides errors and latency.
    """

    name: str
    image: str
    handler: str
    layers: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    memory_mb: int = 512
    timeout_s: int = 29
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    reserved_concurrency: int | None = None
    warmup: Warmup = field(default_factory=Warmup)
    rollout: Rollout = field(default_factory=Rollout)
    architecture: Literal["x86_64", "arm64"] = "x86_64"
    grants: tuple[Grant, ...] = ()
    events: tuple[QueueEvent | TimerEvent, ...] = ()
    alarms: tuple[MetricAlarm, ...] = ()

    def __post_init__(self) -> None:
        check_name("function", self.name)
        if self.memory_mb not in MEMORY_MB:
            message = f"{self.name}: memory of {self.memory_mb} MB is not within 128 to 10240"
            raise SpecError(message)
        if self.timeout_s not in TIMEOUT_S:
            message = f"{self.name}: timeout of {self.timeout_s} s is not within 1 to 900"
            raise SpecError(message)
        if self.routes and self.timeout_s > GATEWAY_TIMEOUT_S:
            message = (
                f"{self.name}: timeout of {self.timeout_s} s on a synchronous route exceeds "
                f"the gateway's {GATEWAY_TIMEOUT_S} s"
            )
            raise SpecError(message)
        if self.rollout.max_p99_ms >= 1_000 * self.timeout_s:
            message = (
                f"{self.name}: no invocation outlasts the timeout of {self.timeout_s} s, so a p99 limit of "
                f"{self.rollout.max_p99_ms:g} ms stops nothing"
            )
            raise SpecError(message)
        if self.reserved_concurrency is not None and self.reserved_concurrency < max(self.warmup.ceiling, 1):
            message = (
                f"{self.name}: reserved concurrency {self.reserved_concurrency} is below what "
                "provisioned concurrency may need"
            )
            raise SpecError(message)
        if self.warmup.provisioned and self.rollout.weight is not None and self.rollout.weight < 1:
            message = (
                f"{self.name}: an alias whose weight is held by hand cannot have provisioned concurrency: "
                "Lambda refuses it beside weights"
            )
            raise SpecError(message)
        if len(self.version_alarms) > MAX_VERSION_ALARMS:
            message = (
                f"{self.name}: {len(self.version_alarms)} alarms of its own stop a rollout, and CodeDeploy takes "
                f"{MAX_VERSION_ALARMS} beside those for errors and latency"
            )
            raise SpecError(message)
        if "." not in self.handler:
            message = f"{self.name}: handler {self.handler!r} is not module.function"
            raise SpecError(message)
        variables = [*self.environment, *(grant.variable for grant in self.grants)]
        if twice := {name for name in variables if variables.count(name) > 1}:
            message = f"{self.name}: environment variable {sorted(twice)[0]} is set twice"
            raise SpecError(message)
        object.__setattr__(self, "environment", MappingProxyType(dict(self.environment)))

    @property
    def feeds_itself(self) -> bool:
        """Whether it sends messages to a queue that it reads."""
        own = {event.queue for event in self.events if isinstance(event, QueueEvent)}
        return any(grant.to in own and "send" in grant.can for grant in self.grants)

    @property
    def version_alarms(self) -> tuple[MetricAlarm, ...]:
        """Those of its own alarms that a rollout watches on the new version."""
        return tuple(alarm for alarm in self.alarms if alarm.per_version)

    @property
    def vcpus(self) -> float:
        """The CPU share that comes with the memory."""
        return self.memory_mb / MEMORY_MB_PER_VCPU
