"""The state machine for large uploads on AWS: its definition from the spec, its log group, and a role that may do nothing else.

ARNs are written out instead of referenced: the function is told the state machine's, and the state machine the function's.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from cdk.constructs.access import finding
from cdk.constructs.acknowledge import acknowledge
from cdk.constructs.data import bucket_name
from cdk.constructs.function import alias_arn, log_retention, physical_name, state_machine_arn
from cdk.service.upload_map import BATCHES, LABEL

if TYPE_CHECKING:
    from cdk.service import Service, UploadMap

DELIVERY_REASON = (
    "Step Functions sets up the delivery of its logs and writes to X-Ray with actions that know no resource."
)
LISTS_REASON = (
    "The lists of batches lie under one prefix of one bucket; their keys are made of uploads' hashes."
)
CHILDREN_REASON = (
    "The child executions of this one state machine: their names are drawn when they are started."
)


class StateMachine(Construct):
    """One state machine of the spec.

    Attributes
    ----------
    machine : aws_stepfunctions.StateMachine
    role : aws_iam.Role
    """

    def __init__(self, scope: Construct, id_: str, *, spec: UploadMap, service: Service) -> None:
        super().__init__(scope, id_)
        stack, name = cdk.Stack.of(self), physical_name(service.stage, spec.name)
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal(
                "states.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID}},
            ),
            description=f"What {name} may do",
        )
        function_arn = alias_arn(stack, service.stage, spec.function)
        bucket = bucket_name(service.stage, spec.bucket)
        self._allow(
            function_arn, stack.format_arn(service="s3", region="", account="", resource=bucket), name
        )
        group = logs.LogGroup(
            self,
            "Logs",
            # The prefix keeps the number of policies on log deliveries down, as AWS asks for.
            log_group_name=f"/aws/vendedlogs/states/{name}",
            retention=log_retention(service.log_days),
            removal_policy=cdk.RemovalPolicy.RETAIN if service.protected else cdk.RemovalPolicy.DESTROY,
        )
        definition = spec.definition(
            function_arn=function_arn,
            function_timeout_s=service.function(spec.function).timeout_s,
            bucket=bucket,
        )
        self.machine = sfn.StateMachine(
            self,
            "Machine",
            state_machine_name=name,
            # Not the CDK's own JSON, which leaves out what is null, and null means something here.
            definition_body=sfn.DefinitionBody.from_string(json.dumps(definition)),
            role=self.role,
            logs=sfn.LogOptions(destination=group, level=sfn.LogLevel.ALL, include_execution_data=False),
            tracing_enabled=True,
        )
        acknowledge(self.role, DELIVERY_REASON, "AwsSolutions-IAM5[Resource::*]")

    def _allow(self, function_arn: str, bucket_arn: str, name: str) -> None:
        """Allow what a Distributed Map needs, on this state machine alone.

        https://docs.aws.amazon.com/step-functions/latest/dg/iam-policies-eg-dist-map.html
        """
        stack = cdk.Stack.of(self)
        lists = f"{bucket_arn}/{BATCHES}*"
        executions = stack.format_arn(
            service="states",
            resource="execution",
            resource_name=name,
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )
        children = [f"{executions}:*", f"{executions}/{LABEL}:*"]
        for actions, resources in (
            (["lambda:InvokeFunction"], [function_arn]),
            (["s3:GetObject"], [lists]),
            (["states:StartExecution"], [state_machine_arn(stack, name)]),
            (["states:DescribeExecution", "states:StopExecution"], children),
        ):
            self.role.add_to_policy(iam.PolicyStatement(actions=actions, resources=resources))
        acknowledge(self.role, LISTS_REASON, f"AwsSolutions-IAM5[Resource::{finding(stack, lists)}]")
        rules = (f"AwsSolutions-IAM5[Resource::{finding(stack, arn)}]" for arn in children)
        acknowledge(self.role, CHILDREN_REASON, *rules)
