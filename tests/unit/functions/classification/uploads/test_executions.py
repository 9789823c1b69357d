"""What became of an execution is told by starting it again; what AWS refuses ends the upload or brings it back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from functions.classification.uploads.errors import UploadFailed
from functions.classification.uploads.executions import Executions
from functions.classification.uploads.record import Progress, Status
from functions.classification.uploads.upload import Upload
from trending_core.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

ARN = "arn:aws:states:us-east-1:111122223333:stateMachine:upload-map"
UPLOAD = Upload("files", "uploads/plots.csv", "v1", "etag")
PROGRESS = Progress(
    id=UPLOAD.id,
    key=UPLOAD.key,
    chunk_rows=512,
    began=0,
    status=Status.MAPPED,
    chunks=3,
    generation=2,
    done=frozenset({0}),
)


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "Operation")


class Aws:
    """Both clients in one: keeps what it is asked, and raises what it is told to."""

    def __init__(self, put: Exception | None = None, start: Exception | None = None) -> None:
        self._put, self._start = put, start
        self.stored: list[dict[str, Any]] = []
        self.started: list[dict[str, Any]] = []

    def put_object(self, **named: Any) -> None:
        if self._put:
            raise self._put
        self.stored.append(named)

    def start_execution(self, **named: Any) -> None:
        if self._start:
            raise self._start
        self.started.append(named)


def start(aws: Aws) -> bool:
    return Executions(aws, cast("S3Client", aws), state_machine_arn=ARN).start(UPLOAD, PROGRESS)


def test_an_execution_is_named_after_upload_and_generation_and_told_where_its_batches_are() -> None:
    aws = Aws()
    assert start(aws)
    (stored,), (started,) = aws.stored, aws.started
    assert (stored["Bucket"], stored["IfNoneMatch"]) == ("files", "*")
    assert json.loads(stored["Body"]) == [{"first": 1, "count": 2}]
    assert (started["stateMachineArn"], started["name"]) == (ARN, f"{UPLOAD.id}-2")
    assert json.loads(started["input"]) == {
        "upload": {"bucket": "files", "key": "uploads/plots.csv", "version": "v1", "etag": "etag"},
        "generation": 2,
        "batches": stored["Key"],
    }


def test_a_name_that_is_refused_says_that_the_execution_has_ended() -> None:
    assert not start(Aws(start=refusal("ExecutionAlreadyExists")))


@pytest.mark.parametrize("code", ["PreconditionFailed", "412"])
def test_a_list_of_batches_that_is_there_stays_and_the_execution_starts(code: str) -> None:
    aws = Aws(put=refusal(code))
    assert start(aws)
    assert len(aws.started) == 1


@pytest.mark.parametrize(
    ("aws", "error", "sentence"),
    [
        (
            Aws(start=refusal("ThrottlingException")),
            Unavailable,
            r"^Step Functions starts no execution \(ThrottlingException\)\.$",
        ),
        (
            Aws(start=ConnectTimeoutError(endpoint_url="https://states")),
            Unavailable,
            r"^Step Functions does not answer \(ConnectTimeoutError\)\.$",
        ),
        (
            Aws(put=refusal("SlowDown")),
            Unavailable,
            r"^S3 refused to write the list of batches \(SlowDown\)\.$",
        ),
        (
            Aws(put=refusal("AccessDenied")),
            UploadFailed,
            r"^S3 does not allow the worker to write the list of batches \(AccessDenied\)",
        ),
    ],
)
def test_what_aws_refuses_is_said_and_nothing_is_started(
    aws: Aws, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        start(aws)
    assert aws.started == []
