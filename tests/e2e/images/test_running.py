"""Each function's image under the Runtime Interface Emulator: read-only, unprivileged, without capabilities.

It gets the handler, memory and variables that the deployment spec gives it. The AWS emulator stands in for AWS, without the CDK.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from cdk.local.invocation import REGION
from cdk.service import service
from tests.support import docker, stack
from tests.support.docker import Container
from tests.support.gateway import load_event, proxy_event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cdk.local.emulator import Emulator
    from cdk.service import Function
    from tests.support.stack import Assembly

SERVICE: Final = service("dev")
FUNCTIONS: Final = {function.name: function for function in SERVICE.functions}
BASE: Final = {"__main__", "__mp_main__", "sitecustomize", "_sysconfigdata__linux_x86_64-linux-gnu"}
CORE: Final = BASE | {
    "annotated_types", "aws_lambda_powertools", "botocore", "dotenv", "functions", "jmespath", "pydantic",
    "pydantic_core", "pydantic_settings", "trending_core", "typing_extensions", "typing_inspection",
}  # fmt: skip
MODEL: Final = {"genre_model", "numpy", "onnxruntime", "tokenizers"}
AWS: Final = {"boto3", "dateutil", "s3transfer", "six", "urllib3", "certifi"}
ALLOWED: Final = {
    "classification": CORE | MODEL,
    "uploads": CORE | MODEL | AWS,
    "enrichment": CORE | AWS,
    "enrichment-worker": CORE | AWS,
    "trending": CORE | AWS,
}
"""What a function's init may import. An import more is paid in every cold start: it belongs in this list or behind a function."""
LIST: Final = """
import importlib, json, sys
importlib.import_module({module!r})
print(json.dumps(sorted({{name.split('.')[0] for name in list(sys.modules)}} - set(sys.stdlib_module_names))))
"""


def image_of(assembly: Assembly, function: Function) -> str:
    return assembly.images[function.image.rsplit("/", 1)[-1]]


def module_of(function: Function) -> str:
    return function.handler.rsplit(".", 1)[0]


def placeholders(function: Function) -> dict[str, str]:
    """Variables that let an init pass which reaches nobody."""
    # Without the secret's name there is no key, and nobody is asked for one.
    named = {grant.variable: "none" for grant in function.grants if grant.variable != "GEMINI_SECRET_ARN"}
    return {**SERVICE.environment(function), **named, "AWS_DEFAULT_REGION": REGION}


@pytest.fixture(scope="module")
def surroundings(docker_emulator: Emulator) -> dict[str, dict[str, str]]:
    """Each function's variables."""
    return stack.surroundings(docker_emulator.endpoint_url)


def run(assembly: Assembly, name: str, given: Mapping[str, Mapping[str, str]]) -> Container:
    function = FUNCTIONS[name]
    return Container(
        image_of(assembly, function),
        command=[function.handler],
        variables=given[name],
        memory_mb=function.memory_mb,
    )


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_init_imports_nothing_it_should_not(name: str, assembly: Assembly) -> None:
    function = FUNCTIONS[name]
    code = LIST.format(module=module_of(function))
    printed = docker.python(image_of(assembly, function), code, placeholders(function))
    loaded = set(json.loads(printed.splitlines()[-1]))
    assert loaded - ALLOWED[name] == set()
    assert {"functions", "trending_core"} <= loaded


def test_classification_answers_requests_one_after_another(
    assembly: Assembly, surroundings: dict[str, dict[str, str]]
) -> None:
    with run(assembly, "classification", surroundings) as container:
        for _ in range(3):
            answer = container.invoke(load_event("classify"))
            assert answer["statusCode"] == 200, answer
        assert json.loads(answer["body"])["genres"][0]["label"] == "Western"
        assert container.invoke(proxy_event("POST", "/classify", "{"))["statusCode"] == 400
        assert "Failed to persist telemetry" not in container.logs()


def message(name: str, body: str) -> dict[str, Any]:
    """Give a message as Lambda's poller hands it over."""
    return {
        "messageId": name,
        "receiptHandle": f"receipt-{name}",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:000000000000:queue",
        "awsRegion": REGION,
    }


def test_the_upload_worker_says_which_messages_failed(
    assembly: Assembly, surroundings: dict[str, dict[str, str]]
) -> None:
    test_event = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "files"}
    with run(assembly, "uploads", surroundings) as container:
        answer = container.invoke({"Records": [message("m1", json.dumps(test_event))]})
        assert answer == {"batchItemFailures": []}


def test_the_enrichment_worker_says_which_messages_failed(
    assembly: Assembly, surroundings: dict[str, dict[str, str]]
) -> None:
    with run(assembly, "enrichment-worker", surroundings) as container:
        assert container.invoke({"Records": []}) == {"batchItemFailures": []}
        answer = container.invoke({"Records": [message("m1", "no job")]})
        assert answer == {"batchItemFailures": [{"itemIdentifier": "m1"}]}


def test_trending_reads_its_table(assembly: Assembly, surroundings: dict[str, dict[str, str]]) -> None:
    with run(assembly, "trending", surroundings) as container:
        answer = container.invoke(proxy_event("GET", "/trending"))
        assert answer["statusCode"] == 200, answer
        assert json.loads(answer["body"])["entries"] == []
        assert container.invoke(proxy_event("GET", "/nowhere"))["statusCode"] == 404


def test_enrichment_queues_an_item(assembly: Assembly, surroundings: dict[str, dict[str, str]]) -> None:
    body = {
        "item_id": "salt",
        "title": "The Salt Road",
        "plot": "Two sisters smuggle salt.",
        "reviews": ["Good."],
    }
    event = proxy_event("POST", "/enrich-item", json.dumps(body))
    event["headers"]["Prefer"] = "respond-async"
    event["multiValueHeaders"]["Prefer"] = ["respond-async"]
    with run(assembly, "enrichment", surroundings) as container:
        answer = container.invoke(event)
        assert answer["statusCode"] == 202, answer
        assert json.loads(answer["body"])["status"] == "pending"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_nothing_can_be_written_but_below_tmp(name: str, assembly: Assembly) -> None:
    code = """
import os
for place in ("/opt/python/new", "/var/task/new", "/new"):
    try:
        open(place, "w")
    except OSError:
        continue
    print(place)
print(os.getuid())
"""
    assert docker.python(image_of(assembly, FUNCTIONS[name]), code).split() == ["65534"]
