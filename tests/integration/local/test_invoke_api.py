"""The Lambda API as boto3 sees it."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.support.local import Running, a_function, a_service, eventually, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_lambda.client import LambdaClient


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(a_service(a_function("echo.handler")), tmp_path_factory.mktemp("data")) as service:
        yield service


@pytest.fixture(scope="module")
def client(running: Running) -> Iterator[LambdaClient]:
    session = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name="us-east-1")
    made = session.client(
        "lambda", endpoint_url=running.invoke_url, config=Config(retries={"total_max_attempts": 1})
    )
    yield made
    made.close()


def test_request_and_response(client: LambdaClient) -> None:
    context = base64.b64encode(json.dumps({"custom": {"a": "ü"}}).encode()).decode()
    answer = client.invoke(
        FunctionName="echo",
        Qualifier="live",
        Payload=b'{"title": "Heat"}',
        LogType="Tail",
        ClientContext=context,
    )
    assert answer["StatusCode"] == 200
    assert answer["ExecutedVersion"] == "1"
    assert set(answer) == {"StatusCode", "ExecutedVersion", "LogResult", "Payload", "ResponseMetadata"}
    body = json.loads(answer["Payload"].read())
    assert body["event"] == {"title": "Heat"}
    assert body["arn"].endswith(":function:echo:live")
    assert body["request_id"] == answer["ResponseMetadata"]["RequestId"]


@pytest.mark.parametrize(
    "name", ["echo:1", "arn:aws:lambda:us-east-1:000000000000:function:echo:live", "echo"]
)
def test_every_way_to_name_a_function(client: LambdaClient, name: str) -> None:
    assert client.invoke(FunctionName=name)["ExecutedVersion"] == "1"


def test_a_function_s_error_is_no_error_of_the_call(client: LambdaClient) -> None:
    answer = client.invoke(FunctionName="echo", Payload=b'{"do": "raise"}', LogType="Tail")
    assert answer["StatusCode"] == 200
    assert answer["FunctionError"] == "Unhandled"
    assert json.loads(answer["Payload"].read())["errorType"] == "ValueError"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            {"FunctionName": "other"},
            "ResourceNotFoundException",
            "there is no function 'other'; the service has: echo",
        ),
        ({"FunctionName": "echo", "Qualifier": "7"}, "ResourceNotFoundException", "no version or alias '7'"),
        ({"FunctionName": "echo", "Payload": b"{"}, "InvalidRequestContentException", "JSON"),
        (
            {"FunctionName": "echo", "Payload": b'"' + b"x" * 7_000_000 + b'"'},
            "RequestTooLargeException",
            "6291456",
        ),
    ],
)
def test_refusals_are_lambda_s_own(
    client: LambdaClient, arguments: dict[str, Any], code: str, message: str
) -> None:
    with pytest.raises(ClientError) as caught:
        client.invoke(**arguments)
    assert caught.value.response["Error"]["Code"] == code
    assert message in caught.value.response["Error"]["Message"]


def test_dry_run_runs_nothing(client: LambdaClient, running: Running) -> None:
    (function,) = running.service.functions
    before = function.versions["1"].metrics.invocations
    assert client.invoke(FunctionName="echo", InvocationType="DryRun")["StatusCode"] == 204
    assert function.versions["1"].metrics.invocations == before


def test_an_event_is_accepted_at_once_and_retried_twice(client: LambdaClient, running: Running) -> None:
    (function,) = running.service.functions
    metrics = function.versions["1"].metrics
    invocations, errors = metrics.invocations, metrics.errors
    running.service._queue._delays_s = (0.01, 0.01)
    answer = client.invoke(FunctionName="echo", InvocationType="Event", Payload=b"{}")
    assert answer["StatusCode"] == 202
    assert eventually(lambda: metrics.invocations == invocations + 1)
    client.invoke(FunctionName="echo", InvocationType="Event", Payload=b'{"do": "raise"}')
    assert eventually(lambda: running.service._queue.dropped == 1)
    assert (metrics.invocations, metrics.errors) == (invocations + 4, errors + 3)


def test_reading_functions_versions_and_the_alias(client: LambdaClient) -> None:
    assert [f["FunctionName"] for f in client.list_functions()["Functions"]] == ["echo"]
    assert client.get_function(FunctionName="echo")["Configuration"]["Timeout"] == 29
    assert [v["Version"] for v in client.list_versions_by_function(FunctionName="echo")["Versions"]] == ["1"]
    assert client.get_alias(FunctionName="echo", Name="live")["FunctionVersion"] == "1"
