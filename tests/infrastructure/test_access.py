"""What each role may do, action by action and resource by resource; anything more than this fails."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from cdk.service import STAGES, service
from functions.classification.uploads.upload import RESULTS, WORK
from tests.support.cloud import Template, text

if TYPE_CHECKING:
    from tests.infrastructure.conftest import Synth
    from tests.support.cloud import Assembly

Allowed = set[tuple[tuple[str, ...], tuple[str, ...]]]

XRAY = (("xray:PutTelemetryRecords", "xray:PutTraceSegments"), ("*",))
OBSERVED = (
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
)
"""What a state machine needs to be logged and traced; AWS knows no resource for any of it."""
STATES = "arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>"
MACHINE = "trending-now-staging-upload-map"
FUNCTION = "arn:<AWS::Partition>:lambda:<AWS::Region>:<AWS::AccountId>:function:trending-now-staging-"
GROUP = "arn:<AWS::Partition>:codedeploy:<AWS::Region>:<AWS::AccountId>:deploymentgroup:<Rollouts>/"
FILES = "arn:<AWS::Partition>:s3:::trending-now-staging-files-<AWS::AccountId>-<AWS::Region>"
ITEMS = "<FnGetAttDataTableItems>"
READ_ITEMS = ("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query")
WRITE_AND_DELETE_ITEMS = ("dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem")
ADD_ITEMS = ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem")


def logs(group: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return ("logs:CreateLogStream", "logs:PutLogEvents"), (f"<{group}.Arn>",)


def codedeploy(name: str, *, hooks: bool = True) -> Allowed:
    allowed: Allowed = {
        (("cloudwatch:DescribeAlarms",), ("*",)),
        (
            ("lambda:GetAlias", "lambda:GetProvisionedConcurrencyConfig", "lambda:UpdateAlias"),
            (f"{FUNCTION}{name}", f"{FUNCTION}{name}:live"),
        ),
    }
    if hooks:
        allowed.add((("lambda:InvokeFunction",), (f"{FUNCTION}{name}-after", f"{FUNCTION}{name}-before")))
    return allowed


def hook(name: str, moment: str, target: str) -> Allowed:
    return {
        XRAY,
        logs(f"{name}Rollout{moment}Logs"),
        (("lambda:InvokeFunction",), (target,)),
        (("codedeploy:PutLifecycleEventHookExecutionStatus",), (f"{GROUP}<{name}RolloutGroup>",)),
        *([(("cloudwatch:DescribeAlarms",), ("*",))] if moment == "After" else []),
    }


ROLES: dict[str, Allowed] = {
    "ClassificationRole": {XRAY, logs("ClassificationLogs")},
    "UploadsRole": {
        XRAY,
        logs("UploadsLogs"),
        (("s3:GetObject", "s3:GetObjectVersion"), (f"{FILES}/*",)),
        (
            ("s3:AbortMultipartUpload", "s3:PutObject"),
            tuple(f"{FILES}/{written}*" for written in ("results/", "work/")),
        ),
        (("s3:ListBucket",), (FILES,)),
        (("states:StartExecution",), (f"{STATES}:stateMachine:{MACHINE}",)),
        (ADD_ITEMS, (ITEMS,)),
        (
            (
                "sqs:ChangeMessageVisibility",
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                "sqs:ReceiveMessage",
            ),
            ("<FnGetAttDataQueueIncoming>",),
        ),
    },
    "EnrichmentRole": {
        XRAY,
        logs("EnrichmentLogs"),
        (WRITE_AND_DELETE_ITEMS, (ITEMS,)),
        (("lambda:InvokeFunction",), (f"{FUNCTION}classification:live",)),
        (("secretsmanager:GetSecretValue",), ("<RefDataSecretGemini>",)),
        (("sqs:SendMessage",), ("<FnGetAttDataQueueJobs>",)),
    },
    "TrendingRole": {
        XRAY,
        logs("TrendingLogs"),
        (("sqs:SendMessage",), ("<TrendingDeadLetters.Arn>",)),
        (READ_ITEMS, (ITEMS, f"{ITEMS}/index/day", f"{ITEMS}/index/tag")),
    },
    "TrendingTimerNightlyRole": {
        (("lambda:InvokeFunction",), ("<TrendingLive>",)),
        (("sqs:SendMessage",), ("<TrendingDeadLetters.Arn>",)),
    },
    "UploadMapRole": {
        (("lambda:InvokeFunction",), (f"{FUNCTION}uploads:live",)),
        (("s3:GetObject",), (f"{FILES}/{WORK}*",)),
        (("states:StartExecution",), (f"{STATES}:stateMachine:{MACHINE}",)),
        (
            ("states:DescribeExecution", "states:StopExecution"),
            (f"{STATES}:execution:{MACHINE}/ClassifyRows:*", f"{STATES}:execution:{MACHINE}:*"),
        ),
        (OBSERVED, ("*",)),
    },
    "ClassificationRolloutRole": codedeploy("classification"),
    "ClassificationRolloutBeforeRole": hook(
        "Classification", "Before", "<ClassificationFunctionCurrentVersion>"
    ),
    "ClassificationRolloutAfterRole": hook("Classification", "After", f"{FUNCTION}classification:live"),
    "UploadsRolloutRole": codedeploy("uploads", hooks=False),
    "TrendingRolloutRole": codedeploy("trending"),
    "TrendingRolloutBeforeRole": hook("Trending", "Before", "<TrendingFunctionCurrentVersion>"),
    "TrendingRolloutAfterRole": hook("Trending", "After", f"{FUNCTION}trending:live"),
}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def allowed(template: Template, role: str) -> Allowed:
    found: Allowed = set()
    for statement in template.statements(role):
        assert statement["Effect"] == "Allow"
        found.add(
            (
                tuple(sorted(listed(statement["Action"]))),
                tuple(sorted(text(resource) for resource in listed(statement["Resource"]))),
            )
        )
    return found


def test_each_role_may_do_this_and_nothing_else(every_feature: Assembly) -> None:
    template = every_feature.template("service")
    found = {role[:-8]: allowed(template, role) for role in template.of_type("AWS::IAM::Role")}
    assert found == ROLES


GRANTS: dict[str, set[tuple[tuple[str, ...], str, tuple[str, ...]]]] = {
    "classification": set(),
    "uploads": {
        (("read", "write"), "files", ("work/", "results/")),
        (("add",), "upload-progress", ()),
        (("add",), "items", ()),
        (("send",), "new-uploads", ()),
        (("bury",), "new-uploads", ()),
        (("start",), "upload-map", ()),
    },
    "enrichment": {
        (("add",), "items", ()),
        (("add", "delete"), "idempotency", ()),
        (("send",), "enrichments", ()),
        (("read",), "gemini-api-key", ()),
        (("invoke",), "classification", ()),
    },
    "enrichment-worker": {
        (("add",), "items", ()),
        (("add", "delete"), "idempotency", ()),
        (("read",), "gemini-api-key", ()),
        (("invoke",), "classification", ()),
    },
    "trending": {(("read", "write"), "items", ())},
}
"""What the real functions may do; the words' statements are those of the table above."""


