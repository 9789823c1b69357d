"""The function's init in a process of its own, and a process that dies between the answer and the write."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from boto3 import Session

from cdk.local.invocation import REGION
from cdk.local.resources import make_resources
from cdk.service import Service, service
from tests.support.enrichment import GOOD, KEY
from tests.support.local import PATIENCE_S
from tests.support.scripted_server import ScriptedServer, says

if TYPE_CHECKING:
    from cdk.local.emulator import Emulator

ROOT = Path(__file__).parents[3]
NAMES = {
    "ITEMS_TABLE": "items",
    "IDEMPOTENCY_TABLE": "idempotency",
    "ENRICHMENT_QUEUE_URL": "http://127.0.0.1:9/000000000000/enrichments",
    "CLASSIFICATION_FUNCTION": "classification:live",
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}
UNUSED = (
    "google_auth_httplib2",
    "grpc_status",
    "pyasn1_modules",
    "pyasn1",
    "rsa",
    "aiohttp",
    "PIL",
    "IPython",
    "numpy",
)
"""What the image does not hold: the packages of ``functions/enrichment/unused.txt`` and what only other functions have."""

IMPORTS = """
import json, sys
from functions.enrichment.handler import handler
print(json.dumps(sorted(sys.modules)))
"""
REQUEST = """
import importlib.abc, json, os, signal, sys

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in set(os.environ["ABSENT"].split()) or name in set(os.environ["ABSENT"].split()):
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Absent())
from functions.enrichment.handler import handler
from tests.support.gateway import proxy_event
from tests.support.lambda_context import TimedContext
from trending_core.store_dynamodb import DynamoItemStore

class Context(TimedContext):
    def get_remaining_time_in_millis(self):
        left, self.left_ms = self.left_ms, 29_000
        return left

if os.environ.get("DIES"):
    DynamoItemStore.complete = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
event = proxy_event("POST", "/enrich-item", sys.stdin.read())
# The record of a request in progress lasts as long as the invocation says that it can: here, no time.
answer = handler(event, Context(left_ms=1 if os.environ.get("DIES") else 29_000))
print("\\nANSWER " + json.dumps(answer))
"""


def run(code: str, text: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    base = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GEMINI_", "GOOGLE_", "AWS_", "POWERTOOLS_"))
    }
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**base, **NAMES, "ABSENT": "", **environment},
        input=text,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def modules(**environment: str) -> set[str]:
    done = run(IMPORTS, **environment)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_only_the_http_side_knows_the_queue() -> None:
    """The worker's role cannot send, so it must not ask where to."""
    worker = "import functions.enrichment.worker as w; print(type(w.service.queue).__name__)"
    done = run(worker, ENRICHMENT_QUEUE_URL="")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "NoJobQueue"
    done = run(IMPORTS, ENRICHMENT_QUEUE_URL="")
    assert done.returncode == 1
    assert "ENRICHMENT_QUEUE_URL is required" in done.stderr.splitlines()[-1]


def test_without_a_key_the_models_library_is_never_imported() -> None:
    loaded = modules()
    assert not loaded & {
        "google.generativeai",
        "grpc",
        "google.api_core",
        "googleapiclient",
        "requests",
        "cryptography",
    }
    assert "functions.enrichment.gemini" not in loaded


def test_with_a_key_it_is_imported_at_init_and_not_in_the_first_request() -> None:
    assert {"google.generativeai", "functions.enrichment.gemini"} <= modules(GEMINI_API_KEY=KEY)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"ITEMS_TABLE": ""}, "ITEMS_TABLE is required"),
        ({"PROMPT_VERSION": "v999"}, "prompt.md cannot be read"),
        ({"GEMINI_API_KEY": KEY, "GEMINI_MODEL": "!"}, "GEMINI_MODEL"),
    ],
)
def test_a_wrong_setting_stops_the_init_with_a_sentence_without_the_key(
    environment: dict[str, str], words: str
) -> None:
    done = run(IMPORTS, **environment)
    assert done.returncode == 1
    assert words in done.stderr.splitlines()[-1]
    assert KEY not in done.stderr + done.stdout


@pytest.fixture
def aws(emulator: Emulator, aws_environment: None) -> dict[str, str]:
    spec = service("local")
    data = Service(stage="local", functions=(), tables=spec.tables, queues=spec.queues)
    session = Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=REGION)
    names = make_resources(data, session, emulator.endpoint_url)
    return {
        "AWS_ENDPOINT_URL": emulator.endpoint_url,
        "ITEMS_TABLE": names["items"],
        "IDEMPOTENCY_TABLE": names["idempotency"],
        "ENRICHMENT_QUEUE_URL": names["enrichments"],
    }


def answer(done: subprocess.CompletedProcess[str]) -> tuple[int, dict[str, object]]:
    lines = [line for line in done.stdout.splitlines() if line.startswith("ANSWER ")]
    assert lines, done.stderr
    response = json.loads(lines[-1].removeprefix("ANSWER "))
    return response["statusCode"], json.loads(response["body"])


def body(item_id: str) -> str:
    plot = "Two sisters smuggle salt across a closed border and find out who closed it."
    return json.dumps({"item_id": item_id, "title": "T", "plot": plot, "reviews": [f"Good, says {item_id}."]})


def test_a_process_killed_between_answer_and_write_is_completed_by_a_retry_that_pays_nothing(
    aws: dict[str, str],
) -> None:
    with ScriptedServer(says(GOOD)) as server:
        environment = {**aws, "GEMINI_API_KEY": KEY, "GEMINI_API_ENDPOINT": server.url}
        died = run(REQUEST, body("killed"), DIES="1", **environment)
        assert died.returncode == -signal.SIGKILL
        session = Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=REGION)
        table = session.client("dynamodb", endpoint_url=aws["AWS_ENDPOINT_URL"])
        rows = table.query(
            TableName=aws["ITEMS_TABLE"],
            KeyConditionExpression="PK = :id",
            ExpressionAttributeValues={":id": {"S": "ITEM#killed"}},
        )["Items"]
        assert rows == [], "half an item was stored"
        retried = run(REQUEST, body("killed"), **environment)
        status, item = answer(retried)
        assert len(server.seen) == 1, "the retry paid again"
    assert (status, item["status"], item["enriched_by"]) == (200, "ready", "gemini")
    assert item["tokens"] == {"input": 100, "output": 20}
    assert KEY not in died.stdout + died.stderr + retried.stdout + retried.stderr
    assert "smuggle salt" not in died.stdout + died.stderr


def test_a_request_needs_nothing_that_the_image_does_not_hold(aws: dict[str, str]) -> None:
    with ScriptedServer(says(GOOD)) as server:
        done = run(
            REQUEST,
            body("lean"),
            **aws,
            GEMINI_API_KEY=KEY,
            GEMINI_API_ENDPOINT=server.url,
            ABSENT=" ".join(
                (
                    *UNUSED,
                    "google.ai.generativelanguage_v1",
                    "google.ai.generativelanguage_v1alpha",
                    "google.ai.generativelanguage_v1beta2",
                    "google.ai.generativelanguage_v1beta3",
                )
            ),
        )
    assert answer(done)[0] == 200
