"""CodeDeploy moves the alias ``live``: strategy, hooks, alarms that roll back, and a role that can do just that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aws_cdk as cdk
from aws_cdk import aws_codedeploy as codedeploy
from aws_cdk import aws_iam as iam
from constructs import Construct

from cdk.constructs.acknowledge import acknowledge
from cdk.constructs.function import alias_arn, physical_name
from cdk.constructs.hooks import GoldenHook
from cdk.service import SpecError, Strategy

if TYPE_CHECKING:
    from pathlib import Path

    from cdk.constructs.alarms import VersionAlarms
    from cdk.constructs.function import ServiceFunction
    from cdk.service import Rollout

_CONFIG: Final = codedeploy.LambdaDeploymentConfig
PREDEFINED: Final = {
    (Strategy.CANARY, 10, 5): _CONFIG.CANARY_10_PERCENT_5_MINUTES,
    (Strategy.CANARY, 10, 10): _CONFIG.CANARY_10_PERCENT_10_MINUTES,
    (Strategy.CANARY, 10, 15): _CONFIG.CANARY_10_PERCENT_15_MINUTES,
    (Strategy.CANARY, 10, 30): _CONFIG.CANARY_10_PERCENT_30_MINUTES,
    (Strategy.LINEAR, 10, 1): _CONFIG.LINEAR_10_PERCENT_EVERY_1_MINUTE,
    (Strategy.LINEAR, 10, 2): _CONFIG.LINEAR_10_PERCENT_EVERY_2_MINUTES,
    (Strategy.LINEAR, 10, 3): _CONFIG.LINEAR_10_PERCENT_EVERY_3_MINUTES,
    (Strategy.LINEAR, 10, 10): _CONFIG.LINEAR_10_PERCENT_EVERY_10_MINUTES,
}
"""The strategies that CodeDeploy brings; any other percent and interval becomes a configuration of our own."""


class FunctionRollout(Construct):
    """One function's deployment group.

    Parameters
    ----------
    alarms : VersionAlarms
        Any of the members stops the shift and rolls back; their composite fails the hook after it.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        target: ServiceFunction,
        application: codedeploy.ILambdaApplication,
        alarms: VersionAlarms,
        stage: str,
        root: Path,
        log_days: int,
    ) -> None:
        super().__init__(scope, id_)
        spec = target.spec
        if spec.rollout.strategy is Strategy.MANUAL:
            message = f"{spec.name}: a weight held by hand and CodeDeploy exclude each other on one alias"
            raise SpecError(message)
        stack, name = cdk.Stack.of(self), physical_name(stage, spec.name)
        role = self._role(
            stack, name, alias_arn(stack, stage, spec.name), hooks=spec.rollout.golden is not None
        )
        self.group = codedeploy.LambdaDeploymentGroup(
            self,
            "Group",
            application=application,
            deployment_group_name=name,
            alias=target.alias,
            # Without this the CDK would attach AWSCodeDeployRoleForLambdaLimited, which may touch every function.
            role=role.without_policy_updates(),
            deployment_config=self._config(spec.rollout),
            alarms=[*alarms.members],
            auto_rollback=codedeploy.AutoRollbackConfig(
                failed_deployment=True, stopped_deployment=True, deployment_in_alarm=True
            ),
        )
        if spec.rollout.golden is None:
            return
        before = GoldenHook(
            self,
            "Before",
            target=target,
            target_arn=target.version.function_arn,
            stage=stage,
            moment="before",
            root=root,
            log_days=log_days,
        )
        after = GoldenHook(
            self,
            "After",
            target=target,
            target_arn=alias_arn(stack, stage, spec.name),
            stage=stage,
            moment="after",
            root=root,
            log_days=log_days,
            alarm=alarms.composite,
        )
        self.group.add_pre_hook(before.function)
        self.group.add_post_hook(after.function)

    def _role(self, stack: cdk.Stack, name: str, alias: str, *, hooks: bool) -> iam.Role:
        statements = [
            iam.PolicyStatement(sid="Alarms", actions=["cloudwatch:DescribeAlarms"], resources=["*"]),
            iam.PolicyStatement(
                sid="Alias",
                actions=["lambda:GetAlias", "lambda:GetProvisionedConcurrencyConfig", "lambda:UpdateAlias"],
                resources=[alias.rsplit(":", 1)[0], alias],
            ),
        ]
        if hooks:
            # Names, not references: the hooks' own roles wait for the deployment group.
            arns = [
                stack.format_arn(
                    service="lambda",
                    resource="function",
                    resource_name=f"{name}-{moment}",
                    arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
                )
                for moment in ("before", "after")
            ]
            statements.append(
                iam.PolicyStatement(sid="Hooks", actions=["lambda:InvokeFunction"], resources=arns)
            )
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("codedeploy.amazonaws.com"),
            description=f"How CodeDeploy moves {name}:live",
            inline_policies={"rollout": iam.PolicyDocument(statements=statements)},
        )
        acknowledge(
            role,
            "DescribeAlarms knows no resource: AWS allows it on * only.",
            "AwsSolutions-IAM5[Resource::*]",
        )
        return role

    def _config(self, rollout: Rollout) -> codedeploy.ILambdaDeploymentConfig:
        if rollout.strategy is Strategy.ALL_AT_ONCE:
            return _CONFIG.ALL_AT_ONCE
        if known := PREDEFINED.get((rollout.strategy, rollout.percent, rollout.interval_minutes)):
            return known
        interval = cdk.Duration.minutes(rollout.interval_minutes)
        if rollout.strategy is Strategy.CANARY:
            routing = codedeploy.TrafficRouting.time_based_canary(
                interval=interval, percentage=rollout.percent
            )
        else:
            routing = codedeploy.TrafficRouting.time_based_linear(
                interval=interval, percentage=rollout.percent
            )
        return codedeploy.LambdaDeploymentConfig(self, "Config", traffic_routing=routing)