@pytest.mark.parametrize("stage", STAGES)
def test_each_function_of_the_real_spec_is_granted_this_and_nothing_else(stage: str) -> None:
    functions = service(stage).functions
    found = {f.name: [(grant.can, grant.to, grant.under) for grant in f.grants] for f in functions}
    assert {name: set(grants) for name, grants in found.items()} == GRANTS
    assert {name: len(grants) for name, grants in found.items()} == {n: len(g) for n, g in GRANTS.items()}


def test_the_upload_worker_writes_where_its_keys_lie(production: Assembly) -> None:
    template = production.template("service")
    (role,) = (name for name in template.of_type("AWS::IAM::Role") if re.fullmatch(r"UploadsRole\w{8}", name))
    written = {r for actions, places in allowed(template, role) if "s3:PutObject" in actions for r in places}
    bucket = FILES.replace("staging", "production")
    assert written == {f"{bucket}/{prefix}*" for prefix in (WORK, RESULTS)}


@pytest.mark.parametrize("stage", ["production", "dev"])
def test_the_real_roles_hold_no_wildcard_but_those_that_aws_asks_for(synth: Synth, stage: str) -> None:
    without_resource = {*OBSERVED, "cloudwatch:DescribeAlarms"}
    for template in synth(stage).stacks():
        for role, resource in template.of_type("AWS::IAM::Role").items():
            assert "ManagedPolicyArns" not in resource["Properties"], role
            if template.name.startswith("trending-now-account"):
                continue
            for actions, resources in allowed(template, role):
                assert not any("*" in action for action in actions), role
                if all(action.startswith("s3:") for action in actions):
                    # The objects of one bucket, whose keys are made by those who upload. Nothing writes all of it.
                    anywhere = "" if "s3:PutObject" in actions else "?"
                    objects = rf"arn:<AWS::Partition>:s3:::[^*/]+(/([a-z]+/){anywhere}\*)?"
                    assert all(re.fullmatch(objects, r) for r in resources), role
                elif set(actions) == {"states:DescribeExecution", "states:StopExecution"}:
                    # The child executions of one state machine, whose names are drawn.
                    machine = rf"{STATES}:execution:trending-now-{stage}-upload-map(/ClassifyRows)?:\*"
                    assert all(re.fullmatch(machine, r) for r in resources), role
                elif any("*" in name for name in resources):
                    assert set(actions) <= without_resource, (role, actions, resources)


