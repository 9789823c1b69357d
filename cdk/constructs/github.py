"""The role that a GitHub workflow takes to deploy one stage: no key, one repository, one environment."""

from __future__ import annotations

from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

ISSUER: Final = "token.actions.githubusercontent.com"
AUDIENCE: Final = "sts.amazonaws.com"
BOOTSTRAP_ROLES: Final = ("deploy", "file-publishing", "image-publishing", "lookup")
"""Roles of ``cdk bootstrap`` that a deployment takes; the rights to make resources stay with CloudFormation's own.
https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html"""


class GithubRole(Construct):
    """May take the bootstrap roles of this account and region, and nothing else."""

    def __init__(self, scope: Construct, id_: str, *, name: str, repository: str, environment: str) -> None:
        super().__init__(scope, id_)
        stack = cdk.Stack.of(self)
        provider = stack.format_arn(service="iam", region="", resource="oidc-provider", resource_name=ISSUER)
        role = iam.Role(
            self,
            "Role",
            role_name=name,
            description=f"Deploys from {repository}, environment {environment}",
            max_session_duration=cdk.Duration.hours(1),
            assumed_by=iam.FederatedPrincipal(
                provider,
                {
                    "StringEquals": {
                        f"{ISSUER}:aud": AUDIENCE,
                        f"{ISSUER}:sub": f"repo:{repository}:environment:{environment}",
                    }
                },
                "sts:AssumeRoleWithWebIdentity",
            ),
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["sts:AssumeRole"],
                resources=[
                    stack.format_arn(
                        service="iam",
                        region="",
                        resource="role",
                        resource_name=f"cdk-hnb659fds-{kind}-role-{cdk.Aws.ACCOUNT_ID}-{cdk.Aws.REGION}",
                    )
                    for kind in BOOTSTRAP_ROLES
                ],
            )
        )
        cdk.CfnOutput(
            self, "RoleArn", value=role.role_arn, description="AWS_ROLE_ARN of the GitHub environment"
        )
