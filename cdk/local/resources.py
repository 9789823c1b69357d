"""Making the spec's tables, queues, buckets, secrets and state machines at an AWS endpoint, and the variables that name them.

What exists already stays as it is; a state machine gets the present definition. Must not know: who answers at the endpoint (`cdk.local.emulator`, or moto in tests).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from cdk.local.function import LIVE
from cdk.local.invocation import ACCOUNT, REGION, function_arn
from cdk.service import Bucket, Queue, Secret, SpecError, Table, UploadMap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from boto3 import Session
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_secretsmanager.client import SecretsManagerClient
    from mypy_boto3_sqs.client import SQSClient

    from cdk.service import Function, Index, Key, Service

DEAD_LETTERS: Final = "-dead-letters"
"""Suffix of a queue's dead-letter queue."""
DEAD_LETTER_DAYS: Final = 14
_DAY_S: Final = 86_400


def make_resources(service: Service, session: Session, endpoint_url: str) -> dict[str, str]:
    """Make what is missing of the service's data.

    Returns
    -------
    dict
        What a function's variable holds for each resource: a table's or bucket's name, a queue's URL, a secret's or state
        machine's ARN; and for each queue with the suffix `DEAD_LETTERS` the URL of its dead-letter queue.
    """
    dynamodb = session.client("dynamodb", endpoint_url=endpoint_url)
    sqs = session.client("sqs", endpoint_url=endpoint_url)
    s3 = session.client("s3", endpoint_url=endpoint_url)
    secrets = session.client("secretsmanager", endpoint_url=endpoint_url)
    names: dict[str, str] = {}
    for table in service.tables:
        names[table.name] = make_table(dynamodb, table)
    for queue in service.queues:
        names[queue.name], names[queue.name + DEAD_LETTERS] = _make_queue(sqs, queue)
    for bucket in service.buckets:
        names[bucket.name] = _make_bucket(s3, sqs, bucket, names)
    for secret in service.secrets:
        names[secret.name] = _make_secret(secrets, secret)
    if service.state_machines:
        states: Any = session.client("stepfunctions", endpoint_url=endpoint_url)
        for machine in service.state_machines:
            names[machine.name] = _make_state_machine(states, machine, service, names)
    return names


def variables(function: Function, names: Mapping[str, str]) -> dict[str, str]:
    """Give the environment variables by which a function learns what its grants are called here.

    Grants to other functions are not in `names` and are left out: whoever runs the functions names those.
    """
    return {
        grant.variable: names[grant.to + DEAD_LETTERS if "bury" in grant.can else grant.to]
        for grant in function.grants
        if grant.to in names
    }


def make_table(client: DynamoDBClient, table: Table) -> str:
    """Make a table if it is not there; give its name.

    Raises
    ------
    SpecError
        If there is one of that name with another schema: its data cannot be read by the present code.
    """
    wanted = _table_request(table)
    try:
        found = client.describe_table(TableName=table.name)["Table"]
    except client.exceptions.ResourceNotFoundException:
        client.create_table(**wanted)
        client.get_waiter("table_exists").wait(
            TableName=table.name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )
        if table.ttl_attribute:
            client.update_time_to_live(
                TableName=table.name,
                TimeToLiveSpecification={"Enabled": True, "AttributeName": table.ttl_attribute},
            )
        return table.name
    have = {index["IndexName"]: index["KeySchema"] for index in found.get("GlobalSecondaryIndexes", [])}
    want = {index["IndexName"]: index["KeySchema"] for index in wanted.get("GlobalSecondaryIndexes", [])}
    if found["KeySchema"] != wanted["KeySchema"] or have != want:
        message = (
            f"the stored table {table.name} has another layout than the service now; start over with --fresh"
        )
        raise SpecError(message)
    return table.name


