"""The upload worker in tests: buckets and queues in the emulator, a model made of arithmetic, and messages fed by hand.

Run as a program it is a worker process: it reads the queue and works until it is killed, as an execution environment
that a poller feeds.
"""

from __future__ import annotations

import json
import os
import sys
import time
import uuid
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from cdk.local.pollers import failed_ids, sqs_event
from cdk.local.resources import DEAD_LETTERS, make_resources, make_table
from cdk.service import Bucket, Key, Notification, Queue, Service, Table
from functions.classification.files.results import ResultFormat
from functions.classification.uploads.batch import Batches
from functions.classification.uploads.ending import Ending
from functions.classification.uploads.executions import Executions
from functions.classification.uploads.item_writer import ItemWriter
from functions.classification.uploads.progress import ProgressTable
from functions.classification.uploads.publish import Publisher
from functions.classification.uploads.queue import UploadQueue
from functions.classification.uploads.source import Source
from functions.classification.uploads.steps import Steps
from functions.classification.uploads.summary import ModelName
from functions.classification.uploads.upload import Upload
from functions.classification.uploads.worker import Model, Worker
from tests.support.executions import Engine
from tests.support.local import eventually
from tests.support.stores import ITEMS
from trending_core.store_dynamodb import DynamoItemStore
from trending_core.store_memory import MemoryItemStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from functions.classification.files import Row
    from trending_core.store import ItemStore

LABELS = ("Action", "Drama")
FOREVER_MS = 900_000
MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:upload-map"


def predict(rows: Sequence[Row]) -> list[list[float]]:
    """Give what follows from a text's length."""
    return [[len(row.text) % 100 / 100, 1 / len(row.text)] for row in rows]


def a_model(
    predict: Callable[[Sequence[Row]], Sequence[Sequence[float]]] = predict, *, threads: int = 1
) -> Model:
    return Model(predict, ResultFormat(LABELS, (0.5, 0.5), "fake", "0.0.1"), threads)


def session() -> boto3.Session:
    return boto3.Session("local", "local", region_name="us-east-1")


