"""What an account has once, whatever its stages: GitHub's identity provider, and the role API Gateway logs with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam

from cdk.constructs.acknowledge import acknowledge
from cdk.constructs.github import AUDIENCE, ISSUER

if TYPE_CHECKING:
    from constructs import Construct

LOG_ACTIONS = (
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:DescribeLogGroups",
    "logs:DescribeLogStreams",
    "logs:FilterLogEvents",
    "logs:GetLogEvents",
    "logs:PutLogEvents",
)
"""What API Gateway asks of the role before it accepts it.
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html"""


class AccountStack(cdk.Stack):
    """Deployed once per account and region, before the first stage."""

    def __init__(self, scope: Construct, id_: str, *, env: cdk.Environment, github: bool) -> None:
        super().__init__(scope, id_, env=env, description="Trending Now: settings of the account")
        if github:
            iam.OidcProviderNative(
                self,
                "Github",
                url=f"https://{ISSUER}",
                client_ids=[AUDIENCE],
                removal_policy=cdk.RemovalPolicy.RETAIN,
            )
        role = iam.Role(
            self,
            "GatewayLogs",
            assumed_by=iam.ServicePrincipal("apigateway.amazonaws.com"),
            description="API Gateway writes its logs",
            inline_policies={
                "logs": iam.PolicyDocument(
                    statements=[iam.PolicyStatement(actions=list(LOG_ACTIONS), resources=["*"])]
                )
            },
        )
        acknowledge(
            role,
            "API Gateway refuses a logging role that cannot reach every log group of the account.",
            "AwsSolutions-IAM5[Resource::*]",
        )
        account = apigateway.CfnAccount(self, "Gateway", cloud_watch_role_arn=role.role_arn)
        account.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
