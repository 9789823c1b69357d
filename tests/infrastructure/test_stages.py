"""Each stage's stacks as a whole: no warning, no cycle, no unexplained finding, and data that is kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cdk.app import ROOT, build
from cdk.service import Service, SpecError
from tests.support.cloud import Assembly, context, cycle, synthesise

if TYPE_CHECKING:
    from pathlib import Path

    from tests.infrastructure.conftest import Synth

STAGES = ["dev", "staging", "production"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_synthesised_without_a_warning(synth: Synth, stage: str) -> None:
    # An unacknowledged finding of cdk-nag would already have stopped the synth.
    assert synth(stage).messages() == []


@pytest.mark.parametrize("stage", STAGES)
def test_no_stack_depends_on_itself(synth: Synth, stage: str) -> None:
    for template in synth(stage).stacks():
        assert cycle(template) == [], template.name


def test_no_feature_closes_a_cycle(every_feature: Assembly) -> None:
    assert every_feature.messages() == []
    assert [cycle(template) for template in every_feature.stacks()] == [[]] * len(every_feature.stacks())


def test_a_finding_that_nobody_acknowledged_stops_the_synth(root: Path, tmp_path: Path) -> None:
    import aws_cdk as cdk  # noqa: PLC0415 -- starts Node
    from aws_cdk import aws_sqs as sqs  # noqa: PLC0415

    app = build(
        context=context("dev"),
        outdir=tmp_path,
        root=root,
        spec=Service(stage="dev", functions=()),
        document={},
    )
    sqs.Queue(cdk.Stack(app, "careless"), "WithoutDeadLetters")
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()


def test_a_finding_cannot_be_acknowledged_without_a_reason() -> None:
    import aws_cdk as cdk  # noqa: PLC0415 -- starts Node

    from cdk.constructs.acknowledge import acknowledge  # noqa: PLC0415

    stack = cdk.Stack(cdk.App(analytics_reporting=False), "stack")
    with pytest.raises(ValueError, match=r"^stack: AwsSolutions-S1 cannot be acknowledged without a reason$"):
        acknowledge(stack, " ", "AwsSolutions-S1")


@pytest.mark.parametrize(("stage", "kept"), [("production", True), ("staging", False)])
def test_only_production_keeps_its_data_when_the_stack_goes(synth: Synth, stage: str, kept: bool) -> None:
    template = synth(stage).template("data")
    for kind in (
        "AWS::DynamoDB::GlobalTable",
        "AWS::S3::Bucket",
        "AWS::SQS::Queue",
        "AWS::SecretsManager::Secret",
    ):
        for name, resource in template.of_type(kind).items():
            assert resource["DeletionPolicy"] == ("Retain" if kept else "Delete"), name
    for table in template.of_type("AWS::DynamoDB::GlobalTable").values():
        assert [replica["DeletionProtectionEnabled"] for replica in table["Properties"]["Replicas"]] == [kept]


@pytest.mark.parametrize("stage", STAGES)
def test_only_productions_stacks_are_protected_against_deletion(synth: Synth, stage: str) -> None:
    assembly = synth(stage)
    manifest = json.loads((assembly.folder / "manifest.json").read_text())
    protected = {
        name
        for name, artifact in manifest["artifacts"].items()
        if artifact["type"] == "aws:cloudformation:stack"
        and artifact["properties"].get("terminationProtection")
    }
    stacks = {f"trending-now-production-{part}" for part in ("data", "service", "warmup")}
    assert protected == (stacks if stage == "production" else set())


@pytest.mark.parametrize("stage", STAGES)
def test_what_costs_is_tagged_and_what_stages_share_with_no_stage(synth: Synth, stage: str) -> None:
    kinds = {
        "AWS::Lambda::Function",
        "AWS::S3::Bucket",
        "AWS::SQS::Queue",
        "AWS::Logs::LogGroup",
        "AWS::ApiGateway::Stage",
        "AWS::IAM::Role",
        "AWS::KMS::Key",
        "AWS::CloudWatch::Alarm",
    }
    seen = set()
    for template in synth(stage).stacks():
        wanted = {"project": "trending-now"} | ({"stage": stage} if stage in template.name else {})
        for name, resource in template.resources.items():
            if resource["Type"] in kinds:
                seen.add(resource["Type"])
                tags = {tag["Key"]: tag["Value"] for tag in resource["Properties"]["Tags"]}
                assert tags.items() >= wanted.items(), name
                assert ("stage" in tags) is ("stage" in wanted), name
    assert seen == kinds


def test_the_accounts_stack_is_the_same_for_every_stage(root: Path, tmp_path: Path) -> None:
    # Deployed for a stage without a repository, it must not take GitHub's provider from one that has it.
    bodies = []
    for stage in STAGES:
        values = {**context(stage), "stages": {"production": {"repository": "acme/trending-now"}}}
        bodies.append(synthesise(tmp_path / stage, root, values).template("account").body)
    assert bodies[0] == bodies[1] == bodies[2]
    assert "AWS::IAM::OIDCProvider" in str(bodies[0])


def test_the_outputs_say_what_a_person_needs(production: Assembly) -> None:
    service, data = (production.template(name).body["Outputs"] for name in ("service", "data"))
    assert {"Url", "DashboardUrl", "AlarmTopic", "ApiKeyId"} <= service.keys()
    assert {
        "BucketFiles",
        "SecretGeminiApiKey",
        "DeadLettersEnrichments",
        "DeadLettersNewUploads",
    } <= data.keys()
    for name, output in {**service, **data}.items():
        # What another stack reads has a name that the CDK makes, and needs no description.
        assert name.startswith("ExportsOutput") or output["Description"], name


def test_tables_are_encrypted_recoverable_indexed_and_forget(every_feature: Assembly) -> None:
    _, table = every_feature.template("data").one("AWS::DynamoDB::GlobalTable")
    properties = table["Properties"]
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}
    assert properties["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    (replica,) = properties["Replicas"]
    assert replica["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
    indexes = {index["IndexName"]: index for index in properties["GlobalSecondaryIndexes"]}
    assert indexes["day"]["Projection"] == {"ProjectionType": "KEYS_ONLY"}
    assert indexes["day"]["KeySchema"] == [
        {"AttributeName": "day_at", "KeyType": "HASH"},
        {"AttributeName": "day", "KeyType": "RANGE"},
    ]
    assert indexes["tag"]["Projection"] == {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["title"]}
    assert {"AttributeName": "day", "AttributeType": "N"} in properties["AttributeDefinitions"]


def test_buckets_are_private_versioned_encrypted_and_tidy(every_feature: Assembly) -> None:
    template = every_feature.template("data")
    for name, bucket in template.of_type("AWS::S3::Bucket").items():
        properties = bucket["Properties"]
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}, name
        assert properties["BucketEncryption"], name
        assert properties["LifecycleConfiguration"]["Rules"], name
    (files,) = [b["Properties"] for k, b in template.of_type("AWS::S3::Bucket").items() if "Files" in k]
    assert files["VersioningConfiguration"] == {"Status": "Enabled"}
    assert {"Prefix": "uploads/", "ExpirationInDays": 30, "Status": "Enabled"} in (
        files["LifecycleConfiguration"]["Rules"]
    )
    (announced,) = files["NotificationConfiguration"]["QueueConfigurations"]
    assert announced["Filter"] == {"S3Key": {"Rules": [{"Name": "prefix", "Value": "uploads/"}]}}
    policies = template.of_type("AWS::S3::BucketPolicy")
    assert len(policies) == len(template.of_type("AWS::S3::Bucket"))
    for policy in policies.values():
        denied = [s for s in policy["Properties"]["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
        assert [s["Condition"] for s in denied] == [{"Bool": {"aws:SecureTransport": "false"}}]


def test_queues_are_encrypted_and_give_up_into_a_dead_letter_queue(every_feature: Assembly) -> None:
    template = every_feature.template("data")
    queues = template.of_type("AWS::SQS::Queue")
    assert all(queue["Properties"]["SqsManagedSseEnabled"] for queue in queues.values())
    (jobs,) = [q["Properties"] for k, q in queues.items() if "QueueJobs" in k]
    assert jobs["RedrivePolicy"]["maxReceiveCount"] == 5
    assert jobs["MessageRetentionPeriod"] == 7 * 86_400
    dead = queues[jobs["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]]["Properties"]
    assert dead["MessageRetentionPeriod"] == 14 * 86_400


def test_a_secret_begins_empty(every_feature: Assembly) -> None:
    _, secret = every_feature.template("data").one("AWS::SecretsManager::Secret")
    assert not {"GenerateSecretString", "SecretString"} & set(secret["Properties"])


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"stage": "qa", "stages": {}}, "unknown stage 'qa'; on AWS there are: dev, staging, production"),
        (
            {"stage": "local", "stages": {}},
            "unknown stage 'local'; on AWS there are: dev, staging, production",
        ),
        (
            {"stage": "dev", "stages": {"qa": {}}},
            "cdk.json configures the unknown stage 'qa'; there are: dev, staging, production",
        ),
        ({"stage": "dev", "stages": {"dev": {"account": "12"}}}, "account '12' is not twelve digits"),
        (
            {"stage": "dev", "stages": {"dev": {"domain": "a.example"}}},
            "a domain needs a certificate_arn, and",
        ),
        (
            {"stage": "dev", "stages": {"dev": {"repository": "acme/*"}}},
            "repository 'acme/*' is not owner/name; a",
        ),
        (
            {"stage": "dev", "stages": {"dev": {"accounts": "1"}}},
            "stage dev: unknown setting 'accounts'; there are",
        ),
        (
            {"stage": "dev", "stages": {}, "emulated": "maybe"},
            "context emulated is 'maybe', neither true nor false",
        ),
    ],
)
def test_a_context_that_makes_no_sense_is_refused_with_a_sentence(
    root: Path, tmp_path: Path, values: dict[str, object], sentence: str
) -> None:
    with pytest.raises(SpecError) as raised:
        build(context=values, outdir=tmp_path, root=root)
    assert str(raised.value).startswith(sentence)


def test_the_command_line_prints_the_sentence_and_fails() -> None:
    variables = {**os.environ, "CDK_CONTEXT_JSON": '{"stage": "qa", "stages": {}}'}
    left = subprocess.run(
        [sys.executable, "-m", "cdk.app"],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert left.returncode == 2
    assert left.stderr == "unknown stage 'qa'; on AWS there are: dev, staging, production\n"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"rollout": {"golden": "nothing"}},
            "trending: golden requests 'nothing' are not in functions/hooks/golden",
        ),
        (
            {"rollout": {"strategy": "manual", "weight": 0.5}},
            "trending: a weight of 0.5 needs the previous_version that keeps the rest",
        ),
    ],
)
def test_a_rollout_that_aws_cannot_do_is_refused(
    root: Path, tmp_path: Path, changes: dict[str, dict[str, object]], sentence: str
) -> None:
    from cdk.service import Function, Rollout, Strategy  # noqa: PLC0415

    options = dict(changes["rollout"])
    if "strategy" in options:
        options["strategy"] = Strategy(str(options["strategy"]))
    function = Function(
        name="trending",
        image="functions/trending",
        handler="functions.trending.handler.handler",
        rollout=Rollout(**options),  # type: ignore[arg-type]
    )
    with pytest.raises(SpecError) as raised:
        synthesise(tmp_path, root, context("dev"), Service(stage="dev", functions=(function,)), {})
    assert str(raised.value) == sentence
