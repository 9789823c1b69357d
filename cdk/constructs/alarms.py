"""What is watched. Each alarm's description says what it means and what to do (`cdk.constructs.meanings`).

Two kinds look alike and are not: an alarm of the *alias* watches what callers get and tells people; an alarm of the
*executed version* watches only the version a rollout moves to and tells CodeDeploy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from constructs import Construct

from cdk.constructs import meanings
from cdk.constructs.meanings import MEANINGS
from cdk.constructs.metrics import (
    alias_dimensions,
    lambda_metric,
    own_dimensions,
    own_metric,
    own_version_dimensions,
    share,
    version_dimensions,
)

if TYPE_CHECKING:
    from aws_cdk import aws_apigateway as apigateway
    from aws_cdk import aws_sns as sns
    from aws_cdk import aws_sqs as sqs

    from cdk.constructs.function import ServiceFunction
    from cdk.constructs.meanings import Meaning
    from cdk.service import MetricAlarm

MAX_AGE_S: Final = 900
"""A message that has waited a quarter of an hour is not being worked on."""
MAX_API_FAILURES: Final = 0.01


@dataclass(frozen=True, slots=True)
class VersionAlarms:
    """What judges a version during its rollout.

    Parameters
    ----------
    members : list of aws_cloudwatch.Alarm
        For the deployment group, which takes metric alarms only: CodeDeploy asks for its alarms without saying of which
        type, which finds no composite one, and stops a deployment whose alarm it cannot find.
        https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
    composite : aws_cloudwatch.CompositeAlarm
        Any of the members: for people, and for the hook that asks once more when all traffic has moved.
    """

    members: list[cloudwatch.Alarm]
    composite: cloudwatch.CompositeAlarm


class Alarms(Construct):
    """Alarms of one stack, which publish to ``topic``.

    Parameters
    ----------
    namespace : str
        CloudWatch namespace of the functions' own metrics.
    emulated : bool
        Leave out alarms on metric expressions, which emulators reject.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        stage: str,
        namespace: str,
        topic: sns.ITopic,
        emulated: bool = False,
    ) -> None:
        super().__init__(scope, id_)
        self._stage = stage
        self._namespace = namespace
        self._topic = topic
        self._emulated = emulated

    def watch_alias(self, function: ServiceFunction) -> None:
        """Alarms on what callers of ``live`` get: error rate, p99, throttles, and the function's own."""
        spec = function.spec
        dimensions = alias_dimensions(self._stage, spec.name)
        if not self._emulated:
            self._add(
                f"{spec.name}-errors",
                MEANINGS["errors"],
                _error_share(dimensions),
                spec.rollout.max_error_rate,
                3,
                5,
            )
        p99 = lambda_metric("Duration", "p99", dimensions)
        self._add(f"{spec.name}-p99", MEANINGS["p99"], p99, spec.rollout.max_p99_ms, 3, 5)
        throttles = lambda_metric("Throttles", "Sum", dimensions)
        self._add(f"{spec.name}-throttles", MEANINGS["throttles"], throttles, 0)
        for own in spec.alarms:
            if own.per is None or not self._emulated:
                metric = self._own(own, own_dimensions(spec.name, own), own.minutes)
                self._add(f"{spec.name}-{own.name}", meanings.own(own), metric, own.threshold)

    def watch_spillover(self, name: str) -> None:
        """Alarm on callers who found every provisioned environment of a function taken."""
        metric = lambda_metric(
            "ProvisionedConcurrencySpilloverInvocations", "Sum", alias_dimensions(self._stage, name)
        )
        self._add(f"{name}-spillover", MEANINGS["spillover"], metric, 0, 3, 5)

    def watch_version(self, function: ServiceFunction) -> VersionAlarms:
        """Alarms on the version that a rollout moves to: they stop CodeDeploy, and one composite of them tells people.

        Lambda reports ``ExecutedVersion`` while an alias points at two versions, so these ring during a rollout only.
        The resource's name is written out: a reference to the alias would close a cycle, because the alias waits for
        the deployment group and the group for its alarms.
        https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
        """
        rollout, name = function.spec.rollout, f"{function.spec.name}-version"
        dimensions = version_dimensions(self._stage, function)
        p99 = lambda_metric("Duration", "p99", dimensions)
        if function.spec.routes:
            errors: cloudwatch.IMetric = _error_share(dimensions)
            meaning, limit = MEANINGS["version-errors"], rollout.max_error_rate
        else:  # queues and timers invoke too seldom for a share that means anything
            errors = lambda_metric("Errors", "Sum", dimensions)
            meaning, limit = MEANINGS["version-any-error"], 0.0
        members = [
            self._add(f"{name}-p99", MEANINGS["version-p99"], p99, rollout.max_p99_ms, 2, 3, tell=False),
            self._add(f"{name}-errors", meaning, errors, limit, tell=False),
        ]
        own_version = own_version_dimensions(self._stage, function)
        if function.spec.routes:
            # An alarm of its own instead of a term in the error rate: where nothing failed there is no such metric, and
            # a missing term would silence the whole expression.
            answers = own_metric(self._namespace, "FailedAnswers", own_version)
            failures = share(answers, lambda_metric("Invocations", "Sum", dimensions), "share of 5xx answers")
            members.append(
                self._add(
                    f"{name}-failures",
                    MEANINGS["version-failures"],
                    failures,
                    rollout.max_error_rate,
                    tell=False,
                )
            )
        for own in function.spec.version_alarms:
            metric = self._own(own, {**own_version, **dict(own.dimensions)}, 1)
            meaning = meanings.own_version(own)
            members.append(self._add(f"{name}-{own.name}", meaning, metric, own.threshold, tell=False))
        composite = cloudwatch.CompositeAlarm(
            self,
            _id(f"{name}-canary"),
            composite_alarm_name=f"trending-now-{self._stage}-{name}-canary",
            alarm_description=MEANINGS["version-canary"].text,
            alarm_rule=cloudwatch.AlarmRule.any_of(*members),
        )
        composite.add_alarm_action(actions.SnsAction(self._topic))
        return VersionAlarms(members, composite)

    def watch_queue(self, name: str, queue: sqs.IQueue, dead_letters: sqs.IQueue) -> None:
        """Alarms on a queue's age and on anything in its dead-letter queue."""
        self.watch_dead_letters(name, dead_letters)
        age = queue.metric_approximate_age_of_oldest_message(
            statistic="Maximum", period=cdk.Duration.minutes(1)
        )
        self._add(f"{name}-age", MEANINGS["age"], age, MAX_AGE_S, 5, 5)

    def watch_dead_letters(self, name: str, queue: sqs.IQueue) -> None:
        """Alarm on anything in a dead-letter queue."""
        metric = queue.metric_approximate_number_of_messages_visible(
            statistic="Maximum", period=cdk.Duration.minutes(1)
        )
        self._add(f"{name}-dead-letters", MEANINGS["dead-letters"], metric, 0)

    def watch_api(self, api: apigateway.RestApi) -> None:
        """Alarm on the share of 5xx answers, the gateway's own among them."""
        metric = api.metric_server_error(statistic="Average", period=cdk.Duration.minutes(1))
        self._add("api-5xx", MEANINGS["api-5xx"], metric, MAX_API_FAILURES, 3, 5)

    def _own(self, own: MetricAlarm, dimensions: dict[str, str], minutes: int) -> cloudwatch.IMetric:
        metric = own_metric(self._namespace, own.metric, dimensions, statistic=own.statistic, minutes=minutes)
        if own.per is None:
            return metric
        whole = own_metric(self._namespace, own.per, dimensions, minutes=minutes)
        return share(metric, whole, f"{own.metric} / {own.per}", minutes=minutes)

    def _add(
        self,
        name: str,
        meaning: Meaning,
        metric: cloudwatch.IMetric,
        threshold: float,
        breaching: int = 1,
        periods: int = 1,
        *,
        tell: bool = True,
    ) -> cloudwatch.Alarm:
        """Ring when ``metric`` lies above ``threshold`` in ``breaching`` of ``periods``; no data is no alarm."""
        alarm = cloudwatch.Alarm(
            self,
            _id(name),
            alarm_name=f"trending-now-{self._stage}-{name}",
            alarm_description=meaning.text,
            metric=metric,
            threshold=threshold,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=periods,
            datapoints_to_alarm=breaching,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        if tell:
            alarm.add_alarm_action(actions.SnsAction(self._topic))
            alarm.add_ok_action(actions.SnsAction(self._topic))
        return alarm


def _error_share(dimensions: dict[str, str]) -> cloudwatch.MathExpression:
    return share(
        lambda_metric("Errors", "Sum", dimensions),
        lambda_metric("Invocations", "Sum", dimensions),
        "share of failed invocations",
    )


def _id(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("-"))
