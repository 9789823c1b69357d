"""How versions take over: strategy, hooks, alarms that roll back, and what stays when a rollout is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cdk.service import Strategy
from tests.support.cloud import text

if TYPE_CHECKING:
    from tests.infrastructure.conftest import Synth
    from tests.support.cloud import Assembly, Resource, Template


def alias(template: Template, name: str) -> Resource:
    function = next(
        key
        for key, value in template.of_type("AWS::Lambda::Function").items()
        if value["Properties"]["FunctionName"].endswith(f"-{name}")
    )
    return template.one("AWS::Lambda::Alias", FunctionName={"Ref": function})[1]


def alias_of(template: Template, stage: str, name: str) -> dict[str, Any]:
    function, _ = template.one("AWS::Lambda::Function", FunctionName=f"trending-now-{stage}-{name}")
    found: dict[str, Any] = template.one("AWS::Lambda::Alias", FunctionName={"Ref": function})[1][
        "Properties"
    ]
    return found


def group(template: Template, name: str) -> dict[str, Any]:
    found: dict[str, Any] = template.one(
        "AWS::CodeDeploy::DeploymentGroup", DeploymentGroupName=f"trending-now-staging-{name}"
    )[1]["Properties"]
    return found


def test_every_rollout_of_the_real_spec_is_stopped_by_the_alarms_of_its_own_version(
    production: Assembly,
) -> None:
    template = production.template("service")
    for spec in production.spec.functions:
        assert spec.rollout.strategy is not Strategy.MANUAL
        properties = template.one(
            "AWS::CodeDeploy::DeploymentGroup", DeploymentGroupName=f"trending-now-production-{spec.name}"
        )[1]["Properties"]
        assert properties["AutoRollbackConfiguration"] == {
            "Enabled": True,
            "Events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_REQUEST", "DEPLOYMENT_STOP_ON_ALARM"],
        }
        assert properties["AlarmConfiguration"]["Enabled"]
        alarms = [
            template.resources[alarm["Name"]["Ref"]] for alarm in properties["AlarmConfiguration"]["Alarms"]
        ]
        # CodeDeploy finds metric alarms only, and ten of them at most.
        assert {alarm["Type"] for alarm in alarms} == {"AWS::CloudWatch::Alarm"}
        assert len(alarms) <= 10
        kinds = {
            "p99",
            "errors",
            *(["failures"] if spec.routes else []),
            *(a.name for a in spec.version_alarms),
        }
        prefix = f"trending-now-production-{spec.name}-version"
        assert {alarm["Properties"]["AlarmName"] for alarm in alarms} == {
            f"{prefix}-{kind}" for kind in kinds
        }


def test_one_error_stops_the_rollout_of_a_function_that_is_seldom_invoked(production: Assembly) -> None:
    template = production.template("service")
    functions = {spec.name: spec for spec in production.spec.functions}
    assert [name for name, spec in functions.items() if not spec.routes] == ["uploads", "enrichment-worker"]
    for name, spec in functions.items():
        _, alarm = template.one(
            "AWS::CloudWatch::Alarm", AlarmName=f"trending-now-production-{name}-version-errors"
        )
        properties = alarm["Properties"]
        if spec.routes:
            assert properties["Threshold"] == spec.rollout.max_error_rate
            assert "Metrics" in properties
            continue
        found = {key: properties[key] for key in ("Namespace", "MetricName", "Statistic", "Threshold")}
        assert found == {
            "Namespace": "AWS/Lambda",
            "MetricName": "Errors",
            "Statistic": "Sum",
            "Threshold": 0,
        }
        assert properties["ComparisonOperator"] == "GreaterThanThreshold"
        dimensions = {entry["Name"]: entry["Value"] for entry in properties["Dimensions"]}
        assert dimensions["ExecutedVersion"] == alias_of(template, "production", name)["FunctionVersion"]


def test_every_function_of_the_real_spec_answers_something_before_it_gets_traffic(
    production: Assembly,
) -> None:
    template = production.template("service")
    asked = {
        hook["Properties"]["FunctionName"]: hook["Properties"]["Environment"]["Variables"]["GOLDEN"]
        for hook in template.of_type("AWS::Lambda::Function").values()
        if hook["Properties"].get("Handler") == "functions.hooks.handler.handler"
    }
    assert asked == {
        f"trending-now-production-{spec.name}-{moment}": spec.name
        for spec in production.spec.functions
        for moment in ("before", "after")
    }


def test_the_alarms_of_a_rollout_watch_the_version_that_takes_over(every_feature: Assembly) -> None:
    template = every_feature.template("service")
    version = alias(template, "trending")["Properties"]["FunctionVersion"]
    _, p99 = template.one("AWS::CloudWatch::Alarm", AlarmName="trending-now-staging-trending-version-p99")
    dimensions = {entry["Name"]: entry["Value"] for entry in p99["Properties"]["Dimensions"]}
    assert dimensions["ExecutedVersion"] == version
    assert dimensions["Resource"] == "trending-now-staging-trending:live"
    assert p99["Properties"]["Threshold"] == 800
    _, errors = template.one(
        "AWS::CloudWatch::Alarm", AlarmName="trending-now-staging-trending-version-errors"
    )
    assert errors["Properties"]["Threshold"] == 0.05
    for query in errors["Properties"]["Metrics"]:
        if "MetricStat" in query:
            found = {entry["Name"]: entry["Value"] for entry in query["MetricStat"]["Metric"]["Dimensions"]}
            assert found["ExecutedVersion"] == version
    assert errors["Properties"]["TreatMissingData"] == "notBreaching"
    _, composite = template.one(
        "AWS::CloudWatch::CompositeAlarm", AlarmName="trending-now-staging-trending-version-canary"
    )
    rule = text(composite["Properties"]["AlarmRule"])
    assert rule == (
        '(ALARM("<AlarmsTrendingVersionP99.Arn>") OR ALARM("<AlarmsTrendingVersionErrors.Arn>")'
        ' OR ALARM("<AlarmsTrendingVersionFailures.Arn>") OR ALARM("<AlarmsTrendingVersionStale.Arn>"))'
    )
    stale = template.one("AWS::CloudWatch::Alarm", AlarmName="trending-now-staging-trending-version-stale")[1]
    metrics = {q["Id"]: q["MetricStat"] for q in stale["Properties"]["Metrics"] if "MetricStat" in q}
    assert {key: stat["Metric"]["MetricName"] for key, stat in metrics.items()} == {
        "part": "StaleItems",
        "whole": "Items",
    }
    for stat in metrics.values():
        # Every minute, whatever the alarm of the whole function takes: a canary lasts five.
        assert stat["Period"] == 60
        found = {entry["Name"]: entry["Value"] for entry in stat["Metric"]["Dimensions"]}
        assert found == {
            "service": "trending",
            "function_name": "trending-now-staging-trending",
            "function_version": version,
        }


def test_the_hooks_ask_the_new_version_before_and_the_alias_after(every_feature: Assembly) -> None:
    template = every_feature.template("service")
    update = alias(template, "trending")["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
    hooks = {
        key: template.resources[update[key]["Ref"]]["Properties"] for key in update if key.endswith("Hook")
    }
    before, after = hooks["BeforeAllowTrafficHook"], hooks["AfterAllowTrafficHook"]
    assert text(before["Environment"]["Variables"]["TARGET_ARN"]) == "<TrendingFunctionCurrentVersion>"
    assert text(after["Environment"]["Variables"]["TARGET_ARN"]).endswith(
        ":function:trending-now-staging-trending:live"
    )
    # CodeDeploy watches no composite alarm, so the hook after the shift asks for it.
    composite, _ = template.one(
        "AWS::CloudWatch::CompositeAlarm", AlarmName="trending-now-staging-trending-version-canary"
    )
    assert after["Environment"]["Variables"]["CANARY_ALARM"] == {"Ref": composite}
    assert "CANARY_ALARM" not in before["Environment"]["Variables"]
    for properties in (before, after):
        assert properties["Environment"]["Variables"]["GOLDEN"] == "trending"
        assert properties["Environment"]["Variables"]["MAX_P99_MS"] == "800"
        assert properties["Handler"] == "functions.hooks.handler.handler"


def test_strategies_become_codedeploy_configurations(every_feature: Assembly) -> None:
    template = every_feature.template("service")
    configs = {
        name: group(template, name)["DeploymentConfigName"]
        for name in ("classification", "uploads", "trending")
    }
    assert configs["uploads"] == "CodeDeployDefault.LambdaAllAtOnce"
    assert configs["trending"] == "CodeDeployDefault.LambdaCanary10Percent15Minutes"
    custom = template.resources[configs["classification"]["Ref"]]["Properties"]
    assert custom["TrafficRoutingConfig"] == {
        "Type": "TimeBasedLinear",
        "TimeBasedLinear": {"LinearInterval": 7, "LinearPercentage": 20},
    }


def test_a_weight_held_by_hand_has_no_codedeploy(every_feature: Assembly) -> None:
    found = alias(every_feature.template("service"), "enrichment")
    assert "UpdatePolicy" not in found
    (other,) = found["Properties"]["RoutingConfig"]["AdditionalVersionWeights"]
    assert other["FunctionWeight"] == 0.9
    assert text(other["FunctionVersion"]) == "3"


def test_versions_outlive_their_deployment(production: Assembly) -> None:
    versions = production.template("service").of_type("AWS::Lambda::Version")
    assert versions
    assert {(v["DeletionPolicy"], v["UpdateReplacePolicy"]) for v in versions.values()} == {
        ("Retain", "Retain")
    }


def test_snap_start_is_the_other_warm_up(every_feature: Assembly) -> None:
    template = every_feature.template("service")
    _, function = template.one("AWS::Lambda::Function", FunctionName="trending-now-staging-classification")
    assert function["Properties"]["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    assert "ProvisionedConcurrencyConfig" not in alias(template, "classification")["Properties"]


def test_the_emulated_stage_leaves_out_what_emulators_reject(synth: Synth) -> None:
    assembly = synth("dev", emulated=True)
    kinds = {resource["Type"] for template in assembly.stacks() for resource in template.resources.values()}
    assert not [k for k in kinds if k.startswith(("AWS::CodeDeploy", "AWS::ApplicationAutoScaling"))]
    alarms = assembly.template("service").of_type("AWS::CloudWatch::Alarm")
    assert alarms
    assert not [name for name, alarm in alarms.items() if "Metrics" in alarm["Properties"]]
    assert "AWS::Lambda::Alias" in kinds
