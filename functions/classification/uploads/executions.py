"""Starting the state machine for an upload whose rows are laid out, and knowing whether it is still at work.

An execution's name is made of the upload and the number of the execution: StartExecution with the name of one that runs
changes nothing, and with the name of one that has ended it is refused. So starting is safe to repeat, and also tells
what became of the execution, without leave to look at it.
https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Protocol

from functions.classification.uploads.source import error_code, storing
from trending_core.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

    from functions.classification.uploads.progress import Progress
    from functions.classification.uploads.upload import Upload

BATCH_CHUNKS: Final = 8
"""Chunks of a batch: with 512 rows each, so many rows that starting a child execution costs little beside them."""


class StepFunctions(Protocol):
    """The one call of boto3's client that is made."""

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> Any:  # noqa: A002, ANN401, N803 -- boto3's
        """Start an execution."""
        ...


class Executions:
    """Starts executions.

    Parameters
    ----------
    client : StepFunctions
    s3 : S3Client
    state_machine_arn : str
    """

    def __init__(self, client: StepFunctions, s3: S3Client, *, state_machine_arn: str) -> None:
        self._client = client
        self._s3 = s3
        self._arn = state_machine_arn

    def start(self, upload: Upload, progress: Progress) -> bool:
        """See to it that the execution that has the upload runs; False if it has ended.

        Raises
        ------
        UploadFailed
            If S3 refuses the list of batches.
        Unavailable
            If S3 or Step Functions does not answer.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 -- loaded with the client

        self._put_batches(upload, progress)
        content = {
            "upload": {
                "bucket": upload.bucket,
                "key": upload.key,
                "version": upload.version,
                "etag": upload.etag,
            },
            "generation": progress.generation,
            "batches": upload.batches(progress.generation),
        }
        try:
            self._client.start_execution(
                stateMachineArn=self._arn,
                name=f"{upload.id}-{progress.generation}",
                input=json.dumps(content, ensure_ascii=False),
            )
        except ClientError as error:
            if error_code(error) == "ExecutionAlreadyExists":
                return False
            message = f"Step Functions starts no execution ({error_code(error)})."
            raise Unavailable(message) from error
        except BotoCoreError as error:
            message = f"Step Functions does not answer ({type(error).__name__})."
            raise Unavailable(message) from error
        return True

    def _put_batches(self, upload: Upload, progress: Progress) -> None:
        """Write the list of batches unless it is there: an execution may be reading it."""
        from botocore.exceptions import ClientError  # noqa: PLC0415 -- loaded with the client

        with storing("write the list of batches"):
            try:
                self._s3.put_object(
                    Bucket=upload.bucket,
                    Key=upload.batches(progress.generation),
                    Body=json.dumps(batches(progress.chunks, progress.done)).encode(),
                    ContentType="application/json",
                    IfNoneMatch="*",
                )
            except ClientError as error:
                if error_code(error) not in {"PreconditionFailed", "412"}:
                    raise


def batches(chunks: int, done: frozenset[int] = frozenset()) -> list[dict[str, int]]:
    """Cut the chunks that are not done into batches of neighbours, ``first`` and ``count`` each, in order.

    Where every chunk is done, one batch is left all the same: no execution gets an empty list.
    """
    found: list[dict[str, int]] = []
    for number in range(chunks):
        if number in done:
            continue
        last = found[-1] if found else {"first": -1, "count": 0}
        if number == last["first"] + last["count"] and last["count"] < BATCH_CHUNKS:
            last["count"] += 1
        else:
            found.append({"first": number, "count": 1})
    return found or [{"first": 0, "count": 1}]
