"""Logs and metrics: one JSON line per event on standard output, as CloudWatch reads them.

It owns how the loggers and the metrics are made and what an unexpected error leaves in the log. Rule: no text of a
request is ever logged, and an exception's own message may quote it; so a traceback is logged as places, not words.

There is no Tracer. Lambda's active tracing records the function's segment without any code, the Logger already puts
the X-Ray trace id on each line, and the X-Ray SDK (in maintenance mode) imports botocore, which costs more start-up
time than all of Powertools.
"""

from __future__ import annotations

import os
import traceback
from functools import cache
from typing import TYPE_CHECKING, Final

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit, single_metric

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMESPACE: Final = "TrendingNow"
"""CloudWatch namespace unless ``POWERTOOLS_METRICS_NAMESPACE`` names another; a deployed stage has its own."""
MAX_FRAMES: Final = 30
"""Innermost places of a traceback that are logged."""

__all__ = [
    "MAX_FRAMES",
    "NAMESPACE",
    "MetricUnit",
    "count_failed_answer",
    "error_places",
    "get_logger",
    "get_metrics",
    "set_dimensions",
    "watched_metrics",
]


@cache
def get_logger() -> Logger:
    """Give the function's one logger: JSON lines, level from ``POWERTOOLS_LOG_LEVEL`` (INFO by default)."""
    return Logger()


@cache
def get_metrics() -> Metrics:
    """Give the function's one set of metrics, in the Embedded Metric Format.

    `trending_core.http.handle` flushes it after each request, so a route only adds to it::

        get_metrics().add_metric(name="Items", unit=MetricUnit.Count, value=3)
    """
    return Metrics(namespace=_namespace())


def watched_metrics() -> EphemeralMetrics:
    """Make a set of metrics for alarms: each counts for the function as a whole, and for the version that runs.

    The two sets of dimensions are ``service`` alone, and ``service`` with ``function_name`` and ``function_version`` (as
    Lambda names them to the environment). CloudWatch sums over no dimension: an alarm finds what carries exactly its own.
    Whoever makes the set flushes it; each flush is a line of its own.
    """
    metrics = EphemeralMetrics(namespace=_namespace())
    name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
    version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
    if metrics.service and name and version:
        metrics.add_dimensions(service=metrics.service, function_name=name, function_version=version)
    return metrics


def count_failed_answer(function_name: str, function_version: str) -> None:
    """Count one 5xx answer of a function's version, as ``FailedAnswers``.

    To Lambda an answer is an answer: its own ``Errors`` do not see a version whose routes fail. The alarm that stops a
    rollout counts these too (``cdk/constructs/alarms.py``).
    """
    with single_metric(
        name="FailedAnswers", unit=MetricUnit.Count, value=1, namespace=_namespace()
    ) as metric:
        metric.add_dimension(name="service", value=get_metrics().service or function_name)
        metric.add_dimension(name="function_name", value=function_name)
        metric.add_dimension(name="function_version", value=function_version)


def set_dimensions(dimensions: Mapping[str, str]) -> None:
    """Put these dimensions on every metric from now on, such as ``model_version``; once, at init."""
    get_metrics().set_default_dimensions(**dimensions)


def error_places(error: BaseException) -> list[str]:
    """Say where an exception came from without its words, its causes first.

    Returns
    -------
    list of str
        ``ExceptionType`` lines, each followed by its ``file:line function``, outermost call first.
    """
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:
        chain.append(current)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    places: list[str] = []
    for link in reversed(chain):
        places.append(f"{type(link).__module__}.{type(link).__qualname__}")
        frames = traceback.extract_tb(link.__traceback__)[-MAX_FRAMES:]
        places.extend(f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
    return places


def _namespace() -> str:
    return os.environ.get("POWERTOOLS_METRICS_NAMESPACE", NAMESPACE)
