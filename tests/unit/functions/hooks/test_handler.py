from __future__ import annotations

import io
import json
from typing import Any

import pytest

from functions.hooks.golden import GoldenError, InvocationError
from functions.hooks.handler import invoke_with, run

EVENT = {"DeploymentId": "d-ABCDEF123", "LifecycleEventHookExecutionId": "hook-1"}
TARGET = "arn:aws:lambda:eu-central-1:123456789012:function:trending-now-dev-trending:7"
ENVIRONMENT = {"TARGET_ARN": TARGET, "GOLDEN": "trending", "MAX_P99_MS": "60000"}


class CodeDeploy:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[dict[str, str]] = []

    def put_lifecycle_event_hook_execution_status(self, **told: str) -> None:
        self.told.append(told)


class Lambda:
    """Answers like the trending function, or as it is told."""

    def __init__(self, payload: object = None, error: str | None = None) -> None:
        self.payload, self.error = payload, error
        self.targets: set[str] = set()

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 -- boto3's names
        self.targets.add(FunctionName)
        answer = self.payload if self.payload is not None else self.answer(json.loads(Payload))
        result: dict[str, Any] = {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(answer).encode())}
        return {**result, "FunctionError": self.error} if self.error else result

    @staticmethod
    def answer(event: dict[str, Any]) -> dict[str, Any]:
        query = event["queryStringParameters"] or {}
        if event["path"] == "/trending" and query.get("limit") != "0":
            body: dict[str, Any] = {"window": query.get("window", "day"), "entries": [], "next": None}
            return {"statusCode": 200, "body": json.dumps(body)}
        status = 404 if event["httpMethod"] == "GET" and event["path"].startswith("/items/") else 422
        problem = {
            "type": "tag:x",
            "title": "x",
            "status": status,
            "detail": "x",
            "instance": event["path"],
            "request_id": event["requestContext"]["requestId"],
            "errors": [{"field": "limit", "reason": "x"}],
        }
        return {"statusCode": status, "body": json.dumps(problem)}


class CloudWatch:
    """Has one composite alarm, in this state."""

    def __init__(self, state: str = "OK") -> None:
        self.state = state

    def describe_alarms(self, *, AlarmNames: list[str], AlarmTypes: list[str]) -> dict[str, Any]:  # noqa: N803
        # Without the type CloudWatch answers with metric alarms only.
        assert AlarmTypes == ["CompositeAlarm"]
        found = [{"AlarmName": name, "StateValue": self.state} for name in AlarmNames if name == "canary"]
        return {"CompositeAlarms": found, "MetricAlarms": []}


def test_a_good_version_is_reported_as_succeeded(capsys: pytest.CaptureFixture[str]) -> None:
    codedeploy, invoker = CodeDeploy(), Lambda()
    report = run(
        EVENT, environment=ENVIRONMENT, codedeploy=codedeploy, invoker=invoker, cloudwatch=CloudWatch()
    )
    assert report["faults"] == ()
    assert invoker.targets == {TARGET}
    assert codedeploy.told == [
        {
            "deploymentId": "d-ABCDEF123",
            "lifecycleEventHookExecutionId": "hook-1",
            "status": "Succeeded",
        }
    ]
    assert json.loads(capsys.readouterr().out)["status"] == "Succeeded"


def test_a_bad_version_is_reported_as_failed() -> None:
    codedeploy = CodeDeploy()
    report = run(
        EVENT,
        environment=ENVIRONMENT,
        codedeploy=codedeploy,
        invoker=Lambda({"statusCode": 500, "body": "{}"}),
        cloudwatch=CloudWatch(),
    )
    assert "trending-week: status 500, not 200" in report["faults"]
    assert codedeploy.told[0]["status"] == "Failed"


@pytest.mark.parametrize(
    ("environment", "error"),
    [({**ENVIRONMENT, "GOLDEN": "nothing"}, GoldenError), ({"GOLDEN": "trending"}, KeyError)],
)
def test_a_hook_that_breaks_reports_failed_instead_of_silence(
    environment: dict[str, str], error: type[Exception]
) -> None:
    codedeploy = CodeDeploy()
    with pytest.raises(error):
        run(EVENT, environment=environment, codedeploy=codedeploy, invoker=Lambda(), cloudwatch=CloudWatch())
    assert codedeploy.told[0]["status"] == "Failed"


@pytest.mark.parametrize(
    ("name", "state", "fault"),
    [
        ("canary", "OK", None),
        ("canary", "INSUFFICIENT_DATA", None),
        ("canary", "ALARM", "the alarm canary rings"),
        ("other", "OK", "there is no alarm other"),
    ],
)
def test_a_version_whose_alarm_rings_is_reported_as_failed(name: str, state: str, fault: str | None) -> None:
    codedeploy = CodeDeploy()
    report = run(
        EVENT,
        environment={**ENVIRONMENT, "CANARY_ALARM": name},
        codedeploy=codedeploy,
        invoker=Lambda(),
        cloudwatch=CloudWatch(state),
    )
    assert report["faults"] == (() if fault is None else (fault,))
    assert codedeploy.told[0]["status"] == ("Failed" if fault else "Succeeded")


@pytest.mark.parametrize(
    ("invoker", "message"),
    [
        (
            Lambda({"errorMessage": "Task timed out"}, "Unhandled"),
            r"^the function failed \(Unhandled\): Task timed out$",
        ),
        (Lambda(["no"]), r"^the function answered list, not an object$"),
    ],
)
def test_a_function_error_is_no_answer(invoker: Lambda, message: str) -> None:
    with pytest.raises(InvocationError, match=message):
        invoke_with(invoker, TARGET)({})
