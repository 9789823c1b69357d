"""One page that says whether callers get answers, how fast, from which version, and whether work piles up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from cdk.constructs.metrics import (
    alias_dimensions,
    lambda_metric,
    own_dimensions,
    own_metric,
    version_dimensions,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aws_cdk import aws_apigateway as apigateway
    from constructs import Construct

    from cdk.constructs.data import Data
    from cdk.constructs.function import ServiceFunction
    from cdk.service import Service


def dashboard(
    scope: Construct,
    *,
    name: str,
    api: apigateway.RestApi,
    service: Service,
    functions: Iterable[ServiceFunction],
    data: Data,
) -> cloudwatch.Dashboard:
    """Draw the stage's dashboard: a row for the API, one per function, one for the queues."""
    board = cloudwatch.Dashboard(
        scope, "Dashboard", dashboard_name=name, default_interval=cdk.Duration.hours(3)
    )
    minute = cdk.Duration.minutes(1)
    board.add_widgets(
        _graph(
            "API: requests and errors",
            [api.metric_count(period=minute), api.metric_client_error(period=minute)],
            [api.metric_server_error(period=minute)],
        ),
        _graph(
            "API: latency (ms)",
            [api.metric_latency(statistic=s, period=minute) for s in ("p50", "p99")],
            [api.metric_integration_latency(statistic="p99", period=minute)],
        ),
    )
    for function in functions:
        board.add_widgets(*_function_row(function, service))
    queues = [
        queue.metric_approximate_number_of_messages_visible(period=minute) for queue in data.queues.values()
    ]
    dead = [
        queue.metric_approximate_number_of_messages_visible(period=minute)
        for queue in data.dead_letters.values()
    ]
    if queues:
        board.add_widgets(_graph("Queues: waiting", queues, []), _graph("Dead letters", dead, []))
    return board


def _function_row(function: ServiceFunction, service: Service) -> list[cloudwatch.IWidget]:
    name = function.spec.name
    alias = alias_dimensions(service.stage, name)
    version = version_dimensions(service.stage, function)
    row: list[cloudwatch.IWidget] = [
        _graph(
            f"{name}: invocations and errors",
            [lambda_metric("Invocations", "Sum", alias), lambda_metric("Invocations", "Sum", version)],
            [
                lambda_metric("Errors", "Sum", alias),
                lambda_metric("Errors", "Sum", version),
                lambda_metric("Throttles", "Sum", alias),
            ],
        ),
        _graph(
            f"{name}: duration (ms)",
            [
                lambda_metric("Duration", "p50", alias),
                lambda_metric("Duration", "p99", alias),
                lambda_metric("Duration", "p99", version),
            ],
            [],
        ),
        _graph(
            f"{name}: environments",
            [
                lambda_metric("ConcurrentExecutions", "Maximum", alias),
                lambda_metric("ProvisionedConcurrencySpilloverInvocations", "Sum", alias),
            ],
            [lambda_metric("ProvisionedConcurrencyUtilization", "Maximum", alias)],
        ),
    ]
    if function.spec.alarms:
        own = [
            own_metric(
                service.metrics_namespace, metric, own_dimensions(name, alarm), statistic=alarm.statistic
            )
            for alarm in function.spec.alarms
            for metric in (alarm.metric, alarm.per)
            if metric is not None
        ]
        row.append(_graph(f"{name}: what it measures itself", _once(own), []))
    return row


def _once(metrics: list[cloudwatch.Metric]) -> list[cloudwatch.Metric]:
    """Drop metrics that are there already: two alarms may share a whole."""
    found: dict[str, cloudwatch.Metric] = {}
    for metric in metrics:
        found.setdefault(metric.metric_name, metric)
    return list(found.values())


def _graph(
    title: str, left: list[cloudwatch.Metric], right: list[cloudwatch.Metric]
) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=left, right=right, width=6)