def test_github_may_deploy_from_one_environment_of_one_repository(production: Assembly) -> None:
    template = production.template("delivery")
    name, role = template.one("AWS::IAM::Role")
    assert role["Properties"]["RoleName"] == "trending-now-production-deploy"
    (trust,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    issuer = "token.actions.githubusercontent.com"
    assert trust["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert text(trust["Principal"]["Federated"]) == (
        f"arn:<AWS::Partition>:iam::<AWS::AccountId>:oidc-provider/{issuer}"
    )
    assert trust["Condition"] == {
        "StringEquals": {
            f"{issuer}:aud": "sts.amazonaws.com",
            f"{issuer}:sub": "repo:acme/trending-now:environment:production",
        }
    }
    kinds = ("deploy", "file-publishing", "image-publishing", "lookup")
    arn = (
        "arn:<AWS::Partition>:iam::<AWS::AccountId>:role/cdk-hnb659fds-{}-role-<AWS::AccountId>-<AWS::Region>"
    )
    assert allowed(template, name) == {(("sts:AssumeRole",), tuple(arn.format(kind) for kind in kinds))}


def test_a_queue_takes_messages_from_its_bucket_only_and_over_tls(every_feature: Assembly) -> None:
    template = every_feature.template("data")
    statements = [
        statement
        for policy in template.of_type("AWS::SQS::QueuePolicy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]
    (notify,) = [statement for statement in statements if statement.get("Sid") == "NewObjects"]
    assert notify["Principal"] == {"Service": "s3.amazonaws.com"}
    assert notify["Action"] == "sqs:SendMessage"
    assert text(notify["Condition"]["ArnEquals"]["aws:SourceArn"]) == (
        "arn:<AWS::Partition>:s3:::trending-now-staging-files-<AWS::AccountId>-<AWS::Region>"
    )
    insecure = [statement for statement in statements if statement["Effect"] == "Deny"]
    assert len(insecure) == len(template.of_type("AWS::SQS::Queue"))
    assert all(
        statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        and statement["Action"] == "sqs:*"
        for statement in insecure
    )
