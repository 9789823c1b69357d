"""One page that says whether callers get answers, how fast, from which version, and whether work piles up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from cdk.constructs.function import ALIAS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aws_cdk import aws_apigateway as apigateway
    from constructs import Construct

    from cdk.constructs.data import Data
    from cdk.constructs.function import ServiceFunction


def dashboard(
    scope: Construct, *, name: str, api: apigateway.RestApi, functions: Iterable[ServiceFunction], data: Data
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
        board.add_widgets(*_function_row(function))
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


def _function_row(function: ServiceFunction) -> list[cloudwatch.IWidget]:
    name = function.spec.name
    dimensions = {
        "FunctionName": function.function.function_name,
        "Resource": f"{function.function.function_name}:{ALIAS}",
    }

    def metric(metric_name: str, statistic: str, extra: dict[str, str] | None = None) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace="AWS/Lambda",
            metric_name=metric_name,
            statistic=statistic,
            period=cdk.Duration.minutes(1),
            dimensions_map={**dimensions, **(extra or {})},
        )

    executed = {"ExecutedVersion": function.version.version}
    return [
        _graph(
            f"{name}: invocations and errors",
            [metric("Invocations", "Sum"), metric("Invocations", "Sum", executed)],
            [metric("Errors", "Sum"), metric("Errors", "Sum", executed), metric("Throttles", "Sum")],
        ),
        _graph(
            f"{name}: duration (ms)",
            [metric("Duration", "p50"), metric("Duration", "p99"), metric("Duration", "p99", executed)],
            [],
        ),
        _graph(
            f"{name}: environments",
            [
                metric("ConcurrentExecutions", "Maximum"),
                metric("ProvisionedConcurrencySpilloverInvocations", "Sum"),
            ],
            [metric("ProvisionedConcurrencyUtilization", "Maximum")],
        ),
    ]


def _graph(
    title: str, left: list[cloudwatch.Metric], right: list[cloudwatch.Metric]
) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=left, right=right, width=8)