def _table_request(table: Table) -> dict[str, Any]:
    keys = [table.partition, *([table.sort] if table.sort else [])]
    for index in table.indexes:
        keys += [index.partition, *([index.sort] if index.sort else [])]
    request: dict[str, Any] = {
        "TableName": table.name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": n, "AttributeType": t} for n, t in {k.name: k.type for k in keys}.items()
        ],
        "KeySchema": _schema(table.partition, table.sort),
    }
    if table.indexes:
        request["GlobalSecondaryIndexes"] = [
            {
                "IndexName": index.name,
                "KeySchema": _schema(index.partition, index.sort),
                "Projection": _projection(index),
            }
            for index in table.indexes
        ]
    return request


def _schema(partition: Key, sort: Key | None) -> list[dict[str, str]]:
    keys = [{"AttributeName": partition.name, "KeyType": "HASH"}]
    return [*keys, {"AttributeName": sort.name, "KeyType": "RANGE"}] if sort else keys


def _projection(index: Index) -> dict[str, Any]:
    if index.include is None:
        return {"ProjectionType": "ALL"}
    if not index.include:
        return {"ProjectionType": "KEYS_ONLY"}
    return {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(index.include)}


def _make_queue(client: SQSClient, queue: Queue) -> tuple[str, str]:
    dead = client.create_queue(
        QueueName=queue.name + DEAD_LETTERS,
        Attributes={"MessageRetentionPeriod": str(DEAD_LETTER_DAYS * _DAY_S)},
    )["QueueUrl"]
    arn = _queue_arn(client, dead)
    redrive = {"deadLetterTargetArn": arn, "maxReceiveCount": queue.max_receives}
    wanted: dict[Any, str] = {
        "VisibilityTimeout": str(queue.visibility_s),
        "MessageRetentionPeriod": str(queue.retention_days * _DAY_S),
        "RedrivePolicy": json.dumps(redrive),
    }
    try:
        url = client.get_queue_url(QueueName=queue.name)["QueueUrl"]
    except client.exceptions.QueueDoesNotExist:
        return client.create_queue(QueueName=queue.name, Attributes=wanted)["QueueUrl"], dead
    client.set_queue_attributes(QueueUrl=url, Attributes=wanted)
    return url, dead


def _queue_arn(client: SQSClient, url: str) -> str:
    return client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def _make_bucket(s3: S3Client, sqs: SQSClient, bucket: Bucket, names: Mapping[str, str]) -> str:
    there = {found["Name"] for found in s3.list_buckets()["Buckets"]}
    if bucket.name not in there:
        s3.create_bucket(Bucket=bucket.name)
    s3.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
    configurations: list[Any] = [
        {
            "QueueArn": _queue_arn(sqs, names[notification.queue]),
            "Events": ["s3:ObjectCreated:*"],
            "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": notification.prefix}]}},
        }
        for notification in bucket.notifications
    ]
    if configurations:
        s3.put_bucket_notification_configuration(
            Bucket=bucket.name, NotificationConfiguration={"QueueConfigurations": configurations}
        )
    return bucket.name


def _make_state_machine(client: Any, machine: UploadMap, service: Service, names: Mapping[str, str]) -> str:  # noqa: ANN401 -- boto3's client
    function = service.function(machine.function)
    wanted = json.dumps(
        machine.definition(
            function_arn=function_arn(function.name, LIVE),
            function_timeout_s=function.timeout_s,
            bucket=names[machine.bucket],
        )
    )
    arn = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{machine.name}"
    try:
        client.update_state_machine(stateMachineArn=arn, definition=wanted)
    except client.exceptions.StateMachineDoesNotExist:
        role = f"arn:aws:iam::{ACCOUNT}:role/{machine.name}"
        client.create_state_machine(name=machine.name, definition=wanted, roleArn=role)
    return arn


def _make_secret(client: SecretsManagerClient, secret: Secret) -> str:
    try:
        return client.describe_secret(SecretId=secret.name)["ARN"]
    except client.exceptions.ResourceNotFoundException:
        return client.create_secret(Name=secret.name, Description=secret.purpose)["ARN"]
