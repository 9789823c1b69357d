"""The metrics and log lines of this function; names, counts and kinds, never a text. Must not know any rule.

These metrics are sets of their own, with the function's name as the one dimension, where the request's metrics also
have a route: the alarms of the spec look for them so. What those alarms watch also counts for the version that runs.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from trending_core.telemetry import NAMESPACE, get_logger, watched_metrics

if TYPE_CHECKING:
    from functions.enrichment.llm import FailureKind, LlmReply


@cache
def _metrics() -> EphemeralMetrics:
    return EphemeralMetrics(namespace=os.environ.get("POWERTOOLS_METRICS_NAMESPACE", NAMESPACE))


@cache
def _watched() -> EphemeralMetrics:
    return watched_metrics()


def flush() -> None:
    """Write what was counted since the last time; nothing where nothing was."""
    for metrics in (_metrics, _watched):
        if metrics().metric_set:
            metrics().flush_metrics()
        metrics.cache_clear()


def failed_jobs(number: int) -> None:
    """Count the jobs of a batch that will come back."""
    _metrics().add_metric(name="FailedJobs", unit=MetricUnit.Count, value=number)


def call_paid(reply: LlmReply, cost_usd: float | None) -> None:
    """Count a paid call: tokens, and US dollars where the price is known. Per item: their sum over ``Enriched``."""
    metrics = _metrics()
    metrics.add_metric(name="LlmCalls", unit=MetricUnit.Count, value=1)
    metrics.add_metric(name="LlmInputTokens", unit=MetricUnit.Count, value=reply.input_tokens)
    metrics.add_metric(name="LlmOutputTokens", unit=MetricUnit.Count, value=reply.output_tokens)
    if cost_usd is None:
        get_logger().warning("no price for the model", llm_model=reply.model)
    else:
        metrics.add_metric(name="LlmCostUsd", unit=MetricUnit.NoUnit, value=cost_usd)


def attempt_failed(kind: FailureKind, *, breaker_open: bool) -> None:
    """Count a failed attempt, and whether the circuit breaker is open after it."""
    _metrics().add_metric(name="LlmFailures", unit=MetricUnit.Count, value=1)
    _watched().add_metric(name="LlmBreakerOpen", unit=MetricUnit.Count, value=int(breaker_open))
    get_logger().warning("language model attempt failed", kind=kind.value, breaker_open=breaker_open)


def answer_refused(problem: str, *, repaired: bool) -> None:
    """Count an answer that validation refused; `repaired` tells the second from the first."""
    _metrics().add_metric(name="LlmInvalidAnswers", unit=MetricUnit.Count, value=1)
    get_logger().warning("language model answer refused", problem=problem, repaired=repaired)


def answer_reused() -> None:
    """Count a question that had been paid for before."""
    _metrics().add_metric(name="LlmAnswersReused", unit=MetricUnit.Count, value=1)


def answer_not_kept() -> None:
    """Count an answer that could not be kept: a repeated request may pay again."""
    _metrics().add_metric(name="LlmAnswersNotKept", unit=MetricUnit.Count, value=1)
    get_logger().warning("a paid answer could not be kept")


def answer_not_forgotten() -> None:
    """Count an unusable answer that could not be let go: it will be used, and refused, for days."""
    _metrics().add_metric(name="LlmAnswersNotForgotten", unit=MetricUnit.Count, value=1)
    get_logger().warning("an unusable answer could not be dropped")


def enriched(*, fallback: FailureKind | None) -> None:
    """Count an enriched item and whether the fallback made it; the rate is ``Fallbacks / Enriched``."""
    metrics = _watched()
    metrics.add_metric(name="Enriched", unit=MetricUnit.Count, value=1)
    metrics.add_metric(name="Fallbacks", unit=MetricUnit.Count, value=int(fallback is not None))
    if fallback is not None:
        get_logger().warning("enriched by the fallback", kind=fallback.value)
