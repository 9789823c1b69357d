"""Provisioned concurrency that follows the load and the clock; it belongs to the alias, never to a version.

Never change it in the same deployment as a version: CloudFormation changes the alias while CodeDeploy moves it, and the
loser waits until it times out (docs/operations/aws.md says how to get unstuck).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aws_cdk import TimeZone
from aws_cdk import aws_applicationautoscaling as appscaling

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_

    from cdk.service import Warmup


def scale(alias: lambda_.Alias, warmup: Warmup) -> None:
    """Let Application Auto Scaling move the alias' provisioned concurrency as ``warmup`` says; nothing if it is fixed."""
    if warmup.provisioned_max is None or not warmup.provisioned:
        return
    target = alias.add_auto_scaling(min_capacity=warmup.provisioned, max_capacity=warmup.provisioned_max)
    target.scale_on_utilization(utilization_target=warmup.target_utilization)
    for schedule in warmup.schedules:
        target.scale_on_schedule(
            "".join(part.capitalize() for part in re.split(r"\W+", schedule.name)),
            schedule=appscaling.Schedule.expression(schedule.at),
            min_capacity=schedule.minimum,
            max_capacity=schedule.maximum,
            time_zone=TimeZone.of(schedule.timezone),
        )
