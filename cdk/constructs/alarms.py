"""What is watched, and who is told. Every alarm's meaning and remedy stands in docs/operations/aws.md under its name.

Two kinds look alike and are not: an alarm of the *alias* watches what callers get and tells people; an alarm of the
*executed version* watches only the version a rollout moves to and tells CodeDeploy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from cdk.constructs.acknowledge import acknowledge
from cdk.constructs.function import ALIAS, physical_name
from cdk.service import METRICS_NAMESPACE

if TYPE_CHECKING:
    from aws_cdk import aws_sqs as sqs

    from cdk.constructs.function import ServiceFunction
    from cdk.service import MetricAlarm

MIN_INVOCATIONS: Final = 5
"""Fewer invocations in a minute say nothing about a rate: one failure of one call is no share of errors."""

MAX_AGE_S: Final = 900
"""A message that has waited a quarter of an hour is not being worked on."""


class Alarms(Construct):
    """The topic that people subscribe to, and the alarms that publish to it.

    Parameters
    ----------
    emulated : bool
        Leave out alarms on metric expressions, which emulators reject.
    """

    def __init__(self, scope: Construct, id_: str, *, stage: str, emulated: bool, email: str | None) -> None:
        super().__init__(scope, id_)
        self._stage = stage
        self._emulated = emulated
        key = kms.Key(
            self,
            "Key",
            enable_key_rotation=True,
            removal_policy=cdk.RemovalPolicy.DESTROY,
            description="Alarm messages",
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
        self.topic = sns.Topic(
            self, "Topic", topic_name=f"trending-now-{stage}-alarms", master_key=key, enforce_ssl=True
        )
        # A policy of one's own (TLS only) replaces the default one, with which alarms of the account could publish.
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="CloudWatchAlarmsPublish",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID}},
            )
        )
        if email:
            self.topic.add_subscription(subscriptions.EmailSubscription(email))
            acknowledge(
                self.topic,
                "A mail that cannot be delivered is nothing that a queue could deliver later.",
                "Serverless-SNSRedrivePolicy",
            )

    def watch_alias(self, function: ServiceFunction) -> None:
        """Alarms on what callers of ``live`` get: error rate, p99, throttles, spill-over, and the function's own."""
        spec = function.spec
        dimensions = _lambda_dimensions(function, f"{function.function.function_name}:{ALIAS}")
        self._rate(spec.name, dimensions, spec.rollout.max_error_rate, periods=5, of=3)
        self.alarm(
            f"{spec.name}-p99",
            _metric("Duration", "p99", dimensions),
            threshold=spec.rollout.max_p99_ms,
            periods=5,
            of=3,
        )
        self.alarm(f"{spec.name}-throttles", _metric("Throttles", "Sum", dimensions), 0)
        if spec.warmup.provisioned:
            self.alarm(
                f"{spec.name}-spillover",
                _metric(
                    "ProvisionedConcurrencySpilloverInvocations",
                    "Sum",
                    dimensions,
                ),
                threshold=0,
                periods=5,
                of=3,
            )
        for own in spec.alarms:
            self._own(spec.name, own)

    def watch_version(self, function: ServiceFunction) -> list[cloudwatch.AlarmBase]:
        """Alarms on the version that a rollout moves to, and their composite; they stop CodeDeploy, not people.

        Lambda reports ``ExecutedVersion`` while an alias points at two versions, so these ring during a rollout only.
        The resource's name is written out: a reference to the alias would close a cycle, because the alias waits for
        the deployment group and the group for its alarms.
        https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
        """
        rollout, name = function.spec.rollout, f"{function.spec.name}-version"
        resource = f"{physical_name(self._stage, function.spec.name)}:{ALIAS}"
        dimensions = {**_lambda_dimensions(function, resource), "ExecutedVersion": function.version.version}
        members = [
            self.alarm(
                f"{name}-p99",
                _metric("Duration", "p99", dimensions),
                threshold=rollout.max_p99_ms,
                periods=3,
                of=2,
                tell=False,
            )
        ]
        rate = self._rate(name, dimensions, rollout.max_error_rate, tell=False)
        if rate is not None:
            members.append(rate)
        if function.spec.routes and not self._emulated:
            members.append(self._failed_answers(function, name, dimensions))
        composite = cloudwatch.CompositeAlarm(
            self,
            _id(f"{name}-canary"),
            composite_alarm_name=f"trending-now-{self._stage}-{name}-canary",
            alarm_description="The version that a rollout moves to fails or is slow.",
            alarm_rule=cloudwatch.AlarmRule.any_of(*members),
        )
        composite.add_alarm_action(actions.SnsAction(self.topic))
        return [composite, *members]

    def watch_queue(self, name: str, queue: sqs.IQueue, dead_letters: sqs.IQueue) -> None:
        """Alarms on a queue's age and on anything in its dead-letter queue."""
        self.watch_dead_letters(name, dead_letters)
        self.alarm(
            f"{name}-age",
            queue.metric_approximate_age_of_oldest_message(
                statistic="Maximum", period=cdk.Duration.minutes(1)
            ),
            threshold=MAX_AGE_S,
            periods=5,
        )

    def watch_dead_letters(self, name: str, queue: sqs.IQueue) -> None:
        """Alarm on anything in a dead-letter queue."""
        metric = queue.metric_approximate_number_of_messages_visible(
            statistic="Maximum", period=cdk.Duration.minutes(1)
        )
        self.alarm(f"{name}-dead-letters", metric, threshold=0)

    def alarm(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        threshold: float,
        periods: int = 1,
        of: int | None = None,
        *,
        tell: bool = True,
    ) -> cloudwatch.Alarm:
        """Ring when ``metric`` lies above ``threshold`` in ``of`` of ``periods``; no data is no alarm."""
        alarm = cloudwatch.Alarm(
            self,
            _id(name),
            alarm_name=f"trending-now-{self._stage}-{name}",
            alarm_description=f"See {name.rsplit('-', 1)[-1]!r} in docs/operations/aws.md.",
            metric=metric,
            threshold=threshold,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=periods,
            datapoints_to_alarm=of or periods,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        if tell:
            alarm.add_alarm_action(actions.SnsAction(self.topic))
            alarm.add_ok_action(actions.SnsAction(self.topic))
        return alarm

    def _rate(
        self,
        name: str,
        dimensions: dict[str, str],
        threshold: float,
        *,
        periods: int = 1,
        of: int = 1,
        tell: bool = True,
    ) -> cloudwatch.Alarm | None:
        if self._emulated:
            return None
        share = cloudwatch.MathExpression(
            expression=f"IF(invocations >= {MIN_INVOCATIONS}, errors / invocations, 0)",
            using_metrics={
                "errors": _metric("Errors", "Sum", dimensions),
                "invocations": _metric("Invocations", "Sum", dimensions),
            },
            label="share of failed invocations",
            period=cdk.Duration.minutes(1),
        )
        return self.alarm(f"{name}-errors", share, threshold, periods, of, tell=tell)

    def _failed_answers(
        self, function: ServiceFunction, name: str, dimensions: dict[str, str]
    ) -> cloudwatch.Alarm:
        """Alarm on a version's 5xx answers, which Lambda does not count as errors (`count_failed_answer`).

        An alarm of its own instead of a term in the error rate: where nothing failed there is no such metric, and a
        missing term would silence the whole expression.
        """
        answers = cloudwatch.Metric(
            namespace=METRICS_NAMESPACE,
            metric_name="FailedAnswers",
            dimensions_map={
                "service": function.spec.name,
                "function_name": physical_name(self._stage, function.spec.name),
                "function_version": function.version.version,
            },
            statistic="Sum",
            period=cdk.Duration.minutes(1),
        )
        share = cloudwatch.MathExpression(
            expression=f"IF(invocations >= {MIN_INVOCATIONS}, answers / invocations, 0)",
            using_metrics={
                "answers": answers,
                "invocations": _metric("Invocations", "Sum", dimensions),
            },
            label="share of 5xx answers",
            period=cdk.Duration.minutes(1),
        )
        return self.alarm(f"{name}-failures", share, function.spec.rollout.max_error_rate, tell=False)

    def _own(self, function: str, own: MetricAlarm) -> None:
        metric = _own_metric(own.metric, function, own)
        if own.per is None:
            self.alarm(f"{function}-{own.name}", metric, own.threshold)
        elif not self._emulated:
            share = cloudwatch.MathExpression(
                expression=f"IF(whole >= {MIN_INVOCATIONS}, part / whole, 0)",
                using_metrics={"part": metric, "whole": _own_metric(own.per, function, own)},
                label=f"{own.metric} / {own.per}",
                period=cdk.Duration.minutes(own.minutes),
            )
            self.alarm(f"{function}-{own.name}", share, own.threshold)


def _own_metric(name: str, function: str, own: MetricAlarm) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=METRICS_NAMESPACE,
        metric_name=name,
        dimensions_map={"service": function, **dict(own.dimensions)},
        statistic=own.statistic,
        period=cdk.Duration.minutes(own.minutes),
    )


def _lambda_dimensions(function: ServiceFunction, resource: str) -> dict[str, str]:
    return {"FunctionName": function.function.function_name, "Resource": resource}


def _metric(name: str, statistic: str, dimensions: dict[str, str]) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace="AWS/Lambda",
        metric_name=name,
        dimensions_map=dimensions,
        statistic=statistic,
        period=cdk.Duration.minutes(1),
    )


def _id(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("-"))
