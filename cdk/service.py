"""The deployment spec: what runs, how large, behind which routes, and how a new version takes over.

Plain data. ``cdk/stacks`` puts it on AWS and ``cdk/local`` on this machine; this module imports neither, nor
any function's code. An impossible spec is refused when it is made, with one sentence, as a `SpecError`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

GATEWAY_TIMEOUT_S: Final = 29
"""API Gateway's default integration timeout.
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html"""
LAMBDA_PAYLOAD_BYTES: Final = 6 * 1024 * 1024
"""Largest request or response of a synchronous invocation.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
GATEWAY_PAYLOAD_BYTES: Final = 10 * 1024 * 1024
"""Largest body API Gateway takes (same page as `GATEWAY_TIMEOUT_S`)."""
MEMORY_MB_PER_VCPU: Final = 1769
"""A function gets CPU in proportion to memory; this much is one vCPU.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""
MEMORY_MB: Final = range(128, 10_240 + 1)
TIMEOUT_S: Final = range(1, 900 + 1)

_NAME: Final = re.compile(r"^[a-z][a-z0-9-]{0,62}$")
_PATH: Final = re.compile(r"^/(?:[a-z0-9.-]+|\{[a-z_]+\+?\})?(?:/(?:[a-z0-9.-]+|\{[a-z_]+\+?\}))*$")


class SpecError(ValueError):
    """The spec asks for something that cannot be; the text names the function and what is wrong."""


class Strategy(StrEnum):
    """How the alias ``live`` moves to a new version."""

    ALL_AT_ONCE = "all-at-once"
    CANARY = "canary"
    LINEAR = "linear"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One function's way to a new version.

    Parameters
    ----------
    strategy : Strategy
        ``canary`` shifts ``percent`` once and the rest after ``interval_minutes``; ``linear`` shifts ``percent`` every
        ``interval_minutes``; ``manual`` holds ``weight`` on the new version until the spec changes.
    max_error_rate : float
        Share of failed invocations of the new version, 0 to 1, above which it is rolled back.
    max_p99_ms : float
        99th percentile of the new version's duration, in ms, above which it is rolled back.
    weight : float or None
        Share of requests on the new version, 0 to 1; only with ``manual``.
    """

    strategy: Strategy = Strategy.CANARY
    percent: int = 10
    interval_minutes: int = 5
    max_error_rate: float = 0.02
    max_p99_ms: float = 3_000
    weight: float | None = None

    def __post_init__(self) -> None:
        if self.strategy is Strategy.MANUAL:
            if self.weight is None or not 0 <= self.weight <= 1:
                message = f"a manual rollout needs a weight from 0 to 1, not {self.weight}"
                raise SpecError(message)
        elif self.weight is not None:
            message = f"a weight is held by hand: it excludes the strategy {self.strategy}"
            raise SpecError(message)
        if not 1 <= self.percent <= 99:  # noqa: PLR2004 -- percent
            message = f"rollout percent {self.percent} is not between 1 and 99"
            raise SpecError(message)
        if self.interval_minutes < 1:
            message = f"rollout interval of {self.interval_minutes} minutes is not at least 1"
            raise SpecError(message)
        if not 0 <= self.max_error_rate <= 1 or self.max_p99_ms <= 0:
            message = "rollout limits: max_error_rate is a share from 0 to 1, max_p99_ms above 0"
            raise SpecError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmup:
    """What is done against cold starts: nothing, provisioned concurrency on the alias, or SnapStart.

    Parameters
    ----------
    provisioned : int
        Environments kept initialised on the alias; 0 for none.
    provisioned_max : int or None
        Target tracking may grow them to this number; None leaves them fixed.
    target_utilization : float
        Share of provisioned environments in use that tracking aims at, above 0 and at most 1.
    snap_start : bool
        Restore from a snapshot instead; AWS does not allow both.
    """

    provisioned: int = 0
    provisioned_max: int | None = None
    target_utilization: float = 0.7
    snap_start: bool = False

    def __post_init__(self) -> None:
        if self.provisioned < 0:
            message = f"provisioned concurrency {self.provisioned} is negative"
            raise SpecError(message)
        if self.snap_start and self.provisioned:
            message = "provisioned concurrency and SnapStart exclude each other"
            raise SpecError(message)
        if self.provisioned_max is not None and self.provisioned_max < max(self.provisioned, 1):
            message = (
                f"provisioned concurrency cannot grow from {self.provisioned} to {self.provisioned_max}"
            )
            raise SpecError(message)
        if not 0 < self.target_utilization <= 1:
            message = f"target utilization {self.target_utilization} is not a share above 0"
            raise SpecError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method and path of the public API; ``{name}`` is a path parameter.

    ``public`` routes never ask for an API key (health, documents); the others do where keys are configured.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    public: bool = False

    def __post_init__(self) -> None:
        if not _PATH.match(self.path):
            message = f"route path {self.path!r} is not like /items/{{item_id}}"
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
    warmup: Warmup = Warmup()
    rollout: Rollout = Rollout()

    def __post_init__(self) -> None:
        if not _NAME.match(self.name):
            message = f"function name {self.name!r} is not lower-case letters, digits and hyphens"
            raise SpecError(message)
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
        if self.reserved_concurrency is not None and self.reserved_concurrency < max(
            self.warmup.provisioned, self.warmup.provisioned_max or 0, 1
        ):
            message = (
                f"{self.name}: reserved concurrency {self.reserved_concurrency} is below what "
                "provisioned concurrency may need"
            )
            raise SpecError(message)
        if "." not in self.handler:
            message = f"{self.name}: handler {self.handler!r} is not module.function"
            raise SpecError(message)
        object.__setattr__(self, "environment", MappingProxyType(dict(self.environment)))

    @property
    def vcpus(self) -> float:
        """The CPU share that comes with the memory."""
        return self.memory_mb / MEMORY_MB_PER_VCPU


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """All of it, for one stage."""

    stage: str
    functions: tuple[Function, ...]

    def __post_init__(self) -> None:
        names = [function.name for function in self.functions]
        if twice := {name for name in names if names.count(name) > 1}:
            message = f"function {sorted(twice)[0]} is defined twice"
            raise SpecError(message)
        routes = [(r.method, r.path) for function in self.functions for r in function.routes]
        if taken := {route for route in routes if routes.count(route) > 1}:
            message = f"route {' '.join(sorted(taken)[0])} leads to two functions"
            raise SpecError(message)

    def function(self, name: str) -> Function:
        """Find a function by name.

        Raises
        ------
        SpecError
            If there is none of that name.
        """
        for function in self.functions:
            if function.name == name:
                return function
        known = ", ".join(function.name for function in self.functions)
        message = f"unknown function {name!r}; the service has: {known}"
        raise SpecError(message)


CLASSIFICATION: Final = Function(
    name="classification",
    image="functions/classification",
    handler="functions.classification.handler.handler",
    layers=("core", "genre"),
    models=("genre-bert",),
    routes=(
        Route(method="POST", path="/classify"),
        Route(method="GET", path="/health", public=True),
        Route(method="GET", path="/openapi.json", public=True),
        Route(method="GET", path="/docs", public=True),
    ),
    memory_mb=MEMORY_MB_PER_VCPU,
    timeout_s=20,
    environment={"POWERTOOLS_SERVICE_NAME": "classification", "POWERTOOLS_METRICS_NAMESPACE": "TrendingNow"},
    warmup=Warmup(provisioned=1),
)

STAGES: Final = ("local", "dev", "staging", "production")


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
    return Service(stage=stage, functions=(CLASSIFICATION,))
