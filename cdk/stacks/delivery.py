"""The stack that lets a GitHub workflow deploy one stage; an administrator deploys it once, by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk

from cdk.constructs.github import GithubRole

if TYPE_CHECKING:
    from constructs import Construct


class DeliveryStack(cdk.Stack):
    """The deployment role of one stage."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        env: cdk.Environment,
        stage: str,
        repository: str,
        environment: str,
    ) -> None:
        super().__init__(scope, id_, env=env, description=f"Trending Now, {stage}: deployment role")
        GithubRole(
            self,
            "Github",
            name=f"trending-now-{stage}-deploy",
            repository=repository,
            environment=environment,
        )
