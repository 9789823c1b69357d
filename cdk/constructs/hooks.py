"""The functions that CodeDeploy calls before traffic moves and after: they send golden requests and report.

The code lies in ``functions/hooks``; it needs nothing but the runtime's own boto3, so it is a ZIP and no fourth image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk.constructs.acknowledge import acknowledge
from cdk.constructs.function import function_role, log_group, physical_name
from cdk.constructs.images import ignore_patterns
from cdk.service import SpecError

if TYPE_CHECKING:
    from pathlib import Path

    from aws_cdk import aws_cloudwatch as cloudwatch

    from cdk.constructs.function import ServiceFunction

TIMEOUT_S = 300
MEMORY_MB = 256

Moment = Literal["before", "after"]


class GoldenHook(Construct):
    """One hook of one function's rollout.

    Parameters
    ----------
    alarm : aws_cloudwatch.CompositeAlarm or None
        Must be quiet for the hook to succeed.

    Attributes
    ----------
    function : aws_lambda.Function
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        target: ServiceFunction,
        target_arn: str,
        stage: str,
        moment: Moment,
        root: Path,
        log_days: int,
        alarm: cloudwatch.CompositeAlarm | None = None,
    ) -> None:
        super().__init__(scope, id_)
        rollout = target.spec.rollout
        golden = root / "functions" / "hooks" / "golden" / f"{rollout.golden}.json"
        if not golden.is_file():
            message = (
                f"{target.spec.name}: golden requests {rollout.golden!r} are not in functions/hooks/golden"
            )
            raise SpecError(message)
        name = f"{physical_name(stage, target.spec.name)}-{moment}"
        group = log_group(self, name, days=log_days, keep=False)
        role = function_role(self, group, f"What the hook {name} may do")
        role.add_to_policy(
            iam.PolicyStatement(sid="Golden", actions=["lambda:InvokeFunction"], resources=[target_arn])
        )
        if alarm:
            # The state of a composite alarm is told only to those who may read all alarms.
            role.add_to_policy(
                iam.PolicyStatement(sid="Alarm", actions=["cloudwatch:DescribeAlarms"], resources=["*"])
            )
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=name,
            runtime=lambda_.Runtime.PYTHON_3_14,
            handler="functions.hooks.handler.handler",
            code=lambda_.Code.from_asset(
                str(root),
                exclude=ignore_patterns(("functions/__init__.py", "functions/hooks")),
                ignore_mode=cdk.IgnoreMode.DOCKER,
            ),
            architecture=lambda_.Architecture.ARM_64,
            memory_size=MEMORY_MB,
            timeout=cdk.Duration.seconds(TIMEOUT_S),
            tracing=lambda_.Tracing.ACTIVE,
            log_group=group,
            role=role,
            environment={
                "TARGET_ARN": target_arn,
                "GOLDEN": str(rollout.golden),
                "MAX_P99_MS": str(rollout.max_p99_ms),
                # A reference: the alarm has to be there before a rollout asks for it.
                **({"CANARY_ALARM": alarm.alarm_name} if alarm else {}),
            },
        )
        acknowledge(
            self.function,
            "CodeDeploy waits for the hook's report and fails the rollout without one: a lost event is seen there.",
            "Serverless-LambdaDLQ",
        )
