"""CodeDeploy's hook: ask the golden requests of one version or alias, and report the verdict.

Environment: ``TARGET_ARN`` (what to invoke), ``GOLDEN`` (which requests), ``MAX_P99_MS``, and where traffic has moved
``CANARY_ALARM`` (the composite alarm of the new version, which CodeDeploy itself cannot watch). Whatever goes wrong here
is reported as failed: a hook that stays silent would hold the deployment for an hour.
https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-hooks.html
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from functions.hooks.golden import InvocationError, judge, load_suite

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

READ_TIMEOUT_S: Final = 60
"""Longer than a cold start and a golden request take together, and short enough for the hook to report in its own time."""


def handler(event: Mapping[str, str], _context: object) -> dict[str, Any]:
    """Answer one lifecycle event of a deployment."""
    import boto3  # noqa: PLC0415 -- tests pass clients of their own
    from botocore.config import Config  # noqa: PLC0415

    return run(
        event,
        environment=os.environ,
        codedeploy=boto3.client("codedeploy"),
        invoker=boto3.client(
            "lambda", config=Config(read_timeout=READ_TIMEOUT_S, retries={"max_attempts": 2})
        ),
        cloudwatch=boto3.client("cloudwatch"),
    )


def run(
    event: Mapping[str, str],
    *,
    environment: Mapping[str, str],
    codedeploy: Any,  # noqa: ANN401 -- a boto3 client
    invoker: Any,  # noqa: ANN401 -- a boto3 client
    cloudwatch: Any,  # noqa: ANN401 -- a boto3 client
) -> dict[str, Any]:
    """Ask, print the verdict as one JSON line, and tell CodeDeploy ``Succeeded`` or ``Failed``.

    Raises
    ------
    functions.hooks.golden.GoldenError
        If the golden file cannot be used; CodeDeploy has been told ``Failed`` then.
    """
    status = "Failed"
    try:
        verdict = judge(
            load_suite(environment["GOLDEN"]),
            invoke_with(invoker, environment["TARGET_ARN"]),
            max_ms=float(environment["MAX_P99_MS"]),
        )
        faults = verdict.faults
        if (alarm := environment.get("CANARY_ALARM")) and (fault := alarm_fault(cloudwatch, alarm)):
            faults = (*faults, fault)
        if not faults:
            status = "Succeeded"
        report = {"target": environment["TARGET_ARN"], "status": status, **asdict(verdict), "faults": faults}
        print(json.dumps(report))  # noqa: T201 -- standard output is the function's log
        return report
    finally:
        codedeploy.put_lifecycle_event_hook_execution_status(
            deploymentId=event["DeploymentId"],
            lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
            status=status,
        )


def alarm_fault(client: Any, name: str) -> str | None:  # noqa: ANN401 -- a boto3 client
    """Say what is wrong with a composite alarm: that it rings, or that nobody would know; None if it is quiet."""
    found = client.describe_alarms(AlarmNames=[name], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    if not found:
        return f"there is no alarm {name}"
    return f"the alarm {name} rings" if found[0]["StateValue"] == "ALARM" else None


def invoke_with(client: Any, target: str) -> Callable[[dict[str, Any]], Mapping[str, Any]]:  # noqa: ANN401 -- a boto3 client
    """Give a way to invoke ``target`` that raises `InvocationError` where the function itself failed."""

    def invoke(event: dict[str, Any]) -> Mapping[str, Any]:
        answer = client.invoke(FunctionName=target, Payload=json.dumps(event).encode())
        payload = json.loads(answer["Payload"].read())
        if kind := answer.get("FunctionError"):
            message = f"the function failed ({kind}): {payload.get('errorMessage', 'no message')}"
            raise InvocationError(message)
        if not isinstance(payload, dict):
            message = f"the function answered {type(payload).__name__}, not an object"
            raise InvocationError(message)
        return payload

    return invoke
