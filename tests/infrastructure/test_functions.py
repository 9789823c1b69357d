"""The template says of each function what the spec says, and nothing is encrypted, traced or kept by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cdk.service import Grant, QueueEvent, SpecError, service
from tests.support.cloud import text

if TYPE_CHECKING:
    from tests.infrastructure.conftest import Synth
    from tests.support.cloud import Assembly, Resource, Template

STAGES = ["dev", "staging", "production"]


def resource(template: Template, stage: str, name: str) -> tuple[str, Resource]:
    return template.one("AWS::Lambda::Function", FunctionName=f"trending-now-{stage}-{name}")


def both(synth: Synth, stage: str) -> tuple[Assembly, Template]:
    assembly = synth(stage)
    return assembly, assembly.template("service")


@pytest.mark.parametrize("stage", STAGES)
def test_size_handler_and_settings_are_those_of_the_spec(synth: Synth, stage: str) -> None:
    assembly, template = both(synth, stage)
    for spec in assembly.spec.functions:
        _, function = resource(template, stage, spec.name)
        properties = function["Properties"]
        assert properties["PackageType"] == "Image"
        assert properties["ImageConfig"] == {"Command": [spec.handler]}
        assert properties["MemorySize"] == spec.memory_mb
        assert properties["Timeout"] == spec.timeout_s
        assert properties["Architectures"] == [spec.architecture]
        assert properties.get("ReservedConcurrentExecutions") == spec.reserved_concurrency
        assert properties["TracingConfig"] == {"Mode": "Active"}
        variables = properties["Environment"]["Variables"]
        plain = assembly.spec.environment(spec)
        assert set(variables) == {*plain, *(grant.variable for grant in spec.grants)}
        assert {name: variables[name] for name in plain} == plain


@pytest.mark.parametrize("stage", STAGES)
def test_a_function_gives_up_a_message_when_its_queue_does(synth: Synth, stage: str) -> None:
    assembly, template = both(synth, stage)
    queues = assembly.template("data").of_type("AWS::SQS::Queue")
    told: dict[str, int] = {}
    delivered: dict[str, int] = {}
    for spec in assembly.spec.functions:
        _, function = resource(template, stage, spec.name)
        if number := function["Properties"]["Environment"]["Variables"].get("QUEUE_MAX_RECEIVES"):
            told[spec.name] = int(number)
        for event in spec.events:
            if isinstance(event, QueueEvent):
                name = "Queue" + event.queue.title().replace("-", "")
                (queue,) = [found for logical_id, found in queues.items() if name in logical_id]
                delivered[spec.name] = queue["Properties"]["RedrivePolicy"]["maxReceiveCount"]
    assert told == delivered
    assert set(told) == {"uploads", "enrichment-worker"}


@pytest.mark.parametrize("stage", STAGES)
def test_only_uploads_may_call_itself_over_and_over_through_its_queue(synth: Synth, stage: str) -> None:
    assembly, template = both(synth, stage)
    said = {
        spec.name: resource(template, stage, spec.name)[1]["Properties"].get("RecursiveLoop")
        for spec in assembly.spec.functions
    }
    assert {name: loop for name, loop in said.items() if loop} == {"uploads": "Allow"}


def test_functions_of_one_folder_share_one_image(production: Assembly) -> None:
    template = production.template("service")
    images: dict[str, set[str]] = {}
    for spec in production.spec.functions:
        _, function = resource(template, "production", spec.name)
        uri = function["Properties"]["Code"]["ImageUri"]["Fn::Sub"]
        images.setdefault(spec.image, set()).add(uri)
    assert {folder: len(uris) for folder, uris in images.items()} == dict.fromkeys(images, 1)
    assert len(set.union(*images.values())) == len(images)


@pytest.mark.parametrize("stage", STAGES)
def test_every_alias_is_live_and_points_at_its_own_version(synth: Synth, stage: str) -> None:
    assembly, template = both(synth, stage)
    for spec in assembly.spec.functions:
        name, _ = resource(template, stage, spec.name)
        _, alias = template.one("AWS::Lambda::Alias", FunctionName={"Ref": name})
        assert alias["Properties"]["Name"] == "live"
        version = template.resources[alias["Properties"]["FunctionVersion"]["Fn::GetAtt"][0]]
        assert version["Properties"]["FunctionName"] == {"Ref": name}


@pytest.mark.parametrize(("stage", "days"), [("dev", 7), ("staging", 30), ("production", 90)])
def test_every_log_group_is_the_functions_own_and_forgets(synth: Synth, stage: str, days: int) -> None:
    _, template = both(synth, stage)
    for function in template.of_type("AWS::Lambda::Function").values():
        group = template.resources[function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]]
        assert group["Properties"]["LogGroupName"] == f"/aws/lambda/{function['Properties']['FunctionName']}"
    for group in template.of_type("AWS::Logs::LogGroup").values():
        assert group["Properties"]["RetentionInDays"] == days


def test_grants_become_variables_that_name_the_resource(every_feature: Assembly) -> None:
    template = every_feature.template("service")

    def variable(function: str, name: str) -> str:
        _, found = resource(template, "staging", function)
        value: Any = found["Properties"]["Environment"]["Variables"][name]
        return text(value)

    assert variable("enrichment", "ITEMS_TABLE") == "<RefDataTableItems>"
    assert variable("enrichment", "GEMINI_SECRET_ARN") == "<RefDataSecretGemini>"
    assert variable("enrichment", "JOBS_URL") == "<RefDataQueueJobs>"
    assert variable("uploads", "FILES_BUCKET") == "<RefDataBucketFiles>"
    # Callers name the alias: a version that a rollout has not reached yet never answers them.
    assert variable("enrichment", "CLASSIFICATION").endswith(
        ":function:trending-now-staging-classification:live"
    )


def test_queues_and_timers_invoke_the_alias(every_feature: Assembly) -> None:
    template = every_feature.template("service")
    _, mapping = template.one("AWS::Lambda::EventSourceMapping")
    # The name out of the alias' ARN, and the alias: never the unpublished version.
    assert text(mapping["Properties"]["FunctionName"]) == "<UploadsLive>[6]:live"
    assert mapping["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["Properties"]["BatchSize"] == 1
    assert mapping["Properties"]["ScalingConfig"] == {"MaximumConcurrency": 5}
    _, timer = template.one("AWS::Scheduler::Schedule")
    assert timer["Properties"]["ScheduleExpression"] == "cron(0 3 * * ? *)"
    assert text(timer["Properties"]["Target"]["Arn"]) == "<TrendingLive>"
    kept = timer["Properties"]["Target"]["DeadLetterConfig"]["Arn"]
    assert text(kept) == "<TrendingDeadLetters.Arn>"
    _, trending = resource(template, "staging", "trending")
    assert text(trending["Properties"]["DeadLetterConfig"]["TargetArn"]) == "<TrendingDeadLetters.Arn>"


def test_functions_behind_routes_know_which_origins_may_read_their_answers(every_feature: Assembly) -> None:
    template = every_feature.template("service")
    for spec in every_feature.spec.functions:
        _, found = resource(template, "staging", spec.name)
        origins = found["Properties"]["Environment"]["Variables"].get("ALLOWED_ORIGINS")
        assert origins == ("https://example.com" if spec.routes else None)


def test_a_grant_to_an_unknown_function_never_reaches_a_template() -> None:
    from dataclasses import replace  # noqa: PLC0415

    real = service("dev")
    broken = replace(real.functions[0], grants=(Grant(to="nobody", can=("invoke",), variable="NOBODY"),))
    with pytest.raises(SpecError, match=r"^unknown function 'nobody'; the service has: "):
        replace(real, functions=(broken, *real.functions[1:]))
