"""The stack of provisioned concurrency, apart from the functions, so that no deployment changes a version and a number.

It holds no version and the service's stack no number: an edit of one leaves the other's template as it is. Deployed
together, this one waits until the service's has ended, which is when CodeDeploy has moved every alias.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_sns as sns

from cdk.constructs.alarms import Alarms
from cdk.constructs.scaling import scale
from cdk.constructs.topic import topic_name

if TYPE_CHECKING:
    from constructs import Construct

    from cdk.service import Service


class WarmupStack(cdk.Stack):
    """Provisioned concurrency of one stage, and the alarm for where it does not suffice."""

    def __init__(self, scope: Construct, id_: str, *, env: cdk.Environment, service: Service) -> None:
        super().__init__(
            scope,
            id_,
            env=env,
            description=f"Trending Now, {service.stage}: provisioned concurrency",
            termination_protection=service.protected,
        )
        # By name instead of by reference: the template stays the same whatever the service's stack does.
        arn = self.format_arn(service="sns", resource=topic_name(service.stage))
        alarms = Alarms(
            self,
            "Alarms",
            stage=service.stage,
            namespace=service.metrics_namespace,
            topic=sns.Topic.from_topic_arn(self, "Topic", arn),
        )
        for function in service.functions:
            if function.warmup.provisioned:
                scale(self, function, stage=service.stage)
                alarms.watch_spillover(function.name)
