"""One function on AWS: image, role, log group, version, and the alias ``live`` that everybody calls.

The role starts with what every function needs (its own log group, X-Ray) and gets the rest from `cdk.constructs.access`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.constructs.acknowledge import acknowledge
from cdk.constructs.images import architecture, image_code
from cdk.service import SpecError, Strategy, TimerEvent

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cdk.service import Function

ALIAS: Final = "live"
_RETENTION: Final = {
    1: logs.RetentionDays.ONE_DAY,
    3: logs.RetentionDays.THREE_DAYS,
    5: logs.RetentionDays.FIVE_DAYS,
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    60: logs.RetentionDays.TWO_MONTHS,
    90: logs.RetentionDays.THREE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
}
SYNCHRONOUS_REASON: Final = (
    "Its callers wait for the answer, and queues keep what failed: nothing is lost unseen."
)
NO_RESOURCE_REASON: Final = (
    "X-Ray's write actions and the reading of alarms know no resource: AWS allows them on * only."
)


def physical_name(stage: str, name: str) -> str:
    """Name of a function on AWS; known before anything exists, so that ARNs need no reference and form no cycle."""
    return f"trending-now-{stage}-{name}"


def alias_arn(stack: cdk.Stack, stage: str, name: str) -> str:
    """ARN of a function's alias ``live``, written out instead of referenced."""
    return stack.format_arn(
        service="lambda",
        resource="function",
        resource_name=f"{physical_name(stage, name)}:{ALIAS}",
        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
    )


def state_machine_arn(stack: cdk.Stack, name: str) -> str:
    """ARN of a state machine by its name on AWS, written out as `alias_arn`'s."""
    return stack.format_arn(
        service="states",
        resource="stateMachine",
        resource_name=name,
        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
    )


def log_retention(days: int) -> logs.RetentionDays:
    """Give the retention of so many days.

    Raises
    ------
    SpecError
        If CloudWatch Logs knows no such retention.
    """
    if days not in _RETENTION:
        message = f"logs cannot be kept {days} days; there are: {', '.join(map(str, _RETENTION))}"
        raise SpecError(message)
    return _RETENTION[days]


def log_group(scope: Construct, name: str, *, days: int, keep: bool) -> logs.LogGroup:
    """Make a function's log group with its retention."""
    return logs.LogGroup(
        scope,
        "Logs",
        log_group_name=f"/aws/lambda/{name}",
        retention=log_retention(days),
        removal_policy=cdk.RemovalPolicy.RETAIN if keep else cdk.RemovalPolicy.DESTROY,
    )


def function_role(scope: Construct, group: logs.ILogGroup, description: str) -> iam.Role:
    """Make a role that may write to one log group; active tracing adds X-Ray. No managed policy."""
    role = iam.Role(
        scope, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"), description=description
    )
    role.add_to_policy(
        iam.PolicyStatement(
            sid="Logs", actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[group.log_group_arn]
        )
    )
    acknowledge(role, NO_RESOURCE_REASON, "AwsSolutions-IAM5[Resource::*]")
    return role


class ServiceFunction(Construct):
    """A function of the spec with its alias ``live``; provisioned concurrency is `cdk.stacks.warmup`'s.

    Lambda ends a chain of a function and its own queue after about 16 invocations and buries the message, unless the
    function says that it means it. Uploads do: they hand over to the next invocation and come back to look at the state
    machine. What bounds the chain is ``MAX_STARTS`` (six workers that get no further) and ``MAX_EXECUTIONS`` (three
    executions, of a day at most) in ``functions/classification/uploads/worker.py``.
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html

    Attributes
    ----------
    function : aws_lambda.DockerImageFunction
    version : aws_lambda.Version
        The version of this deployment; older ones are retained.
    alias : aws_lambda.Alias
    role : aws_iam.Role
    dead_letters : aws_sqs.Queue or None
        Where timer events go that it failed on.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        spec: Function,
        environment: Mapping[str, str],
        stage: str,
        root: Path,
        log_days: int,
        keep_logs: bool,
    ) -> None:
        super().__init__(scope, id_)
        self.spec = spec
        name = physical_name(stage, spec.name)
        self.dead_letters = dead_letters = self._dead_letters()
        group = log_group(self, name, days=log_days, keep=keep_logs)
        self.role = function_role(self, group, f"What {name} may do")
        self.function = lambda_.DockerImageFunction(
            self,
            "Function",
            function_name=name,
            code=image_code(spec, root),
            architecture=architecture(spec),
            memory_size=spec.memory_mb,
            timeout=cdk.Duration.seconds(spec.timeout_s),
            environment=dict(environment),
            reserved_concurrent_executions=spec.reserved_concurrency,
            snap_start=lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS if spec.warmup.snap_start else None,
            recursive_loop=lambda_.RecursiveLoop.ALLOW if spec.feeds_itself else None,
            tracing=lambda_.Tracing.ACTIVE,
            log_group=group,
            role=self.role,
            dead_letter_queue=dead_letters,
            current_version_options=lambda_.VersionOptions(
                removal_policy=cdk.RemovalPolicy.RETAIN, description=f"{stage}, from the deployment spec"
            ),
        )
        if dead_letters is None:
            acknowledge(self.function, SYNCHRONOUS_REASON, "Serverless-LambdaDLQ")
        if spec.warmup.snap_start:
            cdk.Annotations.of(self.function).acknowledge_warning(
                "@aws-cdk/aws-lambda:snapStartRequirePublish",
                "The alias below points at a published version.",
            )
        self.version = self.function.current_version
        self.alias = lambda_.Alias(
            self,
            "Live",
            alias_name=ALIAS,
            version=self.version,
            additional_versions=self._held_versions(),
        )

    def _dead_letters(self) -> sqs.Queue | None:
        """Make the queue for timer events that the function failed on; only they are invoked without a waiting caller."""
        if not any(isinstance(event, TimerEvent) for event in self.spec.events):
            return None
        queue = sqs.Queue(
            self,
            "DeadLetters",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=cdk.Duration.days(14),
        )
        acknowledge(queue, "It is the dead-letter queue.", "AwsSolutions-SQS3", "Serverless-SQSRedrivePolicy")
        return queue

    def _held_versions(self) -> list[lambda_.VersionWeight] | None:
        """Give the version that keeps the rest of the traffic, where a weight is held by hand."""
        rollout = self.spec.rollout
        if rollout.strategy is not Strategy.MANUAL or rollout.weight is None or rollout.weight >= 1:
            return None
        if rollout.previous_version is None:
            message = f"{self.spec.name}: a weight of {rollout.weight} needs the previous_version that keeps the rest"
            raise SpecError(message)
        previous = lambda_.Version.from_version_attributes(
            self, "Previous", lambda_=self.function, version=rollout.previous_version
        )
        return [lambda_.VersionWeight(version=previous, weight=round(1 - rollout.weight, 6))]
