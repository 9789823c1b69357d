"""The metrics that alarms and the dashboard read: whose they are, under which dimensions, over which period.

CloudWatch sums over no dimension: a metric is found under exactly the set it was written with. What the functions write
themselves is in ``trending_core.telemetry``; a test runs them and compares.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from cdk.constructs.function import ALIAS, physical_name

if TYPE_CHECKING:
    from cdk.constructs.function import ServiceFunction
    from cdk.service import MetricAlarm

MIN_INVOCATIONS: Final = 5
"""Fewer invocations in a period say nothing about a rate: one failure of one call is no share of errors."""


def alias_dimensions(stage: str, name: str) -> dict[str, str]:
    """Dimensions under which Lambda counts what callers of the alias get."""
    function = physical_name(stage, name)
    return {"FunctionName": function, "Resource": f"{function}:{ALIAS}"}


def version_dimensions(stage: str, function: ServiceFunction) -> dict[str, str]:
    """Dimensions under which Lambda counts the version that this deployment brings, while the alias has two."""
    return {
        **alias_dimensions(stage, function.spec.name),
        "ExecutedVersion": function.version.version,
    }


def lambda_metric(
    name: str, statistic: str, dimensions: dict[str, str], *, minutes: int = 1
) -> cloudwatch.Metric:
    """Give one of Lambda's own metrics."""
    return cloudwatch.Metric(
        namespace="AWS/Lambda",
        metric_name=name,
        dimensions_map=dimensions,
        statistic=statistic,
        period=cdk.Duration.minutes(minutes),
    )


def own_metric(
    namespace: str, name: str, dimensions: dict[str, str], *, statistic: str = "Sum", minutes: int = 1
) -> cloudwatch.Metric:
    """Give a metric that a function writes itself."""
    return cloudwatch.Metric(
        namespace=namespace,
        metric_name=name,
        dimensions_map=dimensions,
        statistic=statistic,
        period=cdk.Duration.minutes(minutes),
    )


def own_dimensions(function: str, alarm: MetricAlarm) -> dict[str, str]:
    """Dimensions of a function's own metric as the alarm of the whole function watches it."""
    return {"service": function, **dict(alarm.dimensions)}


def own_version_dimensions(stage: str, function: ServiceFunction) -> dict[str, str]:
    """Dimensions of a function's own metric for the version that this deployment brings."""
    return {
        "service": function.spec.name,
        "function_name": physical_name(stage, function.spec.name),
        "function_version": function.version.version,
    }


def share(
    part: cloudwatch.Metric, whole: cloudwatch.Metric, label: str, *, minutes: int = 1
) -> cloudwatch.MathExpression:
    """Divide two metrics; too small a whole counts as none.

    A metric that is not there silences an expression, so nothing rings where no ``part`` was written.
    """
    return cloudwatch.MathExpression(
        expression=f"IF(whole >= {MIN_INVOCATIONS}, part / whole, 0)",
        using_metrics={"part": part, "whole": whole},
        label=label,
        period=cdk.Duration.minutes(minutes),
    )
