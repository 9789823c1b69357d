"""Provisioned concurrency of an alias, held by Application Auto Scaling alone.

The alias itself says nothing about it (`cdk.constructs.function`), for two reasons. A version and a number that change
together collide: Lambda takes no provisioned concurrency while the alias has weights, so CloudFormation fails half-way
and cannot roll back. And a number on the alias would be written anew by each deployment, over what tracking and
schedules have made of it, in the busiest hour too.

Registering a target moves the capacity between its bounds at once, so a fixed number is a target whose bounds are equal.
https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import aws_cdk as cdk
from aws_cdk import aws_applicationautoscaling as appscaling
from aws_cdk import aws_iam as iam

from cdk.constructs.function import ALIAS, physical_name

if TYPE_CHECKING:
    from constructs import Construct

    from cdk.service import Function

DIMENSION: Final = "lambda:function:ProvisionedConcurrency"
SERVICE: Final = "lambda.application-autoscaling.amazonaws.com"
"""Whose service-linked role changes the number; AWS makes it with the first target.
https://docs.aws.amazon.com/autoscaling/application/userguide/services-that-can-integrate-lambda.html"""


def scale(scope: Construct, function: Function, *, stage: str) -> appscaling.ScalableTarget:
    """Keep the alias ``live`` of a function as warm as its spec says."""
    warmup = function.warmup
    target = appscaling.ScalableTarget(
        scope,
        "".join(part.capitalize() for part in function.name.split("-")),
        service_namespace=appscaling.ServiceNamespace.LAMBDA,
        resource_id=f"function:{physical_name(stage, function.name)}:{ALIAS}",
        scalable_dimension=DIMENSION,
        min_capacity=warmup.provisioned,
        max_capacity=warmup.provisioned if warmup.provisioned_max is None else warmup.provisioned_max,
        role=_linked_role(scope, function.name),
    )
    if warmup.provisioned_max is None:
        return target
    target.scale_to_track_metric(
        "Tracking",
        target_value=warmup.target_utilization,
        predefined_metric=appscaling.PredefinedMetric.LAMBDA_PROVISIONED_CONCURRENCY_UTILIZATION,
    )
    for schedule in warmup.schedules:
        target.scale_on_schedule(
            "".join(part.capitalize() for part in re.split(r"\W+", schedule.name)),
            schedule=appscaling.Schedule.expression(schedule.at),
            min_capacity=schedule.minimum,
            max_capacity=schedule.maximum,
            time_zone=cdk.TimeZone.of(schedule.timezone),
        )
    return target


def _linked_role(scope: Construct, name: str) -> iam.IRole:
    arn = cdk.Stack.of(scope).format_arn(
        service="iam",
        region="",
        resource="role",
        resource_name=f"aws-service-role/{SERVICE}/AWSServiceRoleForApplicationAutoScaling_LambdaConcurrency",
    )
    return iam.Role.from_role_arn(scope, f"LinkedRole{name}", arn, mutable=False)
