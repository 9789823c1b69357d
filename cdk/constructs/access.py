"""The statements that a function's grants become, and the environment variables that tell it what it may use.

Actions are written out here instead of taken from the CDK's ``grant_*`` helpers, which allow more than the code calls
(``Scan``, ``DescribeTable``, ``DeleteObject*`` ...).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from cdk.constructs.acknowledge import acknowledge
from cdk.constructs.data import bucket_name
from cdk.constructs.function import alias_arn, physical_name, state_machine_arn

if TYPE_CHECKING:
    from cdk.constructs.data import Data
    from cdk.constructs.function import ServiceFunction
    from cdk.service import Grant

TABLE_READ: Final = ("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query")
TABLE_WRITE: Final = ("dynamodb:PutItem", "dynamodb:UpdateItem")
"""A transaction needs the actions of its parts, and theirs are these two.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html"""
TABLE_ADD: Final = ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem")
"""To look at single rows, and to write them on conditions: no query, no deletion."""
TABLE_DELETE: Final = ("dynamodb:DeleteItem",)
_TABLE: Final = {"read": TABLE_READ, "write": TABLE_WRITE, "add": TABLE_ADD, "delete": TABLE_DELETE}
BUCKET_READ: Final = ("s3:GetObject", "s3:GetObjectVersion")
BUCKET_WRITE: Final = ("s3:AbortMultipartUpload", "s3:PutObject")

OBJECT_REASON: Final = (
    "The wildcard covers the objects of this one bucket: their keys are made by those who upload."
)


def give(function: ServiceFunction, grant: Grant, data: Data, stage: str) -> None:
    """Add one grant of the spec to the function's role and environment."""
    role, lambda_function, can = function.role, function.function, set(grant.can)
    stack = cdk.Stack.of(function)
    if table := data.tables.get(grant.to):
        actions = {action for word in can for action in _TABLE[word]}
        indexes = (
            [f"{table.table_arn}/index/{name}" for name in data.indexes[grant.to]] if "read" in can else []
        )
        _allow(role, sorted(actions), [table.table_arn, *indexes])
        lambda_function.add_environment(grant.variable, table.table_name)
    elif bucket := data.buckets.get(grant.to):
        arn = stack.format_arn(service="s3", region="", account="", resource=bucket_name(stage, grant.to))
        objects = f"{arn}/*"
        read = [objects] if "read" in can else []
        written = [f"{arn}/{prefix}*" for prefix in grant.under or ("",)] if "write" in can else []
        if read:
            _allow(role, [*BUCKET_READ], read)
            # Without it S3 answers 403 instead of 404 for a key that is not there.
            _allow(role, ["s3:ListBucket"], [arn])
        if written:
            _allow(role, [*BUCKET_WRITE], written)
        for place in dict.fromkeys([*read, *written]):
            acknowledge(role, OBJECT_REASON, f"AwsSolutions-IAM5[Resource::{finding(stack, place)}]")
        lambda_function.add_environment(grant.variable, bucket.bucket_name)
    elif queue := data.queues.get(grant.to):
        target = data.dead_letters[grant.to] if "bury" in can else queue
        _allow(role, ["sqs:SendMessage"], [target.queue_arn])
        lambda_function.add_environment(grant.variable, target.queue_url)
    elif secret := data.secrets.get(grant.to):
        # The full ARN would be a reference with six random characters; the role names exactly this secret by it.
        _allow(role, ["secretsmanager:GetSecretValue"], [secret.secret_arn])
        lambda_function.add_environment(grant.variable, secret.secret_arn)
    elif "start" in can:
        arn = state_machine_arn(stack, physical_name(stage, grant.to))
        _allow(role, ["states:StartExecution"], [arn])
        lambda_function.add_environment(grant.variable, arn)
    else:
        arn = alias_arn(stack, stage, grant.to)
        _allow(role, ["lambda:InvokeFunction"], [arn])
        lambda_function.add_environment(grant.variable, arn)


def finding(stack: cdk.Stack, arn: str) -> str:
    """Write an ARN the way cdk-nag names it in a finding, pseudo-parameters in angle brackets."""
    resolved = stack.resolve(arn)
    if isinstance(resolved, str):
        return resolved
    parts = resolved["Fn::Join"][1]
    return "".join(part if isinstance(part, str) else f"<{part['Ref']}>" for part in parts)


def _allow(role: iam.Role, actions: list[str], resources: list[str]) -> None:
    role.add_to_policy(iam.PolicyStatement(actions=actions, resources=resources))
