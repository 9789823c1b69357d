"""The topic that people subscribe to, encrypted, and open to the alarms of this account only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions

from cdk.constructs.acknowledge import acknowledge

if TYPE_CHECKING:
    from constructs import Construct


def topic_name(stage: str) -> str:
    """Name of a stage's topic; known before it exists, so that another stack's alarms need no reference."""
    return f"trending-now-{stage}-alarms"


def alarm_topic(scope: Construct, *, stage: str, email: str | None) -> sns.Topic:
    """Make the topic and its key; ``email`` is subscribed, and confirms that by hand."""
    key = kms.Key(
        scope,
        "Key",
        enable_key_rotation=True,
        removal_policy=cdk.RemovalPolicy.DESTROY,
        description=f"Alarm messages of Trending Now, {stage}",
    )
    key.add_to_resource_policy(
        iam.PolicyStatement(
            sid="CloudWatchAlarmsPublish",
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            actions=["kms:Decrypt", "kms:GenerateDataKey*"],
            resources=["*"],
            conditions={"StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID}},
        )
    )
    topic = sns.Topic(scope, "Topic", topic_name=topic_name(stage), master_key=key, enforce_ssl=True)
    # A policy of one's own (TLS only) replaces the default one, with which alarms of the account could publish.
    topic.add_to_resource_policy(
        iam.PolicyStatement(
            sid="CloudWatchAlarmsPublish",
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            actions=["sns:Publish"],
            resources=[topic.topic_arn],
            conditions={"StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID}},
        )
    )
    if email:
        topic.add_subscription(subscriptions.EmailSubscription(email))
        acknowledge(
            topic,
            "A mail that cannot be delivered is nothing that a queue could deliver later.",
            "Serverless-SNSRedrivePolicy",
        )
    return topic
