"""The state machine for large uploads: the spec's definition, word for word, observed, and startable by the worker alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cdk.service import service
from tests.support.cloud import Template, text

if TYPE_CHECKING:
    from tests.infrastructure.conftest import Synth
    from tests.support.cloud import Assembly

STAGES = ["dev", "staging", "production"]
KIND = "AWS::StepFunctions::StateMachine"


def definition(template: Template) -> dict[str, Any]:
    _, machine = template.one(KIND)
    found: dict[str, Any] = json.loads(text(machine["Properties"]["DefinitionString"]))
    return found


@pytest.mark.parametrize("emulated", [False, True], ids=["aws", "emulated"])
@pytest.mark.parametrize("stage", STAGES)
def test_the_definition_is_that_of_the_spec(synth: Synth, stage: str, emulated: bool) -> None:
    template = synth(stage, emulated=emulated).template("service")
    spec = service(stage)
    (machine,) = spec.state_machines
    place = "<AWS::Region>:<AWS::AccountId>"
    assert definition(template) == machine.definition(
        function_arn=f"arn:<AWS::Partition>:lambda:{place}:function:trending-now-{stage}-uploads:live",
        function_timeout_s=spec.function("uploads").timeout_s,
        bucket=f"trending-now-{stage}-files-<AWS::AccountId>-<AWS::Region>",
    )
    _, found = template.one(KIND)
    assert found["Properties"]["StateMachineName"] == f"trending-now-{stage}-upload-map"


@pytest.mark.parametrize("stage", STAGES)
def test_every_step_is_logged_without_what_passes_and_traced(synth: Synth, stage: str) -> None:
    assembly = synth(stage)
    template = assembly.template("service")
    _, machine = template.one(KIND)
    assert machine["Properties"]["TracingConfiguration"] == {"Enabled": True}
    logging = machine["Properties"]["LoggingConfiguration"]
    assert (logging["Level"], logging["IncludeExecutionData"]) == ("ALL", False)
    (destination,) = logging["Destinations"]
    group, _ = destination["CloudWatchLogsLogGroup"]["LogGroupArn"]["Fn::GetAtt"]
    properties = template.resources[group]["Properties"]
    assert properties["RetentionInDays"] == assembly.spec.log_days
    assert properties["LogGroupName"] == f"/aws/vendedlogs/states/trending-now-{stage}-upload-map"
    kept = template.resources[group]["DeletionPolicy"]
    assert kept == ("Retain" if stage == "production" else "Delete")


def test_only_step_functions_of_this_account_takes_the_role(every_feature: Assembly) -> None:
    template = every_feature.template("service")
    _, machine = template.one(KIND)
    role = template.resources[machine["Properties"]["RoleArn"]["Fn::GetAtt"][0]]["Properties"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "states.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_the_worker_is_told_which_one_to_start_and_nobody_else_may(production: Assembly) -> None:
    template = production.template("service")
    arn = "arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:stateMachine:trending-now-production-upload-map"
    told = {
        function["Properties"]["FunctionName"]: text(variables["UPLOAD_STATE_MACHINE_ARN"])
        for function in template.of_type("AWS::Lambda::Function").values()
        if "UPLOAD_STATE_MACHINE_ARN"
        in (variables := function["Properties"].get("Environment", {}).get("Variables", {}))
    }
    assert told == {"trending-now-production-uploads": arn}
    may = {
        role[:-8]
        for role in template.of_type("AWS::IAM::Role")
        for statement in template.statements(role)
        if "states:StartExecution" in statement["Action"]
    }
    assert may == {"UploadsRole", "UploadMapRole"}
