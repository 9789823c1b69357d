"""The emulator's Step Functions, led to a Lambda API of ours: what tasks get from it, and what starting twice does."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from botocore.exceptions import ClientError

from cdk.local.emulator import Emulator
from cdk.local.resources import make_resources
from cdk.service import Bucket, Function, Service, UploadMap
from tests.support.local import eventually
from tests.support.stores import session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ARN = "arn:aws:lambda:us-east-1:000000000000:function:worker:live"


class Lambda(ThreadingHTTPServer):
    """A Lambda API that answers as the event says, and holds events back until it is told."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.called: list[str] = []
        self.go = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Lambda

    def do_POST(self) -> None:
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.called.append(unquote(self.path))
        if event.get("wait"):
            self.server.go.wait(60)
        body = json.dumps(event.get("answer", {"seen": event})).encode()
        self.send_response(event.get("status", 200))
        if event.get("fails"):
            self.send_header("X-Amz-Function-Error", "Unhandled")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 -- the base class's
        """Say nothing."""


@pytest.fixture(scope="module")
def lambda_api() -> Iterator[Lambda]:
    server = Lambda()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.go.set()
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def led_to(folder: Path, url: str) -> Iterator[str]:
    emulator = Emulator(folder)
    emulator.start(lambda_url=url)
    try:
        yield emulator.endpoint_url
    finally:
        emulator.stop()


@pytest.fixture(scope="module")
def endpoint(lambda_api: Lambda, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with led_to(tmp_path_factory.mktemp("states"), lambda_api.url) as url:
        yield url


def states(endpoint: str) -> Any:
    return session().client("stepfunctions", endpoint_url=endpoint)


def asking(endpoint: str) -> str:
    """Make a state machine of one task, which hands its input to the function."""
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": ARN, "Payload.$": "$"},
        "OutputPath": "$.Payload",
        "End": True,
    }
    definition = json.dumps({"StartAt": "Ask", "States": {"Ask": task}})
    role = "arn:aws:iam::000000000000:role/r"
    made = states(endpoint).create_state_machine(name="asks", definition=definition, roleArn=role)
    return str(made["stateMachineArn"])


@pytest.fixture
def machine(endpoint: str) -> str:
    return asking(endpoint)


def run(endpoint: str, machine: str, event: dict[str, Any]) -> dict[str, Any]:
    client = states(endpoint)
    arn = client.start_execution(stateMachineArn=machine, input=json.dumps(event))["executionArn"]
    assert eventually(lambda: client.describe_execution(executionArn=arn)["status"] != "RUNNING")
    found: dict[str, Any] = client.describe_execution(executionArn=arn)
    return found


def test_a_task_gets_the_answer_of_the_alias(endpoint: str, machine: str, lambda_api: Lambda) -> None:
    ended = run(endpoint, machine, {"a": 1})
    assert (ended["status"], json.loads(ended["output"])) == ("SUCCEEDED", {"seen": {"a": 1}})
    assert lambda_api.called[-1] == f"/2015-03-31/functions/{ARN}/invocations"


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ({"fails": True, "answer": {"errorType": "Unavailable", "errorMessage": "S3"}}, "Unavailable"),
        ({"status": 429, "answer": {"message": "full"}}, "Lambda.TooManyRequestsException"),
        ({"status": 404, "answer": {"message": "none"}}, "Lambda.ResourceNotFoundException"),
        ({"status": 500, "answer": {}}, "Lambda.ServiceException"),
    ],
)
def test_a_failure_has_the_name_that_step_functions_gives_it(
    endpoint: str, machine: str, event: dict[str, Any], error: str
) -> None:
    ended = run(endpoint, machine, event)
    assert (ended["status"], ended["error"]) == ("FAILED", error)
    if event.get("fails"):
        assert json.loads(ended["cause"]) == event["answer"]


def start(endpoint: str, machine: str, **event: object) -> str:
    """Start an execution under one name; give its ARN or the code of the refusal."""
    try:
        arn = states(endpoint).start_execution(stateMachineArn=machine, name="one", input=json.dumps(event))
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return str(arn["executionArn"])


def test_the_same_start_finds_what_runs_and_is_refused_when_it_has_ended(
    endpoint: str, machine: str, lambda_api: Lambda
) -> None:
    first = start(endpoint, machine, wait=True)
    assert start(endpoint, machine, wait=True) == first
    assert start(endpoint, machine, wait=True, other=1) == "ExecutionAlreadyExists"
    lambda_api.go.set()
    client = states(endpoint)
    assert eventually(lambda: client.describe_execution(executionArn=first)["status"] == "SUCCEEDED")
    assert start(endpoint, machine, wait=True) == "ExecutionAlreadyExists"


def test_a_lambda_api_that_is_gone_can_be_asked_again(tmp_path: Path) -> None:
    server = Lambda()
    server.server_close()
    with led_to(tmp_path, server.url) as endpoint:
        ended = run(endpoint, asking(endpoint), {})
    assert (ended["status"], ended["error"]) == ("FAILED", "Lambda.SdkClientException")


def test_the_spec_s_state_machine_is_made_and_gets_the_present_definition(endpoint: str) -> None:
    def made(max_concurrency: int) -> dict[str, Any]:
        spec = Service(
            stage="local",
            functions=(Function(name="worker", image="functions/trending", handler="a.handler"),),
            buckets=(Bucket(name="lists"),),
            state_machines=(
                UploadMap(name="maps", function="worker", bucket="lists", max_concurrency=max_concurrency),
            ),
        )
        arn = make_resources(spec, session(), endpoint)["maps"]
        found = states(endpoint).describe_state_machine(stateMachineArn=arn)
        definition: dict[str, Any] = json.loads(found["definition"])
        (machine,) = spec.state_machines
        assert definition == machine.definition(
            function_arn=ARN, function_timeout_s=spec.function("worker").timeout_s, bucket="lists"
        )
        return definition

    assert made(2) != made(3)