@dataclass
class Depot:
    """A bucket that announces uploads to a queue, with everything the worker needs, in the emulator.

    ``clock`` is what the progress table believes; messages never wait for it.
    """

    endpoint_url: str
    name: str = field(default_factory=lambda: f"d{uuid.uuid4().hex[:10]}")
    visibility_s: int = 30
    versioned: bool = True
    names: dict[str, str] = field(default_factory=dict)
    clock: float = field(default_factory=time.time)
    engine: Engine = field(default_factory=Engine)
    store: ItemStore = field(default_factory=MemoryItemStore)

    def __post_init__(self) -> None:
        one = session()
        self.s3 = one.client("s3", endpoint_url=self.endpoint_url)
        self.sqs = one.client("sqs", endpoint_url=self.endpoint_url)
        self.dynamodb = one.client("dynamodb", endpoint_url=self.endpoint_url)
        queue = f"{self.name}-queue"
        spec = Service(
            stage="local",
            functions=(),
            tables=(Table(name=f"{self.name}-table", partition=Key(name="id"), sort=None),),
            buckets=(Bucket(name=self.name, notifications=(Notification(queue=queue, prefix="uploads/"),)),),
            queues=(Queue(name=queue, visibility_s=self.visibility_s),),
        )
        made = make_resources(spec, one, self.endpoint_url)
        if not self.versioned:
            # S3 cannot switch versions off again, so the bucket is made anew without them.
            self.s3.delete_bucket(Bucket=self.name)
            self.s3.create_bucket(Bucket=self.name)
            self.announce(queue)
        self.names = {
            "bucket": self.name,
            "table": made[f"{self.name}-table"],
            "queue": made[queue],
            "dead": made[queue + DEAD_LETTERS],
        }

    def announce(self, queue: str) -> None:
        """Announce every new object of the bucket, wherever it lies, so that recursion would show."""
        arn = f"arn:aws:sqs:us-east-1:000000000000:{queue}"
        self.s3.put_bucket_notification_configuration(
            Bucket=self.name,
            NotificationConfiguration={
                "QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]
            },
        )

    def batches(self, model: Model | None = None, **options: Any) -> Batches:
        """Make a worker as the wiring does."""
        chosen: dict[str, Any] = {
            "chunk_rows": 10,
            "reserve_ms": 1_000,
            "max_bytes": 64 * 1024**2,
            "map_bytes": 64 * 1024**2,
            "watch_s": 60,
        } | options
        s3 = chosen.pop("s3", self.s3)
        now = chosen.pop("now", lambda: self.clock)
        table = self.table(chosen.pop("dynamodb", None), chosen.pop("lease_s", 60), now)
        ending = Ending(table, Publisher(s3, model=ModelName("fake", "0.0.1"), now=now))
        executions = Executions(self.engine, s3, state_machine_arn=MACHINE)
        model = model or a_model()
        worker = Worker(s3, table, ending, executions, model, self.items(model), **chosen)
        return Batches(worker, self.queue(), bucket=self.name, max_receives=3)

    def steps(self, model: Model | None = None, **options: Any) -> Steps:
        """Make what takes the steps of the state machine, as the wiring does."""
        s3 = options.get("s3", self.s3)
        table = self.table(options.get("dynamodb"), options.get("lease_s", 60), lambda: self.clock)
        ending = Ending(table, Publisher(s3, model=ModelName("fake", "0.0.1"), now=lambda: self.clock))
        return Steps(
            s3,
            table,
            ending,
            self.queue(),
            model or a_model(),
            self.items(model or a_model()),
            bucket=self.name,
            reserve_ms=options.get("reserve_ms", 1_000),
        )

    def table(
        self, dynamodb: Any = None, lease_s: int = 60, now: Callable[[], float] | None = None
    ) -> ProgressTable:
        return ProgressTable(
            dynamodb or self.dynamodb, self.names["table"], lease_s=lease_s, now=now or (lambda: self.clock)
        )

    def items(self, model: Model) -> ItemWriter:
        return ItemWriter(self.store, model.results, now=lambda: self.clock)

    def keep_items(self) -> DynamoItemStore:
        """Keep items in a table from here on, which worker processes find too."""
        self.names["items"] = make_table(self.dynamodb, replace(ITEMS, name=f"{self.name}-items"))
        self.store = store = DynamoItemStore(self.dynamodb, self.names["items"])
        return store

    def queue(self) -> UploadQueue:
        return UploadQueue(self.sqs, url=self.names["queue"], dead_letters_url=self.names["dead"])

    def put(self, key: str, body: bytes, **metadata: str) -> Upload:
        """Upload a file, and wait until its announcement lies in the queue.

        Like S3, the emulator announces an object some time after it has answered. No worker may read the queue
        meanwhile.
        """
        before = self.waiting()
        answer = self.s3.put_object(Bucket=self.name, Key=key, Body=body, Metadata=metadata)
        assert eventually(lambda: self.waiting() > before), f"{key} is never announced"
        version = answer.get("VersionId")
        return Upload(self.name, key, version, answer["ETag"].strip('"'))

    def waiting(self) -> int:
        """Count the messages of the queue, those that were received and not deleted among them."""
        counted = self.sqs.get_queue_attributes(
            QueueUrl=self.names["queue"],
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )["Attributes"]
        return sum(map(int, counted.values()))

    def receive(self, limit: int = 10) -> list[Any]:
        """Take messages from the queue."""
        answer = self.sqs.receive_message(
            QueueUrl=self.names["queue"],
            MaxNumberOfMessages=limit,
            WaitTimeSeconds=0,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return list(answer.get("Messages", []))

    def step(self, batches: Batches, *, remaining_ms: Callable[[], int] | None = None) -> int:
        """Do what a poller does once; give the number of messages taken."""
        messages = self.receive()
        if messages:
            event = sqs_event("queue", messages)
            answer = batches.work(event, remaining_ms=remaining_ms or (lambda: FOREVER_MS))
            failed = failed_ids(json.dumps(answer).encode(), {m["MessageId"] for m in messages})
            for message in messages:
                if message["MessageId"] not in failed:
                    self.sqs.delete_message(
                        QueueUrl=self.names["queue"], ReceiptHandle=message["ReceiptHandle"]
                    )
        return len(messages)

    def drain(self, batches: Batches, **options: Any) -> int:
        """Work until the queue gives nothing more; give the number of messages, which must be bounded."""
        taken = 0
        while count := self.step(batches, **options):
            taken += count
            assert taken < 200, "the queue never empties"
        return taken

    def read(self, key: str) -> bytes:
        body: bytes = self.s3.get_object(Bucket=self.name, Key=key)["Body"].read()
        return body

    def exists(self, key: str) -> bool:
        return key in self.keys()

    def keys(self) -> list[str]:
        found = self.s3.list_objects_v2(Bucket=self.name)
        return [entry["Key"] for entry in found.get("Contents", [])]

    def ids(self, upload: Upload) -> list[str]:
        return [json.loads(line)["id"] for line in self.read(upload.results).splitlines()]

    def bad_rows(self, upload: Upload) -> list[int]:
        return [json.loads(line)["row"] for line in self.read(upload.errors).splitlines()]

    def summary(self, upload: Upload) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.read(upload.summary))
        return content

    def buried(self) -> list[tuple[str, str | None]]:
        """Give body and reason of everything in the dead-letter queue, and empty it."""
        found: list[tuple[str, str | None]] = []
        while messages := self.sqs.receive_message(
            QueueUrl=self.names["dead"], MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages", []):
            for message in messages:
                attributes: dict[str, Any] = dict(message.get("MessageAttributes", {}))
                reason = attributes["reason"]["StringValue"] if "reason" in attributes else None
                found.append((message["Body"], reason))
                self.sqs.delete_message(QueueUrl=self.names["dead"], ReceiptHandle=message["ReceiptHandle"])
        return found

    def to_json(self) -> str:
        """Write what `attach` needs."""
        return json.dumps({"name": self.name, "names": self.names, "endpoint_url": self.endpoint_url})

    def source(self, upload: Upload, **options: Any) -> Source:
        return Source(self.s3, upload, **options)


def csv_of(count: int, *, bad: Sequence[int] = (), start: int = 0) -> bytes:
    """Give a file of so many rows with ids ``r0``, ``r1`` ...; ``bad`` ones have a column too few."""
    lines = ["id,text"]
    lines += [
        f"r{number}" if number in bad else f'r{number},"A plot, number {number}"'
        for number in range(start, start + count)
    ]
    return "\n".join(lines).encode() + b"\n"


def attach(depot_json: str) -> Depot:
    """Give a depot that another process has made."""
    depot = Depot.__new__(Depot)
    values = json.loads(depot_json)
    depot.name, depot.names, depot.endpoint_url = values["name"], values["names"], values["endpoint_url"]
    one = session()
    depot.s3 = one.client("s3", endpoint_url=depot.endpoint_url)
    depot.sqs = one.client("sqs", endpoint_url=depot.endpoint_url)
    depot.dynamodb = one.client("dynamodb", endpoint_url=depot.endpoint_url)
    depot.clock = time.time()
    depot.engine = Engine()
    items = depot.names.get("items")
    depot.store = DynamoItemStore(depot.dynamodb, items) if items else MemoryItemStore()
    return depot


def work_until_empty(depot: Depot) -> None:
    """Empty the queue with chunks of the usual size, and tell the highest memory use in KB, as Linux counts it."""
    depot.drain(depot.batches(a_model(threads=2), chunk_rows=512))
    (line,) = [x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("VmHWM")]
    sys.stdout.write(line.split()[1])


def work_until_killed(depot: Depot, row_s: float) -> None:
    """Be a worker process, with two threads that ask the model, as the real one has at least."""

    def slowly(rows: Sequence[Row]) -> list[list[float]]:
        time.sleep(2 * row_s * len(rows))
        return predict(rows)

    batches = depot.batches(a_model(slowly, threads=2), now=time.time, lease_s=1)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        if not depot.step(batches):
            time.sleep(0.05)


if __name__ == "__main__":
    os.environ.setdefault("POWERTOOLS_SERVICE_NAME", "uploads")
    if sys.argv[2] == "drain":
        work_until_empty(attach(sys.argv[1]))
    else:
        work_until_killed(attach(sys.argv[1]), float(sys.argv[2]))
