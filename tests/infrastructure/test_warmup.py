"""Provisioned concurrency lives apart from the versions: no deployment of one stack can change both."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from cdk.service import Schedule, Warmup, service
from tests.support.cloud import Assembly, context, project, synthesise, text

if TYPE_CHECKING:
    from pathlib import Path

    from tests.infrastructure.conftest import Synth
    from tests.support.cloud import Template

STAGES = ["dev", "staging", "production"]
SCALING = "AWS::ApplicationAutoScaling::"


def at_production() -> dict[str, Any]:
    """Give the context of the fixture ``production``."""
    return context("production", repository="acme/trending-now", alarm_email="ops@example.com")


def changed(before: Template, after: Template) -> dict[str, str]:
    """Give type by logical id of every resource that is not the same in both."""
    return {
        key: (after.resources.get(key) or before.resources[key])["Type"]
        for key in {*before.resources, *after.resources}
        if before.resources.get(key) != after.resources.get(key)
    }


def after_an_edit(tmp_path: Path, file: str) -> Assembly:
    """Synthesise production from a project in which one file is not what it was."""
    root = project(tmp_path / "project")
    path = root / file
    path.write_text(path.read_text() + "# edited\n")
    return synthesise(tmp_path / "out", root, at_production())


@pytest.mark.parametrize("stage", STAGES)
def test_the_functions_stack_knows_no_number_and_the_other_no_version(synth: Synth, stage: str) -> None:
    assembly = synth(stage)
    warm = {function.name for function in assembly.spec.functions if function.warmup.provisioned}
    running = assembly.template("service")
    for kind in ("AWS::Lambda::Alias", "AWS::Lambda::Version"):
        for resource in running.of_type(kind).values():
            assert "ProvisionedConcurrencyConfig" not in resource["Properties"]
    assert not [r for r in running.resources.values() if r["Type"].startswith(SCALING)]
    if not warm:
        assert not list(assembly.folder.glob("*warmup.template.json"))
        return
    template = assembly.template("warmup")
    kinds = {resource["Type"] for resource in template.resources.values()}
    assert kinds <= {f"{SCALING}ScalableTarget", f"{SCALING}ScalingPolicy", "AWS::CloudWatch::Alarm"}
    # No reference to another stack: its template cannot change with theirs.
    assert "Fn::ImportValue" not in str(template.body)
    targets = template.of_type(f"{SCALING}ScalableTarget").values()
    assert {target["Properties"]["ResourceId"] for target in targets} == {
        f"function:trending-now-{stage}-{name}:live" for name in warm
    }


def test_a_new_version_changes_no_number(production: Assembly, tmp_path: Path) -> None:
    edited = after_an_edit(tmp_path, "functions/classification/handler.py")
    kinds = changed(production.template("service"), edited.template("service")).values()
    assert {"AWS::Lambda::Version", "AWS::Lambda::Alias"} <= set(kinds)
    assert edited.template("warmup").body == production.template("warmup").body


@pytest.mark.parametrize(
    "warmup",
    [
        Warmup(provisioned=3),
        Warmup(provisioned=2, provisioned_max=40, target_utilization=0.5),
        Warmup(
            provisioned=2,
            provisioned_max=20,
            schedules=(Schedule(name="noon", at="cron(0 11 * * ? *)", minimum=9, maximum=20),),
        ),
    ],
)
def test_a_new_number_changes_no_version(
    production: Assembly, root: Path, tmp_path: Path, warmup: Warmup
) -> None:
    real = service("production")
    functions = tuple(
        replace(f, warmup=warmup) if f.name in {"classification", "trending"} else f for f in real.functions
    )
    other = synthesise(tmp_path, root, at_production(), replace(real, functions=functions))
    assert other.template("service").body == production.template("service").body
    assert changed(production.template("warmup"), other.template("warmup"))


def test_the_number_waits_until_the_rollouts_have_ended(production: Assembly) -> None:
    # A stack that another depends on is deployed to its end first, and its end is CodeDeploy's.
    import json  # noqa: PLC0415

    manifest: dict[str, Any] = json.loads((production.folder / "manifest.json").read_text())
    assert (
        "trending-now-production-service"
        in manifest["artifacts"]["trending-now-production-warmup"]["dependencies"]
    )


def test_changing_one_function_changes_one_function(production: Assembly, tmp_path: Path) -> None:
    edited = after_an_edit(tmp_path, "functions/trending/handler.py")
    found = changed(production.template("service"), edited.template("service"))
    # The dashboard and the alarms name the version that is new; nothing else in the stack has changed.
    assert {key for key, kind in found.items() if not key.startswith(("Trending", "AlarmsTrending"))} == {
        key for key, kind in found.items() if kind == "AWS::CloudWatch::Dashboard"
    }
    assert [kind for kind in found.values() if kind == "AWS::Lambda::Alias"] == ["AWS::Lambda::Alias"]
    for name in ("data", "delivery", "account", "warmup"):
        assert edited.template(name).body == production.template(name).body, name


def test_provisioned_concurrency_follows_load_and_clock(every_feature: Assembly) -> None:
    template = every_feature.template("warmup")
    target = template.one(f"{SCALING}ScalableTarget")[1]["Properties"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 10)
    assert target["ResourceId"] == "function:trending-now-staging-trending:live"
    assert target["ScalableDimension"] == "lambda:function:ProvisionedConcurrency"
    assert text(target["RoleARN"]) == (
        "arn:<AWS::Partition>:iam::<AWS::AccountId>:role/aws-service-role/lambda.application-autoscaling.amazonaws.com/"
        "AWSServiceRoleForApplicationAutoScaling_LambdaConcurrency"
    )
    (action,) = target["ScheduledActions"]
    assert action["Schedule"] == "cron(0 17 * * ? *)"
    assert action["Timezone"] == "Europe/Berlin"
    assert action["ScalableTargetAction"] == {"MinCapacity": 4, "MaxCapacity": 20}
    policy = template.one(f"{SCALING}ScalingPolicy")[1]["Properties"]
    tracking = policy["TargetTrackingScalingPolicyConfiguration"]
    assert tracking["TargetValue"] == 0.6
    assert tracking["PredefinedMetricSpecification"] == {
        "PredefinedMetricType": "LambdaProvisionedConcurrencyUtilization"
    }


def test_a_fixed_number_is_a_target_that_cannot_move(synth: Synth) -> None:
    template = synth("staging").template("warmup")
    target = template.one(f"{SCALING}ScalableTarget")[1]["Properties"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 1)
    assert not template.of_type(f"{SCALING}ScalingPolicy")


@pytest.mark.parametrize("stage", ["staging", "production"])
def test_callers_who_find_every_warm_environment_taken_are_noticed(synth: Synth, stage: str) -> None:
    assembly = synth(stage)
    alarm = assembly.template("warmup").one(
        "AWS::CloudWatch::Alarm", AlarmName=f"trending-now-{stage}-classification-spillover"
    )[1]["Properties"]
    assert alarm["MetricName"] == "ProvisionedConcurrencySpilloverInvocations"
    assert {entry["Name"]: entry["Value"] for entry in alarm["Dimensions"]} == {
        "FunctionName": f"trending-now-{stage}-classification",
        "Resource": f"trending-now-{stage}-classification:live",
    }
    (action,) = alarm["AlarmActions"]
    topic = assembly.template("service").one("AWS::SNS::Topic")[1]["Properties"]["TopicName"]
    assert text(action).endswith(f":{topic}")
