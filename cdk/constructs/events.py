"""What invokes a function besides a request: messages of a queue, and the clock. Always through the alias."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets

from cdk.constructs.acknowledge import acknowledge

if TYPE_CHECKING:
    from aws_cdk import aws_sqs as sqs

    from cdk.constructs.function import ServiceFunction
    from cdk.service import QueueEvent, TimerEvent


def read_queue(function: ServiceFunction, event: QueueEvent, queue: sqs.IQueue) -> None:
    """Let a queue's messages invoke ``live``; failed ones return to the queue one by one."""
    function.role.add_to_policy(
        iam.PolicyStatement(
            actions=[
                "sqs:ChangeMessageVisibility",
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                "sqs:ReceiveMessage",
            ],
            resources=[queue.queue_arn],
        )
    )
    mapping = lambda_.EventSourceMapping(
        function,
        f"From{queue.node.id}",
        target=function.alias,
        event_source_arn=queue.queue_arn,
        batch_size=event.batch_size,
        max_concurrency=event.max_concurrency,
        report_batch_item_failures=True,
    )
    mapping.node.add_dependency(function.role)
    acknowledge(
        mapping,
        "A message that fails too often goes to the queue's own dead-letter queue; SQS takes no other destination.",
        "Serverless-LambdaEventSourceMappingDestination",
    )


def ring(function: ServiceFunction, event: TimerEvent) -> None:
    """Let EventBridge Scheduler invoke ``live``, with its own role and two retries; what it cannot deliver is kept."""
    identity = "Timer" + "".join(part.capitalize() for part in event.name.split("-"))
    role = iam.Role(
        function,
        f"{identity}Role",
        assumed_by=iam.ServicePrincipal(
            "scheduler.amazonaws.com",
            conditions={"StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID}},
        ),
        description=f"May invoke {function.spec.name}:live at {event.name}",
    )
    role.add_to_policy(
        iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[function.alias.function_arn])
    )
    if function.dead_letters:
        role.add_to_policy(
            iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[function.dead_letters.queue_arn])
        )
    scheduler.Schedule(
        function,
        identity,
        schedule=scheduler.ScheduleExpression.expression(event.at, cdk.TimeZone.ETC_UTC),
        target=targets.LambdaInvoke(
            function.alias,
            role=role.without_policy_updates(),
            retry_attempts=2,
            max_event_age=cdk.Duration.hours(1),
            dead_letter_queue=function.dead_letters,
        ),
    )
