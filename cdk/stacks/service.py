"""The stack of what runs: functions, their rollouts, the API in front, and the alarms around."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
from aws_cdk import aws_codedeploy as codedeploy

from cdk.constructs import access, events
from cdk.constructs.alarms import Alarms
from cdk.constructs.api import Api
from cdk.constructs.dashboard import dashboard
from cdk.constructs.function import ServiceFunction
from cdk.constructs.rollout import FunctionRollout
from cdk.constructs.scaling import scale
from cdk.service import QueueEvent, Strategy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from constructs import Construct

    from cdk.constructs.data import Data
    from cdk.service import Service
    from cdk.stacks.place import Place


class ServiceStack(cdk.Stack):
    """The functions of one stage.

    Parameters
    ----------
    root : Path
        The project's root: the images' build context.
    document : mapping
        The OpenAPI document, whose request schemas the gateway checks.
    emulated : bool
        Leave out what emulators reject: CodeDeploy, Application Auto Scaling, alarms on metric expressions.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        env: cdk.Environment,
        service: Service,
        place: Place,
        data: Data,
        root: Path,
        document: Mapping[str, Any],
        emulated: bool,
    ) -> None:
        super().__init__(scope, id_, env=env, description=f"Trending Now, {service.stage}: functions and API")
        self.functions = {
            spec.name: ServiceFunction(
                self,
                "".join(part.capitalize() for part in spec.name.split("-")),
                spec=spec,
                stage=service.stage,
                root=root,
                log_days=service.log_days,
                keep_logs=service.protected,
            )
            for spec in service.functions
        }
        alarms = Alarms(self, "Alarms", stage=service.stage, emulated=emulated, email=place.alarm_email)
        application = None
        for function in self.functions.values():
            for grant in function.spec.grants:
                access.give(function, grant, data, service.stage)
            for event in function.spec.events:
                if isinstance(event, QueueEvent):
                    events.read_queue(function, event, data.queues[event.queue])
                else:
                    events.ring(function, event)
            alarms.watch_alias(function)
            if function.dead_letters:
                alarms.watch_dead_letters(function.spec.name, function.dead_letters)
            if emulated:
                continue
            scale(function.alias, function.spec.warmup)
            if function.spec.rollout.strategy is Strategy.MANUAL:
                continue
            application = application or codedeploy.LambdaApplication(
                self, "Rollouts", application_name=f"trending-now-{service.stage}"
            )
            FunctionRollout(
                self,
                f"{function.node.id}Rollout",
                target=function,
                application=application,
                alarms=alarms.watch_version(function),
                stage=service.stage,
                root=root,
                log_days=service.log_days,
            )
        for name, queue in data.queues.items():
            alarms.watch_queue(name, queue, data.dead_letters[name])
        api = Api(self, "Api", service=service, place=place, functions=self.functions, document=document)
        alarms.alarm(
            "api-5xx",
            api.rest.metric_server_error(statistic="Average", period=cdk.Duration.minutes(1)),
            threshold=0.01,
            periods=5,
            of=3,
        )
        dashboard(
            self,
            name=f"trending-now-{service.stage}",
            api=api.rest,
            functions=self.functions.values(),
            data=data,
        )
        cdk.CfnOutput(self, "Url", value=api.url, description="Where the API answers")
