"""The stack of what runs: functions, their rollouts, the API in front, and the alarms around."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
from aws_cdk import aws_codedeploy as codedeploy
from constructs import Construct

from cdk.constructs import access, events
from cdk.constructs.alarms import Alarms
from cdk.constructs.api import Api
from cdk.constructs.dashboard import dashboard
from cdk.constructs.function import ServiceFunction
from cdk.constructs.rollout import FunctionRollout
from cdk.constructs.state_machine import StateMachine
from cdk.constructs.topic import alarm_topic
from cdk.service import QueueEvent, Strategy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

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
        super().__init__(
            scope,
            id_,
            env=env,
            description=f"Trending Now, {service.stage}: functions and API",
            termination_protection=service.protected,
        )
        self.functions = {
            spec.name: ServiceFunction(
                self,
                "".join(part.capitalize() for part in spec.name.split("-")),
                spec=spec,
                environment=service.environment(spec),
                stage=service.stage,
                root=root,
                log_days=service.log_days,
                keep_logs=service.protected,
            )
            for spec in service.functions
        }
        topic = alarm_topic(Construct(self, "Notices"), stage=service.stage, email=place.alarm_email)
        alarms = Alarms(
            self,
            "Alarms",
            stage=service.stage,
            namespace=service.metrics_namespace,
            topic=topic,
            emulated=emulated,
        )
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
            if emulated or function.spec.rollout.strategy is Strategy.MANUAL:
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
        for machine in service.state_machines:
            StateMachine(
                self,
                "".join(part.capitalize() for part in machine.name.split("-")),
                spec=machine,
                service=service,
            )
        for name, queue in data.queues.items():
            alarms.watch_queue(name, queue, data.dead_letters[name])
        api = Api(self, "Api", service=service, place=place, functions=self.functions, document=document)
        alarms.watch_api(api.rest)
        board = f"trending-now-{service.stage}"
        dashboard(
            self, name=board, api=api.rest, service=service, functions=self.functions.values(), data=data
        )
        cdk.CfnOutput(self, "Url", value=api.url, description="Where the API answers")
        cdk.CfnOutput(
            self,
            "DashboardUrl",
            value=f"https://{self.region}.console.{self.url_suffix}/cloudwatch/home?region={self.region}#dashboards:name={board}",
            description="What callers get, on one page",
        )
        cdk.CfnOutput(
            self, "AlarmTopic", value=topic.topic_arn, description="Subscribe here to be told of alarms"
        )
        if api.first_key_id:
            cdk.CfnOutput(
                self,
                "ApiKeyId",
                value=api.first_key_id,
                description="Its value: aws apigateway get-api-key --include-value --api-key <this>",
            )
