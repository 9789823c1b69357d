"""The state machine's definition: every state can be reached and ended, every task is retried, and the function knows its steps."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from cdk.service import Bucket, Function, Grant, Service, SpecError, UploadMap, service
from functions.classification.uploads.steps import STEPS

if TYPE_CHECKING:
    from collections.abc import Iterator

States = dict[str, dict[str, Any]]

MACHINE = UploadMap(name="upload-map", function="uploads", bucket="files", max_concurrency=7)
DEFINITION = MACHINE.definition(function_arn="arn:live", function_timeout_s=300, bucket="the-bucket")
OUTER: States = DEFINITION["States"]
MAP = OUTER["Classify rows"]
INNER: States = MAP["ItemProcessor"]["States"]


def following(state: dict[str, Any]) -> Iterator[str]:
    yield from (state[name] for name in ("Next", "Default") if name in state)
    yield from (rule["Next"] for name in ("Choices", "Catch") for rule in state.get(name, ()))


def tasks() -> dict[str, dict[str, Any]]:
    return {name: s for states in (OUTER, INNER) for name, s in states.items() if s["Type"] == "Task"}


@pytest.mark.parametrize(
    ("states", "first"), [(OUTER, DEFINITION["StartAt"]), (INNER, MAP["ItemProcessor"]["StartAt"])]
)
def test_every_state_is_reached_and_leads_to_an_end(states: States, first: str) -> None:
    reached, waiting = set(), [first]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting.extend(following(states[name]))
    assert reached == set(states)
    for name, state in states.items():
        assert state["Type"] == "Fail" or state.get("End") or list(following(state)), name


def test_the_function_knows_every_step_and_no_other() -> None:
    steps = {state["Parameters"]["Payload"]["step"] for state in tasks().values()}
    assert steps == set(STEPS)


def test_every_task_asks_the_alias_with_retries_and_a_limit() -> None:
    for name, state in tasks().items():
        assert state["Resource"] == "arn:aws:states:::lambda:invoke", name
        assert state["Parameters"]["FunctionName"] == "arn:live", name
        assert state["TimeoutSeconds"] > 300, name
        throttled, rest = state["Retry"]
        assert {"Lambda.TooManyRequestsException", "Unavailable", "Busy"} <= set(throttled["ErrorEquals"])
        assert rest["ErrorEquals"] == ["States.ALL"]
        for retry in (throttled, rest):
            assert retry["JitterStrategy"] == "FULL"
            assert retry["BackoffRate"] > 1
            assert retry["IntervalSeconds"] < retry["MaxDelaySeconds"]
        assert rest["MaxAttempts"] == 5


def test_the_map_is_distributed_bounded_and_tolerates_nothing() -> None:
    assert MAP["ItemProcessor"]["ProcessorConfig"] == {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    assert MAP["ItemReader"] == {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "JSON"},
        "Parameters": {"Bucket": "the-bucket", "Key.$": "$.batches"},
    }
    assert (MAP["MaxConcurrency"], MAP["ToleratedFailurePercentage"]) == (7, 0)
    assert DEFINITION["TimeoutSeconds"] == 86_400


def test_what_fails_is_said() -> None:
    for state in (MAP, OUTER["Publish"]):
        assert [(rule["ErrorEquals"], rule["Next"]) for rule in state["Catch"]] == [
            (["States.ALL"], "Give up")
        ]
    assert [rule["Next"] for rule in INNER["Classify"]["Catch"]] == ["Note"]
    assert list(following(INNER["Note"])) == ["Batch failed", "Batch failed"]
    assert INNER["Note"]["Parameters"]["Payload"]["tries"] == 1 + INNER["Classify"]["Retry"][1]["MaxAttempts"]


def test_the_outputs_of_many_batches_stay_small() -> None:
    assert (INNER["Batch done"]["Result"], MAP["ResultPath"]) == ({}, None)


def test_it_is_json() -> None:
    assert json.loads(json.dumps(DEFINITION)) == DEFINITION


def test_this_machine_works_on_fewer_batches_at_once() -> None:
    here, there = (service(stage).state_machines[0] for stage in ("local", "production"))
    assert here.max_concurrency < there.max_concurrency
    assert replace(here, max_concurrency=there.max_concurrency) == there


def a_service(machine: UploadMap = MACHINE, *, can: Any = ("start",), **function: Any) -> Service:
    uploads = Function(
        name="uploads",
        image="functions/classification",
        handler="a.handler",
        grants=(Grant(to=machine.name, can=can, variable="MACHINE"),),
        **function,
    )
    return Service(
        stage="local", functions=(uploads,), buckets=(Bucket(name="files"),), state_machines=(machine,)
    )


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: replace(MACHINE, max_concurrency=0),
            "state machine upload-map: 0 batches at once is not within 1 to 1000",
        ),
        (
            lambda: replace(MACHINE, timeout_s=0),
            "state machine upload-map: timeout of 0 s is not within 1 to 31536000",
        ),
        (
            lambda: replace(MACHINE, name="Upload Map"),
            "state machine name 'Upload Map' is not lower-case letters, digits and hyphens",
        ),
        (
            lambda: a_service(replace(MACHINE, function="nobody")),
            "unknown function 'nobody'; the service has: uploads",
        ),
        (
            lambda: a_service(replace(MACHINE, bucket="nowhere")),
            "state machine upload-map: 'nowhere' is no bucket of the service",
        ),
        (
            lambda: a_service(replace(MACHINE, name="files")),
            "the name files stands for two things",
        ),
        (
            lambda: a_service(reserved_concurrency=6),
            "state machine upload-map: 7 batches at once exceed the reserved concurrency 6 of uploads",
        ),
        (
            lambda: a_service(can=("read",)),
            "uploads: read is nothing that can be done with upload-map",
        ),
    ],
)
def test_what_cannot_be_is_refused(make: Any, sentence: str) -> None:
    assert a_service().state_machines == (MACHINE,)
    with pytest.raises(SpecError) as raised:
        make()
    assert str(raised.value) == sentence
