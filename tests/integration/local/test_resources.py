"""The spec's data made at an endpoint: complete, and only once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from cdk.cli.place import Place
from cdk.local.aws import AwsCompanion
from cdk.local.resources import DEAD_LETTERS, make_resources, variables
from cdk.service import Bucket, Function, Grant, Notification, Queue, Secret, Service
from tests.support.stores import ITEMS, session

if TYPE_CHECKING:
    from pathlib import Path

    from cdk.local.emulator import Emulator

READER = Function(
    name="reader",
    image="functions/trending",
    handler="functions.trending.handler.handler",
    grants=(
        Grant(to="made-items", can=("read",), variable="ITEMS_TABLE"),
        Grant(to="made-queue", can=("send",), variable="QUEUE_URL"),
        Grant(to="made-bucket", can=("read", "write"), variable="BUCKET"),
        Grant(to="made-secret", can=("read",), variable="SECRET_ARN"),
        Grant(to="other", can=("invoke",), variable="OTHER"),
    ),
)
OTHER = Function(name="other", image="functions/trending", handler="functions.trending.handler.handler")
SPEC = Service(
    stage="local",
    functions=(READER, OTHER),
    tables=(
        type(ITEMS)(name="made-items", partition=ITEMS.partition, sort=ITEMS.sort, indexes=ITEMS.indexes),
    ),
    queues=(Queue(name="made-queue", visibility_s=200, max_receives=4),),
    buckets=(
        Bucket(name="made-bucket", notifications=(Notification(queue="made-queue", prefix="uploads/"),)),
    ),
    secrets=(Secret(name="made-secret", purpose="a test"),),
)


@pytest.fixture
def names(emulator: Emulator, aws_environment: None) -> dict[str, str]:
    return make_resources(SPEC, session(), emulator.endpoint_url)


def test_making_again_changes_nothing(emulator: Emulator, names: dict[str, str]) -> None:
    assert make_resources(SPEC, session(), emulator.endpoint_url) == names
    assert {"made-items", "made-queue", "made-bucket", "made-secret"} <= set(names)


def test_a_function_learns_the_names_of_what_it_may_use(names: dict[str, str]) -> None:
    found = variables(READER, names)
    assert set(found) == {"ITEMS_TABLE", "QUEUE_URL", "BUCKET", "SECRET_ARN"}
    assert found["ITEMS_TABLE"] == "made-items"
    assert found["SECRET_ARN"].startswith("arn:aws:secretsmanager:")
    assert variables(OTHER, names) == {}


def test_a_queue_has_its_settings_and_dead_letters(emulator: Emulator, names: dict[str, str]) -> None:
    sqs = session().client("sqs", endpoint_url=emulator.endpoint_url)
    attributes = sqs.get_queue_attributes(QueueUrl=names["made-queue"], AttributeNames=["All"])["Attributes"]
    redrive = json.loads(attributes["RedrivePolicy"])
    assert attributes["VisibilityTimeout"] == "200"
    assert int(redrive["maxReceiveCount"]) == 4
    assert redrive["deadLetterTargetArn"].endswith(f"made-queue{DEAD_LETTERS}")
    sqs.close()


def test_an_upload_is_announced_to_the_queue(emulator: Emulator, names: dict[str, str]) -> None:
    s3 = session().client("s3", endpoint_url=emulator.endpoint_url)
    sqs = session().client("sqs", endpoint_url=emulator.endpoint_url)
    sqs.purge_queue(QueueUrl=names["made-queue"])
    for key in ("elsewhere/b.csv", "uploads/a.csv"):
        s3.put_object(Bucket=names["made-bucket"], Key=key, Body=b"text\n")
    message = sqs.receive_message(QueueUrl=names["made-queue"], WaitTimeSeconds=20)["Messages"][0]
    (record,) = json.loads(message["Body"])["Records"]
    assert record["s3"]["object"]["key"] == "uploads/a.csv"
    s3.close()
    sqs.close()


def test_no_proxy_comes_between_the_service_and_its_emulator(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    made = AwsCompanion(SPEC, tmp_path / "aws").session()
    clients = [
        made.client("dynamodb", endpoint_url=emulator.endpoint_url),
        Place(session(), emulator.endpoint_url, {}).client("dynamodb"),
    ]
    for client in clients:
        assert "TableNames" in client.list_tables()
        client.close()
