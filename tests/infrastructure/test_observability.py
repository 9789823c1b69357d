"""Alarms ring somewhere, mean something, and the page of the documentation knows each of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cdk.app import ROOT
from tests.support.cloud import text

if TYPE_CHECKING:
    from tests.infrastructure.conftest import Synth
    from tests.support.cloud import Assembly, Template

GUIDE = ROOT / "docs" / "operations" / "aws.md"


def alarms(template: Template) -> dict[str, dict[str, Any]]:
    return {
        alarm["Properties"]["AlarmName"]: alarm["Properties"]
        for kind in ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
        for alarm in template.of_type(kind).values()
    }


@pytest.mark.parametrize("stage", ["dev", "staging", "production"])
def test_each_function_is_watched_on_its_alias(synth: Synth, stage: str) -> None:
    assembly = synth(stage)
    found = alarms(assembly.template("service"))
    for spec in assembly.spec.functions:
        prefix = f"trending-now-{stage}-{spec.name}"
        assert {f"{prefix}-errors", f"{prefix}-p99", f"{prefix}-throttles"} <= found.keys()
        assert found[f"{prefix}-p99"]["Threshold"] == spec.rollout.max_p99_ms
        assert found[f"{prefix}-errors"]["Threshold"] == spec.rollout.max_error_rate
        dimensions = {entry["Name"]: text(entry["Value"]) for entry in found[f"{prefix}-p99"]["Dimensions"]}
        assert dimensions["Resource"].endswith(":live")
        assert "ExecutedVersion" not in dimensions
        for own in spec.alarms:
            assert found[f"{prefix}-{own.name}"]["Threshold"] == own.threshold
    for queue in assembly.spec.queues:
        assert found[f"trending-now-{stage}-{queue.name}-dead-letters"]["Threshold"] == 0
        assert f"trending-now-{stage}-{queue.name}-age" in found


def test_the_worker_of_the_queue_is_watched_like_the_route(production: Assembly) -> None:
    found = alarms(production.template("service"))
    for kind in ("fallbacks", "breaker", "version-fallbacks", "version-breaker"):
        route, worker = (
            found[f"trending-now-production-{name}-{kind}"] for name in ("enrichment", "enrichment-worker")
        )
        assert (route["Threshold"], route["AlarmDescription"]) == (
            worker["Threshold"],
            worker["AlarmDescription"],
        )
        assert "enrichment-worker" in str(worker.get("Dimensions") or worker["Metrics"])


def test_alarms_of_the_alias_tell_people_and_those_of_a_version_only_codedeploy(production: Assembly) -> None:
    template = production.template("service")
    (topic,) = template.of_type("AWS::SNS::Topic")
    for name, alarm in alarms(template).items():
        tells = {"Ref": topic} in alarm.get("AlarmActions", [])
        assert tells is (name.endswith("-canary") or "-version-" not in name), name
    _, subscription = template.one("AWS::SNS::Subscription")
    assert subscription["Properties"]["Endpoint"] == "ops@example.com"


def test_the_topic_takes_messages_of_this_accounts_alarms_and_over_tls_only(production: Assembly) -> None:
    template = production.template("service")
    _, policy = template.one("AWS::SNS::TopicPolicy")
    by_effect = {s["Effect"]: s for s in policy["Properties"]["PolicyDocument"]["Statement"]}
    assert by_effect["Deny"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    allow = by_effect["Allow"]
    assert allow["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert allow["Action"] == "sns:Publish"
    assert allow["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_the_topic_is_encrypted_with_a_key_that_alarms_can_use(production: Assembly) -> None:
    template = production.template("service")
    _, key = template.one("AWS::KMS::Key")
    assert key["Properties"]["EnableKeyRotation"] is True
    assert text(template.one("AWS::SNS::Topic")[1]["Properties"]["KmsMasterKeyId"]).endswith(".Arn>")
    (publish,) = [
        statement
        for statement in key["Properties"]["KeyPolicy"]["Statement"]
        if statement.get("Sid") == "CloudWatchAlarmsPublish"
    ]
    assert publish["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert publish["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]


def test_a_functions_own_metrics_are_watched_as_the_spec_says(every_feature: Assembly) -> None:
    found = alarms(every_feature.template("service"))
    breaker = found["trending-now-staging-enrichment-breaker"]
    assert breaker["Namespace"] == "TrendingNow/staging"
    assert breaker["MetricName"] == "LlmBreakerOpen"
    assert breaker["Statistic"] == "Maximum"
    assert breaker["Dimensions"] == [{"Name": "service", "Value": "enrichment"}]
    share = {query["Id"]: query for query in found["trending-now-staging-enrichment-fallbacks"]["Metrics"]}
    assert share["part"]["MetricStat"]["Metric"]["MetricName"] == "Fallbacks"
    assert share["whole"]["MetricStat"]["Metric"]["MetricName"] == "Enriched"
    (expression,) = [query["Expression"] for query in share.values() if "Expression" in query]
    assert expression == "IF(whole >= 5, part / whole, 0)"


def test_the_dashboard_shows_every_function_and_its_executed_version(production: Assembly) -> None:
    _, board = production.template("service").one("AWS::CloudWatch::Dashboard")
    widgets = json.loads(text(board["Properties"]["DashboardBody"]))["widgets"]
    titles = [widget["properties"]["title"] for widget in widgets]
    for spec in production.spec.functions:
        assert f"{spec.name}: duration (ms)" in titles
    drawn = json.dumps(widgets)
    assert "ExecutedVersion" in drawn
    assert "ProvisionedConcurrencyUtilization" in drawn


@pytest.mark.parametrize("stage", ["dev", "staging", "production"])
def test_an_alarm_says_what_it_means_and_what_to_do_and_the_guide_says_the_same(
    synth: Synth, stage: str
) -> None:
    guide = GUIDE.read_text()
    assembly = synth(stage)
    names = [spec.name for spec in assembly.spec.functions] + [queue.name for queue in assembly.spec.queues]
    found = [alarm for template in assembly.stacks() for alarm in alarms(template).items()]
    assert found
    for alarm, properties in found:
        kind = alarm.removeprefix(f"trending-now-{stage}-")
        for name in sorted(names, key=len, reverse=True):
            kind = kind.removeprefix(f"{name}-")
        says, to_do, do = properties["AlarmDescription"].partition(" To do: ")
        assert to_do, alarm
        assert f"| `{kind}` | {says} | {do} |" in guide, alarm


def test_the_guide_says_what_each_role_may_do(production: Assembly) -> None:
    guide = GUIDE.read_text()
    for spec in production.spec.functions:
        assert f"| `{spec.name}` |" in guide, spec.name
