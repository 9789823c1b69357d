"""The record of an upload in DynamoDB: chunks done, who works on it until when, and how it ended.

Every write is conditional on what its writer believes: two workers never hold one upload, and one that was thought dead
learns it at its next write. Knows nothing of rows or of S3.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from functions.classification.uploads.errors import Busy
from trending_core.dynamo_client import answering

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb.client import DynamoDBClient

    from functions.classification.uploads.upload import Upload

KEEP_S: Final = 30 * 86_400
"""How long a record is kept after its last change: longer than a message can lie in queue and dead-letter queue."""
RACE_S: Final = 5
"""Seconds until one looks again who came second."""


class Status(StrEnum):
    """Where an upload stands."""

    RUNNING = "running"
    READ = "read"
    """Every chunk is there; the results are still to be written."""
    DONE = "done"
    FAILED = "failed"
    SUPERSEDED = "superseded"


FINAL: Final = frozenset({Status.DONE, Status.FAILED, Status.SUPERSEDED})


@dataclass(frozen=True, slots=True)
class Progress:
    """A record.

    Parameters
    ----------
    chunk_rows : int
        Rows of a chunk, fixed when the upload was first taken up.
    chunks : int
        Chunks done.
    rows, failed : int
        Rows in them, and how many of those are errors.
    starts : int
        Starts of a worker since the last chunk.
    runs : int
        Starts of a worker in all.
    began : float
        When it was first taken up, in seconds of Unix time.
    reason : str or None
        Why the file could not be read, or not to its end.
    owner : str
        Token of the worker that has it, or had it last.
    lease_until : float
        Seconds of Unix time until which no other worker may take it.
    """

    id: str
    key: str
    chunk_rows: int
    began: float
    status: Status = Status.RUNNING
    chunks: int = 0
    rows: int = 0
    failed: int = 0
    starts: int = 0
    runs: int = 0
    reason: str | None = None
    owner: str = ""
    lease_until: float = 0.0


class ProgressTable:
    """The table of records.

    Parameters
    ----------
    client : DynamoDBClient
    table : str
        Its name; partition key ``id``, TTL ``expires_at``.
    lease_s : int
        How long a worker may be silent before another one takes over; longer than a chunk takes.
    now : callable
        Unix time.
    """

    def __init__(self, client: DynamoDBClient, table: str, *, lease_s: int, now: Callable[[], float]) -> None:
        self.lease_s = lease_s
        self._client = client
        self._table = table
        self._now = now

    def get(self, id_: str) -> Progress | None:
        """Read a record."""
        with answering():
            item = self._client.get_item(TableName=self._table, Key={"id": {"S": id_}}, ConsistentRead=True)
        return _decode(item["Item"]) if "Item" in item else None

    def claim(self, upload: Upload, *, chunk_rows: int, again: bool) -> Progress:
        """Take an upload over, unless it has ended.

        Parameters
        ----------
        chunk_rows : int
            For an upload that nobody has worked on.
        again : bool
            Start over if it has failed.

        Returns
        -------
        Progress
            With a final status if there is nothing to do; else it is this caller's.

        Raises
        ------
        Busy
            If another worker has it.
        Unavailable
            If DynamoDB does not answer.
        """
        now = self._now()
        seen = self.get(upload.id)
        if seen is None:
            taken = Progress(upload.id, upload.key, chunk_rows, now)
        elif seen.status is Status.FAILED and again:
            taken = Progress(upload.id, upload.key, chunk_rows, now, runs=seen.runs)
        elif seen.status in FINAL:
            return seen
        elif seen.lease_until > now:
            raise Busy(int(seen.lease_until - now) + 1)
        else:
            taken = seen
        taken = replace(
            taken,
            owner=secrets.token_hex(8),
            lease_until=now + self.lease_s,
            starts=taken.starts + 1,
            runs=taken.runs + 1,
        )
        # The owner's token changes with every claim, so it stands for the whole record.
        if seen is None:
            self._put(taken, "attribute_not_exists(id)", {})
        else:
            self._put(taken, "#owner = :owner", {":owner": {"S": seen.owner}})
        return taken

    def advance(self, progress: Progress, **changes: Any) -> Progress:  # noqa: ANN401 -- fields of Progress
        """Write a new state of a record that this worker has, and keep it for another lease.

        Raises
        ------
        Busy
            If another worker took over.
        Unavailable
            If DynamoDB does not answer.
        """
        changed = replace(progress, **{"lease_until": self._now() + self.lease_s, **changes})
        self._put(changed, "#owner = :owner", {":owner": {"S": progress.owner}})
        return changed

    def release(self, progress: Progress) -> Progress:
        """Let another worker go on at once."""
        return self.advance(progress, lease_until=0.0)

    def _put(self, progress: Progress, condition: str, values: dict[str, Any]) -> None:
        item = _encode(progress) | {"expires_at": {"N": str(int(self._now()) + KEEP_S)}}
        request: dict[str, Any] = {"TableName": self._table, "Item": item, "ConditionExpression": condition}
        if values:
            request |= {"ExpressionAttributeNames": {"#owner": "owner"}, "ExpressionAttributeValues": values}
        with answering():
            try:
                self._client.put_item(**request)
            except self._client.exceptions.ConditionalCheckFailedException as error:
                raise Busy(RACE_S) from error


def _encode(progress: Progress) -> dict[str, Any]:
    return {
        name: {"N": repr(value)} if isinstance(value, int | float) else {"S": str(value)}
        for name in Progress.__slots__
        if (value := getattr(progress, name)) is not None
    }


def _decode(item: dict[str, Any]) -> Progress:
    def number(name: str) -> int:
        return int(item[name]["N"])

    return Progress(
        id=item["id"]["S"],
        key=item["key"]["S"],
        chunk_rows=number("chunk_rows"),
        began=float(item["began"]["N"]),
        status=Status(item["status"]["S"]),
        chunks=number("chunks"),
        rows=number("rows"),
        failed=number("failed"),
        starts=number("starts"),
        runs=number("runs"),
        reason=item["reason"]["S"] if "reason" in item else None,
        owner=item["owner"]["S"],
        lease_until=float(item["lease_until"]["N"]),
    )
