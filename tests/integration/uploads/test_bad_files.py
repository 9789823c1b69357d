"""Whatever is dropped into the bucket ends: with a summary that says what happened, or in the dead-letter queue."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSResponse, HTTPHeaders
from botocore.config import Config

from functions.classification.uploads.messages import write_message
from functions.classification.uploads.queue import AGAIN
from functions.classification.uploads.upload import Upload
from functions.classification.uploads.worker import MAX_STARTS
from tests.support.uploads import Depot, a_model, csv_of, predict, session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cdk.local.emulator import Emulator
    from functions.classification.files import Row
    from functions.classification.uploads.batch import Batches


@pytest.fixture(scope="module")
def depot(emulator: Emulator) -> Depot:
    return Depot(emulator.endpoint_url)


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return buffer.getvalue()


def bomb() -> bytes:
    """Give a gzip that begins as a good file and unpacks to 40 MB of one letter."""
    return gzip.compress(csv_of(12) + b"x" * 40 * 1024**2)


NO_ROWS = [
    pytest.param("empty.csv", b"", "is empty", id="empty"),
    pytest.param("head.csv", b"id,text\n", "has a header and no rows", id="header only"),
    pytest.param("other.csv", b"id,plot\n1,A plot\n", "has no column named text", id="no text column"),
    pytest.param("a.csv", zipped(), "is a zip archive or an Excel workbook", id="zip named csv"),
    pytest.param("a.csv.gz", csv_of(3), "is not gzip", id="csv named gz"),
    pytest.param("blank.jsonl", b"\n\n", "holds no rows", id="blank lines"),
    pytest.param("a.txt", "id,text\n".encode("utf-16"), "is UTF-16 text", id="UTF-16"),
]


@pytest.mark.parametrize(("name", "body", "says"), NO_ROWS)
def test_a_file_without_rows_says_why_and_is_buried(depot: Depot, name: str, body: bytes, says: str) -> None:
    upload = depot.put(f"uploads/none/{name}", body)
    depot.drain(depot.batches())
    summary = depot.summary(upload)
    assert summary["status"] == "failed"
    assert says in summary["reason"]
    assert (summary["rows"], summary["results"], summary["errors"]) == (0, None, None)
    assert depot.buried() == [(write_message(upload), summary["reason"])]


SOME_ROWS = [
    pytest.param("few.csv", csv_of(25, bad=[3, 20]), [5, 22], "", id="rows with too few columns"),
    pytest.param(
        "quote.csv", b'id,text\n1,one\n2,"never closed\n3,three\n', [3], "", id="a quote that is not closed"
    ),
    pytest.param("bytes.csv", b"id,text\n1,one\n2,\xff\xfe\n3,three\n", [3], "", id="invalid UTF-8"),
    pytest.param(
        "long.jsonl",
        b'{"text": "one"}\n{"text": "' + b"x" * 10_000_000 + b'"}\n{"text": "three"}\n',
        [2],
        "",
        id="a line of 10 MB",
    ),
    pytest.param(
        "cut.csv.gz",
        gzip.compress(csv_of(2_000), mtime=0)[:-2_000],
        [],
        "is cut off: its gzip data has no end",
        id="gzip cut in half",
    ),
    pytest.param("bomb.csv.gz", bomb(), None, "unpacks to more than", id="gzip bomb"),
]


@pytest.mark.parametrize(("name", "body", "bad", "says"), SOME_ROWS)
def test_what_can_be_read_is_classified_and_the_rest_is_named(
    depot: Depot, name: str, body: bytes, bad: list[int] | None, says: str
) -> None:
    upload = depot.put(f"uploads/some/{name}", body)
    depot.drain(depot.batches(chunk_rows=300))
    summary = depot.summary(upload)
    ids = depot.ids(upload)
    assert len(ids) == len(set(ids)) == summary["classified"] > 0
    if bad is not None:
        assert summary["failed"] == len(bad)
        assert not bad or depot.bad_rows(upload) == bad
    assert says in (summary["reason"] or "")
    assert summary["status"] == ("failed" if says else "done")
    assert [reason for _, reason in depot.buried()] == ([summary["reason"]] if says else [])


@pytest.mark.parametrize(
    "name",
    [
        "with spaces and +plus+ signs & more=?.csv",
        "été/映画 🎬.csv",
        "percent%20encoded%2B.csv",
        "n" * 896 + ".csv",
        "映" * 330 + ".csv",
    ],
    ids=["spaces and plus", "unicode", "percent", "900 characters", "too long for its endings"],
)
def test_keys_of_every_kind(depot: Depot, name: str) -> None:
    upload = depot.put(f"uploads/{name}", csv_of(3))
    depot.drain(depot.batches())
    assert depot.ids(upload) == ["r0", "r1", "r2"]
    assert depot.summary(upload)["upload"]["key"] == f"uploads/{name}"


def test_results_are_not_taken_for_uploads(emulator: Emulator) -> None:
    depot = Depot(emulator.endpoint_url)
    depot.announce(f"{depot.name}-queue")  # of everything, without the prefix
    upload = depot.put("uploads/a.csv", csv_of(25))
    taken = depot.drain(depot.batches())
    assert depot.ids(upload) == [f"r{number}" for number in range(25)]
    # S3's test events, the upload, three chunks, results and summary; and then the queue is empty.
    assert taken <= 2 + 1 + 3 + 2
    assert sorted(depot.keys())[:2] == [upload.results, upload.summary]
    assert depot.buried() == []


def test_a_deleted_object_says_so(depot: Depot) -> None:
    upload = depot.put("uploads/deleted.csv", csv_of(3))
    depot.s3.delete_object(Bucket=depot.name, Key=upload.key)
    depot.drain(depot.batches())
    summary = depot.summary(upload)
    assert summary["status"] == "failed"
    assert summary["reason"].endswith("it was deleted.")
    assert depot.buried() == [(write_message(upload), summary["reason"])]


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> list[bytes]:
        return [self.read()]


def refuse(client: Any, operation: str, status: int, code: str) -> None:
    """Answer an operation as S3 does when it refuses; the answer is parsed by boto3 as a real one."""
    body = b"" if operation.startswith("Head") else f"<Error><Code>{code}</Code></Error>".encode()

    def answer(request: Any, **_: Any) -> AWSResponse:
        return AWSResponse(request.url, status, HTTPHeaders(), _Raw(body))

    client.meta.events.register(f"before-send.s3.{operation}", answer)


def fresh_client(depot: Depot) -> Any:
    config = Config(retries={"total_max_attempts": 1})
    return session().client("s3", endpoint_url=depot.endpoint_url, config=config)


def test_access_denied_is_buried_at_once(depot: Depot) -> None:
    s3 = fresh_client(depot)
    refuse(s3, "HeadObject", 403, "AccessDenied")
    upload = depot.put("uploads/denied.csv", csv_of(3))
    depot.drain(depot.batches(s3=s3))
    assert not depot.exists(upload.summary)  # not even that may be looked at
    ((body, reason),) = depot.buried()
    assert body == write_message(upload)
    assert reason is not None
    assert "does not allow the worker to read uploads/denied.csv" in reason


def test_denied_reading_alone_still_leaves_a_summary(depot: Depot) -> None:
    s3 = fresh_client(depot)
    refuse(s3, "GetObject", 403, "AccessDenied")
    upload = depot.put("uploads/unreadable.csv", csv_of(3))
    depot.drain(depot.batches(s3=s3))
    assert depot.summary(upload)["status"] == "failed"
    assert [reason for _, reason in depot.buried()] == [depot.summary(upload)["reason"]]


def wait_out(depot: Depot, batches: Batches) -> list[int]:
    """Work until the queue is empty; give how long the message was hidden after each delivery, which passes at once."""
    hidden: list[int] = []

    def hide(receipt: str, seconds: int) -> None:
        hidden.append(seconds)
        depot.clock += seconds  # and not a second more: a lease that nobody holds must not outlast it
        depot.sqs.change_message_visibility(
            QueueUrl=depot.names["queue"], ReceiptHandle=receipt, VisibilityTimeout=0
        )

    batches._queue.hide = hide  # type: ignore[method-assign]
    depot.drain(batches)
    return hidden


def test_an_outage_is_waited_out_and_buried_only_after_the_last_delivery(emulator: Emulator) -> None:
    depot = Depot(emulator.endpoint_url)
    s3 = fresh_client(depot)
    refuse(s3, "GetObject", 503, "SlowDown")
    upload = depot.put("uploads/later.csv", csv_of(3))
    assert wait_out(depot, depot.batches(s3=s3)) == [30, 240]
    assert [reason for _, reason in depot.buried()] == ["S3 refused to read uploads/later.csv (SlowDown)."]
    # S3 answers again, and somebody redrives.
    depot.sqs.send_message(QueueUrl=depot.names["queue"], MessageBody=write_message(upload))
    depot.drain(depot.batches())
    assert depot.ids(upload) == ["r0", "r1", "r2"]


def redriven(depot: Depot, upload: Upload) -> None:
    """Send a message as `trending-now uploads redrive` does."""
    depot.sqs.send_message(
        QueueUrl=depot.names["queue"],
        MessageBody=write_message(upload),
        MessageAttributes={AGAIN: {"DataType": "String", "StringValue": "redrive"}},
    )


def test_redrives_in_a_long_outage_cost_no_work_that_is_done(depot: Depot) -> None:
    """They are more starts than a file that breaks its worker is given."""
    s3 = fresh_client(depot)
    upload = depot.put("uploads/patient.csv", csv_of(25))
    classified: list[str | None] = []

    def noted(rows: Sequence[Row]) -> list[list[float]]:
        classified.extend(row.id for row in rows)
        return predict(rows)

    def fails_from_now_on(**_: Any) -> None:
        refuse(s3, "PutObject", 503, "SlowDown")

    s3.meta.events.register("after-call.s3.PutObject", fails_from_now_on)  # the first chunk is written
    assert wait_out(depot, depot.batches(a_model(noted), s3=s3)) == [30, 240]
    for _ in range(MAX_STARTS // 3):
        redriven(depot, upload)
        assert wait_out(depot, depot.batches(a_model(noted), s3=s3)) == [30, 240]
    assert len(depot.buried()) == 1 + MAX_STARTS // 3
    redriven(depot, upload)
    depot.drain(depot.batches())

    assert depot.summary(upload)["status"] == "done"
    assert depot.ids(upload) == [f"r{number}" for number in range(25)]
    assert classified.count("r0") == 1
    assert classified.count("r10") > MAX_STARTS


def test_an_error_that_stays_is_buried_by_its_type(depot: Depot) -> None:
    def break_(rows: Sequence[Row]) -> list[list[float]]:
        raise RuntimeError(rows[0].text)

    upload = depot.put("uploads/breaks.csv", csv_of(3))
    assert wait_out(depot, depot.batches(a_model(break_))) == [30, 240]
    reason = "An unexpected error ended the work (RuntimeError)."
    assert [found for _, found in depot.buried()] == [reason]
    depot.sqs.send_message(QueueUrl=depot.names["queue"], MessageBody=write_message(upload))
    depot.drain(depot.batches())
    assert depot.ids(upload) == ["r0", "r1", "r2"]


def test_an_outage_at_the_end_leaves_nobody_waiting(depot: Depot) -> None:
    """A file that cannot be read, a summary that cannot be written for a while."""
    s3 = fresh_client(depot)
    refuse(s3, "PutObject", 503, "SlowDown")
    upload = depot.put("uploads/late.csv", b"")
    batches = depot.batches(s3=s3)
    assert depot.step(batches) == 1
    depot.sqs.send_message(QueueUrl=depot.names["queue"], MessageBody=write_message(upload))
    depot.drain(depot.batches())
    assert "is empty" in depot.summary(upload)["reason"]
    assert [reason for _, reason in depot.buried()] == [depot.summary(upload)["reason"]]


def test_a_message_that_is_no_event_is_buried(depot: Depot) -> None:
    depot.sqs.send_message(QueueUrl=depot.names["queue"], MessageBody="not an event")
    depot.drain(depot.batches())
    assert depot.buried() == [("not an event", "The message is no event notification of S3.")]


def test_an_object_of_another_bucket_is_buried(depot: Depot) -> None:
    body = write_message(Upload("elsewhere", "uploads/a.csv", None, "e"))
    depot.sqs.send_message(QueueUrl=depot.names["queue"], MessageBody=body)
    depot.drain(depot.batches())
    assert depot.buried() == [(body, "elsewhere is not the bucket of uploads.")]


def test_one_broken_message_does_not_fail_its_neighbours(depot: Depot) -> None:
    good = [depot.put(f"uploads/neighbour-{number}.csv", csv_of(2)) for number in range(2)]
    depot.sqs.send_message(QueueUrl=depot.names["queue"], MessageBody="{}")
    depot.drain(depot.batches())
    assert all(depot.summary(upload)["status"] == "done" for upload in good)
    assert [body for body, _ in depot.buried()] == ["{}"]


def test_an_unexpected_error_fails_its_own_message_only(depot: Depot) -> None:
    first, second = (depot.put(f"uploads/pair-{number}.csv", csv_of(number + 1)) for number in range(2))
    batches = depot.batches()
    run = batches._worker.run

    def fail_for_first(upload: Upload, **options: Any) -> None:
        if upload.key == first.key:
            raise ZeroDivisionError
        run(upload, **options)

    batches._worker.run = fail_for_first  # type: ignore[method-assign]
    records = [
        {
            "messageId": upload.key,
            "receiptHandle": "unknown",
            "body": write_message(upload),
            "attributes": {"ApproximateReceiveCount": "1"},
        }
        for upload in (first, second)
    ]
    answer = batches.work({"Records": records}, remaining_ms=lambda: 900_000)
    assert answer == {"batchItemFailures": [{"itemIdentifier": first.key}]}
    assert depot.summary(second)["status"] == "done"
    depot.drain(depot.batches())
    assert json.loads(depot.read(first.summary))["status"] == "done"
